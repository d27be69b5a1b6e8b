"""Tests that a call answered directly is what the MCP library answers, and that all that is not plain is left to it."""

import asyncio
import json
from collections.abc import AsyncGenerator
from functools import partial
from typing import Any

import httpx
import pytest
from requirements import requirement
from sse_starlette.sse import AppStatus
from starlette.routing import Route
from web_house import TEXT, Web, Wire, web

from agents.kit import StepStarted
from server import mcp_direct
from server.house import LOCAL
from server.mcp_door import McpDoor

pytestmark = pytest.mark.anyio

HANDSHAKE, MODERN = "2025-11-25", "2026-07-28"
REVISIONS = ["2025-06-18", HANDSHAKE, MODERN]
GIVEN = {"text": TEXT, "sentences": 1}
PREFIX = "io.modelcontextprotocol/"


@pytest.fixture(scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Web]:
    async with web(tmp_path_factory.mktemp("home")) as opened:
        await opened.app.state.health.loaded.wait()
        yield opened


@pytest.fixture(autouse=True)
def no_server_has_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library's streams end at once after any server in this process was told to stop."""
    monkeypatch.setattr(AppStatus, "should_exit", False)


@pytest.fixture
def door(site: Web) -> McpDoor:
    (found,) = [
        route.endpoint for route in site.app.routes if isinstance(route, Route) and isinstance(route.endpoint, McpDoor)
    ]
    return found


def message(revision: str, name: str, arguments: Any, **meta: Any) -> dict[str, Any]:
    """A call as a client of that revision sends it."""
    if revision == MODERN:
        meta = {PREFIX + "protocolVersion": revision, PREFIX + "clientCapabilities": {}, **meta}
    params = {"name": name, "arguments": arguments, **({"_meta": meta} if meta else {})}
    return {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params}


def headers(revision: str, name: str, **others: str) -> dict[str, str]:
    modern = {"Mcp-Method": "tools/call", "Mcp-Name": name} if revision == MODERN else {}
    accept = "application/json, text/event-stream"
    return {"Accept": accept, "Content-Type": "application/json", "MCP-Protocol-Version": revision, **modern, **others}


async def both(
    site: Web, door: McpDoor, monkeypatch: pytest.MonkeyPatch, body: Any, sent: Any
) -> tuple[httpx.Response, httpx.Response]:
    """The answer without the library, which must not be asked, and that of the library."""
    with monkeypatch.context() as changed:
        changed.setattr(door, "_plain", _unwanted)
        changed.setattr(door, "_telling", _unwanted)
        direct = await site.client.post("/mcp", content=json.dumps(body), headers=sent)
    with monkeypatch.context() as changed:
        changed.setattr(door, "_direct", None)
        return direct, await site.client.post("/mcp", content=json.dumps(body), headers=sent)


async def _unwanted(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError("The library was asked.")


def same(answer: Any) -> Any:
    """An answer without what differs from run to run."""
    if isinstance(answer, dict):
        return {key: same(value) for key, value in answer.items() if key not in ("trace_id", "seconds")}
    return [same(one) for one in answer] if isinstance(answer, list) else answer


def told(answer: httpx.Response) -> list[Any]:
    """The messages of an answer, be it one JSON or a stream."""
    if answer.headers["content-type"] == "application/json":
        return [answer.json()]
    assert answer.headers["content-type"].startswith("text/event-stream")
    return [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]


CALLS: list[tuple[str, Any, dict[str, Any]]] = [
    ("summary", GIVEN, {}),
    ("summary", GIVEN, {"com.example/trace": {"a": None}}),
    ("summary", {}, {}),
    ("summary", {"text": ""}, {}),
    ("summary", {**GIVEN, "colour": "rot ☂"}, {}),
    ("summary", {"text": "pt-" + "a" * 43}, {}),
    ("plain_language", {"text": TEXT}, {}),
    ("briefing", GIVEN, {}),
    ("speech", {"text": "Guten Tag.", "formats": ["wav"]}, {}),
]


@requirement("MCP-1")
@requirement("MCP-2")
@requirement("MCP-3")
@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.parametrize(("name", "arguments", "meta"), CALLS)
async def test_a_direct_answer_is_the_librarys(
    site: Web,
    door: McpDoor,
    monkeypatch: pytest.MonkeyPatch,
    revision: str,
    name: str,
    arguments: Any,
    meta: dict[str, Any],
) -> None:
    body = message(revision, name, arguments, **meta)
    direct, library = await both(site, door, monkeypatch, body, headers(revision, name))
    assert direct.status_code == library.status_code == 200
    assert direct.headers["content-type"] == library.headers["content-type"] == "application/json"
    assert same(direct.json()) == same(library.json())


@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.parametrize("id", ["a", 0, -1, 2**53, ""])
async def test_the_id_comes_back_as_it_was(
    site: Web, door: McpDoor, monkeypatch: pytest.MonkeyPatch, revision: str, id: str | int
) -> None:
    body = {**message(revision, "plain_language", {"text": TEXT}), "id": id}
    direct, library = await both(site, door, monkeypatch, body, headers(revision, "plain_language"))
    assert direct.json()["id"] == library.json()["id"] == id


@requirement("MCP-4")
@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.parametrize("token", ["p", 0])
async def test_progress_is_told_as_the_library_tells_it(
    site: Web, door: McpDoor, monkeypatch: pytest.MonkeyPatch, revision: str, token: str | int
) -> None:
    body = message(revision, "briefing", GIVEN, progressToken=token)
    direct, library = await both(site, door, monkeypatch, body, headers(revision, "briefing"))
    assert direct.headers["content-type"] == "text/event-stream"
    *progress, last = told(direct)
    *others, end = told(library)
    assert same(last) == same(end)
    assert [one["params"].keys() for one in progress] == [one["params"].keys() for one in others]
    assert [one["params"]["progress"] for one in progress] == list(range(1, len(others) + 1))
    assert {one["params"]["progressToken"] for one in progress} == {token}
    assert {one["method"] for one in progress} == {"notifications/progress"}


@pytest.mark.parametrize("revision", REVISIONS)
async def test_what_has_no_steps_is_one_json_whatever_was_asked(
    site: Web, door: McpDoor, monkeypatch: pytest.MonkeyPatch, revision: str
) -> None:
    meta = {"progressToken": 2, PREFIX + "logLevel": "debug"} if revision == MODERN else {"progressToken": 2}
    body = message(revision, "summary", GIVEN, **meta)
    direct, library = await both(site, door, monkeypatch, body, headers(revision, "summary"))
    assert direct.headers["content-type"] == "application/json"
    assert [same(one) for one in told(direct)] == [same(one) for one in told(library)]


def with_params(revision: str, **params: Any) -> dict[str, Any]:
    body = message(revision, "summary", GIVEN)
    return {**body, "params": {**body["params"], **params}}


NOT_PLAIN: list[tuple[str, Any, dict[str, str], int]] = [
    (HANDSHAKE, message(HANDSHAKE, "sumary", {}), {}, 200),
    (MODERN, message(MODERN, "sumary", {}), {"Mcp-Name": "sumary"}, 200),
    (HANDSHAKE, with_params(HANDSHAKE, arguments=[1]), {}, 200),
    (MODERN, with_params(MODERN, arguments=[1]), {}, 400),
    (HANDSHAKE, with_params(HANDSHAKE, name=7), {}, 200),
    (HANDSHAKE, with_params(HANDSHAKE, task={}), {}, 200),
    (HANDSHAKE, with_params(HANDSHAKE, _meta={"fastmcp": {"version": "1"}}), {}, 200),
    (HANDSHAKE, with_params(HANDSHAKE, _meta=7), {}, 200),
    (HANDSHAKE, {**message(HANDSHAKE, "summary", GIVEN), "id": True}, {}, 202),
    (MODERN, {**message(MODERN, "summary", GIVEN), "id": True}, {}, 400),
    (HANDSHAKE, {**message(HANDSHAKE, "summary", GIVEN), "jsonrpc": "1.0"}, {}, 400),
    (HANDSHAKE, [message(HANDSHAKE, "summary", GIVEN)], {}, 400),
    (HANDSHAKE, {"jsonrpc": "2.0", "method": "notifications/initialized"}, {}, 202),
    (HANDSHAKE, message(HANDSHAKE, "summary", GIVEN), {"Accept": "text/plain"}, 406),
    (MODERN, message(MODERN, "summary", GIVEN), {"Accept": "text/plain"}, 406),
    (MODERN, message(MODERN, "summary", GIVEN, progressToken=1), {"Accept": "application/json"}, 406),
    (HANDSHAKE, message(HANDSHAKE, "summary", GIVEN), {"Content-Type": "text/plain"}, 400),
    (MODERN, with_params(MODERN, _meta={}), {}, 400),
    (MODERN, message(MODERN, "summary", GIVEN), {"Mcp-Method": "tools/list"}, 400),
    (MODERN, message(MODERN, "summary", GIVEN), {"Mcp-Name": "briefing"}, 400),
    (MODERN, message(HANDSHAKE, "summary", GIVEN), {}, 400),
    (MODERN, message(MODERN, "summary", GIVEN), {"MCP-Protocol-Version": "2027-01-01"}, 400),
    (MODERN, message(MODERN, "summary", GIVEN), {"Mcp-Param-Text": "x"}, 200),
    (HANDSHAKE, message(HANDSHAKE, "summary", GIVEN), {"MCP-Protocol-Version": "2025-03-26"}, 200),
    (HANDSHAKE, message(HANDSHAKE, "summary", GIVEN, progressToken=True), {}, 200),
]


@requirement("MCP-5")
@requirement("MCP-6")
@pytest.mark.parametrize(("revision", "body", "sent", "status"), NOT_PLAIN)
async def test_what_is_not_plain_is_left_to_the_library(
    site: Web,
    monkeypatch: pytest.MonkeyPatch,
    revision: str,
    body: Any,
    sent: dict[str, str],
    status: int,
) -> None:
    with monkeypatch.context() as changed:
        changed.setattr(mcp_direct.DirectCalls, "answer", _unwanted)
        answer = await site.client.post("/mcp", content=json.dumps(body), headers=headers(revision, "summary") | sent)
    assert answer.status_code == status, answer.text


@pytest.mark.parametrize("name", ["accept", "content-type", "mcp-protocol-version", "mcp-method", "mcp-name"])
async def test_a_header_that_comes_twice_is_left_to_the_library(
    site: Web, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    sent = [*headers(MODERN, "summary").items()]
    sent += [one for one in sent if one[0].lower() == name]
    with monkeypatch.context() as changed:
        changed.setattr(mcp_direct.DirectCalls, "answer", _unwanted)
        body = json.dumps(message(MODERN, "summary", GIVEN))
        answer = await site.client.post("/mcp", content=body, headers=sent)
    assert answer.status_code == (400 if name.startswith("mcp") else 200)


async def test_the_trace_of_the_client_goes_on(site: Web, door: McpDoor, monkeypatch: pytest.MonkeyPatch) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    body = message(MODERN, "summary", GIVEN, traceparent=f"00-{trace}-b7ad6b7169203331-01")
    for answer in await both(site, door, monkeypatch, body, headers(MODERN, "summary")):
        assert answer.json()["result"]["structuredContent"]["trace_id"] == trace


class Slow:
    """A run that begins, tells of a step where that is wanted, and waits until it is let go or stopped."""

    def __init__(self, *, tells: bool = False) -> None:
        self._tells = tells
        self.began, self.free, self.stopped = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def __call__(self, use_case: Any, given: Any, *, listen: Any, **_: Any) -> Any:
        self.began.set()
        if self._tells:
            listen(StepStarted("slow/1", "slow", "use_case"))
        try:
            await self.free.wait()
        except asyncio.CancelledError:
            self.stopped.set()
            raise
        return await self.ask(use_case, given)

    ask: Any = None


@requirement("MCP-7")
@pytest.mark.parametrize("revision", [HANDSHAKE, MODERN])
@pytest.mark.parametrize("meta", [{}, {"progressToken": 1}])
@pytest.mark.parametrize("tells", [True, False])
async def test_the_run_ends_when_the_client_goes(
    site: Web, monkeypatch: pytest.MonkeyPatch, revision: str, meta: dict[str, Any], tells: bool
) -> None:
    slow = Slow(tells=tells)
    monkeypatch.setattr(site.house.runtime, "ask", slow)
    wire = Wire(site.app, site.key, path="/mcp")
    sent = [(name.lower().encode(), value.encode()) for name, value in headers(revision, "summary").items()]
    body = message(revision, "summary", GIVEN, **meta)
    request = asyncio.create_task(wire.post(body, headers=[one for one in sent if one[0] != b"content-type"]))
    await slow.began.wait()
    if tells and meta:
        await wire.came.wait()
    wire.gone.set()
    await slow.stopped.wait()
    await request
    assert '"result"' not in wire.text


@pytest.mark.parametrize("revision", [HANDSHAKE, MODERN])
async def test_a_long_silence_is_broken_by_a_comment(site: Web, monkeypatch: pytest.MonkeyPatch, revision: str) -> None:
    slow = Slow()
    slow.ask = partial(site.house.runtime.ask, caller=LOCAL)
    monkeypatch.setattr(site.house.runtime, "ask", slow)
    monkeypatch.setattr(mcp_direct, "_PING_S", 0.01)
    wire = Wire(site.app, site.key, path="/mcp")
    sent = [(name.lower().encode(), value.encode()) for name, value in headers(revision, "summary").items()]
    body = message(revision, "summary", GIVEN, progressToken=1)
    request = asyncio.create_task(wire.post(body, headers=[one for one in sent if one[0] != b"content-type"]))
    await wire.came.wait()
    assert wire.text.startswith(": ping\r\n\r\n")
    slow.free.set()
    await request
    *_, last = wire.text.strip().split("\r\n\r\n")
    assert json.loads(last.partition("data: ")[2])["result"]["structuredContent"]["outcome"] == "done"
