"""Answers from the first moment on: probes at once, and everything else as soon as the app behind has been loaded."""

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse

from server.errors import http_error
from server.identity import new_id
from tools.base import Unavailable

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["Front"]

_WAIT_S = 60.0
"""Seconds that a request waits for the app; loading takes a few."""
_MOST = 1_000
"""Requests that wait for it."""


class Front:
    """An ASGI app that stands for another one until that is there. Then it costs nothing: what it is called with, the app gets."""

    def __init__(self) -> None:
        self._now: ASGIApp = self._early
        self._app: ASGIApp | None = None
        self._known = asyncio.Event()
        self._waiting = 0

    def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> Awaitable[None]:
        return self._now(scope, receive, send)

    @property
    def there(self) -> bool:
        """Whether it has been handed over."""
        return self._app is not None

    def hand_over(self, app: "ASGIApp") -> None:
        """The app is there; whoever waits goes on to it."""
        self._app = self._now = app
        self._known.set()

    def give_up(self) -> None:
        """It will not come any more; whoever waits is told so."""
        self._known.set()

    async def _early(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        if scope["type"] == "http" and scope["method"] in ("GET", "HEAD"):
            if scope["path"] == "/healthz":
                await self._answer(JSONResponse({"status": "ok"}), scope, receive, send)
                return
            if scope["path"] == "/readyz":
                loading = JSONResponse({"status": "loading", "reasons": []}, status_code=503)
                await self._answer(loading, scope, receive, send)
                return
        if await self._comes() and self._app:
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            error = Unavailable("The server is not ready.", hint="Send it again in a moment.", retry_after=5)
            await self._answer(http_error(error), scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1013})

    async def _comes(self) -> bool:
        """Waits for the app; False where that takes too long, or too many wait."""
        if self._waiting >= _MOST:
            return False
        self._waiting += 1
        try:
            async with asyncio.timeout(_WAIT_S):
                return await self._known.wait()
        except TimeoutError:
            return False
        finally:
            self._waiting -= 1

    async def _answer(self, response: "Response", scope: "Scope", receive: "Receive", send: "Send") -> None:
        """With the headers that the door gives to every answer."""
        response.headers.update({"x-request-id": new_id(), "cache-control": "no-store"})
        response.headers["x-content-type-options"] = "nosniff"
        await response(scope, receive, send)
