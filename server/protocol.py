"""uvicorn's HTTP protocol, with limits on the head of a request: on its size, and on the time that it may take."""

import asyncio
from typing import Any

from pydantic_core import to_json
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from server.errors import HeadTooLarge, openai_error
from server.identity import new_id
from server.joined import Joining
from tools.base import InvalidInput

__all__ = ["Protocol"]

_MOST = 65_536
"""Bytes of a head beyond its first segment."""
_LONGEST_S = 30.0
"""Seconds until a head is whole, the time before its first byte included."""


class Protocol(HttpToolsProtocol):
    """Without them, who has no key could send a head without end into our memory, or hold a connection for ever."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._heading = False
        self._size = 0
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(Joining(transport, self.loop))
        self._timer = self.loop.call_later(_LONGEST_S, self._late)

    def connection_lost(self, exc: Exception | None) -> None:
        self._in_time()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        began = self._heading
        super().data_received(data)
        if not self._heading:
            if self._timer is not None:
                self._in_time()
        elif self._timer is None:
            self._timer = self.loop.call_later(_LONGEST_S, self._late)
        if began and self._heading:
            self._size += len(data)
            if self._size > _MOST:
                self._refuse(HeadTooLarge(f"The head of the request is longer than {_MOST} bytes."))
        else:
            self._size = 0

    def on_message_begin(self) -> None:
        self._heading = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._heading = False
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        self._refuse(InvalidInput("What was sent is no HTTP request.", hint=""))

    def _refuse(self, error: InvalidInput) -> None:
        """Tells it in the shape of every other error, and ends the connection."""
        self._heading = False
        cycle: RequestResponseCycle | None = self.cycle
        if cycle and cycle.response_started and not cycle.response_complete:
            self.transport.close()  # in the middle of an answer there is no place for another one
            return
        body = to_json(openai_error(error))
        about = f"content-type: application/json\r\ncontent-length: {len(body)}\r\nx-request-id: {new_id()}"
        self.transport.write(f"HTTP/1.1 {error.status} \r\n{about}\r\nconnection: close\r\n\r\n".encode() + body)
        self.transport.close()

    def _late(self) -> None:
        self._timer = None
        self.transport.close()

    def _in_time(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
