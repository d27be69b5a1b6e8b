"""Who leaves stops the engine's work, at whatever point; and an engine that leaves and comes back is asked again."""

import asyncio
from collections.abc import Generator

import pytest
from drill_pools import STREAMED, ask, counts, hub, stream, town
from fault_answers import HOLD, TEXT, fine, hang, paced, raw, refuse, response, stall
from fault_engine import FaultEngine, serve_faults

from tools.base import Unavailable
from tools.models import Json

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(30)]


@pytest.fixture
def engine() -> Generator[FaultEngine]:
    with serve_faults() as serving:
        yield serving


async def left(task: "asyncio.Task[object]") -> None:
    """Ends it as a client that goes away does."""
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_leaving_before_the_end_stops_the_engine_s_work(engine: FaultEngine) -> None:
    engine.otherwise(paced(0.02, text="Wort " * 2000))
    async with town(engine) as pool:
        for _ in range(3):
            async with pool.open("chat/completions", Json(STREAMED), stream=True) as reply:
                async for _ in reply.parts():
                    break
        await engine.until(lambda: engine.running == 0, within_s=30)
        assert not pool.replicas[0].breaker.failures
    assert (engine.aborted, engine.connections) == (3, 0)


@pytest.mark.parametrize("streamed", [False, True])
async def test_leaving_before_the_first_byte_stops_the_engine_s_work(engine: FaultEngine, streamed: bool) -> None:
    engine.otherwise(hang())
    async with town(engine) as pool:
        task = asyncio.create_task(stream(pool) if streamed else ask(pool))
        await engine.until(lambda: engine.running == 1)
        await left(task)
        await engine.until(lambda: engine.running == 0, within_s=30)
        assert not pool.replicas[0].breaker.failures


async def test_leaving_between_the_status_and_the_first_byte_stops_the_engine_s_work(engine: FaultEngine) -> None:
    engine.otherwise(stall(0))
    async with town(engine) as pool:
        task = asyncio.create_task(stream(pool))
        await engine.until(lambda: engine.running == 1)
        await asyncio.wait([task], timeout=0.1)
        await left(task)
        await engine.until(lambda: engine.running == 0, within_s=30)


async def test_leaving_while_an_error_is_read_closes_its_connection(engine: FaultEngine) -> None:
    engine.otherwise(raw(response(b"x" * 1000, status=503)[:-10], HOLD))
    async with town(engine) as pool:
        task = asyncio.create_task(ask(pool))
        await engine.until(lambda: engine.running == 1)
        await asyncio.wait([task], timeout=0.1)
        await left(task)
        await engine.until(lambda: engine.running == 0, within_s=30)
    await engine.until(lambda: engine.connections == 0)


async def test_leaving_the_queue_sends_nothing(engine: FaultEngine) -> None:
    engine.script(stall(1))
    async with town(engine, limits={"running": 1}) as pool:
        first = asyncio.create_task(stream(pool))
        await engine.until(lambda: engine.running == 1)
        waiting = [asyncio.create_task(ask(pool)) for _ in range(5)]
        await engine.until(lambda: pool.slots.waiting == 5)
        for task in waiting[:4]:
            await left(task)
        assert pool.slots.waiting == 1
        engine.release()
        await first
        assert await waiting[4] == TEXT
    assert counts(engine) == [2]


async def test_leaving_while_it_pauses_before_a_try_sends_nothing_more(engine: FaultEngine) -> None:
    engine.otherwise(refuse(429, retry_after=2))
    async with town(engine) as pool:
        task = asyncio.create_task(ask(pool))
        await engine.until(lambda: engine.served == 1)
        await asyncio.wait([task], timeout=0.05)
        await left(task)
    assert counts(engine) == [1]


async def test_hundreds_who_leave_at_any_moment_leave_nothing_behind(engine: FaultEngine) -> None:
    engine.otherwise(paced(0.002))
    async with town(engine, limits={"running": 20, "queued": 500}) as pool:
        tasks = [asyncio.create_task(stream(pool) if at % 3 else ask(pool)) for at in range(300)]
        for at, task in enumerate(tasks):
            if at % 7:
                await asyncio.wait([task], timeout=(at % 5) * 0.002)
                task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(end) for end in ends} <= {str, bytes, asyncio.CancelledError}
        assert sum(isinstance(end, str | bytes) for end in ends) >= 43
        await engine.until(lambda: engine.running == 0, within_s=30)
        assert await ask(pool) == TEXT


async def test_an_engine_that_is_killed_breaks_its_streams_and_serves_when_it_is_back(engine: FaultEngine) -> None:
    engine.otherwise(stall(2))
    async with hub(town={"engines": [engine.url]}) as opened:
        pool = opened["town"]
        running = [asyncio.create_task(stream(pool)) for _ in range(10)]
        await engine.until(lambda: engine.running == 10)
        await asyncio.wait(running, timeout=0.1)
        engine.kill()
        for end in await asyncio.gather(*running, return_exceptions=True):
            assert isinstance(end, Unavailable)
            assert end.message == "The engine of 'town' broke off its answer (ClientPayloadError)."
        assert counts(engine) == [10]
        with pytest.raises(Unavailable):
            await ask(pool)
        await opened.probe()
        engine.otherwise(fine())
        engine.revive()
        await opened.probe()
        assert await ask(pool) == TEXT


async def test_requests_move_to_another_engine_while_one_is_killed(engine: FaultEngine) -> None:
    with serve_faults() as other:
        engine.otherwise(hang())
        async with town(engine, other) as pool:
            asked = [asyncio.create_task(ask(pool)) for _ in range(20)]
            await engine.until(lambda: engine.running == 10)
            engine.kill()
            assert set(await asyncio.gather(*asked)) == {TEXT}
        assert len(other.requests) == 20
