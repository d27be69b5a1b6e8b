"""The events of a response over HTTP, framed as server-sent events."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING

from pydantic_core import to_json
from starlette.types import Send

from server.responses.events import Event
from server.responses.run import Run
from server.streaming import EventStream
from tools.base import Caller, PartiturError

if TYPE_CHECKING:
    from server.state.responses import ResponseStore

__all__ = ["LiveStream", "framed", "kept_events"]

_HEAD = ("response.created", "response.queued", "response.in_progress")
_LOOK_S = 0.1
"""How often events of work in the background are looked for."""


def framed(event: Event) -> bytes:
    """One event, named before its data."""
    return b"event: " + event["type"].encode() + b"\ndata: " + to_json(event) + b"\n\n"


class LiveStream(EventStream):
    """A response told while it comes to be. Its first events wait until something came of it, or for some seconds:
    an early failure keeps its own status."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._head = b""
        super().__init__(self._framed())

    async def _framed(self) -> AsyncGenerator[bytes]:
        async with aclosing(self._run.events(opened=lambda: self._started)) as events:
            async for event in events:
                if event["type"] in _HEAD and not self._started:
                    self._head += framed(event)
                else:
                    yield framed(event)

    async def _start(self, send: Send) -> None:
        await super()._start(send)
        await send({"type": "http.response.body", "body": self._head, "more_body": True})

    async def _tell(self, send: Send, error: PartiturError) -> None:
        await send({"type": "http.response.body", "body": framed(self._run.broken(error)), "more_body": True})


async def kept_events(store: "ResponseStore", caller: Caller, id: str, after: int) -> AsyncGenerator[bytes]:
    """The events of a response in the background, from the one after `after` to the last, wherever it is worked on.

    Raises:
        NotFound: it is not there.
    """
    while True:
        stored, events = await store.told(caller, id, after=after)
        for number, event in events:
            after = number
            yield framed(json.loads(event))
        if not stored.open and not events:
            return
        if not events:
            await asyncio.sleep(_LOOK_S)
