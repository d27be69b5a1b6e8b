"""Tests of streamed chat completions: framing, usage, errors before and after the start, clients that go away."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, cast

import pytest
import virtual_time
from requirements import REQUIREMENTS, requirement
from web_house import TEXT, Web, Wire, asking, events, web

from server.streaming import ALIVE, EventStream
from tools.base import Caller, Failed, Refused
from tools.knowledge.library import Inline

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Web]:
    async with web(tmp_path_factory.mktemp("home")) as opened:
        await opened.app.state.health.loaded.wait()
        yield opened


@requirement("STREAM-1", "STREAM-2", "STREAM-3", "STREAM-5", "STREAM-7")
async def test_an_answer_streams_in_chunks(site: Web) -> None:
    answer = await site.chat(model="summary", messages=asking(), stream=True)
    assert answer.status_code == 200
    assert answer.headers["content-type"].partition(";")[0] == "text/event-stream"
    *chunks, end = events(answer)
    assert end == "[DONE]"
    assert answer.text.endswith("data: [DONE]\n\n")
    assert {(c["object"], c["id"], c["created"], c["model"]) for c in chunks} == {
        ("chat.completion.chunk", chunks[0]["id"], chunks[0]["created"], "summary")
    }
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    assert choices[0] == {
        "index": 0,
        "delta": {"role": "assistant", "content": "", "refusal": None},
        "logprobs": None,
        "finish_reason": None,
    }
    assert choices[-1] == {"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"}
    assert all(choice["finish_reason"] is None for choice in choices[:-1])
    assert all("usage" not in chunk for chunk in chunks)


async def test_the_pieces_are_the_whole_answer(site: Web) -> None:
    plain = (await site.chat(model="summary", messages=asking())).json()
    streamed = await site.chat(model="summary", messages=asking(), stream=True)
    assert said(events(streamed)) == plain["choices"][0]["message"]["content"]
    assert len(events(streamed)) > 4


async def test_the_envelope_rides_on_the_last_chunk(site: Web) -> None:
    plain = (await site.chat(model="summary", messages=asking())).json()["partitur"]
    chunks = events(await site.chat(model="summary", messages=asking(), stream=True))[:-1]
    assert ["partitur" in chunk for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert chunks[-1]["partitur"] | {"trace_id": ""} == plain | {"trace_id": ""}


@requirement("STREAM-4")
async def test_usage_comes_in_a_chunk_without_choices(site: Web) -> None:
    options = {"include_usage": True}
    answer = await site.chat(model="summary", messages=asking(), stream=True, stream_options=options)
    *chunks, last, end = events(answer)
    assert end == "[DONE]"
    assert last["choices"] == []
    assert last["usage"]["total_tokens"] == last["usage"]["prompt_tokens"] + last["usage"]["completion_tokens"] > 0
    assert all(chunk["usage"] is None and chunk["choices"] for chunk in chunks)


@requirement("CHAT-4")
async def test_with_a_json_format_the_pieces_are_json(site: Web) -> None:
    answer = await site.chat(model="summary", messages=asking(), stream=True, response_format={"type": "json_object"})
    chunks = events(answer)
    assert json.loads(said(chunks)) == chunks[-2]["partitur"]["output"]


async def test_what_needs_a_model_is_streamed_as_words(site: Web) -> None:
    chunks = events(await site.chat(model="plain_language", messages=asking(), stream=True))
    assert "PARTITUR_MODEL_URL" in said(chunks)
    assert chunks[-2]["partitur"]["outcome"] == "needs_model"


async def test_an_error_before_the_start_keeps_its_status(site: Web) -> None:
    refused = await site.chat(model="summary", messages=asking(site.key), stream=True)
    assert (refused.status_code, refused.headers["content-type"]) == (403, "application/json")
    wrong = await site.chat(model="summary", messages=asking(""), stream=True)
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (400, "invalid_parameter")


async def test_an_engine_streams_too(site: Web) -> None:
    options = {"include_usage": True}
    answer = await site.chat(model="extractive", messages=asking(), stream=True, stream_options=options)
    plain = (await site.chat(model="extractive", messages=asking())).json()
    assert said(events(answer)) == plain["choices"][0]["message"]["content"]
    assert events(answer)[-2]["usage"] == plain["usage"]


@requirement("STREAM-6")
async def test_an_error_after_the_start_is_an_event_and_the_end() -> None:
    async def chunks() -> AsyncGenerator[bytes]:
        yield b"data: 1\n\n"
        raise Refused("What came out holds a key.")

    sent = await drive(EventStream(chunks()))
    assert sent.startswith("data: 1\n\ndata: ")
    error = json.loads(sent.split("data: ")[2])["error"]
    assert (error["type"], error["code"]) == ("permission_error", "refused")
    assert "[DONE]" not in sent


@requirement("STREAM-6")
async def test_a_fault_after_the_start_is_told_without_its_text(caplog: pytest.LogCaptureFixture) -> None:
    async def chunks() -> AsyncGenerator[bytes]:
        yield b"data: 1\n\n"
        raise RuntimeError("/etc/secret is gone")

    sent = await drive(EventStream(chunks()))
    assert '"type":"server_error"' in sent
    assert "secret" not in sent
    assert [record.message for record in caplog.records] == ["Stream failed"]


async def test_an_answer_that_never_begins_is_an_error() -> None:
    async def chunks() -> AsyncGenerator[bytes]:
        for chunk in ():
            yield chunk

    with pytest.raises(Failed, match="ended before it began"):
        await drive(EventStream(chunks()))


async def test_silence_is_filled_with_beats_and_nothing_is_lost() -> None:
    go = asyncio.Event()

    async def slow() -> AsyncGenerator[bytes]:
        await go.wait()
        yield b"data: 1\n\n"
        yield b"data: 2\n\n"

    sent: list[bytes] = []

    async def send(message: Any) -> None:
        sent.append(message.get("body", b""))
        if sent.count(ALIVE) == 2:
            go.set()

    await EventStream(slow(), first=0.001, beat=0.001)({"type": "http"}, stays, send)
    assert [part for part in sent if part and part != ALIVE] == [b"data: 1\n\n", b"data: 2\n\n"]
    assert sent.count(ALIVE) >= 2


@pytest.mark.parametrize("media", ["text/event-stream", "audio/mpeg"])
async def test_a_client_that_takes_nothing_is_left_and_its_place_is_free(media: str) -> None:
    closed, blocked = asyncio.Event(), list[bytes]()

    async def endless() -> AsyncGenerator[bytes]:
        try:
            while True:
                yield b"data: 1\n\n"
        finally:
            closed.set()

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            blocked.append(message["body"])
            await asyncio.Event().wait()

    before = asyncio.all_tasks()
    await EventStream(endless(), media, first=0.001, beat=0.001, stuck=0.01)({"type": "http"}, stays, send)
    assert closed.is_set()
    assert blocked == [b"data: 1\n\n"]
    assert cast("asyncio.Task[Any]", asyncio.current_task()).cancelling() == 0
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


async def test_a_client_that_takes_no_sign_of_life_is_left_too() -> None:
    blocked = list[bytes]()

    async def silent() -> AsyncGenerator[bytes]:
        await asyncio.Event().wait()
        yield b""

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            blocked.append(message["body"])
            await asyncio.Event().wait()

    await EventStream(silent(), first=0.001, beat=0.001, stuck=0.01)({"type": "http"}, stays, send)
    assert blocked == [ALIVE]


@pytest.mark.parametrize(("seconds", "taken"), [(250.0, 20), (400.0, 1)])
def test_a_client_may_be_slow_as_long_as_it_takes_something(seconds: float, taken: int) -> None:
    sent = list[bytes]()

    async def main() -> None:
        async def chunks() -> AsyncGenerator[bytes]:
            for _ in range(20):
                yield b"data: 1\n\n"

        async def send(message: Any) -> None:
            if message.get("body"):
                sent.append(message["body"])
                await asyncio.sleep(seconds)

        await EventStream(chunks())({"type": "http"}, stays, send)

    virtual_time.run(main())
    assert sent == [b"data: 1\n\n"] * taken


async def test_a_reader_that_hangs_up_stops_the_run(site: Web) -> None:
    wire = Wire(site.app, site.key)
    before = asyncio.all_tasks()
    running = asyncio.ensure_future(wire.post({"model": "summary", "messages": asking(), "stream": True}))
    await wire.came.wait()
    wire.gone.set()
    await running
    assert asyncio.all_tasks() - before <= {asyncio.current_task()}
    assert "[DONE]" not in wire.text or wire.text.endswith("[DONE]\n\n")


async def test_a_stream_that_is_closed_closes_what_feeds_it() -> None:
    closed = asyncio.Event()

    async def endless() -> AsyncGenerator[bytes]:
        try:
            while True:
                yield b"data: 1\n\n"
                await asyncio.sleep(0)
        finally:
            closed.set()

    gone = asyncio.Event()
    stream = EventStream(endless())
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)
        if len(sent) > 5:
            gone.set()

    await stream({"type": "http"}, receive, send)
    assert closed.is_set()


async def test_a_stream_that_the_server_cuts_off_is_told() -> None:
    sent: list[bytes] = []
    came = asyncio.Event()

    async def endless() -> AsyncGenerator[bytes]:
        yield b"data: 1\n\n"
        await asyncio.Event().wait()

    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Any) -> None:
        sent.append(message.get("body", b""))
        if sent[-1]:
            came.set()

    stream = EventStream(endless())
    running = asyncio.ensure_future(stream({"type": "http"}, receive, send))
    await came.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert b"The server stopped" in sent[-2]
    assert sent[-1] == b""


async def test_a_partial_answer_says_what_is_missing(site: Web) -> None:
    """The translation of a newsletter needs a model; the rest of it is there."""
    text = json.dumps({"topic": "Freibad", "translate_to": "en"})
    await site.house.servers.library.ingest(
        documents=[Inline("freibad.md", f"# Freibad\n\n{TEXT}\n".encode())], caller=mine(site)
    )
    whole = (await site.chat(model="newsletter", messages=asking(text))).json()
    streamed = events(await site.chat(model="newsletter", messages=asking(text), stream=True))
    assert whole["partitur"]["outcome"] == "partial"
    assert whole["choices"][0]["message"]["content"].endswith(whole["partitur"]["message"])
    assert said(streamed).endswith(whole["partitur"]["message"])


def test_every_requirement_has_a_test_and_every_test_a_requirement_that_is_there() -> None:
    here = Path(__file__).parent
    named = {
        id
        for file in here.glob("test_*.py")
        for call in re.findall(r"@requirement\(([^)]*)\)", file.read_text())
        for id in re.findall(r'"([A-Z]+-\d+)"', call)
    }
    assert named == set(REQUIREMENTS)


def mine(site: Web) -> Caller:
    """The caller behind the key of the client."""
    return site.keys.list()[0].caller


def said(chunks: list[Any]) -> str:
    """The content of all deltas."""
    choices = [choice for chunk in chunks if chunk != "[DONE]" for choice in chunk["choices"]]
    return "".join(choice["delta"].get("content") or "" for choice in choices)


async def stays() -> dict[str, Any]:
    """A client that stays."""
    await asyncio.Event().wait()
    raise AssertionError


async def drive(stream: EventStream) -> str:
    """What a stream sends to a client that stays."""
    sent: list[bytes] = []

    async def send(message: Any) -> None:
        sent.append(message.get("body", b""))

    await stream({"type": "http"}, stays, send)
    return b"".join(sent).decode()
