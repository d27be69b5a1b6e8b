"""Tests of what answers while the app is being loaded."""

import asyncio

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from server.front import Front

pytestmark = pytest.mark.anyio


async def body(request: Request) -> PlainTextResponse:
    return PlainTextResponse(await request.body())


APP = Starlette(routes=[Route("/v1/echo", body, methods=["POST"]), Route("/healthz", body)])


def client(front: Front) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(front), base_url="http://test")


async def waiting(front: Front, count: int) -> None:
    for _ in range(1_000):
        if front._waiting == count:
            return
        await asyncio.sleep(0)
    raise AssertionError("They do not wait.")


async def test_probes_are_answered_at_once_as_alive_and_not_ready() -> None:
    async with client(Front()) as asking:
        alive, ready = await asking.get("/healthz"), await asking.get("/readyz")
        assert (alive.status_code, alive.json()) == (200, {"status": "ok"})
        assert (ready.status_code, ready.json()) == (503, {"status": "loading", "reasons": []})
        assert (await asking.head("/healthz")).status_code == 200
    for answer in (alive, ready):
        assert len(answer.headers["x-request-id"]) == 32
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"


async def test_early_requests_wait_and_go_on_to_the_app_with_their_bodies() -> None:
    front = Front()
    async with client(front) as asking:
        early = [asyncio.create_task(asking.post("/v1/echo", content=f"{at}")) for at in range(20)]
        await waiting(front, 20)
        assert not front.there
        front.hand_over(APP)
        assert [(await one).text for one in early] == [f"{at}" for at in range(20)]
        assert (await asking.post("/v1/echo", content="late")).text == "late"
        assert (await asking.get("/healthz")).text == ""  # the app's own
    assert front._waiting == 0


async def test_requests_are_refused_where_the_app_does_not_come() -> None:
    front = Front()
    async with client(front) as asking:
        early = asyncio.create_task(asking.post("/v1/echo"))
        await waiting(front, 1)
        front.give_up()
        for refused in (await early, await asking.get("/v1/models")):
            assert refused.status_code == 503
            assert refused.json()["error"]["code"] == "unavailable"
            assert refused.headers["retry-after"] == "5"
            assert refused.headers["x-request-id"]


@pytest.mark.parametrize("limit", [("_MOST", 0), ("_WAIT_S", 0.0)])
async def test_neither_many_nor_long_waits_pile_up(limit: tuple[str, float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"server.front.{limit[0]}", limit[1])
    front = Front()
    async with client(front) as asking:
        assert (await asking.get("/v1/models")).status_code == 503
        front.hand_over(APP)
        assert (await asking.post("/v1/echo", content="x")).text == "x"
