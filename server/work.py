"""Work in the background of a server: done in turn, as long as it runs, by whichever worker is free."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from server.state import Database

__all__ = ["Job", "Work"]

log = logging.getLogger(__name__)
_AFTER_FAILURE_S = 30.0
Job = Callable[[], Awaitable[bool]]
"""Does what waits, once; False where nothing did."""


class Work:
    """The background of this process.

    Args:
        database: where work waits. Nobody looks before it is there.
        look_s: seconds between two looks, for work that another process has left.
        tidy_s: seconds between two tidyings.
    """

    def __init__(self, database: Database, *, look_s: float = 3.0, tidy_s: float = 300.0) -> None:
        self._database = database
        self._look_s = look_s
        self._tidy_s = tidy_s
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """There is work: whoever rests looks now."""
        self._woken.set()
        self._woken = asyncio.Event()

    @asynccontextmanager
    async def going_on(
        self,
        jobs: Sequence[Job],
        tidy: Callable[[], Awaitable[object]],
        *,
        after: asyncio.Event,
    ) -> AsyncGenerator[None]:
        """Within the block the jobs are done, each by itself.

        Args:
            jobs: none of them is called before there is a database.
            tidy: what is done now and then.
            after: not before this; requests go first.
        """
        tasks = [asyncio.create_task(self._does(job, after)) for job in jobs]
        tasks.append(asyncio.create_task(self._tidies(tidy, after)))
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _does(self, job: Job, after: asyncio.Event) -> None:
        await after.wait()
        while True:
            woken, busy, rest = self._woken, False, self._look_s
            if self._database.there:
                try:
                    busy = await job()
                except Exception:
                    log.exception("Work in the background failed")
                    rest = _AFTER_FAILURE_S
            if not busy:
                await _either(woken, rest)

    async def _tidies(self, tidy: Callable[[], Awaitable[object]], after: asyncio.Event) -> None:
        await after.wait()
        while True:
            if self._database.there:
                try:
                    await tidy()
                except Exception:
                    log.exception("Tidying failed")
            await asyncio.sleep(self._tidy_s)


async def _either(woken: asyncio.Event, seconds: float) -> None:
    """Rests until it is woken, or for some seconds."""
    try:
        async with asyncio.timeout(seconds):
            await woken.wait()
    except TimeoutError:
        return
