"""The one HTTP client of the installation, for every engine: aiohttp, opened at its first use."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import aiohttp

__all__ = ["Transport"]

_KEEP_ALIVE_S = 4.0
"""vLLM's server closes an idle connection after 5 s; ours goes first, so that no request meets a closing one."""
_NAMES_S = 30
"""How long a name of an engine is remembered: pods come and go."""


class Transport:
    """Connections to engines. Proxies and certificates are the settings' business, never the environment's."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def post(
        self, url: str, body: bytes, *, headers: Mapping[str, str], connect: float
    ) -> "aiohttp.ClientResponse":
        """Sends a request; the answer's body is still to be read, and the response to be closed.

        Raises:
            aiohttp.ClientError: it could not be sent, or no answer came.
        """
        import aiohttp

        limits = aiohttp.ClientTimeout(total=None, sock_connect=connect)
        return await self._opened().post(url, data=body, headers=headers, timeout=limits, allow_redirects=False)

    async def get(self, url: str, *, headers: Mapping[str, str], seconds: float, at_most: int) -> tuple[int, bytes]:
        """Status and body of an answer.

        Raises:
            aiohttp.ClientError: none came.
            TimeoutError: it took too long.
        """
        import aiohttp

        limits = aiohttp.ClientTimeout(total=seconds)
        async with self._opened().get(url, headers=headers, timeout=limits, allow_redirects=False) as response:
            return response.status, await response.content.read(at_most)

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _opened(self) -> "aiohttp.ClientSession":
        if self._session is None:
            import aiohttp

            self._session = aiohttp.ClientSession(
                # No cap of its own: the pools have theirs, per model.
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEP_ALIVE_S, ttl_dns_cache=_NAMES_S),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"Accept-Encoding": "identity", "User-Agent": "partitur"},
                auto_decompress=False,
                trust_env=False,
            )
        return self._session
