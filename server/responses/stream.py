"""The events of a response over HTTP, framed as server-sent events."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING

from pydantic_core import to_json
from starlette.types import Send

from server.errors import told
from server.responses.answer import shown
from server.responses.events import Event
from server.responses.run import Run
from server.streaming import ALIVE, EventStream
from tools.base import Caller, Cancelled, PartiturError

if TYPE_CHECKING:
    from server.state.responses import ResponseStore

__all__ = ["KeptStream", "LiveStream", "framed"]

_HEAD = ("response.created", "response.queued", "response.in_progress")
_ENDS = ("response.completed", "response.incomplete", "response.failed")
_SOON_S, _LATER_S = 0.05, 0.8
"""How long events of work in the background are waited for: at first, and at most, where none come."""


def framed(event: Event) -> bytes:
    """One event, named before its data."""
    return b"event: " + event["type"].encode() + b"\ndata: " + to_json(event) + b"\n\n"


class LiveStream(EventStream):
    """A response told while it comes to be.

    Args:
        run: of the response.
        first: seconds that its first events wait until something came of it: an early failure keeps its own status.
    """

    def __init__(self, run: Run, *, first: float = 5.0) -> None:
        self._run = run
        self._head = b""
        self._opening = asyncio.Lock()
        super().__init__(self._framed(), first=first)

    async def _framed(self) -> AsyncGenerator[bytes]:
        async with aclosing(self._run.events(opened=lambda: self._started)) as events:
            async for event in events:
                if event["type"] in _HEAD and not self._started:
                    self._head += framed(event)
                    continue
                async with self._opening:  # silence may have sent the head just now
                    pass
                yield framed(event)

    async def _start(self, send: Send) -> None:
        async with self._opening:
            await super()._start(send)
            await send({"type": "http.response.body", "body": self._head, "more_body": True})

    async def _tell(self, send: Send, error: PartiturError) -> None:
        await send({"type": "http.response.body", "body": framed(self._run.broken(error)), "more_body": True})


class KeptStream(EventStream):
    """A response in the background, told from what is kept of its events, wherever it is worked on.

    Args:
        store: where the events are.
        caller: whose response it is.
        id: of the response.
        after: number of the event behind which it begins.
    """

    def __init__(self, store: "ResponseStore", caller: Caller, id: str, *, after: int = -1) -> None:
        self._store = store
        self._caller = caller
        self._id = id
        self._after = after
        super().__init__(self._framed())

    async def _framed(self) -> AsyncGenerator[bytes]:
        whole, pause = False, _SOON_S
        while True:
            stored, events = await self._store.told(self._caller, self._id, after=self._after)
            for self._after, event in events:
                kept = json.loads(event)
                whole = kept["type"] in _ENDS
                yield framed(kept)
            if not events and not stored.open:
                break
            pause = _SOON_S if events else min(2 * pause, _LATER_S)
            await asyncio.sleep(pause)
        yield ALIVE  # the stream has begun, even where nothing more is to be told
        if stored.status == "failed" and not whole:
            # Whoever worked on it is gone, and could not tell.
            number, body = self._after + 1, shown(stored.body, ())
            yield framed({"type": "response.failed", "sequence_number": number, "response": body})
        elif stored.status == "cancelled":
            raise Cancelled(f"The response {self._id!r} was cancelled.")

    async def _tell(self, send: Send, error: PartiturError) -> None:
        about = {"code": error.code, "message": told(error), "param": None}
        event = {"type": "error", "sequence_number": self._after + 1, **about}
        await send({"type": "http.response.body", "body": framed(event), "more_body": True})
