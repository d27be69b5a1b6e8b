"""Asks a route of this server from inside, for a caller: what works at stored requests goes the way every request goes."""

import asyncio
from collections.abc import Callable, Collection
from typing import Any

from pydantic_core import from_json, to_json
from starlette.routing import Route, Router
from starlette.types import Message, Scope

from server.identity import admit
from tools.base import Caller, Failed

__all__ = ["Inside"]


class Inside:
    """The routes behind the door, without a socket.

    Args:
        router: gives that of the app, which is made after this.
    """

    def __init__(self, router: Callable[[], Router]) -> None:
        self._router = router

    def posts(self, wanted: Collection[str]) -> list[str]:
        """Those of the `wanted` paths that this server has."""
        there = {
            route.path
            for route in self._router().routes
            if isinstance(route, Route) and "POST" in (route.methods or ())
        }
        return [path for path in wanted if path in there]

    async def __call__(self, path: str, body: dict[str, Any], caller: Caller) -> dict[str, Any]:
        """The JSON object that a POST of `body` to `path` is answered with.

        Raises:
            PartiturError: what the route raised, or said with another status than 200.
        """
        sent = to_json(body)
        waiting: list[Message] = [{"type": "http.request", "body": sent, "more_body": False}]
        statuses, answer = list[int](), bytearray()

        async def receive() -> Message:
            if not waiting:
                await asyncio.Event().wait()  # nobody hangs up: whoever asked is cancelled instead
            return waiting.pop()

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])
            answer.extend(message.get("body", b""))

        scope: Scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "server": None,
            "client": None,
            "headers": [(b"content-type", b"application/json"), (b"content-length", str(len(sent)).encode())],
            "state": {},
        }
        admit(scope, caller)
        await self._router()(scope, receive, send)
        if statuses != [200]:
            raise Failed(f"{path!r} answered with the status {statuses}. Expected 200.")
        return from_json(bytes(answer))
