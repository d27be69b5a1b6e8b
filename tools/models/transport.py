"""The one HTTP client of the installation, for every engine: aiohttp, opened at its first use."""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import aiohttp

    from tools.models.connections import Answer, Connector, Target

__all__ = ["Transport", "beginning"]

_KEEP_ALIVE_S = 4.0
"""vLLM's server closes an idle connection after 5 s; ours goes first, so that no request meets a closing one."""
_AHEAD_BYTES = 65_536
"""What is read of an answer before its reader asks for it: a thousand slow readers fit into memory."""
_NAMES_S = 30
"""How long a name of an engine is remembered: pods come and go."""


class Transport:
    """Connections to engines. Proxies and certificates are the settings' business, never the environment's."""

    def __init__(self) -> None:
        self._connector: Connector | None = None
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._targets: dict[str, Target] = {}
        self._limits: dict[float, aiohttp.ClientTimeout] = {}

    async def post(self, url: str, body: bytes, *, headers: Mapping[str, str], connect: float) -> "Answer":
        """Sends a request; the answer's body is still to be read, and the answer to be closed.

        Raises:
            aiohttp.ClientError: it could not be sent, or no answer came.
        """
        from tools.models.connections import Closing, Target

        connector = self._opened()
        target, limits = self._targets.get(url), self._limits.get(connect)
        if target is None or limits is None:
            import aiohttp

            target = self._targets.setdefault(url, Target(url))
            # 'connect' has the look-up of the name in it, which 'sock_connect' has not
            limits = self._limits.setdefault(connect, aiohttp.ClientTimeout(total=None, connect=connect))
        try:
            return await connector.post(target, body, headers=headers, limits=limits)
        except Closing:  # which is no fault of the engine
            return await connector.post(target, body, headers=headers, limits=limits)

    async def get(self, url: str, *, headers: Mapping[str, str], seconds: float, at_most: int) -> tuple[int, bytes]:
        """Status and body of an answer, of which no more than `at_most` bytes are read.

        Raises:
            aiohttp.ClientError: none came.
            TimeoutError: it took too long.
        """
        import aiohttp

        if self._session is None:
            # Each probe has a connection of its own: it is to see whether the engine still takes one, and what the requests
            # leave idle ends in time because no probe uses it again.
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(force_close=True),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"Accept-Encoding": "identity", "User-Agent": "partitur"},
                auto_decompress=False,
                trust_env=False,
            )
        limits = aiohttp.ClientTimeout(total=seconds)
        async with self._session.get(url, headers=headers, timeout=limits, allow_redirects=False) as response:
            return response.status, await beginning(response.content, at_most)

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
        connector, self._connector = self._connector, None
        if connector is not None:
            await connector.close()

    def _opened(self) -> "Connector":
        if self._connector is None:
            from tools.models.connections import Connector

            self._connector = Connector(idle=_KEEP_ALIVE_S, names=_NAMES_S, ahead=_AHEAD_BYTES)
        return self._connector


async def beginning(content: "aiohttp.StreamReader", at_most: int) -> bytes:
    """The first `at_most` bytes of an answer, or all of it where it is shorter."""
    data = b""
    while len(data) < at_most and (part := await content.readany()):
        data += part
    return data[:at_most]
