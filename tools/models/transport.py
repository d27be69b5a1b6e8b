"""The one HTTP client of the installation, for every engine: aiohttp, opened at its first use."""

import asyncio
import io
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import aiohttp

__all__ = ["Transport", "beginning"]

_LARGE = 1_000_000
"""Bytes of a body that is sent in pieces."""
_KEEP_ALIVE_S = 4.0
"""vLLM's server closes an idle connection after 5 s; ours goes first, so that no request meets a closing one."""
_AHEAD_BYTES = 65_536
"""What is read of an answer before its reader asks for it: a thousand slow readers fit into memory."""
_NAMES_S = 30
"""How long a name of an engine is remembered: pods come and go."""


class Transport:
    """Connections to engines. Proxies and certificates are the settings' business, never the environment's."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._limits: dict[float, aiohttp.ClientTimeout] = {}

    async def post(
        self, url: str, body: bytes, *, headers: Mapping[str, str], connect: float
    ) -> "aiohttp.ClientResponse":
        """Sends a request; the answer's body is still to be read, and the response to be closed.

        Raises:
            aiohttp.ClientError: it could not be sent, or no answer came.
        """
        import aiohttp

        limits = self._limits.get(connect)
        if limits is None:  # 'connect' has the look-up of the name in it, which 'sock_connect' has not
            limits = self._limits[connect] = aiohttp.ClientTimeout(total=None, connect=connect)
        session = self._opened()
        try:
            return await session.post(url, data=_sent(body), headers=headers, timeout=limits, allow_redirects=False)
        except aiohttp.ClientConnectorError:
            raise
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, aiohttp.ClientConnectionResetError):
            # Most likely it met an idle connection that the engine was just closing, which is no fault of the engine.
            return await session.post(url, data=_sent(body), headers=headers, timeout=limits, allow_redirects=False)

    async def get(self, url: str, *, headers: Mapping[str, str], seconds: float, at_most: int) -> tuple[int, bytes]:
        """Status and body of an answer, of which no more than `at_most` bytes are read.

        Raises:
            aiohttp.ClientError: none came.
            TimeoutError: it took too long.
        """
        import aiohttp

        limits = aiohttp.ClientTimeout(total=seconds)
        async with self._opened().get(url, headers=headers, timeout=limits, allow_redirects=False) as response:
            return response.status, await beginning(response, at_most)

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop that it is used in, and no other."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        return self._loop

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _opened(self) -> "aiohttp.ClientSession":
        if self._session is None:
            import aiohttp

            from tools.models.connections import Connector

            self._session = aiohttp.ClientSession(
                connector=Connector(idle=_KEEP_ALIVE_S, names=_NAMES_S),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"Accept-Encoding": "identity", "User-Agent": "partitur"},
                auto_decompress=False,
                read_bufsize=_AHEAD_BYTES,
                trust_env=False,
            )
        return self._session


async def beginning(response: "aiohttp.ClientResponse", at_most: int) -> bytes:
    """The first `at_most` bytes of an answer, or all of it where it is shorter."""
    data = b""
    while len(data) < at_most and (part := await response.content.readany()):
        data += part
    return data[:at_most]


def _sent(body: bytes) -> "bytes | io.BytesIO":
    """A body as aiohttp wants it: a large one in pieces, so that others are served between them."""
    return body if len(body) <= _LARGE else io.BytesIO(body)
