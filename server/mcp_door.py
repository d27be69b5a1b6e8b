"""MCP over streamable HTTP inside our own app: built in the background, guarded against DNS rebinding, JSON where it can be."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from functools import lru_cache
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.identity import mcp_user
from tools.base import Forbidden, TooLarge, Unavailable

if TYPE_CHECKING:
    from fastmcp import FastMCP

    from server.mcp_direct import DirectCalls

__all__ = ["PATH", "McpDoor"]

PATH = "/mcp"
_MOST = 4 * 1024 * 1024
"""Bytes of one message; the MCP library reads no more."""


class McpDoor:
    """The ASGI app at /mcp. `open` builds the server; until then requests wait for it.

    Args:
        build: makes the MCP server; called in a thread, because its imports take seconds.
        host: the address that we listen on; its name is accepted in the Host header.
        allowed: further names that are ours, for example that of a reverse proxy on the same machine.
        direct: makes what answers plain calls without the library; called as `build` is.
    """

    def __init__(
        self,
        build: "Callable[[], FastMCP]",
        *,
        host: str,
        allowed: Sequence[str] = (),
        direct: "Callable[[FastMCP], DirectCalls] | None" = None,
    ) -> None:
        self._build = build
        self._make_direct = direct
        self._direct: DirectCalls | None = None
        self._names = {name.lower() for name in (host, *allowed)}
        self._allowed = {name.lower() for name in allowed}
        self._ready = asyncio.Event()
        self._plain: ASGIApp | None = None
        self._telling: ASGIApp | None = None

    async def open(self, closing: AsyncExitStack) -> None:
        """Builds the server and starts it; `closing` stops it again, in the same task."""
        try:
            server = await asyncio.to_thread(self._build)
            apps = [server.http_app(path=PATH, json_response=plain, stateless_http=True) for plain in (True, False)]
            for app in apps:
                await closing.enter_async_context(app.lifespan(app))
            if self._make_direct:
                self._direct = await asyncio.to_thread(self._make_direct, server)
            self._plain, self._telling = apps
        finally:
            self._ready.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._check(scope)
        await self._ready.wait()
        if self._plain is None or self._telling is None:
            raise Unavailable("The MCP interface did not start.", hint="GET /readyz says what is wrong.")
        body = await _body(receive) if scope["method"] == "POST" else b""
        if len(body) > _MOST:
            raise TooLarge(f"The MCP message is too large: {len(body)} bytes. At most {_MOST} are read.")
        if self._direct and body and (call := self._direct.read(scope, body)):
            await self._direct.answer(call, scope, receive, send)
            return
        scope["user"] = mcp_user(scope)
        # Who asks to be told of progress gets a stream; everybody else one JSON answer, which is faster.
        app = self._telling if b'"progressToken"' in body else self._plain
        await app(scope, _again(body, receive), send)

    def _check(self, scope: Scope) -> None:
        """No page of a foreign site reaches us through a name that it points at us."""
        headers = Headers(scope=scope)
        host, server = headers.get("host", ""), scope.get("server")
        if server and _is_loopback(server[0]):
            name = _name(host)
            if not (_is_loopback(name) or name in self._names):
                raise Forbidden(
                    f"The Host header names {host[:80]!r}. Expected this machine.",
                    hint="Use its own name; the operator adds that of a reverse proxy to 'allowed_hosts'.",
                )
        origin = headers.get("origin")
        if origin is not None:
            asked, netloc = _parsed(origin)
            same = bool(asked) and (netloc == host.lower() or asked in self._allowed)
            if not same and not (_is_loopback(asked) and _is_loopback(_name(host))):
                raise Forbidden(f"The origin {origin[:80]!r} is foreign. Expected none, or the server's own.", hint="")


async def _body(receive: Receive) -> bytes:
    parts: list[bytes] = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


def _again(body: bytes, receive: Receive) -> Receive:
    """Gives the body that was read once more, then what comes after it."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receiving() -> Message:
        return waiting.pop() if waiting else await receive()

    return receiving


def _name(host: str) -> str:
    return _parsed(f"//{host}")[0]


def _parsed(url: str) -> tuple[str, str]:
    """The host's name, and the name with its port, both in lower case; nothing where it is no URL."""
    try:
        parts = urlsplit(url)
        return (parts.hostname or "").lower(), parts.netloc.lower()
    except ValueError:
        return "", ""


@lru_cache(maxsize=64)
def _is_loopback(name: str) -> bool:
    if name.lower() == "localhost":
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
