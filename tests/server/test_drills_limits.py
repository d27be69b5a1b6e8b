"""What a pool gives up and when: limits of time, size and number, and answers that break off."""

import asyncio
import socket
from collections.abc import Generator
from contextlib import ExitStack
from typing import Any

import pytest
from drill_pools import ASKED, STREAMED, ask, counts, hub, stream, town
from fault_answers import (
    CUT,
    TEXT,
    Pause,
    cut_inside,
    hang,
    paced,
    raw,
    response,
    slow,
    stall,
    wrong_length,
)
from fault_engine import FaultEngine, serve_faults

from tools.base import Failed, Overloaded, TimedOut, Unavailable
from tools.models import Json, Pool

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(30)]


@pytest.fixture
def engine() -> Generator[FaultEngine]:
    with serve_faults() as serving:
        yield serving


async def read(pool: Pool) -> tuple[list[bytes], Exception | None]:
    """The pieces of a stream, and how it broke."""
    got = list[bytes]()
    try:
        async with pool.open("chat/completions", Json(STREAMED), stream=True) as reply:
            async for part in reply.parts():
                got.append(part)
    except Failed as error:
        return got, error
    return got, None


async def test_an_engine_that_takes_no_connection_is_given_up_for_another(engine: FaultEngine) -> None:
    with ExitStack() as open:
        full = open.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):  # its queue; who comes after that waits for a connection
            waiting = open.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        url = f"http://127.0.0.1:{full.getsockname()[1]}/v1"
        async with hub(town={"engines": [url, engine.url], "limits": {"connect": 0.05}}) as opened:
            pool = opened["town"]
            for _ in range(2):
                assert await ask(pool) == TEXT
            assert pool.replicas[0].breaker.failures
        async with hub(town={"engines": [url], "limits": {"connect": 0.05, "retries": 0}}) as opened:
            with pytest.raises(Unavailable, match=r"cannot be reached \(ConnectionTimeoutError\)"):
                await ask(opened["town"])


@pytest.mark.parametrize("how", ["fails", "hangs"])
async def test_a_name_that_cannot_be_looked_up_is_an_engine_that_cannot_be_reached(
    how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lookup(*args: object, **given: object) -> None:
        if how == "fails":
            raise socket.gaierror(-2, "Name or service not known")
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", lookup)
    given = {"engines": ["http://engine.example/v1"], "limits": {"connect": 0.05, "retries": 1}}
    async with hub(town=given) as opened:
        with pytest.raises(Unavailable, match=r"cannot be reached"):
            await ask(opened["town"])
        await opened.probe() if how == "fails" else None


@pytest.mark.parametrize("answer", [hang(), slow(30), stall(0)])
async def test_a_stream_that_does_not_begin_in_time_is_given_up_and_not_sent_again(
    engine: FaultEngine, answer: Any
) -> None:
    engine.script(answer)
    async with town(engine, limits={"first": 0.1, "silence": 20}) as pool:
        with pytest.raises(TimedOut, match=r"The engine of 'town' gave no answer in time\."):
            await stream(pool)
        await engine.until(lambda: engine.running == 0)
    assert (engine.aborted, counts(engine)) == (1, [1])


async def test_the_first_token_may_take_longer_than_the_ones_after_it(engine: FaultEngine) -> None:
    engine.script(slow(0.4))
    async with town(engine, limits={"first": 20, "silence": 0.2}) as pool:
        assert (await stream(pool)).endswith(b"[DONE]\n\n")


async def test_a_stream_that_falls_silent_is_given_up(engine: FaultEngine) -> None:
    engine.script(stall(3))
    async with town(engine, limits={"silence": 0.1}) as pool:
        got, error = await read(pool)
        await engine.until(lambda: engine.running == 0)
        assert pool.replicas[0].breaker.failures == 1
    assert isinstance(error, TimedOut)
    assert error.message == "The engine of 'town' said nothing for 0.1 s."
    assert b"".join(got).count(b"data:") == 3
    assert (engine.aborted, counts(engine)) == (1, [1])


@pytest.mark.parametrize("streamed", [False, True])
async def test_an_answer_that_takes_too_long_in_all_is_given_up(engine: FaultEngine, streamed: bool) -> None:
    engine.otherwise(paced(0.05))
    async with town(engine, limits={"total": 0.3}) as pool:
        with pytest.raises(TimedOut):
            await (stream(pool) if streamed else ask(pool))
        await engine.until(lambda: engine.running == 0)
    assert (engine.aborted, counts(engine)) == (1, [1])


async def test_an_engine_that_falls_silent_again_and_again_gets_a_rest(engine: FaultEngine) -> None:
    engine.otherwise(stall(1))
    async with town(engine, limits={"silence": 0.05}) as pool:
        for _ in range(3):
            await read(pool)
        assert pool.replicas[0].breaker.open


@pytest.mark.parametrize("answer", [wrong_length(5), raw(response(b"{}", transfer_encoding="chunked"), CUT)])
async def test_a_whole_answer_that_breaks_off_is_told(engine: FaultEngine, answer: Any) -> None:
    engine.otherwise(answer)
    async with town(engine) as pool:
        with pytest.raises(Unavailable):
            await ask(pool)


@pytest.mark.parametrize("chunk", [b"zz\r\nabc\r\n", b"-1\r\n\r\n", b"fffffffffffffffffff\r\nabc", b"3 abc\r\n\r\n"])
async def test_a_malformed_chunk_breaks_the_stream(engine: FaultEngine, chunk: bytes) -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    engine.script(raw(head, b"6\r\ndata: \r\n", Pause(0.05), chunk, CUT))
    async with town(engine) as pool:
        got, error = await read(pool)
    assert b"".join(got) == b"data: "
    assert isinstance(error, Unavailable)


async def test_a_stream_that_breaks_inside_a_piece_gives_what_came_before(engine: FaultEngine) -> None:
    engine.script(cut_inside(2))
    async with town(engine) as pool:
        got, error = await read(pool)
    assert b"".join(got).count(b"data:") >= 2
    assert isinstance(error, Unavailable)


@pytest.mark.parametrize("streamed", [False, True])
async def test_an_answer_longer_than_allowed_stops_the_engine(engine: FaultEngine, streamed: bool) -> None:
    engine.script(paced(0.01, text="lang " * 2000))
    async with town(engine) as pool:
        asked = Json(STREAMED if streamed else ASKED)
        with pytest.raises(Failed, match=r"answered with more than 1000 bytes"):
            async with pool.open("chat/completions", asked, stream=streamed) as reply:
                if streamed:
                    async for _ in reply.parts(1000):
                        pass
                else:
                    await reply.read(1000)
        await engine.until(lambda: engine.running == 0)
        assert not pool.replicas[0].breaker.failures
    assert engine.aborted == 1


async def test_headers_without_end_are_no_answer(engine: FaultEngine) -> None:
    engine.otherwise(raw(b"HTTP/1.1 200 OK\r\n" + b"x-more: " + b"a" * 100_000 + b"\r\n\r\n"))
    async with town(engine, limits={"retries": 0}) as pool:
        with pytest.raises(Unavailable):
            await ask(pool)


async def test_one_request_more_than_run_and_wait_is_refused(engine: FaultEngine) -> None:
    engine.otherwise(stall(1))
    async with town(engine, limits={"running": 2, "queued": 1}) as pool:
        running = [asyncio.create_task(stream(pool)) for _ in range(2)]
        await engine.until(lambda: engine.running == 2)
        waiting = asyncio.create_task(stream(pool))
        await engine.until(lambda: pool.slots.waiting == 1)
        with pytest.raises(Overloaded, match=r"The model 'town' is overloaded: 1 requests wait already"):
            await stream(pool)
        engine.release()
        await asyncio.gather(*running, waiting)
    assert counts(engine) == [3]


async def test_who_waits_too_long_for_a_place_is_refused_without_asking_the_engine(engine: FaultEngine) -> None:
    engine.otherwise(stall(1))
    async with town(engine, limits={"running": 1, "wait": 0.05}) as pool:
        running = asyncio.create_task(stream(pool))
        await engine.until(lambda: engine.running == 1)
        with pytest.raises(Overloaded, match=r"no place became free within 0\.05 s"):
            await stream(pool)
        engine.release()
        await running
    assert counts(engine) == [1]
