"""A transport whose writes of one turn of the event loop leave as one: head, body and end of an answer.

uvicorn writes the three apart, and uvloop (0.23) hands each write to the system at once, as a packet of its own.
"""

import asyncio

__all__ = ["Joining"]

_MOST = 65_536
"""Bytes that wait; with more they leave at once, so that a reader that is slow is noticed."""
_LAST_S = 30.0
"""Seconds in which something of what was written must be taken of a connection that is closed."""


class Joining(asyncio.Transport):
    """Gathers what is written until the turn of the loop ends."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._transport, self._loop = transport, loop
        self._parts: list[bytes] = []
        self._size = 0
        self.get_extra_info = transport.get_extra_info
        self.is_closing = transport.is_closing
        self.pause_reading = transport.pause_reading
        self.resume_reading = transport.resume_reading

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self._parts:
            self._loop.call_soon(self._flush)
        self._parts.append(bytes(data))
        self._size += len(data)
        if self._size > _MOST:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._transport.close()
        if left := self._transport.get_write_buffer_size():
            self._loop.call_later(_LAST_S, self._look, left)

    def abort(self) -> None:
        self._parts.clear()
        self._transport.abort()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._flush()
        self._transport.set_protocol(protocol)

    def _look(self, left: int) -> None:
        """Gives up a reader who has taken nothing since the last look, when this much was left."""
        now = self._transport.get_write_buffer_size()
        if now >= left:
            self._transport.abort()
        elif now:
            self._loop.call_later(_LAST_S, self._look, now)

    def _flush(self) -> None:
        if parts := self._parts:
            self._parts, self._size = [], 0
            self._transport.write(parts[0] if len(parts) == 1 else b"".join(parts))
