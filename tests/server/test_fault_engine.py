"""The engine of the fault drills does what its script says: otherwise the drills would prove nothing."""

import json
from collections.abc import Generator
from typing import Any

import aiohttp
import anyio
import pytest
from fault_answers import (
    TEXT,
    Answer,
    cut,
    cut_inside,
    fine,
    hang,
    malformed,
    no_json,
    prose,
    refuse,
    slow,
    stall,
    trickle,
    wrong_length,
)
from fault_engine import FaultEngine, serve_faults

pytestmark = pytest.mark.anyio


@pytest.fixture
def engine() -> Generator[FaultEngine]:
    with serve_faults() as serving:
        yield serving


async def ask(engine: FaultEngine, *, stream: bool = True, **more: Any) -> tuple[int, str]:
    """One request on a connection of its own."""
    body = {"model": "town-model", "stream": stream, "messages": [{"role": "user", "content": "Wann?"}], **more}
    async with aiohttp.ClientSession() as http, http.post(f"{engine.url}/chat/completions", json=body) as reply:
        return reply.status, await reply.text()


def said(stream: str) -> str:
    """The text of a whole stream."""
    *events, last, rest = stream.split("\n\n")
    assert (last, rest) == ("data: [DONE]", "")
    choices = [choice for one in events for choice in json.loads(one.removeprefix("data: "))["choices"]]
    return "".join(choice["delta"].get("content", "") for choice in choices)


@pytest.mark.parametrize("answer", [fine(), trickle(), slow(0.01)])
async def test_a_stream_that_arrives_says_the_whole_text(engine: FaultEngine, answer: Answer) -> None:
    engine.script(answer)
    status, text = await ask(engine)
    assert (status, said(text)) == (200, TEXT)
    assert engine.requests[0].json["model"] == "town-model"


async def test_a_whole_answer_fills_a_schema_unless_the_engine_ignores_it(engine: FaultEngine) -> None:
    engine.output = {"town": "Birkenfurt"}
    engine.script(fine(), prose("Gern!"))
    wanted = {"type": "json_schema", "json_schema": {"name": "town", "schema": {"type": "object"}}}
    texts = [json.loads((await ask(engine, stream=False, response_format=wanted))[1]) for _ in range(2)]
    assert [text["choices"][0]["message"]["content"] for text in texts] == ['{"town": "Birkenfurt"}', "Gern!"]


async def test_tools_are_called_once(engine: FaultEngine) -> None:
    tools = [{"type": "function", "function": {"name": "search", "parameters": {"type": "object"}}}]
    _, text = await ask(engine, stream=False, tools=tools)
    choice = json.loads(text)["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["tool_calls"][0]["function"]["name"] == "search"


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("answer", [cut(after=3), cut(after=0), cut_inside(after=3)])
async def test_a_connection_that_is_cut_is_no_whole_answer(engine: FaultEngine, answer: Answer, stream: bool) -> None:
    engine.script(answer)
    with pytest.raises(aiohttp.ClientPayloadError):
        await ask(engine, stream=stream)
    status, _ = await ask(engine, stream=stream)
    assert status == 200


async def test_a_wrong_length_is_seen_by_the_client(engine: FaultEngine) -> None:
    engine.script(wrong_length(10), wrong_length(-10))
    for _ in range(2):
        with pytest.raises(aiohttp.ClientError):
            await ask(engine, stream=False)


async def test_what_is_malformed_is_no_json(engine: FaultEngine) -> None:
    engine.script(malformed(after=2), malformed(after=2), no_json())
    _, stream = await ask(engine)
    assert stream.endswith("data: [DONE]\n\n")
    for text in (
        stream.split("\n\n")[2].removeprefix("data: "),
        (await ask(engine, stream=False))[1],
        (await ask(engine))[1],
    ):
        with pytest.raises(json.JSONDecodeError):
            json.loads(text)


async def test_a_storm_passes_when_it_is_over(engine: FaultEngine) -> None:
    engine.otherwise(refuse(429, retry_after=7))
    body = {"model": "town-model", "messages": []}
    async with aiohttp.ClientSession() as http, http.post(f"{engine.url}/chat/completions", json=body) as reply:
        assert (reply.status, reply.headers["retry-after"]) == (429, "7")
    engine.otherwise(fine())
    assert (await ask(engine))[0] == 200


@pytest.mark.parametrize("answer", [hang(), stall(after=2)])
async def test_a_client_that_leaves_is_counted_and_leaves_nothing_behind(engine: FaultEngine, answer: Answer) -> None:
    engine.script(answer)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask, engine)
        await engine.until(lambda: engine.running == 1)
        tasks.cancel_scope.cancel()
    await engine.until(lambda: engine.running == 0)
    await engine.until(lambda: engine.connections == 0)
    assert (engine.aborted, engine.served) == (1, 0)


async def test_what_holds_goes_on_when_it_is_released(engine: FaultEngine) -> None:
    engine.script(stall(after=2))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask, engine)
        await engine.until(lambda: engine.running == 1)
        engine.release()
    await engine.until(lambda: engine.served == 1)
    assert engine.aborted == 0


async def test_it_is_killed_in_the_middle_and_comes_back_on_the_same_port(engine: FaultEngine) -> None:
    before = engine.url
    engine.script(stall(after=2))
    failed: list[Exception] = []

    async def asking() -> None:
        try:
            await ask(engine)
        except aiohttp.ClientError as error:
            failed.append(error)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(asking)
        await engine.until(lambda: engine.running == 1)
        engine.kill()
    assert isinstance(failed[0], aiohttp.ClientPayloadError)
    with pytest.raises(aiohttp.ClientConnectorError):
        await ask(engine)
    engine.revive()
    assert engine.url == before
    assert (await ask(engine))[0] == 200
    assert (engine.running, engine.aborted) == (0, 0)


async def test_connections_are_kept_until_they_are_dropped(engine: FaultEngine) -> None:
    body = {"model": "town-model", "messages": []}
    async with aiohttp.ClientSession() as http:
        for _ in range(3):
            async with http.post(f"{engine.url}/chat/completions", json=body) as reply:
                await reply.read()
        assert engine.connections == 1
        engine.drop_idle()
        await engine.until(lambda: engine.connections == 0)
    assert (engine.served, engine.opened) == (3, 1)


async def test_probes_say_what_they_are_told(engine: FaultEngine) -> None:
    root = engine.url.removesuffix("/v1")
    engine.healthy, engine.waiting, engine.kv_cache = False, 12, 0.5
    async with aiohttp.ClientSession() as http:
        async with http.get(f"{root}/health") as health:
            assert health.status == 503
        async with http.get(f"{root}/metrics") as metrics:
            values = dict(
                line.rsplit(" ", 1) for line in (await metrics.text()).splitlines() if not line.startswith("#")
            )
    labels = '{engine="0",model_name="town-model"}'
    assert values == {
        f"vllm:num_requests_running{labels}": "0.0",
        f"vllm:num_requests_waiting{labels}": "12.0",
        f"vllm:kv_cache_usage_perc{labels}": "0.5",
    }
    assert engine.requests == []
