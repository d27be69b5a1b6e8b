"""A response on its way from its begin to its end, whoever waits for it: the work, its failure, and that it is kept."""

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Protocol

from server.responses.answer import Answer
from server.responses.events import Event, Events
from tools.base import PartiturError

__all__ = ["Run", "Work"]

log = logging.getLogger(__name__)


class Work(Protocol):
    """What makes the output."""

    def events(self) -> AsyncGenerator[Event]:
        """All events between the begin and the end of the response."""
        ...

    def keep(self) -> None:
        """Puts what there is into the response: it breaks off here."""
        ...


class Run:
    """One response.

    Args:
        events: of the response.
        work: makes its output.
        keep: keeps it once it has ended; awaited before the last event, so that what follows finds it.
    """

    def __init__(self, events: Events, work: Work, keep: Callable[[Answer], Awaitable[object]] | None = None) -> None:
        self._events = events
        self._work = work
        self._keep = keep

    @property
    def answer(self) -> Answer:
        return self._events.answer

    async def events(self, *, opened: Callable[[], bool] = lambda: False) -> AsyncGenerator[Event]:
        """All events.

        Args:
            opened: whether the first of them have been sent: then a failure is told by events.

        Raises:
            PartiturError: it failed before.
        """
        answer = self.answer
        yield self._events.state("created")
        if answer.status == "queued":
            yield self._events.state("queued")
            answer.status = "in_progress"
        yield self._events.state("in_progress")
        try:
            async with aclosing(self._work.events()) as told:
                async for event in told:
                    yield event
        except PartiturError as error:
            if not opened():
                raise
            if error.code == "setup":
                log.exception("The response %r met a fault of the installation", answer.id)
            yield self._events.error(error)
            self.fail(error)
        if not answer.ended:
            answer.end("completed")
        if self._keep is not None:
            await self._keep(answer)
        yield self._last()

    def fail(self, error: PartiturError) -> None:
        """Ends it with an error, with what there is of it."""
        self._work.keep()
        self.answer.fail(error)

    def broken(self, error: PartiturError) -> Event:
        """What is told where it cannot go on and nothing more comes."""
        return self._events.error(error)

    def _last(self) -> Event:
        match self.answer.status:
            case "failed":
                return self._events.state("failed")
            case "incomplete":
                return self._events.state("incomplete")
            case _:
                return self._events.state("completed")
