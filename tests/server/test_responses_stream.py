"""Tests of streamed responses: the official events in their order, what the SDK makes of them, and how a failure is told."""

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from functools import partial
from typing import Any

import httpx
import pytest
from openai.types.responses import ResponseStreamEvent
from pydantic import BaseModel, TypeAdapter
from requirements import requirement
from responses_contract import misfits
from scripted_chat import MODEL, Town, calls, says, town
from web_house import Wire

from server.responses.stream import LiveStream
from tools.base import Failed, Unavailable

pytestmark = pytest.mark.anyio

OFFICIAL: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
FUNCTION: Any = {"type": "function", "name": "weather", "parameters": {"type": "object"}, "strict": False}
SEARCH: Any = {"type": "file_search", "vector_store_ids": []}
MCP: Any = {"type": "mcp", "server_label": "partitur", "allowed_tools": ["summary"], "require_approval": "never"}


@pytest.fixture(scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Town]:
    async with town(tmp_path_factory.mktemp("home")) as opened:
        yield opened


async def streamed(place: Town, **body: Any) -> list[dict[str, Any]]:
    """The events of a response, each compared with its frame and with the official types."""
    answer = await place.client.post("/v1/responses", json={"model": MODEL, "input": "Hallo", "stream": True, **body})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].partition(";")[0] == "text/event-stream"
    return checked(answer)


def checked(answer: httpx.Response) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []
    *frames, rest = answer.text.split("\n\n")
    assert rest == ""
    for frame in frames:
        name, data = frame.split("\n")
        event = json.loads(data.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        OFFICIAL.validate_python(event, strict=True)
        assert misfits("ResponseStreamEvent", event) == [], event
        events.append(event)
    return events


def kinds(events: Sequence[dict[str, Any]]) -> list[str]:
    """The types, those that repeat themselves once."""
    names = [event["type"].removeprefix("response.") for event in events]
    return [name for at, name in enumerate(names) if at == 0 or names[at - 1] != name]


@requirement("RESP-12", "RESP-13")
async def test_a_text_comes_in_all_its_events(place: Town) -> None:
    place.chat.plays(says("Guten Tag, Anna."))
    events = await streamed(place)
    assert kinds(events) == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert "".join(event["delta"] for event in events if event["type"].endswith(".delta")) == "Guten Tag, Anna."
    assert events[0]["response"]["status"] == "in_progress"
    assert events[-1]["response"]["output"][0] == events[-2]["item"]


async def test_whole_and_streamed_say_the_same(place: Town) -> None:
    answer = calls(("weather", '{"town": "Birkenfurt"}'), content="Ich sehe nach.", reasoning="Hm.")
    place.chat.plays(answer, answer)
    streamed_one = (await streamed(place, tools=[FUNCTION]))[-1]["response"]
    body = {"model": MODEL, "input": "Hallo", "tools": [FUNCTION]}
    whole = (await place.client.post("/v1/responses", json=body)).json()
    without: Any = {"id", "call_id", "created_at", "completed_at"}

    def told(response: Any) -> Any:
        plain = {name: value for name, value in response.items() if name not in without}
        return {**plain, "output": [{n: v for n, v in item.items() if n not in without} for item in plain["output"]]}

    assert told(streamed_one) == told(whole)


async def test_thoughts_and_calls_of_functions_are_items_of_their_own(place: Town) -> None:
    place.chat.plays(calls(("weather", '{"a": 1}'), ("weather", '{"a": 2}'), reasoning="Ich muss nachsehen."))
    events = await streamed(place, tools=[FUNCTION])
    call = ["output_item.added", "function_call_arguments.delta", "function_call_arguments.done", "output_item.done"]
    assert kinds(events) == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "reasoning_text.delta",
        "reasoning_text.done",
        "content_part.done",
        "output_item.done",
        *call,
        *call,
        "completed",
    ]
    done = [event for event in events if event["type"] == "response.function_call_arguments.done"]
    assert [(one["name"], one["arguments"]) for one in done] == [("weather", '{"a": 1}'), ("weather", '{"a": 2}')]
    assert [item["type"] for item in events[-1]["response"]["output"]] == [
        "reasoning",
        "function_call",
        "function_call",
    ]


async def test_calls_that_an_engine_numbers_alike_are_told_apart(place: Town) -> None:
    made = calls(("weather", '{"a": 1}'), ("weather", '{"a": 2}'), ("weather", '{"a": 3}'))
    place.chat.plays({**made, "alike": True})
    events = await streamed(place, tools=[FUNCTION])
    output = events[-1]["response"]["output"]
    assert [(item["call_id"], item["arguments"]) for item in output] == [
        ("call-0", '{"a": 1}'),
        ("call-1", '{"a": 2}'),
        ("call-2", '{"a": 3}'),
    ]


@requirement("RESP-8")
async def test_tools_of_a_server_are_listed_and_called_in_all_their_events(place: Town) -> None:
    given = json.dumps({"text": "Das Bad öffnet am Montag. Der Eintritt kostet vier Euro."})
    place.chat.plays(calls(("partitur_summary", given)), says("Fertig."))
    events = await streamed(place, tools=[MCP])
    assert kinds(events) == [
        "created",
        "in_progress",
        "output_item.added",
        "mcp_list_tools.in_progress",
        "mcp_list_tools.completed",
        "output_item.done",
        "output_item.added",
        "mcp_call.in_progress",
        "mcp_call_arguments.delta",
        "mcp_call_arguments.done",
        "mcp_call.completed",
        "output_item.done",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    listed, called, said = events[-1]["response"]["output"]
    assert [tool["name"] for tool in listed["tools"]] == ["summary"]
    assert (called["server_label"], called["name"], called["arguments"], called["error"]) == (
        "partitur", "summary", given, None,
    )  # fmt: skip
    assert "Bad" in called["output"]
    assert said["content"][0]["text"] == "Fertig."


async def test_a_search_is_told_in_all_its_events(place: Town) -> None:
    place.chat.plays(calls(("file_search", '{"query": "Freibad"}')), says("Nichts."))
    events = await streamed(place, tools=[SEARCH])
    assert kinds(events)[2:7] == [
        "output_item.added",
        "file_search_call.in_progress",
        "file_search_call.searching",
        "file_search_call.completed",
        "output_item.done",
    ]
    assert events[-1]["response"]["output"][0]["queries"] == ["Freibad"]


async def test_an_approval_is_asked_for_as_an_item(place: Town) -> None:
    place.chat.plays(calls(("partitur_summary", "{}")))
    events = await streamed(place, tools=[{**MCP, "require_approval": "always"}])
    assert kinds(events)[-3:] == ["output_item.added", "output_item.done", "completed"]
    assert events[-1]["response"]["output"][-1]["type"] == "mcp_approval_request"


async def test_a_refusal_has_events_of_its_own(place: Town) -> None:
    place.chat.plays({"refusal": "Das sage ich nicht."})
    names = kinds(await streamed(place))
    assert names[2:8] == [
        "output_item.added",
        "content_part.added",
        "refusal.delta",
        "refusal.done",
        "content_part.done",
        "output_item.done",
    ]


async def test_a_cut_answer_ends_as_incomplete(place: Town) -> None:
    place.chat.plays(says("Guten", finish_reason="length"))
    last = (await streamed(place))[-1]
    assert (last["type"], last["response"]["status"]) == ("response.incomplete", "incomplete")
    assert last["response"]["output"][0]["status"] == "incomplete"


@requirement("RESP-14")
async def test_a_failure_before_anything_came_keeps_its_status(place: Town) -> None:
    place.chat.plays(Unavailable("Der Motor ist weg."))
    answer = await place.client.post("/v1/responses", json={"model": MODEL, "input": "Hallo", "stream": True})
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")


@requirement("RESP-14", "RESP-15")
async def test_a_failure_on_the_way_is_told_and_kept_with_what_there_is(place: Town) -> None:
    place.chat.plays(says("Guten Tag, ", breaks=Failed("Der Motor brach ab.", hint="")))
    events = await streamed(place)
    assert [event["type"] for event in events[-2:]] == ["error", "response.failed"]
    assert (events[-2]["message"], events[-2]["code"]) == ("Der Motor brach ab.", "failed")
    failed = events[-1]["response"]
    assert (failed["status"], failed["error"]["code"]) == ("failed", "server_error")
    assert failed["output"][0]["content"][0]["text"] == "Guten Tag, "
    kept = (await place.client.get(f"/v1/responses/{failed['id']}")).json()
    assert kept == failed


@requirement("RESP-14")
async def test_a_model_that_thinks_for_long_keeps_nobody_waiting(place: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.responses.api.LiveStream", partial(LiveStream, first=0.01))
    go = asyncio.Event()
    place.chat.plays(go, Unavailable("Der Motor ist weg."))
    wire = Wire(place.app, place.key, path="/v1/responses")
    posted = asyncio.create_task(wire.post({"model": MODEL, "input": "Hallo", "stream": True}))
    await wire.came.wait()
    go.set()
    await posted
    assert wire.sent[0]["status"] == 200
    events = [frame for frame in wire.text.split("\n\n")[:-1] if frame[0] != ":"]
    assert [event.split("\n")[0] for event in events] == [
        "event: response.created",
        "event: response.in_progress",
        "event: error",
        "event: response.failed",
    ]


async def test_a_client_that_goes_away_stops_the_model(place: Town) -> None:
    place.chat.plays(asyncio.Event())
    wire = Wire(place.app, place.key, path="/v1/responses")
    posted = asyncio.create_task(wire.post({"model": MODEL, "input": "Hallo", "stream": True}))
    await place.chat.began.wait()
    wire.gone.set()
    await posted
    assert place.chat.stopped.is_set()


async def test_clients_that_go_away_leave_nothing_behind(place: Town) -> None:
    before = len(asyncio.all_tasks())
    for at in range(100):
        place.chat.plays(asyncio.Event())
        wire = Wire(place.app, place.key, path="/v1/responses")
        posted = asyncio.create_task(wire.post({"model": MODEL, "input": "Hallo", "stream": at % 2 == 0}))
        await place.chat.began.wait()
        wire.gone.set()
        await asyncio.gather(posted, return_exceptions=True)
        assert place.chat.stopped.is_set()
    assert len(asyncio.all_tasks()) == before


class Person(BaseModel):
    name: str


async def test_the_sdk_reads_along_and_parses(place: Town) -> None:
    place.chat.plays(says('{"name": "Anna"}', reasoning="Hm."))
    async with place.sdk.responses.stream(model=MODEL, input="Wer?", text_format=Person) as stream:
        snapshots = [event.snapshot async for event in stream if event.type == "response.output_text.delta"]
        final = await stream.get_final_response()
    assert snapshots[-1] == '{"name": "Anna"}'
    assert final.output_parsed == Person(name="Anna")
    place.chat.plays(says('{"name": "Berta"}'))
    parsed = await place.sdk.responses.parse(model=MODEL, input="Wer?", text_format=Person)
    assert parsed.output_parsed == Person(name="Berta")
