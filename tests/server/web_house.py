"""An open house behind its HTTP app, in memory: a client with a key, and a driver for requests that hang up."""

import asyncio
import json
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette

from server import House, Settings, open_house
from server.app import create_app
from server.identity import Verifier
from server.keys import KeyStore, KeyVerifier

TEXT = (
    "Der Rat der Stadt Birkenfurt hat am Montag beschlossen, das Freibad zu sanieren. "
    "Die Kosten betragen 2,4 Millionen Euro. Der Bau beginnt im Jahr 2027. "
    "Der Bürgermeister dankte den Vereinen für ihre Geduld. Das Freibad bleibt in dieser Zeit geschlossen."
)


@dataclass(frozen=True)
class Web:
    """A client of the app that has a key."""

    client: httpx.AsyncClient
    house: House
    app: Starlette
    key: str
    keys: KeyStore

    async def chat(self, **body: Any) -> httpx.Response:
        return await self.client.post("/v1/chat/completions", json=body)

    async def mcp(self, method: str, params: dict[str, Any] | None = None, **headers: str) -> httpx.Response:
        """A JSON-RPC request as a client of the handshake era sends it."""
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params or {}}
        sent = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-06-18", **headers}
        return await self.client.post("/mcp", json=body, headers=sent)


def asking(text: str = TEXT) -> list[dict[str, Any]]:
    return [{"role": "user", "content": text}]


@asynccontextmanager
async def web(home: Path, *, verify: Verifier | None = None, **given: Any) -> AsyncGenerator[Web]:
    """The whole app over a new house."""
    async with open_house(Settings(home=home, **given)) as house:
        keys = KeyStore(home)
        key = keys.first() or ""
        app = create_app(house, verify or KeyVerifier(keys, house.settings.api_key))
        headers = {"Authorization": f"Bearer {key}"}
        transport = httpx.ASGITransport(app, raise_app_exceptions=True)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers) as client,
        ):
            yield Web(client, house, app, key, keys)


@dataclass
class Wire:
    """A request over bare ASGI, whose client can go away."""

    app: Starlette
    key: str
    path: str = "/v1/chat/completions"
    sent: list[dict[str, Any]] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    async def post(self, body: Any, *, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
        waiting = [{"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}]

        async def receive() -> dict[str, Any]:
            if waiting:
                return waiting.pop()
            await self.gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            self.sent.append(message)
            if message.get("body"):
                self.came.set()

        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": self.path,
            "raw_path": self.path.encode(),
            "query_string": b"",
            "root_path": "",
            "server": ("127.0.0.1", 8642),
            "client": ("127.0.0.1", 5),
            "headers": [
                (b"host", b"127.0.0.1:8642"),
                (b"content-type", b"application/json"),
                (b"authorization", f"Bearer {self.key}".encode()),
                *headers,
            ],
        }
        await self.app(scope, receive, send)

    @property
    def text(self) -> str:
        return b"".join(message.get("body", b"") for message in self.sent).decode()


def events(response: httpx.Response) -> list[Any]:
    """The events of a stream: JSON values, and `[DONE]` as it stands."""
    lines = [line for line in response.text.split("\n\n") if line.startswith("data: ")]
    return [line[6:] if line == "data: [DONE]" else json.loads(line[6:]) for line in lines]
