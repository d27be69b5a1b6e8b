"""What a pool makes of an engine's refusals, what it passes on to the engine, and when another model serves."""

import asyncio
from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from drill_pools import ASKED, ask, counts, hub, town
from fault_answers import (
    MODEL,
    TEXT,
    Pause,
    fine,
    raw,
    refuse,
    response,
)
from fault_engine import FaultEngine, serve_faults

from tools.base import Overloaded, Unavailable
from tools.models import Declined, Json

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(30)]


@pytest.fixture
def engine() -> Generator[FaultEngine]:
    with serve_faults() as serving:
        yield serving


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that a pool pauses before its tries; it does not really."""
    seconds = list[float]()
    sleep = asyncio.sleep

    async def counted(delay: float) -> None:
        seconds.append(delay)
        await sleep(0)

    class Asyncio:
        """The module, with another sleep."""

        def __getattr__(self, name: str) -> Any:
            return counted if name == "sleep" else getattr(asyncio, name)

    monkeypatch.setattr("tools.models.pool.asyncio", Asyncio())
    return seconds


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 413, 415, 422])
async def test_what_the_engine_declines_is_told_and_not_tried_again(engine: FaultEngine, status: int) -> None:
    engine.script(refuse(status, message="No such\n  thing."))
    async with town(engine) as pool:
        with pytest.raises(Declined) as raised:
            await ask(pool)
        assert not pool.replicas[0].breaker.failures
    error = raised.value
    assert (error.answered, error.said, error.param) == (status, "No such thing.", None)
    assert error.message == f"The engine of 'town' refused the request (status {status}): No such thing."
    assert counts(engine) == [1]


async def test_the_parameter_that_the_engine_names_is_told_too(engine: FaultEngine) -> None:
    engine.script(
        raw(response(b'{"error":{"message":"Bad.","param":"top_p"}}', status=400)),
        raw(response(b'{"object":"error","message":"Bad.","param":"top_p"}', status=400)),
    )
    async with town(engine) as pool:
        for _ in range(2):
            with pytest.raises(Declined) as raised:
                await ask(pool)
            assert (raised.value.said, raised.value.param) == ("Bad.", "top_p")


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b"null", b'{"error": 1}', b'{"error": {"message": [1]}}', b"\xff" * 99, b"9" * 10**6],
)
async def test_a_refusal_that_says_nothing_we_understand_is_still_one(engine: FaultEngine, body: bytes) -> None:
    engine.script(raw(response(body, status=400)))
    async with town(engine) as pool:
        with pytest.raises(Declined) as raised:
            await ask(pool)
    assert raised.value.message == "The engine of 'town' refused the request (status 400)."


async def test_a_refusal_whose_body_comes_in_pieces_is_read_whole(engine: FaultEngine) -> None:
    said = response(b'{"error":{"message":"In pieces."}}', status=400)
    engine.script(raw(said[:70], Pause(0.05), said[70:80], Pause(0.05), said[80:]))
    async with town(engine) as pool:
        with pytest.raises(Declined, match=r"In pieces\."):
            await ask(pool)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_redirects_are_not_followed(engine: FaultEngine, status: int) -> None:
    with serve_faults() as elsewhere:
        engine.script(raw(response(b"", status=status, location=f"{elsewhere.url}/chat/completions")))
        async with town(engine) as pool:
            with pytest.raises(Declined) as raised:
                await ask(pool)
        assert raised.value.answered == status
        assert counts(engine, elsewhere) == [1, 0]


async def test_a_short_wait_that_the_engine_asks_for_is_kept(engine: FaultEngine, pauses: list[float]) -> None:
    engine.script(refuse(429, retry_after=2), refuse(429, retry_after=0), fine())
    async with town(engine) as pool:
        assert await ask(pool) == TEXT
    assert pauses[0] == 2
    assert 0.1 <= pauses[1] <= 0.3


async def test_pauses_grow_and_are_never_the_same(engine: FaultEngine, pauses: list[float]) -> None:
    engine.script(*[refuse(503)] * 20, fine())
    async with town(engine, limits={"retries": 6}) as pool:
        for _ in range(2):
            with pytest.raises(Unavailable):
                await ask(pool)
    assert all(0.05 * 2**at <= pause <= 0.15 * 2**at for at, pause in enumerate(pauses[:5]))
    assert 1 <= pauses[5] <= 3
    assert pauses[:6] != pauses[6:]


@pytest.mark.parametrize(("status", "error"), [(429, Overloaded), (503, Unavailable)])
async def test_a_long_wait_that_the_engine_asks_for_is_passed_on(
    engine: FaultEngine, status: int, error: type[Overloaded | Unavailable], pauses: list[float]
) -> None:
    engine.script(refuse(status, retry_after=20))
    async with town(engine) as pool:
        with pytest.raises(error) as raised:
            await ask(pool)
        assert raised.value.retry_after == 20
        assert (counts(engine), pauses) == ([1], [])
        if status == 503:  # it is not asked before the time is over
            with pytest.raises(Unavailable) as raised:
                await ask(pool)
            assert raised.value.retry_after == pytest.approx(20, abs=5)
        else:  # it was busy for this request, and may not be for the next
            assert await ask(pool) == TEXT
    assert counts(engine) == [1 + (status == 429)]


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("soon", None), ("-5", None), ("nan", None), ("1e9", None), ("9" * 400, 3600), ("²", None), ("Mon, 99 X", None)],
)
async def test_a_wait_that_makes_no_sense_is_as_none(
    engine: FaultEngine, said: str, seconds: float | None, pauses: list[float]
) -> None:
    engine.otherwise(raw(response(b"", status=429, retry_after=said)))
    async with town(engine) as pool:
        with pytest.raises(Overloaded) as raised:
            await ask(pool)
    assert raised.value.retry_after == seconds


async def test_a_wait_until_a_date_is_understood(engine: FaultEngine) -> None:
    soon, past = (format_datetime(datetime.now(UTC) + timedelta(minutes=at), usegmt=True) for at in (5, -5))
    engine.script(refuse(429, retry_after=soon), refuse(429, retry_after=past), fine())
    async with town(engine) as pool:
        with pytest.raises(Overloaded) as raised:
            await ask(pool)
        assert raised.value.retry_after == pytest.approx(300, abs=30)
        assert await ask(pool) == TEXT


async def test_another_model_serves_where_no_engine_can_and_says_so(engine: FaultEngine) -> None:
    with serve_faults() as dead, serve_faults() as full:
        dead.kill()
        full.otherwise(refuse(429))
        urls = {"a": dead.url, "b": full.url, "c": engine.url}
        models: dict[str, dict[str, Any]] = {
            id: {"engines": [url], "limits": {"retries": 0}} for id, url in urls.items()
        }
        models["a"]["fallback"], models["b"]["fallback"], models["c"]["name"] = "b", "c", "third"
        async with (
            hub(**models) as opened,
            opened["a"].open("chat/completions", Json(ASKED), tenant="bauamt") as reply,
        ):
            assert reply.model == "c"
            assert await reply.read()
    sent = engine.requests[0].json
    assert sent.pop("cache_salt")
    assert sent == {**ASKED, "model": "third"}


async def test_another_model_is_not_asked_what_this_one_declined(engine: FaultEngine) -> None:
    with serve_faults() as other:
        engine.script(refuse(400))
        models = {"a": {"engines": [engine.url], "fallback": "b"}, "b": {"engines": [other.url]}}
        async with hub(**models) as opened:
            with pytest.raises(Declined):
                await ask(opened["a"])
            async with opened["a"].open("chat/completions", Json(ASKED)) as reply:
                assert reply.model == "a"
                await reply.read()
        assert counts(engine, other) == [2, 0]


async def test_the_engine_gets_key_headers_salt_and_priority(engine: FaultEngine) -> None:
    given = {"key": "sesam", "capabilities": ["priority"]}
    body = b'{"model": "town", "priority": -7, "messages": []}'
    async with town(engine, **given) as pool:
        headers = {"x-request-id": "r1", "traceparent": "00-1-2-01"}
        asked = Json({"model": "town", "priority": -7, "messages": []}, body)
        for priority in (0, 4):
            async with pool.open(
                "chat/completions", asked, headers=headers, tenant="bauamt", priority=priority
            ) as reply:
                await reply.read()
    first, second = engine.requests
    assert {name: first.headers[name] for name in (*headers, "authorization", "content-type", "user-agent")} == {
        **headers,
        "authorization": "Bearer sesam",
        "content-type": "application/json",
        "user-agent": "partitur",
    }
    assert "cookie" not in first.headers
    assert first.json == {"model": MODEL, "priority": 0, "messages": [], "cache_salt": first.json["cache_salt"]}
    assert (second.json["priority"], second.json["cache_salt"]) == (4, first.json["cache_salt"])


@pytest.mark.parametrize("kind", ["chat", "embedding", "rerank"])
async def test_nobody_jumps_the_queue_or_shares_a_cache_whatever_the_model_is_for(
    engine: FaultEngine, kind: str
) -> None:
    asked: dict[str, Any] = {"model": "town", "messages": [], "priority": -7, "cache_salt": "x"}
    async with town(engine, kind=kind) as pool:
        for tenant, priority in (("bauamt", 0), ("bauamt", 4), ("museum", 0)):
            async with pool.open("chat/completions", Json(asked), tenant=tenant, priority=priority) as reply:
                await reply.read()
    sent = [request.json for request in engine.requests]
    assert [one["priority"] for one in sent] == [0, 0, 0]
    assert sent[0]["cache_salt"] == sent[1]["cache_salt"] != sent[2]["cache_salt"] != "x"


async def test_bytes_go_as_they_are(engine: FaultEngine) -> None:
    engine.script(raw(response(b"{}")))
    async with town(engine, kind="transcription") as pool:
        media = "multipart/form-data; boundary=x"
        async with pool.open("audio/transcriptions", b"--x--", media_type=media, tenant="bauamt") as reply:
            await reply.read()
    (got,) = engine.requests
    assert (got.path, got.body, got.headers["content-type"]) == ("/v1/audio/transcriptions", b"--x--", media)
