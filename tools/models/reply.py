"""An engine's answer on its way: read whole or as it comes, within its limits of time and size."""

import asyncio
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from tools.base import Failed, TimedOut, Unavailable

if TYPE_CHECKING:
    import aiohttp

    from tools.models.connections import Answer

__all__ = ["Reply"]

_MOST = 64_000_000
"""Bytes of one answer."""
_LAST_S = 0.5
"""Seconds that an engine has to end its answer after the last event."""


class Reply:
    """An answer that has begun.

    Args:
        response: the answer of the engine, with its body unread.
        model: the id of the model that gave it; another than was asked where a fallback did.
        silence: seconds that may pass between two pieces.
        until: time of the event loop at which all of it must be there.
        head: its first bytes, where they were read already.
    """

    def __init__(
        self,
        response: "Answer",
        *,
        model: str,
        silence: float,
        until: float,
        loop: asyncio.AbstractEventLoop,
        head: bytes | None = None,
    ) -> None:
        self._response, self._loop = response, loop
        self._silence, self._until, self._head = silence, until, head
        self._clock: _Clock | None = None
        self.model = model
        self.whole = False
        """True once its end has come."""
        self.broke = False
        """True once the engine failed to give the rest of it."""

    @property
    def media_type(self) -> str:
        """Without parameters, in lower case; empty where the engine says none."""
        return self._response.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    async def read(self, at_most: int = _MOST) -> bytes:
        """All of it.

        Raises:
            Failed: it is longer than `at_most` bytes.
            TimedOut: it took too long.
            Unavailable: it broke off.
        """
        content = self._response.content
        if self._head is None and content.is_eof() and content.exception() is None:
            answer = content.read_nowait()  # all of it is there: no clock is needed
            if len(answer) > at_most:
                raise self._too_long(at_most)
            self.whole = True
            return answer
        length = self._response.content_length
        if length is not None and length > at_most:
            raise self._too_long(at_most)
        parts: list[bytes] = []
        size = 0
        while part := await self._next(silence=None):
            parts.append(part)
            size += len(part)
            if size > at_most:
                raise self._too_long(at_most)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def parts(self, at_most: int = _MOST) -> AsyncGenerator[bytes]:
        """Its bytes as they come. Raises as `read` does; a reader that takes its time is no fault of the engine."""
        size = 0
        while part := await self._next(silence=self._silence):
            size += len(part)
            if size > at_most:
                raise self._too_long(at_most)
            yield part

    async def finish(self) -> None:
        """Waits a moment for the end after the last event, so that the connection can be used again."""
        if self._head is None and self._response.content.at_eof():
            self.whole = True
            return
        try:
            async with asyncio.timeout(_LAST_S):
                while await self._next(silence=self._silence):
                    pass
        except (TimeoutError, TimedOut, Unavailable):
            return  # it is closed instead

    def close(self) -> None:
        """Stops its clock, and the engine's work where its end has not come."""
        if self._clock is not None:
            self._clock.stop()
        if not self.whole:
            self._response.close()

    async def _next(self, *, silence: float | None) -> bytes:
        """The next bytes; none at the end."""
        import aiohttp

        if self._head is not None:
            part, self._head = self._head, None
            self.whole = not part
            return part
        clock = self._clock
        if clock is None:
            clock = self._clock = _Clock(self._response.content, self._loop, until=self._until, silence=silence)
        try:
            clock.reading()
            part = await self._response.content.readany()
        except TimeoutError as error:
            self.broke = silence is None or not clock.total  # a stream may be long though its engine is well
            raise TimedOut(f"The engine of {self.model!r} {clock.why}.") from error
        except (aiohttp.ClientError, OSError) as error:
            self.broke = True
            raise Unavailable(f"The engine of {self.model!r} broke off its answer ({type(error).__name__}).") from error
        finally:
            clock.resting()
        self.whole = not part
        return part

    def _too_long(self, at_most: int) -> Failed:
        return Failed(f"The engine of {self.model!r} answered with more than {at_most} bytes.")


class _Clock:
    """Ends a read that takes too long. One timer for the whole answer: a piece only moves the time it looks at."""

    def __init__(
        self, content: "aiohttp.StreamReader", loop: asyncio.AbstractEventLoop, *, until: float, silence: float | None
    ) -> None:
        self._content, self._loop = content, loop
        self._until, self._silence = until, silence
        self._due: float | None = None
        self.total = False
        """Whether it was the time for all of it that ran out."""
        self._timer = loop.call_at(until if silence is None else min(until, loop.time() + silence), self._look)

    @property
    def why(self) -> str:
        return "took longer for its answer than it may" if self.total else f"said nothing for {self._silence:g} s"

    def reading(self) -> None:
        """A reader waits from now on.

        Raises:
            TimeoutError: the time for all of it is over.
        """
        if self._silence is None:
            self._due = self._until
            return
        now = self._loop.time()
        if now >= self._until and not self._content.is_eof():
            self.total = True
            raise TimeoutError
        self._due = min(self._until, now + self._silence)

    def resting(self) -> None:
        """Nobody waits: a reader that takes its time is no silence of the engine."""
        self._due = None

    def stop(self) -> None:
        self._timer.cancel()

    def _look(self) -> None:
        now = self._loop.time()
        if self._due is None or self._due > now:
            later = self._due
            if later is None:  # a reader that comes back meanwhile has at least until then
                later = self._until if self._silence is None else now + self._silence
                later = min(later, self._until) if now < self._until else later
            self._timer = self._loop.call_at(max(later, now + 0.01), self._look)
            return
        self.total = self._due >= self._until
        self._content.set_exception(TimeoutError())
