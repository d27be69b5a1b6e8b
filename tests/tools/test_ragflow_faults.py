"""What the faults of a RAGFlow server become: each a clear error, reads tried again, changes never."""

import asyncio
import socket
import threading
from collections.abc import AsyncGenerator, Generator

import pytest
from fake_ragflow import KEY, Asked, FakeRagflow, config, ragflow
from starlette.responses import JSONResponse, Response

from tools.base import Caller, Failed, Overloaded, PartiturError, TimedOut, TooLarge, Unavailable
from tools.ragflow.library import RagflowLibrary

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]

ANNA = Caller(subject="anna")
TAX = "Die Hundesteuer beträgt 120 Euro.\n\nSie wird im Februar fällig."


@pytest.fixture(scope="module", params=["0.27", "1.0"])
def served(request: pytest.FixtureRequest) -> Generator[FakeRagflow]:
    with ragflow(request.param) as server:
        yield server


@pytest.fixture
def fake(served: FakeRagflow, monkeypatch: pytest.MonkeyPatch) -> FakeRagflow:
    monkeypatch.setattr("tools.ragflow.client._PAUSES_S", (0.0, 0.0))
    return served.cleared("open", "few", "foreign")


@pytest.fixture
async def library(fake: FakeRagflow) -> AsyncGenerator[RagflowLibrary]:
    async with RagflowLibrary(config(fake)) as opened:
        yield opened


@pytest.mark.parametrize(
    ("answer", "expected", "said"),
    [
        (JSONResponse({"code": 102, "message": "Boom"}), Failed, "code 102: 'Boom'"),
        (JSONResponse({"code": 0, "data": {"chunks": "none"}}), Failed, "something else than"),
        (JSONResponse({"code": 0}), Failed, "something else than"),
        (JSONResponse([1, 2]), Failed, "none of its API"),
        (Response('{"code": 0, "data": {"chunks": [{"content": "\\ud800"}]}}'), Failed, "none of its API"),
        (Response("<html>"), Failed, "none of its API"),
        (Response("[" * 100_000), Failed, "none of its API"),
        (JSONResponse({"code": 109, "data": False, "message": "API key is invalid!"}), Failed, "accept the key"),
        (Response(status_code=401), Failed, "accept the key"),
        (Response(status_code=302, headers={"location": "http://127.0.0.1:1/"}), Failed, "none of its API"),
        (JSONResponse({"code": 0, "data": {"chunks": []}}, status_code=500), Failed, "code 500"),
        (JSONResponse({"code": 429, "message": "slow down"}, status_code=429), Overloaded, "slow down"),
        (Response(status_code=503), Unavailable, "answered 503"),
        (Response("x" * 200_000), TooLarge, "more than 100,000 bytes"),
    ],
)
async def test_each_fault_is_a_clear_error(
    fake: FakeRagflow, answer: Response, expected: type[PartiturError], said: str
) -> None:
    fake.fault = lambda asked: answer
    async with RagflowLibrary(config(fake, max_answer_bytes=100_000)) as library:
        with pytest.raises(expected, match=said) as told:
            await library.search("Hund", caller=ANNA)
    assert type(told.value) is expected
    assert KEY not in str(told.value) and fake.url not in str(told.value)


async def test_a_read_is_tried_again_and_a_change_is_not(fake: FakeRagflow, library: RagflowLibrary) -> None:
    fake.add("open", "a.txt", TAX)
    fails = 2

    def falter(asked: Asked) -> Response | None:
        nonlocal fails
        fails -= 1
        return Response(status_code=502) if fails >= 0 else None

    fake.fault = falter
    assert len((await library.search("Hundesteuer", caller=ANNA)).passages) == 1
    fake.fault = lambda asked: Response(status_code=502) if asked.method == "DELETE" else None
    fake.asked.clear()
    with pytest.raises(Unavailable):
        await library.delete([fake.datasets["open"][0].id], ANNA)
    assert len([one for one in fake.asked if one.method == "DELETE"]) == 1


async def test_one_that_is_slow_is_not_waited_for(fake: FakeRagflow) -> None:
    released = threading.Event()

    async def slow(asked: Asked) -> Response | None:
        await asyncio.to_thread(released.wait, 20)
        return None

    fake.fault = slow
    async with RagflowLibrary(config(fake, timeout=0.2)) as library:
        with pytest.raises(TimedOut, match=r"ragflow\.timeout"):
            await library.search("Hund", caller=ANNA)
    released.set()


async def test_one_that_is_down_is_named_by_its_setting(fake: FakeRagflow) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        down = config(fake, url=f"http://127.0.0.1:{nobody.getsockname()[1]}")
        async with RagflowLibrary(down) as library:
            with pytest.raises(Unavailable, match=r"ragflow\.url"):
                await library.search("Hund", caller=ANNA)
