"""Connections to engines: aiohttp's connector and its parser, one level below its session.

A session makes a request object, a response object, a writer and, before Python 3.12, a task for every request. What is sent
here is always the same head with a body; written by hand it takes half of the time (docs/benchmarks.md).
"""

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import HttpProcessingError, StreamWriter
from yarl import URL

if TYPE_CHECKING:
    from aiohttp.connector import Connection
    from multidict import CIMultiDictProxy

__all__ = ["Answer", "Closing", "Connector", "Target"]

_LARGE = 1_000_000
"""Bytes of a body that is sent in pieces, so that others are served between them."""
_PIECE = 262_144


class Target:
    """Where requests go.

    Args:
        url: the whole address.
    """

    def __init__(self, url: str) -> None:
        address = URL(url)
        self.key = aiohttp.ClientRequest("POST", address, loop=asyncio.get_running_loop())
        """What the connector looks at to find a connection, or to make one."""
        self.head = (
            f"POST {address.raw_path_qs} HTTP/1.1\r\nHost: {self.key.headers['Host']}\r\n"
            "Accept: */*\r\nAccept-Encoding: identity\r\nUser-Agent: partitur\r\n"
        )
        if (user := self.key.headers.get("Authorization")) is not None:  # its name and password stand in the address
            self.head += f"Authorization: {user}\r\n"


class Answer:
    """An answer whose head has come."""

    __slots__ = ("_connection", "content", "headers", "status")

    def __init__(
        self,
        connection: "Connection",
        status: int,
        headers: "CIMultiDictProxy[str]",
        content: aiohttp.StreamReader,
    ) -> None:
        self._connection = connection
        self.status, self.headers, self.content = status, headers, content
        content.on_eof(connection.release)

    @property
    def content_length(self) -> int | None:
        """In bytes, where it is told."""
        length = self.headers.get("Content-Length")
        return int(length) if length is not None and length.isdecimal() else None

    def close(self) -> None:
        """Closes the connection, unless all has come: then it waits for the next request already."""
        if not self.content.is_eof():
            self._connection.close()


class Closing(aiohttp.ServerDisconnectedError):
    """A connection that had waited for this request was closed before it was answered: most likely the engine had closed it
    before the request came."""


class _Connection(ResponseHandler):
    used = False
    """Whether a request was sent on it, by whomever."""

    def set_response_params(self, **how: Any) -> None:
        self.used = True
        super().set_response_params(**how)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Where the engine sends what is no HTTP in the middle of an answer, aiohttp closes the connection without telling
        the answer's reader (3.14, `HttpParser.feed_data`), who would wait for the time limit."""
        answer = self._payload
        super().connection_lost(exc)
        if answer is not None and not answer.is_eof() and answer.exception() is None:
            answer.set_exception(aiohttp.ClientPayloadError("The answer is no HTTP from here on."))


class Connector(aiohttp.TCPConnector):
    """Without a cap of its own: the pools have theirs, per model.

    Args:
        idle: seconds that an idle connection is kept.
        names: seconds that the address of a name is remembered.
        ahead: bytes that are read of an answer before its reader asks for them.
    """

    def __init__(self, *, idle: float, names: int, ahead: int) -> None:
        super().__init__(limit=0, keepalive_timeout=idle, ttl_dns_cache=names)  # pyright: ignore[reportUnknownMemberType]  # aiohttp leaves a parameter's type open
        self._factory = partial(_Connection, loop=asyncio.get_running_loop())
        self._ahead = ahead

    async def post(
        self, target: Target, body: bytes, *, headers: Mapping[str, str], limits: aiohttp.ClientTimeout
    ) -> Answer:
        """Sends a request; the answer's body is still to be read, and the answer to be closed.

        Raises:
            Closing: the connection was an old one, and ended.
            aiohttp.ClientError: it could not be sent, or no answer came.
            ValueError: a header has more than one line.
        """
        more = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        if more.count("\n") != len(headers) or more.count("\r") != len(headers):
            raise ValueError("A header holds a line break.")
        head = f"{target.head}Content-Length: {len(body)}\r\n{more}\r\n".encode("latin-1")
        try:
            connection = await self.connect(target.key, [], limits)
        except TimeoutError as error:
            raise aiohttp.ConnectionTimeoutError("The engine took no connection in time.") from error
        old = False
        try:
            protocol = cast("_Connection | None", connection.protocol)
            old = protocol is not None and protocol.used
            if protocol is None or protocol.transport is None or protocol.should_close:
                # Not even where an answer that nobody asked for lies on it: it would be given to whoever asks now.
                raise aiohttp.ServerDisconnectedError
            protocol.set_response_params(read_until_eof=True, auto_decompress=False, read_bufsize=self._ahead)
            if len(body) <= _LARGE:
                protocol.transport.write(head + body)
            else:
                await self._written(protocol, head, body)
            status, headers_of, content = await _read(protocol)
            return Answer(connection, status, headers_of, content)
        except BaseException as error:
            connection.close()
            if old and isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError):
                raise Closing from error
            raise

    async def _written(self, protocol: ResponseHandler, head: bytes, body: bytes) -> None:
        """Writes a large body as fast as it is taken."""
        writer = StreamWriter(protocol, self._loop)
        await writer.write(head)
        for at in range(0, len(body), _PIECE):
            await writer.write(body[at : at + _PIECE])


async def _read(protocol: ResponseHandler) -> "tuple[int, CIMultiDictProxy[str], aiohttp.StreamReader]":
    """The head of the answer, and the reader of its body. What engines say before it (1xx) is passed over."""
    try:
        while True:
            message, content = await protocol.read()
            if not 100 <= message.code < 200:
                return message.code, message.headers, content
    except HttpProcessingError as error:
        raise aiohttp.ClientPayloadError("The answer is no HTTP.") from error
