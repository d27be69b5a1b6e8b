"""Server-sent events over ASGI: each piece forwarded as it comes, kept alive in silence, ended with the client."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing
from typing import Any

from pydantic_core import to_json
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from server.errors import Broken, openai_error
from tools.base import Failed, PartiturError, Unavailable

__all__ = ["ALIVE", "END", "EventStream", "event", "watched"]

log = logging.getLogger(__name__)
END = b"data: [DONE]\n\n"
"""The event after the last chunk."""
ALIVE = b": keep-alive\n\n"
"""A comment; clients pass over it."""
_UNSTORED = ((b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no"))
"""Nobody keeps a stream, and no proxy gathers it before it passes it on."""
_SOON = 0.02
"""Seconds after which a client is watched."""


def event(data: object) -> bytes:
    """One server-sent event."""
    return b"data: " + to_json(data) + b"\n\n"


async def watched(receive: Receive, work: Coroutine[Any, Any, None]) -> None:
    """Does `work` in this task, and stops it when the client goes away: then nobody is left to be told anything.

    Args:
        receive: of a request whose body has been read.
        work: answers it.
    """
    loop = asyncio.get_running_loop()
    task = asyncio.current_task(loop)
    assert task is not None
    gone, watching = False, None

    async def watch() -> None:
        nonlocal gone
        while (await receive())["type"] != "http.disconnect":
            pass
        gone = True
        task.cancel()

    def begin() -> None:
        nonlocal watching
        watching = loop.create_task(watch())

    # Most answers are there before it is worth a task to look whether somebody still waits for them.
    timer = loop.call_later(_SOON, begin)
    try:
        await work
    except asyncio.CancelledError:
        if not gone:
            raise
        task.uncancel()
    finally:
        timer.cancel()
        if watching is not None:
            watching.cancel()


class EventStream(Response):
    """Sends events as they come.

    An error before the first one keeps its own status; a later one is told by an event, and no clean end follows it.

    Args:
        events: what is sent; empty ones are passed over.
        media_type: of something else than events, for example of sound: it has no comments, and an error breaks it off.
        first: seconds that the first event is waited for, so that an early error still has its status.
        beat: seconds of silence after which a comment keeps proxies from closing the stream.
        stuck: about how many seconds a client may take nothing: what it was asked for holds a place at an engine.
    """

    def __init__(
        self,
        events: AsyncGenerator[bytes],
        media_type: str = "text/event-stream",
        *,
        first: float = 5.0,
        beat: float = 15.0,
        stuck: float = 300.0,
    ) -> None:
        # Not by way of Response.__init__, which would take longer than all else here.
        self.status_code, self.background, self.body = 200, None, b""
        self.raw_headers = [(b"content-type", media_type.encode("latin-1")), *_UNSTORED]
        self._first, self._every, self._stuck = first, beat, stuck
        self._events = events
        self._plain = media_type != "text/event-stream"
        self._started = False
        self._spoke = False
        self._waits = False
        self._waited = 0.0
        self._left = False
        self._beating: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await watched(receive, self._sent(send))

    async def _sent(self, send: Send) -> None:
        loop = asyncio.get_running_loop()
        task = asyncio.current_task(loop)
        assert task is not None
        self._timer = loop.call_later(self._first, self._look, loop, send, task)
        try:
            async with aclosing(self._events):
                async for data in self._events:
                    if data:
                        if not self._started:
                            await self._start(send)
                        self._spoke = self._waits = True
                        await send({"type": "http.response.body", "body": data, "more_body": True})
                        self._waits = False
        except PartiturError as error:
            if self._plain or not self._started:
                raise
            await self._tell(send, error)
        except asyncio.CancelledError:
            if self._left:
                task.uncancel()
                log.warning("A client took nothing of its stream for %g s and was left", self._waited)
                return
            # Who went away hears nothing any more; where the server stops, this is the last that the client is told.
            if self._started and not self._plain:
                await asyncio.shield(self._last(send, Unavailable("The server stopped before the answer was whole.")))
            raise
        except OSError:
            return  # the client went away while something was sent
        except Exception:
            if self._plain or not self._started:
                raise
            log.exception("Stream failed")
            await self._tell(send, Broken("The answer broke off inside the server."))
        finally:
            self._timer.cancel()
            if self._beating is not None:
                self._beating.cancel()
        if not self._started:
            raise Failed("The answer ended before it began. Expected chunks.")
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _start(self, send: Send) -> None:
        self._started = True
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})

    async def _tell(self, send: Send, error: PartiturError) -> None:
        await send({"type": "http.response.body", "body": event(openai_error(error)), "more_body": True})

    async def _last(self, send: Send, error: PartiturError) -> None:
        await self._tell(send, error)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _look(self, loop: asyncio.AbstractEventLoop, send: Send, task: asyncio.Task[None]) -> None:
        """Has it said that it is still there, where nothing was said for a while; leaves a client that takes nothing."""
        beating = self._beating is not None and not self._beating.done()
        if not self._spoke and (self._waits or beating):
            self._waited += self._every
            if self._waited >= self._stuck:
                self._left = True
                task.cancel()
                return
        else:
            self._waited = 0.0
            if not self._spoke and not self._plain:
                self._beating = loop.create_task(self._beat(send))
        self._spoke = False
        self._timer = loop.call_later(self._every, self._look, loop, send, task)

    async def _beat(self, send: Send) -> None:
        if not self._started:
            await self._start(send)
        await send({"type": "http.response.body", "body": ALIVE, "more_body": True})
