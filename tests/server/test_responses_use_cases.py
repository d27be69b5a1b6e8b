"""Tests of responses of use cases: their text with its sources, their typed output, the conversation, the envelope."""

import json
from collections.abc import AsyncGenerator
from typing import Any

import openai
import pytest
from responses_contract import misfits
from scripted_chat import Town, town
from test_responses_stream import OFFICIAL, kinds
from web_house import TEXT

from agents.kit import from_text
from agents.kit.scope import Scope
from server.house import LOCAL
from tools.knowledge import Ingest, ingest

pytestmark = pytest.mark.anyio

OTHER = {"type": "object", "properties": {"price": {"type": "number"}}, "required": ["price"]}


@pytest.fixture(scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Town]:
    async with town(tmp_path_factory.mktemp("home")) as opened:
        yield opened


async def test_a_use_case_answers_as_everywhere_with_its_envelope(place: Town) -> None:
    answer = await place.sdk.responses.create(model="summary", input=TEXT)
    use_case = place.house.catalog["summary"]
    same: Any = await place.house.ask(use_case, from_text(use_case.input, TEXT))
    assert answer.output_text == same.output.text
    envelope: Any = (answer.model_extra or {})["partitur"]
    assert (envelope["use_case"], envelope["outcome"]) == ("summary", "done")
    assert envelope["output"] == same.output.model_dump(mode="json")
    assert answer.usage is not None
    assert answer.usage.total_tokens == same.usage.input_tokens + same.usage.output_tokens > 0


async def test_sources_are_annotations_of_the_text(place: Town) -> None:
    given = Ingest(name="freibad.md", text=f"# Freibad\n\n{TEXT}")
    await place.house.runtime.toolbox.call(ingest, given, Scope.alone("test", LOCAL))
    answer: Any = await place.sdk.responses.create(model="answer", input="Was kostet das Freibad in Birkenfurt?")
    (part,) = answer.output[0].content
    envelope = answer.model_extra["partitur"]
    assert envelope["outcome"] == "done", envelope["message"]
    assert len(part.annotations) == len(envelope["citations"]) > 0
    for one, citation in zip(part.annotations, envelope["citations"], strict=True):
        assert (one.type, one.url.partition("#")[0]) == ("url_citation", f"document://{citation['document']}")
        assert part.text[one.start_index : one.end_index] in (citation["quote"], part.text)


async def test_whole_and_streamed_say_the_same(place: Town) -> None:
    whole = (await place.client.post("/v1/responses", json={"model": "summary", "input": TEXT})).json()
    answer = await place.client.post("/v1/responses", json={"model": "summary", "input": TEXT, "stream": True})
    events = [json.loads(frame.split("\ndata: ")[1]) for frame in answer.text.split("\n\n")[:-1]]
    for event in events:
        OFFICIAL.validate_python(event, strict=True)
        assert misfits("ResponseStreamEvent", event) == []
    names = kinds(events)
    assert names[:4] == ["created", "in_progress", "output_item.added", "content_part.added"]
    assert names[-4:] == ["output_text.done", "content_part.done", "output_item.done", "completed"]
    last = events[-1]["response"]
    assert last["output"][0]["content"] == whole["output"][0]["content"]
    assert last["usage"] == whole["usage"]
    text = "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta")
    assert text == last["output"][0]["content"][0]["text"]


async def test_json_is_the_typed_output(place: Town) -> None:
    Summary = place.house.catalog["summary"].output
    for given in (TEXT, json.dumps({"text": TEXT, "sentences": 1})):
        parsed = await place.sdk.responses.parse(model="summary", input=given, text_format=Summary)
        assert isinstance(parsed.output_parsed, Summary)


async def test_what_cannot_be_had_is_said_or_refused(place: Town) -> None:
    said = await place.sdk.responses.create(model="plain_language", input=TEXT)
    assert "PARTITUR_MODEL_URL" in said.output_text
    text: Any = {"format": {"type": "json_object"}}
    refused: Any = await place.sdk.responses.create(model="plain_language", input=TEXT, text=text)
    assert refused.output[0].content[0].type == "refusal"


async def test_a_conversation_with_a_use_case_is_kept(place: Town) -> None:
    first = await place.sdk.responses.create(model="summary", input=TEXT)
    second = await place.sdk.responses.create(model="summary", input=TEXT, previous_response_id=first.id)
    items: Any = [item async for item in place.sdk.responses.input_items.list(second.id, order="asc")]
    assert [item.role for item in items] == ["user", "assistant", "user"]


async def test_a_use_case_works_in_the_background(place: Town) -> None:
    begun = await place.sdk.responses.create(model="summary", input=TEXT, background=True, stream=True)
    events = [event async for event in begun]
    last: Any = events[-1]
    assert last.type == "response.completed"
    assert await place.sdk.responses.retrieve(last.response.id) == last.response


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"tools": [{"type": "file_search", "vector_store_ids": []}]}, "tools[0]"),
        ({"tools": [{"type": "function", "name": "a", "parameters": {}}], "tool_choice": "required"}, "tool_choice"),
        ({"text": {"format": {"type": "json_schema", "name": "a", "schema": OTHER}}}, "text.format"),
        ({"input": "..."}, "input"),
        ({"input": [{"role": "system", "content": "a"}]}, "input"),
        ({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "data:,"}]}]}, "input"),
    ],
)
async def test_what_only_a_model_can_do_is_refused(place: Town, body: dict[str, Any], param: str) -> None:
    answer = await place.client.post("/v1/responses", json={"model": "summary", "input": TEXT, **body})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


async def test_a_guard_refuses_before_anything_is_asked(place: Town) -> None:
    with pytest.raises(openai.PermissionDeniedError):
        await place.sdk.responses.create(model="summary", input="pt-" + "a" * 43, stream=True)
