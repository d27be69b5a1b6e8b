"""Tests of models and chat completions as OpenAI's clients see them, not streamed."""

import json
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from requirements import requirement
from web_house import TEXT, Web, Wire, asking, web

from agents.kit import Result
from agents.summary import Summary

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Web]:
    async with web(tmp_path_factory.mktemp("home")) as opened:
        await opened.app.state.health.loaded.wait()
        yield opened


@requirement("MODELS-1", "MODELS-2")
async def test_use_cases_and_engines_are_models(site: Web) -> None:
    data = (await site.client.get("/v1/models")).json()
    assert data["object"] == "list"
    kinds = {model["id"]: model["partitur"]["kind"] for model in data["data"]}
    assert kinds == {use_case.name: "use_case" for use_case in site.house.catalog} | {"extractive": "chat"}
    for model in data["data"]:
        assert (model["object"], model["owned_by"]) == ("model", "partitur")
        assert isinstance(model["created"], int)
    summary = next(model for model in data["data"] if model["id"] == "summary")
    assert summary["partitur"]["description"] == "Summarises a text in a few of its own sentences."
    assert summary["partitur"]["input_schema"]["required"] == ["text"]


@requirement("MODELS-3", "ERROR-2")
async def test_one_model_is_read_by_its_id(site: Web) -> None:
    listed = (await site.client.get("/v1/models")).json()["data"]
    assert (await site.client.get("/v1/models/summary")).json() in listed
    unknown = await site.client.get("/v1/models/org/unknown")
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "model_not_found")


@requirement("CHAT-1", "CHAT-2", "CHAT-6", "CHAT-7")
async def test_the_answer_of_a_use_case_is_a_chat_completion(site: Web) -> None:
    answer = await site.chat(model="summary", messages=asking())
    data = answer.json()
    assert answer.status_code == 200
    assert set(data) == {"id", "object", "created", "model", "choices", "usage", "partitur"}
    assert (data["object"], data["model"]) == ("chat.completion", "summary")
    assert data["id"] == f"chatcmpl-{data['partitur']['trace_id']}"
    (choice,) = data["choices"]
    message = choice.pop("message")
    assert choice == {"index": 0, "logprobs": None, "finish_reason": "stop"}
    assert (message["role"], message["refusal"]) == ("assistant", None)
    assert message["content"] == data["partitur"]["output"]["text"]
    usage = data["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"] > 0


async def test_the_whole_envelope_rides_along(site: Web) -> None:
    data = (await site.chat(model="summary", messages=asking())).json()
    result = Result[Summary].model_validate(data["partitur"])
    assert (result.use_case, result.outcome, result.engine) == ("summary", "done", "extractive")
    assert result.citations
    assert all(TEXT[cited.start : cited.end] == cited.quote for cited in result.citations)


@requirement("CHAT-3")
@pytest.mark.parametrize(
    "content",
    [
        TEXT,
        [{"type": "text", "text": TEXT}],
        [{"type": "input_text", "text": TEXT}],
        json.dumps({"text": TEXT}),
    ],
)
async def test_text_parts_and_json_are_the_same_input(site: Web, content: Any) -> None:
    plain = (await site.chat(model="summary", messages=asking())).json()
    other = (await site.chat(model="summary", messages=[{"role": "user", "content": content}])).json()
    assert other["choices"] == plain["choices"]


async def test_json_in_a_message_fills_every_field(site: Web) -> None:
    given = asking(json.dumps({"text": TEXT, "sentences": 1}))
    data = (await site.chat(model="summary", messages=given)).json()
    assert len(data["partitur"]["citations"]) == 1


async def test_the_last_user_message_is_the_one_that_counts(site: Web) -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Ein anderer Text, der nicht gemeint ist."},
        {"role": "assistant", "content": "Gut."},
        *asking(),
        {"role": "assistant", "content": None},
    ]
    data = (await site.chat(model="summary", messages=messages)).json()
    assert "nicht gemeint" not in data["choices"][0]["message"]["content"]


@requirement("CHAT-4")
@pytest.mark.parametrize(
    "response_format",
    [
        {"type": "json_object"},
        {"type": "json_schema", "json_schema": {"name": "Summary", "strict": True, "schema": {"type": "object"}}},
        {"type": "json_schema", "json_schema": {"name": "Summary"}},
    ],
)
async def test_with_a_json_format_the_content_is_the_typed_output(site: Web, response_format: dict[str, Any]) -> None:
    data = (await site.chat(model="summary", messages=asking(), response_format=response_format)).json()
    assert json.loads(data["choices"][0]["message"]["content"]) == data["partitur"]["output"]


async def test_what_needs_a_model_says_so_in_words(site: Web) -> None:
    answer = await site.chat(model="plain_language", messages=asking())
    data = answer.json()
    assert (answer.status_code, data["partitur"]["outcome"]) == (200, "needs_model")
    assert "PARTITUR_MODEL_URL" in data["choices"][0]["message"]["content"]


@requirement("CHAT-5")
async def test_where_there_is_no_json_to_give_the_refusal_says_why(site: Web) -> None:
    answer = await site.chat(model="plain_language", messages=asking(), response_format={"type": "json_object"})
    message = answer.json()["choices"][0]["message"]
    assert message["content"] is None
    assert "PARTITUR_MODEL_URL" in message["refusal"]


async def test_without_a_source_the_answer_says_so_in_words(site: Web) -> None:
    answer = await site.chat(model="answer", messages=asking("Wie hoch ist der Mount Everest?"))
    data = answer.json()
    assert (answer.status_code, data["partitur"]["outcome"]) == (200, "no_source")
    assert data["choices"][0]["message"]["content"] == data["partitur"]["message"]


@requirement("CHAT-8")
async def test_parameters_of_language_models_do_not_disturb_a_use_case(site: Web) -> None:
    plain = (await site.chat(model="summary", messages=asking())).json()
    other = await site.chat(
        model="summary",
        messages=asking(),
        temperature=0.3,
        top_p=1,
        max_tokens=50,
        n=1,
        seed=7,
        user="anna",
        metadata={"a": "b"},
        stream=None,
        response_format=None,
        an_unknown_one=[1],
    )
    assert (other.status_code, other.json()["choices"]) == (200, plain["choices"])


@requirement("ERROR-2")
async def test_an_unknown_model_names_the_nearest_one(site: Web) -> None:
    answer = await site.chat(model="sumary", messages=asking())
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (404, "model_not_found")
    assert "'sumary' does not exist" in error["message"]
    assert error["message"].endswith("Did you mean 'summary'?")


@requirement("ERROR-3")
@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"model": None}, "model"),
        ({"model": 7}, "model"),
        ({"messages": None}, "messages"),
        ({"messages": "hello"}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": [7]}, "messages[0]"),
        ({"messages": [{"content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "system", "content": "x"}]}, "messages"),
        ({"messages": [{"role": "user", "content": None}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": []}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": {"type": "text"}}]}, "messages[0].content"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:"}}]}]},
            "messages[0].content[0]",
        ),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": 7}]}]}, "messages[0].content[0]"),
        ({"stream": "yes"}, "stream"),
        ({"stream_options": []}, "stream_options"),
        ({"n": 2}, "n"),
        ({"n": 0}, "n"),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"response_format": "json"}, "response_format"),
    ],
)
async def test_a_parameter_that_does_not_fit_is_named(site: Web, change: dict[str, Any], param: str) -> None:
    answer = await site.chat(**({"model": "summary", "messages": asking()} | change))
    error = answer.json()["error"]
    assert (answer.status_code, error["type"], error["param"]) == (400, "invalid_request_error", param)
    assert error["code"] == "invalid_parameter"


@pytest.mark.parametrize(
    "text", ["", '{"text": ""}', '{"text": "Gut.", "sentences": 0}', '{"text": "Gut.", "sentences": "x"}']
)
async def test_input_that_the_use_case_does_not_take_is_told(site: Web, text: str) -> None:
    answer = await site.chat(model="summary", messages=asking(text))
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (400, "invalid_parameter", "messages[0].content")
    assert "does not fit" in error["message"]


@requirement("ERROR-6")
async def test_a_text_over_the_limit_of_its_field_is_told(site: Web) -> None:
    answer = await site.chat(model="summary", messages=asking("Wort. " * 100_000))
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "context_length_exceeded")
    assert len(answer.text) < 1_000


async def test_a_credential_is_refused(site: Web) -> None:
    answer = await site.chat(model="summary", messages=asking(f"{TEXT} {site.key}"))
    assert (answer.status_code, answer.json()["error"]["type"]) == (403, "permission_error")


async def test_the_run_stops_when_the_client_goes_away(site: Web) -> None:
    wire = Wire(site.app, site.key)
    wire.gone.set()
    await wire.post({"model": "summary", "messages": asking("Ein Satz. " * 20_000)})
    assert wire.sent[0]["status"] == 499


async def test_an_engine_answers_as_a_model(site: Web) -> None:
    answer = await site.chat(model="extractive", messages=asking())
    data = answer.json()
    assert answer.status_code == 200
    assert set(data) == {"id", "object", "created", "model", "choices", "usage"}
    assert isinstance(data["choices"][0]["message"]["content"], str)


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        ([{"role": "tool", "content": "x"}], "messages[0].role"),
        ([{"role": "user", "content": [{"type": "image_url"}]}], "messages[0].content"),
    ],
)
async def test_an_engine_in_process_reads_text_alone(site: Web, messages: list[Any], param: str) -> None:
    answer = await site.chat(model="extractive", messages=messages)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


@pytest.mark.parametrize("text", ['{"text":' * 30_000, '{"text": ' + "[" * 30_000])
async def test_a_message_that_only_begins_like_json_is_text(site: Web, text: str) -> None:
    answer = await site.chat(model="summary", messages=asking(text))
    assert answer.status_code == 200
    assert answer.json()["partitur"]["use_case"] == "summary"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("role", ["user", "assistant", "system"])
async def test_a_credential_in_an_earlier_message_is_refused_too(site: Web, role: str, stream: bool) -> None:
    secret = {"role": role, "content": "Mein Schlüssel ist AKIAABCDEFGHIJKLMNOP."}
    messages = [secret, {"role": "assistant", "content": "Gut."}, *asking()]
    answer = await site.chat(model="extractive", messages=messages, stream=stream)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "refused")
