"""Tests of MCP over HTTP: the same keys, JSON or a stream, no foreign page, and a tool server on its own."""

import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastmcp import Context, FastMCP
from pydantic import BaseModel
from web_house import TEXT, Web, web

from server.keys import KeyStore, KeyVerifier
from server.mcp_door import McpDoor
from server.tool_app import tool_app
from tools.base import Forbidden, ToolRef, caller_of
from tools.server import bind, tool_server

pytestmark = pytest.mark.anyio

CALL = {"name": "summary", "arguments": {"text": TEXT, "sentences": 1}}


@pytest.fixture(scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Web]:
    async with web(tmp_path_factory.mktemp("home")) as opened:
        await opened.app.state.health.loaded.wait()
        yield opened


async def test_a_client_shakes_hands(site: Web) -> None:
    about = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    answer = await site.mcp("initialize", about)
    result = answer.json()["result"]
    assert result["serverInfo"]["name"] == "partitur"
    assert {"tools", "prompts", "resources"} <= set(result["capabilities"])
    assert "mcp-session-id" not in answer.headers


async def test_without_progress_the_answer_is_one_json(site: Web) -> None:
    answer = await site.mcp("tools/call", CALL)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    result = answer.json()["result"]
    assert result["structuredContent"]["output"]["text"] == result["content"][0]["text"]


async def test_with_progress_the_answer_is_a_stream(site: Web) -> None:
    given = {"name": "briefing", "arguments": {"text": TEXT, "sentences": 1}}
    answer = await site.mcp("tools/call", {**given, "_meta": {"progressToken": "p"}})
    assert answer.headers["content-type"].startswith("text/event-stream")
    messages = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]
    *progress, last = messages
    assert progress
    assert {message["method"] for message in progress} == {"notifications/progress"}
    assert last["result"]["structuredContent"]["use_case"] == "briefing"


async def test_the_caller_is_the_one_behind_the_key(site: Web) -> None:
    given = {"name": "speech", "arguments": {"text": "Guten Tag.", "formats": ["wav"]}}
    made = (await site.mcp("tools/call", given)).json()["result"]["structuredContent"]["artifacts"][0]
    assert (await site.client.get(made["uri"])).status_code == 200
    other = httpx.AsyncClient(
        transport=httpx.ASGITransport(site.app),
        base_url="http://test",
        headers={"Authorization": f"Bearer {site.keys.add('another')}"},
    )
    async with other as client:
        assert (await client.get(made["uri"])).status_code == 404


@pytest.mark.parametrize("token", ["", "Bearer pt-wrong", "Basic eA=="])
async def test_without_a_key_there_is_no_mcp(site: Web, token: str) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(site.app), base_url="http://test") as client:
        answer = await client.post("/mcp", json={}, headers={"Authorization": token} if token else {})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b"[" * 5_000, b'{"jsonrpc": "2.0"}'])
async def test_a_broken_message_is_a_json_rpc_error(site: Web, body: bytes) -> None:
    headers = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
    answer = await site.client.post("/mcp", content=body, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] in (-32700, -32600, -32602)
    assert "Traceback" not in answer.text


async def test_a_message_that_is_too_large_is_told(site: Web) -> None:
    answer = await site.mcp("tools/call", {"name": "summary", "arguments": {"text": "x" * 5_000_000}})
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")


@pytest.mark.parametrize(
    ("host", "origin", "server", "comes_in"),
    [
        ("127.0.0.1:8642", None, "127.0.0.1", True),
        ("localhost:8642", "http://localhost:3000", "127.0.0.1", True),
        ("[::1]:8642", None, "::1", True),
        ("partitur.town.example", "https://partitur.town.example", "10.0.0.5", True),
        ("hub.local:8642", None, "127.0.0.1", True),
        ("evil.example:8642", None, "127.0.0.1", False),
        ("", None, "127.0.0.1", False),
        ("[", None, "127.0.0.1", False),
        ("KI.town.example", "https://ki.town.example", "127.0.0.1", True),
        ("127.0.0.1:8642", "https://ki.town.example", "127.0.0.1", True),
        ("ki.town.example.evil.example", None, "127.0.0.1", False),
        ("ki.town.example", "https://evil.example", "127.0.0.1", False),
        ("127.0.0.1:8642", "http://[", "127.0.0.1", False),
        ("[", "http://[", "10.0.0.5", False),
        ("127.0.0.1:8642", "https://evil.example", "127.0.0.1", False),
        ("127.0.0.1:8642", "null", "127.0.0.1", False),
        ("partitur.town.example", "https://evil.example", "10.0.0.5", False),
        ("partitur.town.example", "http://localhost:3000", "10.0.0.5", False),
    ],
)
def test_a_foreign_page_does_not_come_in(host: str, origin: str | None, server: str, comes_in: bool) -> None:
    door = McpDoor(lambda: FastMCP("none"), host="hub.local", allowed=["Ki.town.example"])
    headers = [(b"host", host.encode())] + ([(b"origin", origin.encode())] if origin else [])
    scope: dict[str, Any] = {"type": "http", "headers": headers, "server": (server, 8642)}
    if comes_in:
        assert door._check(scope) is None
    else:
        with pytest.raises(Forbidden):
            door._check(scope)


async def test_a_foreign_page_is_told_as_an_error(site: Web) -> None:
    answer = await site.mcp("tools/list", Origin="https://evil.example")
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")


@pytest.mark.parametrize("header", [{"Host": "["}, {"Origin": "http://["}])
async def test_a_name_that_is_none_is_refused(site: Web, header: dict[str, str]) -> None:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(site.app), base_url="http://127.0.0.1", headers=site.client.headers
    ) as client:
        answer = await client.post("/mcp", json={}, headers=header)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")


async def test_the_name_of_a_reverse_proxy_comes_in_once_it_is_allowed(tmp_path: Path) -> None:
    async with web(tmp_path, allowed_hosts=("ki.town.example",)) as proxied:
        headers = dict(proxied.client.headers) | {"Accept": "application/json, text/event-stream"}
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(proxied.app), base_url="http://127.0.0.1", headers=headers
        ) as client:
            body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
            names = [{"Host": name, "Origin": f"https://{name}"} for name in ("ki.town.example", "other.example")]
            answers = [await client.post("/mcp", json=body, headers=name) for name in names]
    assert [answer.status_code for answer in answers] == [200, 403]


class Nothing(BaseModel):
    pass


class Who(BaseModel):
    subject: str


whoami = ToolRef(name="people.whoami", input=Nothing, output=Who, description="Says who asks.")


async def _whoami(given: Nothing, ctx: Context) -> Who:
    return Who(subject=caller_of(ctx).subject)


@pytest.fixture(scope="module")
async def people(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[tuple[httpx.AsyncClient, KeyStore]]:
    """A tool server that runs alone."""
    keys = KeyStore(tmp_path_factory.mktemp("home"))
    app = tool_app(
        lambda: tool_server("people", [bind(whoami, _whoami)], instructions=""),
        KeyVerifier(keys),
        host="127.0.0.1",
        max_body_bytes=10_000,
    )
    headers = {"Authorization": f"Bearer {keys.add('desk')}", "Accept": "application/json, text/event-stream"}
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test", headers=headers)
    async with app.router.lifespan_context(app), client:
        yield client, keys


async def test_a_tool_server_alone_knows_who_asks(people: tuple[httpx.AsyncClient, KeyStore]) -> None:
    client, keys = people
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "whoami", "arguments": {}}}
    answer = await client.post("/mcp", json=call)
    assert answer.json()["result"]["structuredContent"] == {"subject": f"key:{keys.list()[0].id}"}


async def test_a_tool_server_alone_has_the_same_door(people: tuple[httpx.AsyncClient, KeyStore]) -> None:
    client, _ = people
    assert (await client.get("/healthz")).json() == {"status": "ok"}
    refused = await client.post("/mcp", json={}, headers={"Authorization": "Bearer pt-wrong"})
    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, 'Bearer error="invalid_token"')
