"""A client that leaves stops the engine's work at every depth: an agent, its tool, a step of a composition, a tool server."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from typing import Any

import pytest
from drill_house import Drill, drill
from fault_answers import MODEL, fine, hang, paced, stall
from fault_engine import FaultEngine, serve_faults
from pydantic_ai import models

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]
TEXT = "Das Freibad der Stadt Birkenfurt öffnet am ersten Mai um neun Uhr. Der Eintritt kostet vier Euro."


@pytest.fixture(scope="module")
def engine() -> Generator[FaultEngine]:
    with serve_faults() as serving:
        yield serving


@pytest.fixture(scope="module")
async def opened(engine: FaultEngine, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Drill]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tools.models.transport._KEEP_ALIVE_S", 0.2)
        town = {"engines": [engine.url], "limits": {"retries": 0}}
        async with drill(tmp_path_factory.mktemp("home"), engine, {MODEL: town}) as serving:
            with models.override_allow_model_requests(True):
                await asyncio.gather(*(serving.ask(name) for name in ("answer", "briefing")))  # they open their stores
            await serving.settle()
            yield serving


@pytest.fixture
async def site(opened: Drill, engine: FaultEngine) -> AsyncGenerator[Drill]:
    """The server, which must be as it was when the drill is over."""
    with models.override_allow_model_requests(True):
        yield opened
    engine._scripts.clear()
    engine.otherwise(fine())
    await opened.back()


def chat(name: str, *, stream: bool) -> tuple[str, dict[str, Any]]:
    said = "Wann öffnet das Freibad?" if name == "answer" else TEXT
    return "/v1/chat/completions", {"model": name, "stream": stream, "messages": [{"role": "user", "content": said}]}


def rest(name: str, given: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return f"/api/use-cases/{name}", given


def tool(name: str, given: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    params = {"name": name, "arguments": given}
    return "/mcp", {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}


TRANSLATED = {"text": TEXT, "target": "en"}
DEPTHS = {
    "a use case": chat("summary", stream=False),
    "a use case, streamed": chat("summary", stream=True),
    "a use case over REST": rest("plain_language", {"text": TEXT}),
    "a use case over MCP": tool("summary", {"text": TEXT}),
    "an agent after its tool": chat("answer", stream=False),
    "an agent after its tool, streamed": chat("answer", stream=True),
    "a step of a composition": chat("briefing", stream=False),
    "a step of a composition, streamed": chat("briefing", stream=True),
    "a tool server that asks an engine": rest("translation", TRANSLATED),
    "a tool server that asks an engine, over MCP": tool("translation", TRANSLATED),
}


@pytest.mark.parametrize("depth", DEPTHS)
async def test_a_client_that_leaves_stops_the_engine_s_work(site: Drill, engine: FaultEngine, depth: str) -> None:
    path, given = DEPTHS[depth]
    if "its tool" in depth:
        engine.script(fine())  # it calls its tool first
    engine.otherwise(hang())
    heard, aborted = len(engine.requests), engine.aborted
    async with site.client() as http:
        headers = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-06-18"}
        asking = asyncio.create_task(http.post(path, json=given, headers=headers).__aenter__())
        expected = 2 if "its tool" in depth else 1
        while len(engine.requests) - heard < expected or not engine.running:
            if asking.done():
                raise AssertionError(await asking.result().text())
            await asyncio.wait([asking], timeout=0.01)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
    await engine.until(lambda: engine.running == 0, within_s=30)
    assert engine.aborted == aborted + 1
    assert len(engine.requests) - heard == expected


async def test_leaving_in_the_middle_of_a_streamed_answer_stops_it_too(site: Drill, engine: FaultEngine) -> None:
    for name in ("plain_language", MODEL):
        engine.otherwise(paced(0.01, text="Das Bad ist offen. " * 500) if name == MODEL else stall(3))
        path, given = chat(name, stream=True)
        async with site.client() as http:
            asking = asyncio.create_task(http.post(path, json=given).__aenter__())
            await engine.until(lambda: engine.running == 1)
            await asyncio.wait([asking], timeout=0.3)
            if asking.done():
                asking.result().close()
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
        await engine.until(lambda: engine.running == 0, within_s=30)
