"""Tests of responses of models: what is shown, what the model is asked, and what a request may hold."""

import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import openai
import pytest
from openai.types.responses import Response, ResponseInputItemParam
from requirements import requirement
from responses_contract import misfits
from scripted_chat import MODEL, Town, calls, says, town

from tools.base import Failed, Overloaded, TooLong, Unavailable

pytestmark = pytest.mark.anyio

FUNCTION: Any = {
    "type": "function",
    "name": "weather",
    "description": "Das Wetter.",
    "parameters": {"type": "object", "properties": {"town": {"type": "string"}}},
    "strict": True,
}
IMAGE = "data:image/png;base64,iVBORw0KGgo="


@pytest.fixture(scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Town]:
    async with town(tmp_path_factory.mktemp("home")) as opened:
        yield opened


@requirement("RESP-1", "RESP-2")
async def test_a_response_has_everything_that_the_official_type_has(place: Town) -> None:
    place.chat.plays(says("Guten Tag."))
    answer = await place.client.post("/v1/responses", json={"model": MODEL, "input": "Hallo", "metadata": {"a": "b"}})
    body = answer.json()
    Response.model_validate(body, strict=True)
    assert misfits("Response", body) == []
    (message,) = body["output"]
    assert body["id"].startswith("resp_")
    assert (body["object"], body["status"], body["error"], body["incomplete_details"]) == (
        "response", "completed", None, None,
    )  # fmt: skip
    assert body["completed_at"] >= body["created_at"]
    assert (body["metadata"], body["tools"], body["tool_choice"], body["store"]) == ({"a": "b"}, [], "auto", True)
    assert message["content"] == [{"type": "output_text", "text": "Guten Tag.", "annotations": [], "logprobs": []}]
    assert body["usage"] == {
        "input_tokens": 10,
        "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 0},
        "output_tokens": 5,
        "output_tokens_details": {"reasoning_tokens": 2},
        "total_tokens": 15,
    }


async def test_the_model_is_asked_as_a_chat_with_everything_that_it_takes(place: Town) -> None:
    place.chat.plays(says("Ja."))
    await place.sdk.responses.create(
        model=MODEL,
        input=[
            {"role": "developer", "content": "Sei kurz."},
            {"role": "user", "content": [
                {"type": "input_text", "text": "Was ist das?"},
                {"type": "input_image", "image_url": IMAGE, "detail": "low"},
            ]},
        ],
        instructions="Antworte auf Deutsch.",
        temperature=0.5, top_p=0.9, max_output_tokens=99, user="u", top_logprobs=2, tools=[FUNCTION],
        tool_choice={"type": "function", "name": "weather"}, parallel_tool_calls=False, reasoning={"effort": "low"},
        extra_body={"top_k": 3, "chat_template_kwargs": {"enable_thinking": False}},
    )  # fmt: skip
    assert place.chat.asked == [
        {
            "model": MODEL,
            "messages": [
                {"role": "system", "content": "Antworte auf Deutsch.\n\nSei kurz."},
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "Was ist das?"},
                        {"type": "image_url", "image_url": {"url": IMAGE, "detail": "low"}},
                    ],
                },
            ],
            "temperature": 0.5,
            "top_p": 0.9,
            "max_completion_tokens": 99,
            "user": "u",
            "logprobs": True,
            "top_logprobs": 2,
            "reasoning_effort": "low",
            "tools": [
                {
                    "type": "function",
                    "function": {
                        "name": "weather",
                        "description": "Das Wetter.",
                        "parameters": FUNCTION["parameters"],
                        "strict": True,
                    },
                }
            ],
            "tool_choice": {"type": "function", "function": {"name": "weather"}},
            "parallel_tool_calls": False,
            "top_k": 3,
            "chat_template_kwargs": {"enable_thinking": False},
        }
    ]


@requirement("RESP-3")
async def test_a_function_is_called_by_the_client_and_its_result_goes_on(place: Town) -> None:
    place.chat.plays(calls(("weather", '{"town": "Birkenfurt"}'), ("weather", '{"town": "Neustadt"}')), says("Regen."))
    first = await place.sdk.responses.create(model=MODEL, input="Wetter?", tools=[FUNCTION])
    made = [item for item in first.output if item.type == "function_call"]
    assert [(item.name, item.call_id, item.arguments) for item in made] == [
        ("weather", "call-0", '{"town": "Birkenfurt"}'),
        ("weather", "call-1", '{"town": "Neustadt"}'),
    ]
    results: list[ResponseInputItemParam] = [
        {"type": "function_call_output", "call_id": item.call_id, "output": "Regen"} for item in made
    ]
    second = await place.sdk.responses.create(
        model=MODEL, input=results, previous_response_id=first.id, tools=[FUNCTION]
    )
    assert second.output_text == "Regen."
    user, assistant, *told = place.chat.asked[1]["messages"]
    assert user == {"role": "user", "content": "Wetter?"}
    assert [call["id"] for call in assistant["tool_calls"]] == ["call-0", "call-1"]
    assert told == [{"role": "tool", "tool_call_id": f"call-{at}", "content": "Regen"} for at in range(2)]


@requirement("RESP-4")
async def test_a_conversation_goes_on_and_its_instructions_do_not(place: Town) -> None:
    place.chat.plays(says("Anna.", reasoning="Hm, hm."), says("Sie heißt Anna."))
    first = await place.sdk.responses.create(model=MODEL, input="Ich heiße Anna.", instructions="Nenne Namen.")
    await place.sdk.responses.create(model=MODEL, input="Wie heiße ich?", previous_response_id=first.id)
    assert place.chat.asked[1]["messages"] == [
        {"role": "user", "content": "Ich heiße Anna."},
        {"role": "assistant", "content": "Anna.", "reasoning": "Hm, hm.", "reasoning_content": "Hm, hm."},
        {"role": "user", "content": "Wie heiße ich?"},
    ]


@requirement("RESP-5")
async def test_a_conversation_can_be_sent_in_whole_without_being_stored(place: Town) -> None:
    place.chat.plays(says("Anna.", reasoning="Hm."), says("Ja."))
    first = await place.sdk.responses.create(model=MODEL, input="Ich heiße Anna.", store=False)
    with pytest.raises(openai.NotFoundError):
        await place.sdk.responses.retrieve(first.id)
    items: Any = [{"role": "user", "content": "Ich heiße Anna."}, *(item.to_dict() for item in first.output)]
    items.append({"role": "user", "content": "Sicher?"})
    await place.sdk.responses.create(model=MODEL, input=items, store=False)
    assert [message["content"] for message in place.chat.asked[1]["messages"]] == [
        "Ich heiße Anna.",
        "Anna.",
        "Sicher?",
    ]


async def test_an_item_of_a_stored_response_is_referred_to_by_its_id(place: Town) -> None:
    place.chat.plays(says("Anna."), says("Ja."))
    first = await place.sdk.responses.create(model=MODEL, input="Ich heiße Anna.")
    said = first.output[0].id or ""
    await place.sdk.responses.create(model=MODEL, input=[{"type": "item_reference", "id": said}])
    assert place.chat.asked[1]["messages"] == [{"role": "assistant", "content": "Anna."}]
    with pytest.raises(openai.BadRequestError) as missing:
        await place.sdk.responses.create(model=MODEL, input=[{"type": "item_reference", "id": "msg_1"}])
    assert missing.value.param == "input[0].id"


@requirement("RESP-6")
async def test_an_answer_that_was_cut_is_incomplete(place: Town) -> None:
    place.chat.plays(says("Guten", finish_reason="length"))
    answer = await place.sdk.responses.create(model=MODEL, input="Hallo", max_output_tokens=16)
    assert (answer.status, answer.completed_at) == ("incomplete", None)
    assert answer.incomplete_details is not None
    assert answer.incomplete_details.reason == "max_output_tokens"
    message = answer.output[0]
    assert message.type == "message"
    assert message.status == "incomplete"


@requirement("RESP-7")
async def test_structured_output_is_asked_for_and_checked(place: Town) -> None:
    schema = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    text: Any = {"format": {"type": "json_schema", "name": "person", "schema": schema, "strict": True}}
    place.chat.plays(says('{"name": "Anna"}'), says('{"nome": 1}'), says("Anna"))
    answer = await place.sdk.responses.create(model=MODEL, input="Wer?", text=text)
    assert json.loads(answer.output_text) == {"name": "Anna"}
    about = {"name": "person", "schema": schema, "strict": True}
    assert place.chat.asked[0]["response_format"] == {"type": "json_schema", "json_schema": about}
    for _ in range(2):
        with pytest.raises(openai.InternalServerError) as broken:
            await place.sdk.responses.create(model=MODEL, input="Wer?", text=text)
        assert "schema" in broken.value.message


async def test_json_without_a_schema_must_be_an_object(place: Town) -> None:
    place.chat.plays(says('{"a": 1}'), says("[1]"))
    text: Any = {"format": {"type": "json_object"}}
    assert (await place.sdk.responses.create(model=MODEL, input="JSON!", text=text)).output_text == '{"a": 1}'
    with pytest.raises(openai.InternalServerError):
        await place.sdk.responses.create(model=MODEL, input="JSON!", text=text)


async def test_a_refusal_is_told_as_one(place: Town) -> None:
    place.chat.plays({"refusal": "Das sage ich nicht."})
    text: Any = {"format": {"type": "json_object"}}
    answer = await place.sdk.responses.create(model=MODEL, input="Sag es!", text=text)
    assert answer.output[0].type == "message"
    assert answer.output[0].content[0].type == "refusal"


async def test_logprobs_are_there_where_they_are_asked_for(place: Town) -> None:
    probability = {"token": "Ja", "logprob": -0.5, "bytes": [74, 97], "top_logprobs": []}
    place.chat.plays(says("Ja", logprobs={"content": [probability]}))
    answer = await place.client.post(
        "/v1/responses", json={"model": MODEL, "input": "?", "include": ["message.output_text.logprobs"]}
    )
    assert answer.json()["output"][0]["content"][0]["logprobs"] == [probability]


async def test_what_is_too_long_is_shortened_only_where_that_was_asked_for(place: Town) -> None:
    long = TooLong("The text is too long.")
    turns: Any = [
        {"role": "user" if at % 2 == 0 else "assistant", "content": f"{at}"} for at in range(9)
    ]  # fmt: skip
    place.chat.plays(long)
    with pytest.raises(openai.BadRequestError) as refused:
        await place.sdk.responses.create(model=MODEL, input=turns, instructions="Kurz.")
    assert refused.value.code == "context_length_exceeded"
    place.chat.plays(long, long, says("Ja."))
    await place.sdk.responses.create(model=MODEL, input=turns, instructions="Kurz.", truncation="auto")
    kept = [[message["content"] for message in asked["messages"]] for asked in place.chat.asked]
    assert kept[0] == ["Kurz.", *"012345678"]
    assert kept[1] == ["Kurz.", *"45678"]
    assert kept[2] == ["Kurz.", *"678"]


async def test_what_an_engine_does_not_do_has_its_own_status(place: Town) -> None:
    for error, status in ((Overloaded("Voll."), 429), (Unavailable("Weg."), 503), (Failed("Kaputt."), 502)):
        place.chat.plays(error)
        answer = await place.client.post("/v1/responses", json={"model": MODEL, "input": "Hallo"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, error.code)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"input": "a"}, "model"),
        ({"model": MODEL}, "input"),
        ({"model": MODEL, "input": 5}, "input"),
        ({"model": MODEL, "input": [{"role": "tool", "content": "a"}]}, "input[0].role"),
        ({"model": MODEL, "input": [{"role": "user", "content": [{"type": "video"}]}]}, "input[0].content[0]"),
        ({"model": MODEL, "input": [{"type": "computer_call"}]}, "input[0]"),
        ({"model": MODEL, "input": [{"type": "function_call_output", "output": "a"}]}, "input[0].call_id"),
        ({"model": MODEL, "input": "a", "temperature": "hot"}, "temperature"),
        ({"model": MODEL, "input": "a", "max_output_tokens": 0}, "max_output_tokens"),
        ({"model": MODEL, "input": "a", "stream": "yes"}, "stream"),
        ({"model": MODEL, "input": "a", "tools": [{"type": "web_search"}]}, "tools[0]"),
        ({"model": MODEL, "input": "a", "tools": [{"type": "function"}]}, "tools[0].name"),
        ({"model": MODEL, "input": "a", "tools": [FUNCTION, FUNCTION]}, "tools"),
        ({"model": MODEL, "input": "a", "tools": 2 * [{"type": "file_search"}]}, "tools"),
        ({"model": MODEL, "input": "a", "tool_choice": "required"}, "tool_choice"),
        ({"model": MODEL, "input": "a", "tool_choice": {"type": "function", "name": "b"}}, "tool_choice"),
        ({"model": MODEL, "input": "a", "text": {"format": {"type": "xml"}}}, "text.format.type"),
        ({"model": MODEL, "input": "a", "text": {"format": {"type": "json_schema"}}}, "text.format"),
        (
            {"model": MODEL, "input": "a", "text": {"format": {"type": "json_schema", "name": "a", "schema": {"type": 5}}}},
            "text.format.schema",
        ),
        ({"model": MODEL, "input": "a", "metadata": {"a": 1}}, "metadata.a"),
        ({"model": MODEL, "input": "a", "background": True, "store": False}, "background"),
        ({"model": MODEL, "input": "a", "previous_response_id": "resp_1"}, "previous_response_id"),
        ({"model": MODEL, "input": "a", "messages": []}, "messages"),
        ({"model": MODEL, "input": "a", "conversation": "conv_1"}, "conversation"),
        ({"model": MODEL, "input": "a", "n": 2}, "n"),
    ],
)  # fmt: skip
async def test_what_does_not_fit_is_400_and_named(place: Town, body: dict[str, Any], param: str) -> None:
    place.chat.plays()
    answer = await place.client.post("/v1/responses", json=body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


@requirement("ERROR-2")
async def test_an_unknown_model_names_the_nearest(place: Town) -> None:
    with pytest.raises(openai.NotFoundError) as unknown:
        await place.sdk.responses.create(model="town-modle", input="a")
    assert unknown.value.code == "model_not_found"
    assert f"Did you mean {MODEL!r}?" in unknown.value.message


async def test_with_no_days_to_keep_it_nothing_is_stored(tmp_path: Path) -> None:
    async with town(tmp_path, responses_days=0) as place:
        place.chat.plays(says("Ja."))
        answer = await place.client.post("/v1/responses", json={"model": MODEL, "input": "a"})
        assert answer.json()["store"] is False
        assert (await place.client.get(f"/v1/responses/{answer.json()['id']}")).status_code == 404
        refused = await place.client.post("/v1/responses", json={"model": MODEL, "input": "a", "background": True})
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, "background")
