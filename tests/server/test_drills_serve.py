"""Fault drills: an engine that hangs, breaks off, refuses or dies; after each the server is as it was before."""

import asyncio
import gc
from collections.abc import AsyncGenerator, Generator

import pytest
from drill_house import Drill, Told, drill
from fault_answers import (
    CUT,
    MODEL,
    Act,
    Answer,
    Pause,
    cut,
    cut_inside,
    fine,
    hang,
    malformed,
    no_json,
    paced,
    raw,
    refuse,
    response,
    slow,
    stall,
    trickle,
    wrong_length,
)
from fault_engine import FaultEngine, serve_faults
from requirements import requirement

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]
CHUNKED = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
PIECE = b'data: {"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"Am "}}]}\n\n'


@pytest.fixture(scope="module")
def engine() -> Generator[FaultEngine]:
    with serve_faults() as serving:
        yield serving


@pytest.fixture(scope="module")
async def opened(engine: FaultEngine, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Drill]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tools.models.transport._KEEP_ALIVE_S", 0.2)
        limits = {"first": 0.3, "silence": 0.3, "total": 1.5, "retries": 0}
        models = {
            MODEL: {"engines": [engine.url]},
            "hasty": {"engines": [engine.url], "name": MODEL, "limits": limits},
            "narrow": {"engines": [engine.url], "name": MODEL, "limits": {"running": 2, "queued": 2}},
        }
        async with drill(tmp_path_factory.mktemp("home"), engine, models) as serving:
            yield serving


@pytest.fixture
async def site(opened: Drill, engine: FaultEngine) -> AsyncGenerator[Drill]:
    """The server, which must be as it was when the drill is over."""
    engine._scripts.clear()
    engine.otherwise(fine())
    yield opened
    engine._scripts.clear()
    engine.otherwise(fine())
    await opened.back()


def framed(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


@requirement("ERROR-9", "ERROR-12")
@pytest.mark.parametrize("stream", [False, True])
async def test_an_engine_that_hangs_is_a_timeout(site: Drill, engine: FaultEngine, stream: bool) -> None:
    engine.script(hang(), hang())
    told = await site.ask("hasty", stream=stream)
    assert (told.status, told.error["code"], told.error["type"]) == (504, "timeout", "server_error")
    assert told.headers["x-request-id"]


@pytest.mark.parametrize("after", [0, 1, 5])
async def test_a_stream_that_hangs_ends_with_an_error(site: Drill, engine: FaultEngine, after: int) -> None:
    engine.script(stall(after))
    told = await site.ask("hasty", stream=True)
    if after:
        assert told.broke and told.pieces == after
        assert told.error["code"] == "timeout"
    else:
        assert (told.status, told.error["code"]) == (504, "timeout")
    await engine.until(lambda: engine.running == 0)


def after(*rest: bytes | Act | Pause) -> Answer:
    """Three pieces, and then something else."""
    return raw(CHUNKED, framed(PIECE) * 3, Pause(0.05), *rest)


LAST = b"0\r\n\r\n"
BROKEN = {
    "cut": cut(3),
    "cut inside a piece": cut_inside(3),
    "malformed JSON": after(framed(b"data: {\n\n"), LAST),
    "malformed chunk": after(b"zz\r\nabc\r\n", CUT),
    "a chunk without end": after(b"ffff\r\ndata: ", CUT),
    "an end without [DONE]": after(LAST),
    "half an event": after(framed(PIECE[:40]), LAST),
    "an error event": after(framed(b'data: {"error": {"message": "boom"}}\n\n'), LAST),
    "an array": after(framed(b"data: []\n\n"), LAST),
    "choices that are none": after(framed(b'data: {"choices": [1]}\n\n'), LAST),
    "a delta that is none": after(framed(b'data: {"choices": [{"delta": "x"}]}\n\n'), LAST),
    "an index that is none": after(framed(b'data: {"choices": [{"index": [1], "delta": {"content": "x"}}]}\n\n'), LAST),
    "no UTF-8": after(framed(b'data: {"choices": "\xff"}\n\n'), LAST),
}


@requirement("STREAM-6")
@pytest.mark.parametrize("fault", BROKEN)
async def test_a_stream_that_breaks_ends_with_an_error_and_never_with_done(
    site: Drill, engine: FaultEngine, fault: str
) -> None:
    engine.script(BROKEN[fault])
    told = await site.ask(stream=True)
    assert told.broke and told.pieces == 3, told.text
    assert told.error["type"] == "server_error"
    assert told.error["code"] in ("failed", "unavailable")
    assert not engine._scripts


@pytest.mark.parametrize(
    "answer",
    [
        no_json(),
        malformed(3),
        wrong_length(9),
        *(
            raw(response(body))
            for body in (
                b"",
                b"[]",
                b"null",
                b'{"choices": [1]}',
                b'{"choices": 1}',
                b'{"choices": [{"message": "x"}]}',
            )
        ),
    ],
)
async def test_a_whole_answer_that_is_none_is_the_engine_s_fault(
    site: Drill, engine: FaultEngine, answer: Answer
) -> None:
    engine.otherwise(answer)
    told = await site.ask("hasty")
    assert told.status in (502, 503), told
    assert told.error["type"] == "server_error"


async def test_a_slow_first_token_and_a_trickle_are_no_faults(site: Drill, engine: FaultEngine) -> None:
    engine.script(slow(0.5), trickle(), trickle())
    assert (await site.ask(stream=True)).ended
    assert (await site.ask(stream=True)).ended
    assert (await site.ask()).ended


@pytest.mark.parametrize("status", [429, 500, 502, 503])
async def test_a_storm_of_refusals_is_passed_on_and_over_when_it_is_over(
    site: Drill, engine: FaultEngine, status: int
) -> None:
    engine.otherwise(refuse(status))
    asked, loop = list[asyncio.Task[Told]](), asyncio.get_running_loop()
    begin = loop.time()
    for at in range(100):  # a hundred requests in a second
        asked.append(asyncio.create_task(site.ask(stream=at % 2 > 0)))
        await asyncio.sleep(max(0.0, begin + at / 100 - loop.time()))
        if at % 25 == 0:
            assert await site.healthy()
    told = await asyncio.gather(*asked)
    assert {one.status for one in told} <= {status if status == 429 else 503, 503}
    assert {one.error["code"] for one in told} <= {
        "rate_limit_exceeded" if status == 429 else "unavailable",
        "unavailable",
    }
    engine.otherwise(fine())
    await until_served(site)


async def test_a_storm_of_every_kind_leaves_those_served_whom_the_engine_serves(
    site: Drill, engine: FaultEngine
) -> None:
    kinds = [fine(), refuse(429), refuse(503), cut(2), fine(), refuse(500), malformed(1), cut(0), trickle(), fine()]
    engine.script(*kinds * 30)
    told = await asyncio.gather(*(site.ask(stream=at % 2 > 0) for at in range(200)))
    assert all(one.ended or one.broke or one.status in (429, 502, 503) for one in told)
    assert sum(one.ended for one in told) > 50
    engine._scripts.clear()
    await until_served(site)


async def until_served(site: Drill) -> None:
    """An engine that asked for a rest has it first."""
    for _ in range(100):
        if await site.served():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("The engine is well and nobody asks it.")


async def test_more_than_run_and_wait_are_refused_at_once_and_told_when_to_come_back(
    site: Drill, engine: FaultEngine
) -> None:
    engine.otherwise(paced(0.02))
    told = await asyncio.gather(*(site.ask("narrow", stream=at % 2 > 0) for at in range(20)))
    refused = [one for one in told if one.status == 429]
    assert len(refused) == 16 and sum(one.ended for one in told) == 4
    assert all(int(one.headers["retry-after"]) >= 1 for one in refused)
    assert {one.error["type"] for one in refused} == {"rate_limit_error"}


async def test_an_engine_that_dies_breaks_its_streams_with_an_error_and_serves_when_it_is_back(
    site: Drill, engine: FaultEngine
) -> None:
    engine.otherwise(stall(2))
    asked = [asyncio.create_task(site.ask(stream=True)) for _ in range(20)]
    await engine.until(lambda: engine.running == 20)
    engine.otherwise(fine())
    await asyncio.wait(asked, timeout=0.2)
    engine.kill()
    told = await asyncio.gather(*asked)
    assert all(one.broke and one.pieces == 2 for one in told)
    down = await site.ask()
    assert (down.status, down.error["code"]) == (503, "unavailable")
    engine.revive()
    await until_served(site)


async def test_five_hundred_clients_that_leave_stop_their_engine_s_work_and_leave_nothing(
    site: Drill, engine: FaultEngine
) -> None:
    engine.otherwise(paced(0.02, text="Wort " * 500))
    before, objects = engine.aborted, list[int]()

    async def leave(at: int) -> None:
        """While the answer is computed, after its first bytes, or after some more of them."""
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
        writer.write(
            site.request({"model": MODEL, "stream": at % 3 > 0, "messages": [{"role": "user", "content": "?"}]})
        )
        for _ in range(at % 3):
            assert await reader.read(1000)
        await there.wait()
        writer.transport.abort()

    for _ in range(2):
        for _ in range(5):
            there = asyncio.Event()
            leaving = [asyncio.create_task(leave(at)) for at in range(50)]
            await engine.until(lambda: engine.running == 50)
            there.set()
            await asyncio.gather(*leaving)
            await engine.until(lambda: engine.running == 0, within_s=30)
        engine.requests.clear()
        gc.collect()
        objects.append(len(gc.get_objects()))
    assert engine.aborted - before == 500
    assert objects[1] - objects[0] < 250, "more than one new object for each client"
