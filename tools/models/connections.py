"""Connections to engines: aiohttp's, which also end the answer that waits on them when they end."""

import asyncio
from functools import partial

import aiohttp
from aiohttp.client_proto import ResponseHandler

__all__ = ["Connector"]


class _Connection(ResponseHandler):
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
    """

    def __init__(self, *, idle: float, names: int) -> None:
        super().__init__(limit=0, keepalive_timeout=idle, ttl_dns_cache=names)  # pyright: ignore[reportUnknownMemberType]  # aiohttp leaves a parameter's type open
        self._factory = partial(_Connection, loop=asyncio.get_running_loop())
