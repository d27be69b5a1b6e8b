"""Responses in the background: worked on after their request has ended, with signs of life, and stopped when they are cancelled."""

import asyncio
import json
import logging
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from typing import TYPE_CHECKING

from server.errors import Broken
from server.responses.events import Event
from server.responses.run import Run
from tools.base import Overloaded, PartiturError, Unavailable

if TYPE_CHECKING:
    from server.state.responses import ResponseStore

__all__ = ["Background"]

log = logging.getLogger(__name__)
_AT_ONCE = 64
_MOST = 1_000
_LOOK_S = 0.4
"""How often it is looked whether work is still wanted; a cancelled response stops within a second, on any worker."""
_BEAT_S = 5.0
_TELL_S = 0.1
"""How long an event may wait for others, to be kept with them."""
_KEPT_AT = frozenset({"response.in_progress", "response.output_item.done"})


class Background:
    """The work of this process. What it comes to is in the store, for every worker to see."""

    def __init__(self, store: "ResponseStore") -> None:
        self._store = store
        self._work: dict[str, asyncio.Task[None]] = {}
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._looking: asyncio.Task[None] | None = None
        self._closing = False

    def check_room(self) -> None:
        """Raises `Overloaded` where too much waits already."""
        if len(self._work) >= _MOST:
            raise Overloaded(f"{_MOST} responses are in the background of this server. No more are taken now.")

    def start(self, run: Run, *, streamed: bool) -> None:
        """Begins work on a response that is stored as queued; `streamed` keeps its events."""
        id = run.answer.id
        task = asyncio.create_task(self._done(run, streamed=streamed))
        self._work[id] = task
        task.add_done_callback(lambda _: self._work.pop(id, None))
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())

    def stop(self, id: str) -> None:
        """Stops the work on a response, if it is done here; it has been cancelled or deleted."""
        if (task := self._work.get(id)) is not None:
            task.cancel()

    async def close(self) -> None:
        """Stops all work; its responses have failed."""
        self._closing = True
        for task in (tasks := list(self._work.values())):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    async def _done(self, run: Run, *, streamed: bool) -> None:
        told: list[Event] = []
        try:
            async with self._slots, self._telling(run.answer.id, told):
                await self._worked(run, told if streamed else None)
            await self._store.save(run.answer.body(), _written(told))
        except asyncio.CancelledError:
            if not self._closing:
                return  # who cancelled or deleted it has said so in the store
            run.fail(Unavailable("The server stopped before the response was done."))
            with suppress(PartiturError):
                await self._store.save(run.answer.body())
            raise
        except PartiturError:
            log.exception("The response %r could not be kept", run.answer.id)

    async def _worked(self, run: Run, told: list[Event] | None) -> None:
        try:
            async with aclosing(run.events(opened=lambda: True)) as events:
                async for event in events:
                    if told is not None:
                        told.append(event)
                    if event["type"] in _KEPT_AT and not await self._store.save(run.answer.body()):
                        raise asyncio.CancelledError
        except PartiturError:
            raise
        except Exception:
            log.exception("The response %r failed", run.answer.id)
            error = Broken("The response broke off inside the server.")
            if told is not None:
                told.append(run.broken(error))
            run.fail(error)

    @asynccontextmanager
    async def _telling(self, id: str, told: list[Event]) -> AsyncGenerator[None]:
        """Within the block events are kept soon after they are told, and taken off the list."""
        over = asyncio.Event()

        async def keep_telling() -> None:
            while not over.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(over.wait(), _TELL_S)
                if count := len(told):
                    with suppress(PartiturError):  # they are tried again, at last with the end
                        await self._store.tell(id, _written(told[:count]))
                        del told[:count]

        telling = asyncio.create_task(keep_telling())
        try:
            yield
        finally:
            over.set()
            await telling

    async def _look(self) -> None:
        """Stops what is not wanted any more, and now and then gives a sign of life."""
        last = time.monotonic()
        while self._work:
            await asyncio.sleep(_LOOK_S)
            ids = list(self._work)
            try:
                if time.monotonic() - last > _BEAT_S:
                    await self._store.alive(ids)
                    last = time.monotonic()
                wanted = await self._store.wanted(ids)
            except PartiturError:
                log.warning("It is not known whether %d responses are still wanted", len(ids), exc_info=True)
                continue
            for id in set(ids) - wanted:
                self.stop(id)


def _written(events: Sequence[Event]) -> list[tuple[int, str]]:
    return [(event["sequence_number"], json.dumps(event, ensure_ascii=False)) for event in events]
