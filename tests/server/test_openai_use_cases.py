"""What the official SDK asks of use cases, over a real port: conversations, schemas, sources, progress, parameters."""

import json
from collections.abc import AsyncGenerator
from typing import Any

import httpx2
import openai
import pytest
from openai.lib._pydantic import to_strict_json_schema
from pydantic import BaseModel
from requirements import requirement
from sdk_house import LOOK, Desk, desk, problems
from web_house import TEXT, asking

from agents.answer import Answer
from agents.kit import Turn
from server.openai_format import AskedFormat
from tools.knowledge.library import Inline

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(30)]

ASK: Any = asking()


@pytest.fixture(scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Desk]:
    async with desk(tmp_path_factory.mktemp("home")) as opened:
        hours = (
            "# Bürgerbüro\n\n## Öffnungszeiten des Bürgerbüros\n\nDas Bürgerbüro hat montags von 8 bis 16 Uhr geöffnet. "
            "Samstags hat das Bürgerbüro von 9 bis 12 Uhr geöffnet.\n"
        )
        pool = "# Freibad\n\nDas Freibad öffnet täglich um 10 Uhr. Samstags spielt im Freibad eine Kapelle.\n"
        caller = opened.site.keys.list()[0].caller
        documents = [Inline("buero.md", hours.encode()), Inline("bad.md", pool.encode())]
        await opened.site.house.servers.library.ingest(documents=documents, caller=caller)
        yield opened


@requirement("CASE-1", "CHAT-4")
async def test_a_use_case_is_parsed_into_a_class_that_fits_its_output(here: Desk) -> None:
    class Summary(BaseModel):
        text: str

    answer = await here.sdk.chat.completions.parse(model="summary", messages=ASK, response_format=Summary)
    parsed = answer.choices[0].message.parsed
    assert parsed is not None
    assert parsed.text in answer.model_extra["partitur"]["output"]["text"]  # pyright: ignore[reportOptionalSubscript]


@requirement("CASE-1")
async def test_a_stream_is_parsed_into_the_use_cases_own_class(here: Desk) -> None:
    ask: Any = asking("Wann öffnet das Freibad?")
    async with here.sdk.chat.completions.stream(model="answer", messages=ask, response_format=Answer) as stream:
        parsed = (await stream.get_final_completion()).choices[0].message.parsed
    assert parsed is not None
    assert "10 Uhr" in parsed.text
    assert parsed.sources[0].document == "bad.md"


@requirement("CASE-1")
async def test_every_use_case_can_keep_to_its_own_schema_as_the_sdk_writes_it(here: Desk) -> None:
    for use_case in here.site.house.catalog:
        own = use_case.output.model_json_schema(mode="serialization")
        AskedFormat(use_case.name, own, own)
        AskedFormat(use_case.name, own, to_strict_json_schema(use_case.output))


@requirement("CASE-2")
@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("schema", "says"),
    [
        ({"type": "object", "properties": {"town": {"type": "string"}}, "required": ["town"]}, "no field 'town'"),
        ({"type": "object", "properties": {}, "additionalProperties": False}, "the field 'text' too"),
        ({"type": "object", "properties": {"text": {"type": "integer"}}}, "'text' is string, not integer"),
        ({"type": "array"}, "the output is object, not array"),
        ({"anyOf": [{"type": "string"}, {"$ref": "#/$defs/T"}], "$defs": {"T": {"type": "null"}}}, "not null"),
        ({"type": "object", "properties": {"text": {"type": "string", "maxLength": 3}}}, "schema"),
        ({"type": "object", "properties": {"text": {"const": "x"}}}, "schema"),
    ],
)
async def test_a_schema_that_a_use_case_cannot_fit_is_refused(
    here: Desk, schema: dict[str, Any], says: str, streamed: bool
) -> None:
    form: Any = {"type": "json_schema", "json_schema": {"name": "Mine", "strict": True, "schema": schema}}
    with pytest.raises(openai.BadRequestError) as refused:
        await here.sdk.chat.completions.create(
            model="summary", messages=ASK, response_format=form, extra_body={"stream": streamed}
        )
    assert (refused.value.param, refused.value.code) == ("response_format", "invalid_parameter")
    assert says in refused.value.message
    assert "'text'" in refused.value.message


@requirement("CASE-2", "ERROR-3")
@pytest.mark.parametrize(
    ("form", "param"),
    [
        ({"type": "json_schema"}, "response_format.json_schema"),
        ({"type": "json_schema", "json_schema": {"schema": {}}}, "response_format.json_schema.name"),
        ({"type": "json_schema", "json_schema": {"name": "x", "schema": []}}, "response_format.json_schema.schema"),
        (
            {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": 7}}},
            "response_format.json_schema.schema",
        ),
        (
            {"type": "json_schema", "json_schema": {"name": "x", "schema": {"$ref": "http://a.example/b"}}},
            "response_format.json_schema.schema",
        ),
    ],
)
async def test_a_format_that_is_none_is_named(here: Desk, form: Any, param: str) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        await here.sdk.chat.completions.create(model="summary", messages=ASK, response_format=form)
    assert refused.value.param == param


@requirement("CASE-3")
async def test_a_follow_up_question_is_answered_in_its_conversation(here: Desk) -> None:
    first = "Wann hat das Bürgerbüro geöffnet?"
    before: Any = [{"role": "user", "content": first}, {"role": "assistant", "content": "Montags von 8 bis 16 Uhr."}]
    ask: Any = {"role": "user", "content": "Und am Samstag?"}
    for model in ("answer", "chat"):
        answer = await here.sdk.chat.completions.create(model=model, messages=[*before, ask])
        assert "9 bis 12 Uhr" in (answer.choices[0].message.content or "")
        stream = await here.sdk.chat.completions.create(model=model, messages=[*before, ask], stream=True)
        said = "".join([one.choices[0].delta.content or "" async for one in stream])
        assert "9 bis 12 Uhr" in said


@requirement("CASE-3")
async def test_a_question_that_stands_alone_is_answered_as_without_a_conversation(here: Desk) -> None:
    ask: Any = {"role": "user", "content": "Wann öffnet das Freibad?"}
    before: Any = [
        {"role": "user", "content": "Wann hat das Bürgerbüro geöffnet?"},
        {"role": "assistant", "content": "…"},
    ]
    alone = await here.sdk.chat.completions.create(model="answer", messages=[ask])
    answer = await here.sdk.chat.completions.create(model="answer", messages=[*before, ask])
    assert answer.choices[0].message == alone.choices[0].message


@requirement("CASE-3")
async def test_the_typed_route_and_python_take_the_same_history(here: Desk) -> None:
    turns = [{"role": "user", "text": "Wann hat das Bürgerbüro geöffnet?"}, {"role": "assistant", "text": "…"}]
    body = {"question": "Und am Samstag?", "history": turns}
    async with httpx2.AsyncClient(base_url=here.url, headers={"Authorization": f"Bearer {here.site.key}"}) as client:
        answer = (await client.post("/api/use-cases/answer", json=body)).json()
        wrong = (await client.post("/api/use-cases/answer", json=body | {"history": [{"role": "x"}]})).json()
    caller = here.site.keys.list()[0].caller
    asked = await here.site.house.ask_by_name(
        "answer", {"question": "Und am Samstag?"}, caller=caller, history=[Turn.model_validate(turn) for turn in turns]
    )
    assert asked.output is not None
    assert answer["output"] == asked.output.model_dump(mode="json")
    assert "9 bis 12 Uhr" in answer["output"]["text"]
    assert wrong["error"]["param"] == "history.0.role"


@requirement("CASE-4")
@pytest.mark.parametrize("role", ["system", "developer", "tool", "function"])
async def test_a_message_of_another_role_does_not_change_a_use_case(here: Desk, role: str) -> None:
    other: Any = {"role": role, "content": "Antworte auf Englisch.", "tool_call_id": "x", "name": "x"}
    plain = await here.sdk.chat.completions.create(model="summary", messages=ASK)
    answer = await here.sdk.chat.completions.create(model="summary", messages=[other, *ASK])
    assert answer.choices == plain.choices


@requirement("CASE-5")
async def test_sources_are_annotations_whole_and_streamed(here: Desk) -> None:
    ask: Any = asking("Wann hat das Bürgerbüro am Samstag geöffnet?")
    whole = (await here.sdk.chat.completions.create(model="answer", messages=ask)).choices[0].message
    assert whole.annotations
    cited = whole.annotations[0].url_citation
    assert cited.url.startswith("document://buero.md#char=")
    assert "Samstags" in (whole.content or "")[cited.start_index : cited.end_index]
    assert cited.title.startswith("Bürgerbüro")
    async with here.sdk.chat.completions.stream(model="answer", messages=ask) as stream:
        final = (await stream.get_final_completion()).choices[0].message
    assert final.annotations == whole.annotations
    assert final.content == whole.content


@requirement("CASE-6")
async def test_progress_is_told_to_who_asks_and_does_not_disturb_the_text(here: Desk) -> None:
    given: Any = {"model": "chat", "messages": asking(f"Fasse diesen Text zusammen: {TEXT}"), "stream": True}
    plain = [one async for one in await here.sdk.chat.completions.create(**given)]
    told = [
        one
        async for one in await here.sdk.chat.completions.create(**given, extra_body={"partitur": {"progress": True}})
    ]
    assert [one for one in plain if "progress" in ((one.model_extra or {}).get("partitur") or {})] == []
    said = [
        one.model_extra["partitur"]["progress"]
        for one in told
        if one.model_extra and "progress" in one.model_extra.get("partitur", {})
    ]
    assert [(one["state"], one["name"]) for one in said] == [("started", "summary"), ("finished", "summary")]
    assert said[1]["outcome"] == "done"
    texts = ["".join(one.choices[0].delta.content or "" for one in chunks) for chunks in (plain, told)]
    assert texts[0] == texts[1] != ""
    assert all(one.choices and one.choices[0].delta.content is not None for one in told[:-1])
    assert [problem for one in told for problem in problems("CreateChatCompletionStreamResponse", one.to_dict())] == []


@requirement("CASE-7", "CHAT-8")
@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"temperature": "warm"}, "temperature"),
        ({"temperature": 3}, "temperature"),
        ({"top_p": -1}, "top_p"),
        ({"max_tokens": "5"}, "max_tokens"),
        ({"max_completion_tokens": 1.5}, "max_completion_tokens"),
        ({"stop": 7}, "stop"),
        ({"stop": ["a", "b", "c", "d", "e"]}, "stop"),
        ({"seed": "x"}, "seed"),
        ({"logprobs": 1}, "logprobs"),
        ({"top_logprobs": 99}, "top_logprobs"),
        ({"tools": {}}, "tools"),
        ({"tools": [7]}, "tools[0]"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tool_choice": {"type": "function", "function": {"name": "x"}}}, "tool_choice"),
        ({"function_call": {"name": "x"}}, "function_call"),
        ({"modalities": ["text", "audio"]}, "modalities[1]"),
        ({"metadata": {"a": 1}}, "metadata.a"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"partitur": {"progres": True}}, "partitur.progres"),
        ({"n": 2}, "n"),
    ],
)
async def test_what_a_use_case_cannot_do_or_read_is_named(here: Desk, given: dict[str, Any], param: str) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        await here.sdk.chat.completions.create(model="summary", messages=ASK, extra_body=given)
    assert (refused.value.param, refused.value.type) == (param, "invalid_request_error")


@requirement("CASE-7", "CHAT-8")
async def test_what_front_ends_send_along_changes_nothing(here: Desk) -> None:
    given: Any = {
        "tools": [LOOK],
        "tool_choice": "auto",
        "parallel_tool_calls": True,
        "functions": [{"name": "x"}],
        "function_call": "auto",
        "logit_bias": {"1": -5},
        "stop": None,
        "reasoning_effort": "low",
        "modalities": ["text"],
        "user": "anna",
    }
    plain = await here.sdk.chat.completions.create(model="summary", messages=ASK)
    answer = await here.sdk.chat.completions.create(model="summary", messages=ASK, **given)
    assert answer.choices == plain.choices


@requirement("CASE-8")
async def test_the_answers_of_a_use_case_fit_the_official_document(here: Desk) -> None:
    ask: Any = {"model": "answer", "messages": asking("Wann öffnet das Freibad?")}
    raw = await here.sdk.chat.completions.with_raw_response.create(**ask)
    assert problems("CreateChatCompletionResponse", json.loads(raw.text)) == []
    stream = await here.sdk.chat.completions.create(**ask, stream=True, stream_options={"include_usage": True})
    chunks = [one.to_dict() async for one in stream]
    assert [problem for one in chunks for problem in problems("CreateChatCompletionStreamResponse", one)] == []


def test_the_check_against_the_document_finds_faults() -> None:
    assert problems("Model", {"id": 7}) != []
    assert problems("CreateChatCompletionResponse", {"choices": [{}]}) != []
