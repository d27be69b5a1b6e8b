"""Which engine of a pool is asked, on real ports: by load, by health, and another one where it fails in time."""

import asyncio
from collections.abc import Generator
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest
from drill_pools import STREAMED, ask, counts, hub, stream, town
from fault_answers import CUT, MODEL, TEXT, Answer, Pause, cut, fine, raw, refuse, response, stall
from fault_engine import FaultEngine, serve_faults

from tools.base import Unavailable
from tools.models import Declined, Json

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(30)]


@pytest.fixture
def engine() -> Generator[FaultEngine]:
    with serve_faults() as serving:
        yield serving


@pytest.fixture
def second() -> Generator[FaultEngine]:
    with serve_faults() as serving:
        yield serving


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses between tries are as good as none."""
    monkeypatch.setattr("tools.models.pool._PAUSE_S", 0.001)


async def test_requests_go_round_while_all_engines_are_equally_busy(engine: FaultEngine, second: FaultEngine) -> None:
    async with town(engine, second) as pool:
        for _ in range(6):
            assert await ask(pool) == TEXT
    assert counts(engine, second) == [3, 3]


async def test_the_engine_with_less_under_way_is_chosen(engine: FaultEngine, second: FaultEngine) -> None:
    engine.otherwise(stall(1))
    second.otherwise(stall(1))
    async with town(engine, second) as pool, AsyncExitStack() as open:
        for _ in range(4):
            await open.enter_async_context(pool.open("chat/completions", Json(STREAMED), stream=True))
        assert counts(engine, second) == [2, 2]
        second.otherwise(fine())
        second.release()
        engine.otherwise(fine())
        pool.replicas[1].outstanding -= 2  # as if they were answered
        for _ in range(2):
            await ask(pool)
        pool.replicas[1].outstanding += 2
        assert counts(engine, second) == [2, 4]


async def test_what_waits_at_an_engine_by_its_own_word_counts(engine: FaultEngine, second: FaultEngine) -> None:
    engine.waiting, engine.kv_cache = 5, 0.5
    async with hub(town={"engines": [engine.url, second.url]}) as opened:
        pool = opened["town"]
        await opened.probe()
        busy = pool.replicas[0]
        assert (busy.healthy, busy.running, busy.waiting, busy.cache, busy.load) == (True, 0, 5, 0.5, 5)
        for _ in range(3):
            await ask(pool)
        assert counts(engine, second) == [0, 3]
        engine.waiting = 0
        await opened.probe()
        for _ in range(2):
            await ask(pool)
        assert counts(engine, second) == [1, 4]


async def test_metrics_that_come_in_many_pieces_are_read_whole(engine: FaultEngine) -> None:
    lines = "".join(f'vllm:request_success_total{{engine="0",reason="{at}"}} 1.0\n' for at in range(20_000))
    async with hub(town={"engines": [engine.url]}) as opened:
        metrics = (lines + f'vllm:num_requests_waiting{{model_name="{MODEL}"}} 4.0\n').encode()
        engine._probe = lambda request: response(metrics if request.path == "/metrics" else b"")
        await opened.probe()
        assert opened["town"].replicas[0].waiting == 4


async def test_an_engine_that_is_not_well_is_asked_last_and_comes_back(
    engine: FaultEngine, second: FaultEngine, caplog: pytest.LogCaptureFixture
) -> None:
    async with hub(town={"engines": [engine.url, second.url]}) as opened:
        pool = opened["town"]
        engine.healthy = False
        await opened.probe()
        await opened.probe()
        assert [replica.healthy for replica in pool.replicas] == [False, True]
        for _ in range(4):
            await ask(pool)
        assert counts(engine, second) == [0, 4]
        engine.healthy = True
        await opened.probe()
        for _ in range(4):
            await ask(pool)
        assert counts(engine, second) == [2, 6]
    said = [record.getMessage() for record in caplog.records if record.name == "tools.models.hub"]
    assert said == [
        f"The engine {engine.url} of 'town' is not well: 503",
        f"The engine {engine.url} of 'town' is back.",
    ]


async def test_a_probe_that_finds_an_engine_again_ends_its_rest(engine: FaultEngine, hasty: None) -> None:
    async with hub(town={"engines": [engine.url]}) as opened:
        pool = opened["town"]
        engine.kill()
        await opened.probe()
        with pytest.raises(Unavailable):
            await ask(pool)
        assert pool.replicas[0].breaker.open
        engine.revive()
        await opened.probe()
        assert await ask(pool) == TEXT


async def test_an_engine_that_is_no_vllm_is_asked_for_its_models(engine: FaultEngine) -> None:
    async with hub(town={"engines": [engine.url], "server": "openai"}) as opened:
        await opened.probe()
        replica = opened["town"].replicas[0]
        assert (replica.healthy, replica.waiting) == (True, None)
        engine.kill()
        await opened.probe()
        assert replica.healthy is False


@pytest.mark.parametrize(
    "fault", [refuse(500), refuse(502), refuse(503), refuse(429), raw(CUT), raw(b"\x16\x03 no HTTP\r\n\r\n", CUT)]
)
async def test_another_engine_answers_where_one_cannot(engine: FaultEngine, second: FaultEngine, fault: Answer) -> None:
    engine.otherwise(fault)
    async with town(engine, second) as pool:
        for _ in range(2):
            assert await ask(pool) == TEXT
            assert await stream(pool)
    assert len(second.requests) == 4


async def test_a_stream_that_ends_before_its_first_byte_begins_anew_elsewhere(
    engine: FaultEngine, second: FaultEngine
) -> None:
    engine.otherwise(cut(0))
    second.otherwise(cut(0))
    async with town(engine, second) as pool:
        with pytest.raises(Unavailable, match=r"cannot be reached \(ClientPayloadError\)"):
            await stream(pool)
        second.otherwise(fine())
        assert (await stream(pool)).endswith(b"data: [DONE]\n\n")


async def test_a_stream_that_breaks_after_its_first_byte_is_never_begun_anew(
    engine: FaultEngine, second: FaultEngine
) -> None:
    engine.otherwise(cut(1))
    second.otherwise(cut(1))
    got = list[bytes]()
    async with town(engine, second) as pool:
        with pytest.raises(Unavailable, match=r"broke off its answer"):
            async with pool.open("chat/completions", Json(STREAMED), stream=True) as reply:
                async for part in reply.parts():
                    got.append(part)
    assert b"".join(got).count(b"data:") == 1
    assert sum(counts(engine, second)) == 1


async def test_the_same_engine_is_tried_again_where_there_is_no_other(engine: FaultEngine, hasty: None) -> None:
    engine.script(refuse(503), refuse(429))
    async with town(engine) as pool:
        assert await ask(pool) == TEXT
        engine.script(refuse(503), refuse(503), refuse(503))
        with pytest.raises(Unavailable, match=r"is overloaded or broken \(status 503\)"):
            await ask(pool)
    assert counts(engine) == [6]


async def test_no_tries_are_made_where_none_are_allowed(engine: FaultEngine) -> None:
    engine.script(refuse(503))
    async with town(engine, limits={"retries": 0}) as pool:
        with pytest.raises(Unavailable):
            await ask(pool)
    assert counts(engine) == [1]


async def test_an_engine_that_errs_where_another_does_not_gets_a_rest(engine: FaultEngine, second: FaultEngine) -> None:
    engine.otherwise(refuse(500))
    async with town(engine, second) as pool:
        for _ in range(20):
            assert await ask(pool) == TEXT
        assert pool.replicas[0].breaker.open and not pool.replicas[1].breaker.open
    assert counts(engine, second) == [3, 20]


async def test_a_request_over_which_every_engine_errs_does_not_take_them_from_the_others(
    engine: FaultEngine, second: FaultEngine, hasty: None
) -> None:
    async with town(engine, second) as pool:
        engine.otherwise(refuse(500))
        second.otherwise(refuse(500))
        for _ in range(10):
            with pytest.raises(Unavailable):
                await ask(pool)
        engine.otherwise(fine())
        second.otherwise(fine())
        assert await ask(pool) == TEXT
        assert not any(replica.breaker.open for replica in pool.replicas)


async def test_each_engine_rests_on_its_own(engine: FaultEngine, second: FaultEngine) -> None:
    async with town(engine, second) as pool:
        engine.kill()
        for _ in range(8):
            assert await ask(pool) == TEXT
        assert [replica.breaker.open for replica in pool.replicas] == [True, False]
        second.kill()
        for _ in range(4):
            with pytest.raises(Unavailable):
                await ask(pool)
        with pytest.raises(Unavailable, match=r"No engine of 'town' can be asked now") as raised:
            await ask(pool)
        assert raised.value.retry_after == 1.0
        engine.revive()
        second.revive()
        await engine.until(lambda: pool.choose(set(), asyncio.get_running_loop().time()) is not None)
        assert await ask(pool) == TEXT


async def test_an_engine_that_closes_idle_connections_costs_no_request(engine: FaultEngine) -> None:
    async with town(engine, limits={"retries": 0}) as pool:
        for _ in range(50):
            assert await ask(pool) == TEXT
            engine.drop_idle()
        assert pool.replicas[0].breaker.failures == 0


async def test_a_request_that_meets_a_closing_connection_is_sent_once_more_at_once(engine: FaultEngine) -> None:
    engine.script(fine(), raw(CUT), fine(), raw(CUT), raw(CUT))
    async with town(engine, limits={"retries": 0}) as pool:
        for _ in range(2):
            assert await ask(pool) == TEXT
        assert pool.replicas[0].breaker.failures == 0
        with pytest.raises(Unavailable, match=r"cannot be reached \(ServerDisconnectedError\)"):
            await ask(pool)


async def test_an_engine_that_dies_of_a_request_gets_it_once(engine: FaultEngine) -> None:
    engine.script(raw(CUT), fine())
    async with town(engine, limits={"retries": 0}) as pool:
        with pytest.raises(Unavailable, match=r"cannot be reached \(ServerDisconnectedError\)"):
            await ask(pool)
    assert counts(engine) == [1]


async def test_an_answer_that_nobody_asked_for_is_given_to_nobody(engine: FaultEngine) -> None:
    async with town(engine, limits={"retries": 0}) as pool:
        for gap in (0.0, 0.05):
            engine.script(raw(response(b'{"first": 1}'), Pause(gap), response(b'{"of": "another"}')))
            async with pool.open("chat/completions", Json(STREAMED)) as reply:
                assert await reply.read() == b'{"first": 1}'
            await engine.until(lambda: engine.served == len(engine.requests))
            await asyncio.sleep(0)  # what nobody asked for is read
            for _ in range(3):
                assert await ask(pool) == TEXT


async def test_a_user_name_in_an_engine_s_address_is_sent_and_not_shown(engine: FaultEngine) -> None:
    url = engine.url.replace("http://", "http://stadt:sesam@")
    async with hub(town={"engines": [url]}) as opened:
        assert await ask(opened["town"]) == TEXT
        assert opened["town"].replicas[0].shown == engine.url
    assert engine.requests[0].headers["authorization"] == "Basic c3RhZHQ6c2VzYW0="


async def test_one_connection_serves_one_request_after_the_other(
    engine: FaultEngine, hasty: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = list[object]()
    create = aiohttp.TCPConnector._create_connection

    async def counted(self: aiohttp.TCPConnector, *args: Any) -> Any:
        opened.append(args)
        return await create(self, *args)

    monkeypatch.setattr(aiohttp.TCPConnector, "_create_connection", counted)
    engine.script(fine(), refuse(400), refuse(429), fine(), fine())
    async with town(engine) as pool:
        await ask(pool)
        with pytest.raises(Declined):
            await ask(pool)
        for _ in range(2):
            await ask(pool)
            await stream(pool)
    assert (counts(engine), len(opened)) == ([7], 1)
