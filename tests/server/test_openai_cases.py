"""What the official SDK asks of models and their chat completions, over a real port: an engine's answers as they are."""

import json
from collections.abc import AsyncGenerator
from typing import Any

import httpx2
import openai
import pytest
from openai.types.chat import ChatCompletion
from pydantic import BaseModel
from requirements import requirement
from sdk_house import LOOK, MODEL, USAGE, Desk, chunk, desk_before_engine, problems

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(30)]

HELLO: Any = [{"role": "user", "content": "Hallo"}]
LOGPROBS = {
    "content": [{"token": "Hi", "logprob": -0.1, "bytes": [72, 105], "top_logprobs": []}],
    "refusal": None,
}


def call(at: int, name: str = "look_up", arguments: str = '{"query": "Hund"}') -> dict[str, Any]:
    return {"id": f"call-{at}", "type": "function", "function": {"name": name, "arguments": arguments}}


@pytest.fixture(scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Desk]:
    async with desk_before_engine(tmp_path_factory.mktemp("home")) as opened:
        yield opened


@requirement("MODELS-1", "MODELS-2", "MODELS-3", "MODELS-4")
@pytest.mark.parametrize("name", ["summary", "down", MODEL])
async def test_models_are_listed_and_read_by_their_id(here: Desk, name: str) -> None:
    listed = {model.id: model for model in (await here.sdk.models.list()).data}
    assert await here.sdk.models.retrieve(name) == listed[name]
    raw = await here.sdk.models.with_raw_response.list()
    assert problems("ListModelsResponse", json.loads(raw.text)) == []


@requirement("MODELS-4")
@pytest.mark.parametrize("path", ["town/model", "town%2Fmodel", "town%2fmodel"])
async def test_a_model_with_a_slash_is_read_however_the_slash_is_written(here: Desk, path: str) -> None:
    async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {here.site.key}"}) as client:
        answer = await client.get(f"{here.url}/v1/models/{path}")
    assert (answer.status_code, answer.json()["id"]) == (200, MODEL)
    assert problems("Model", answer.json()) == []


@requirement("RAW-1", "CHAT-1", "CHAT-2", "CHAT-6")
async def test_the_answer_of_a_model_is_the_engines_own_under_our_id(here: Desk) -> None:
    here.engine.says({"content": "Grüß Gott 🌻"}, system_fingerprint="fp-1", service_tier="default", kv_transfer=None)
    raw = await here.sdk.chat.completions.with_raw_response.create(model=MODEL, messages=HELLO)
    assert problems("CreateChatCompletionResponse", json.loads(raw.text)) == []
    answer = raw.parse()
    assert isinstance(answer, ChatCompletion)
    assert (answer.id, answer.model, answer.system_fingerprint) == ("chatcmpl-1", MODEL, "fp-1")
    assert answer.choices[0].message.content == "Grüß Gott 🌻"
    assert answer.usage is not None
    assert answer.usage.model_dump(exclude_none=True) == USAGE


@requirement("RAW-2", "CHAT-7")
@pytest.mark.parametrize(
    "given",
    [
        {"temperature": 0.3, "top_p": 0.9, "seed": 7, "stop": ["\n", "END"], "user": "anna"},
        {"max_tokens": 5},
        {"max_completion_tokens": 5, "reasoning_effort": "low", "verbosity": "low"},
        {"frequency_penalty": 0.1, "presence_penalty": -0.1, "logit_bias": {"50256": -100}},
        {"logprobs": True, "top_logprobs": 3, "n": 2},
        {"tools": [LOOK], "tool_choice": "auto", "parallel_tool_calls": False},
        {"tools": [LOOK], "tool_choice": {"type": "function", "function": {"name": "look_up"}}},
        {"tools": [LOOK], "tool_choice": "required"},
        {"functions": [{"name": "look_up", "parameters": {}}], "function_call": {"name": "look_up"}},
        {"response_format": {"type": "json_object"}},
        {"response_format": {"type": "text"}},
        {"response_format": {"type": "structural_tag", "structures": []}},
        {"metadata": {"a": "b"}, "store": False, "service_tier": "auto", "modalities": ["text"]},
        {"prediction": {"type": "content", "content": "Hallo"}, "web_search_options": {}},
        {"top_k": 3, "min_p": 0.1, "repetition_penalty": 1.1, "chat_template_kwargs": {"enable_thinking": False}},
        {"structured_outputs": {"regex": "[a-z]+"}, "priority": 1, "ignore_eos": True, "a_made_up_one": [{"x": None}]},
    ],
    ids=lambda given: "+".join(list(given)[:2]),
)
@pytest.mark.parametrize("streamed", [False, True])
async def test_every_parameter_reaches_the_engine_as_it_is(here: Desk, given: dict[str, Any], streamed: bool) -> None:
    here.engine.bodies.clear()
    if streamed:
        here.engine.streams(chunk({"role": "assistant", "content": "{}"}), chunk({}, finish="stop"))
    else:
        here.engine.says({"content": "{}"})
    await here.sdk.chat.completions.create(model=MODEL, messages=HELLO, extra_body={**given, "stream": streamed})
    (body,) = here.engine.bodies
    assert {name: body[name] for name in given} == given
    assert set(body) - set(given) - {"stream_options"} == {"model", "messages", "stream"}
    assert body["model"] == "model-there"


@requirement("RAW-3", "CHAT-3")
@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "developer", "content": "Kurz."}, {"role": "user", "content": "Hallo", "name": "anna"}],
        [{"role": "system", "content": [{"type": "text", "text": "Kurz."}]}, {"role": "user", "content": "Hallo"}],
        [
            {"role": "user", "content": "Hallo"},
            {"role": "assistant", "content": None, "tool_calls": [call(0), call(1)]},
            {"role": "tool", "tool_call_id": "call-0", "content": "ja"},
            {"role": "tool", "tool_call_id": "call-1", "content": [{"type": "text", "text": "nein"}]},
        ],
        [{"role": "function", "name": "look_up", "content": "ja"}, {"role": "user", "content": "Hallo"}],
        [{"role": "assistant", "content": "Gut", "refusal": None, "reasoning_content": "Hm"}, *HELLO],
        [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]}],
        [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://a.example/b.png"}}]}],
        [{"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}]}],
        [{"role": "user", "content": [{"type": "file", "file": {"file_data": "AAAA", "filename": "a.pdf"}}]}],
        [{"role": "user", "content": [{"type": "video_url", "video_url": {"url": "https://a.example/b.mp4"}}]}],
        [{"role": "user", "content": ""}],
        [{"role": "user", "content": "Hallo"}, {"role": "assistant", "content": "Guten"}],
        [{"role": "critic", "content": "Hm"}],
    ],
)
async def test_every_kind_of_message_reaches_the_engine_as_it_is(here: Desk, messages: Any) -> None:
    here.engine.bodies.clear()
    here.engine.says({"content": "Gut."})
    await here.sdk.chat.completions.create(model=MODEL, messages=messages)
    assert here.engine.bodies[0]["messages"] == messages


@requirement("RAW-4")
@pytest.mark.parametrize(
    "choice",
    [
        {
            "message": {"role": "assistant", "content": None, "refusal": None, "tool_calls": [call(0), call(1)]},
            "finish_reason": "tool_calls",
        },
        {"message": {"role": "assistant", "content": None, "refusal": "Nein."}},
        {
            "message": {"role": "assistant", "content": "x", "refusal": None, "reasoning_content": "Hm"},
            "finish_reason": "length",
        },
        {
            "message": {"role": "assistant", "content": "x", "refusal": None, "reasoning": "Hm"},
            "finish_reason": "content_filter",
        },
        {
            "message": {"role": "assistant", "content": None, "refusal": None, "function_call": call(0)["function"]},
            "finish_reason": "function_call",
        },
        {"message": {"role": "assistant", "content": "Hi", "refusal": None}, "logprobs": LOGPROBS},
        {"message": {"role": "assistant", "content": "", "refusal": None}, "stop_reason": 128001},
    ],
    ids=lambda choice: "+".join([*choice["message"], *choice]),
)
async def test_whatever_an_engine_answers_is_there(here: Desk, choice: dict[str, Any]) -> None:
    here.engine.says(choice, choice)
    answer = await here.sdk.chat.completions.create(model=MODEL, messages=HELLO)
    made = [one.model_dump(exclude_unset=True) for one in answer.choices]
    assert made == [{"index": at, "logprobs": None, "finish_reason": "stop", **choice} for at in (0, 1)]


@requirement("RAW-5")
async def test_details_of_the_usage_are_kept(here: Desk) -> None:
    usage = USAGE | {
        "prompt_tokens_details": {"cached_tokens": 4},
        "completion_tokens_details": {"reasoning_tokens": 2},
    }
    here.engine.says({"content": "Gut."}, usage=usage)
    answer = await here.sdk.chat.completions.create(model=MODEL, messages=HELLO)
    assert answer.usage is not None
    assert answer.usage.model_dump(exclude_unset=True) == usage


@requirement("RAW-6", "STREAM-1", "STREAM-2", "STREAM-3", "STREAM-5")
@pytest.mark.parametrize("counted", [False, True])
async def test_a_stream_of_a_model_is_framed_as_the_document_says(here: Desk, counted: bool) -> None:
    texts = ["Grüß", " Gott", " 🌻", " an", " alle.", "\n"]
    here.engine.streams(
        chunk({"role": "assistant", "content": ""}),
        *(chunk({"content": text}) for text in texts),
        chunk({}, finish="stop"),
        chunk(),
    )
    options: Any = {"stream_options": {"include_usage": True}} if counted else {}
    async with here.sdk.chat.completions.with_streaming_response.create(
        model=MODEL, messages=HELLO, stream=True, **options
    ) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        text = (await response.read()).decode()
    *events, last = text.removesuffix("\n\n").split("\n\n")
    assert last == "data: [DONE]"
    chunks = [json.loads(event.removeprefix("data: ")) for event in events if not event.startswith(":")]
    assert [problem for one in chunks for problem in problems("CreateChatCompletionStreamResponse", one)] == []
    assert "".join(one["choices"][0]["delta"].get("content") or "" for one in chunks if one["choices"]) == "".join(
        texts
    )
    assert {one["model"] for one in chunks} == {MODEL}
    assert [one["usage"] for one in chunks if one.get("usage")] == ([USAGE] if counted else [])
    assert [one["choices"] for one in chunks if not one["choices"]] == ([[]] if counted else [])


@requirement("RAW-7")
async def test_calls_of_several_tools_are_streamed_and_put_together_by_the_sdk(here: Desk) -> None:
    def part(at: int, **function: str) -> dict[str, Any]:
        head = {"id": f"call-{at}", "type": "function"} if "name" in function else {}
        return {"tool_calls": [{"index": at, **head, "function": function}]}

    here.engine.streams(
        chunk({"role": "assistant", "content": None}),
        chunk(part(0, name="look_up", arguments="")),
        chunk(part(0, arguments='{"query": ')),
        chunk(part(0, arguments='"Hund und Katze"}')),
        chunk(part(1, name="look_up", arguments='{"que')),
        chunk(part(1, arguments='ry": "Maus"}')),
        chunk({}, finish="tool_calls"),
        chunk(),
    )
    async with here.sdk.chat.completions.stream(model=MODEL, messages=HELLO, tools=[LOOK]) as stream:
        final = await stream.get_final_completion()
    made = final.choices[0].message.tool_calls
    assert made is not None
    assert [one.function.parsed_arguments for one in made] == [{"query": "Hund und Katze"}, {"query": "Maus"}]
    assert [one.id for one in made] == ["call-0", "call-1"]
    assert final.choices[0].finish_reason == "tool_calls"


@requirement("RAW-8")
async def test_several_choices_logprobs_and_reasoning_are_streamed_each_as_its_own(here: Desk) -> None:
    here.engine.streams(
        chunk({"role": "assistant", "content": ""}, index=0),
        chunk({"role": "assistant", "content": ""}, index=1),
        chunk({"reasoning_content": "Erst denken. "}, index=0),
        chunk({"content": "Ja, "}, index=1, logprobs=LOGPROBS),
        chunk({"content": "Hallo "}, index=0),
        chunk({"content": "gern."}, index=1),
        chunk({}, index=1, finish="stop"),
        chunk({"content": "Welt"}, index=0, finish="length"),
    )
    stream = await here.sdk.chat.completions.create(model=MODEL, messages=HELLO, n=2, stream=True)
    said, thought, ends, probable = {0: "", 1: ""}, "", {}, []
    async for one in stream:
        for choice in one.choices:
            said[choice.index] += choice.delta.content or ""
            thought += (choice.delta.model_extra or {}).get("reasoning_content") or ""
            if choice.finish_reason:
                ends[choice.index] = choice.finish_reason
            if choice.logprobs:
                probable.append(choice.logprobs.model_dump())
    assert said == {0: "Hallo Welt", 1: "Ja, gern."}
    assert (thought, ends) == ("Erst denken. ", {0: "length", 1: "stop"})
    assert len(probable) == 1


class Place(BaseModel):
    town: str


@requirement("RAW-9")
async def test_json_in_a_schema_is_parsed_by_the_sdk_and_what_ignores_it_is_not_believed(here: Desk) -> None:
    here.engine.says({"content": '{"town": "Birkenfurt"}'})
    answer = await here.sdk.chat.completions.parse(model=MODEL, messages=HELLO, response_format=Place)
    assert answer.choices[0].message.parsed == Place(town="Birkenfurt")
    here.engine.says({"content": '{"city": 7}'})
    with pytest.raises(openai.InternalServerError) as refused:
        await here.sdk.chat.completions.parse(model=MODEL, messages=HELLO, response_format=Place)
    assert refused.value.status_code == 502
