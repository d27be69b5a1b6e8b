"""A cap on running and on waiting requests: who comes too late is refused at once instead of piling up."""

import asyncio
import heapq
import math
from itertools import count

from tools.base import Overloaded

__all__ = ["Slots"]


class Slots:
    """Places for requests that run at the same time; those who wait get theirs by priority, then in order.

    Args:
        what: what they are for, as messages say it.
        running: places.
        queued: how many may wait.
        wait: seconds that one waits at most.
    """

    def __init__(self, what: str, *, running: int, queued: int, wait: float) -> None:
        self._what, self._most, self._queued, self._wait = what, running, queued, wait
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = count()
        self._mean = 1.0
        self.running = 0

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    async def take(self, priority: int = 0) -> None:
        """Takes a place, after a wait where none is free; a lower `priority` goes first.

        Raises:
            Overloaded: too many wait already, or the wait was too long.
        """
        if self.running < self._most:
            self.running += 1
            return
        if self.waiting >= self._queued:
            raise self._full(f"{self.waiting} requests wait already")
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waits = (priority, next(self._order), turn)
        heapq.heappush(self._waiting, waits)
        try:
            async with asyncio.timeout(self._wait):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self._pass_on()  # the place came at the same moment
            elif waits in self._waiting:
                # Out of the queue at once: where places are taken for long, those who left would fill the memory.
                self._waiting.remove(waits)
                heapq.heapify(self._waiting)
            if isinstance(error, TimeoutError):
                raise self._full(f"no place became free within {self._wait:g} s") from None
            raise

    def free(self, seconds: float) -> None:
        """Gives a place back.

        Args:
            seconds: how long it was taken, from which the time until the next free one is foretold.
        """
        self._mean += 0.1 * (seconds - self._mean)
        self._pass_on()

    def _pass_on(self) -> None:
        """The place goes to who waits longest, or is free."""
        while self._waiting:
            waits = heapq.heappop(self._waiting)
            if not waits[2].done():
                waits[2].set_result(None)
                return
        self.running -= 1

    def _full(self, why: str) -> Overloaded:
        ahead = self._mean * (self.waiting + 1) / self._most
        return Overloaded(
            f"{self._what} is overloaded: {why}. At most {self._most} run and {self._queued} wait at the same time.",
            retry_after=min(max(math.ceil(ahead), 1), 60),
        )
