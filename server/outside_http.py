"""HTTP to MCP servers of others: the client that the MCP library wants, over aiohttp's connections, which cost a third."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, cast

import aiohttp
import httpx2

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["http_client"]

_KEEP_ALIVE_S = 4.0
"""Many servers close an idle connection after 5 s; ours goes first, so that no request meets a closing one."""


def http_client(
    headers: dict[str, str] | None = None,
    timeout: httpx2.Timeout | None = None,
    auth: httpx2.Auth | None = None,
    follow_redirects: bool = False,
    *,
    most: int | None = None,
) -> httpx2.AsyncClient:
    """A client of its own; leaving it closes its connections. Proxies are the settings' business, not the environment's.

    Answers to what is sent have at most `most` bytes; the stream that a server may keep open has no end.
    """
    return httpx2.AsyncClient(
        transport=_Aiohttp(most),
        headers=headers,
        timeout=timeout or httpx2.Timeout(30.0, read=300.0),
        auth=auth,
        follow_redirects=follow_redirects,
        trust_env=False,
    )


class _Aiohttp(httpx2.AsyncBaseTransport):
    """Sends a request of httpx2 through aiohttp and gives its answer back, streamed."""

    def __init__(self, most: int | None) -> None:
        self._most = most
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Sends it.

        Raises:
            httpx2.TransportError: it could not be sent, or no answer came in time.
        """
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEP_ALIVE_S),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
                trust_env=False,
            )
        limits = cast("Mapping[str, float | None]", request.extensions.get("timeout", {}))
        try:
            response = await self._session.request(
                request.method,
                str(request.url),
                data=await request.aread() or None,
                headers=[(name, value) for name, value in request.headers.multi_items() if name != "content-length"],
                timeout=aiohttp.ClientTimeout(
                    total=None, sock_connect=limits.get("connect"), sock_read=limits.get("read")
                ),
                allow_redirects=False,
            )
        except aiohttp.ConnectionTimeoutError as error:
            raise httpx2.ConnectTimeout(str(error), request=request) from error
        except TimeoutError as error:
            raise httpx2.ReadTimeout(str(error), request=request) from error
        except aiohttp.ClientConnectorError as error:
            raise httpx2.ConnectError(str(error), request=request) from error
        except (aiohttp.ClientError, OSError) as error:
            raise httpx2.ReadError(str(error), request=request) from error
        return httpx2.Response(
            response.status,
            headers=response.raw_headers,
            stream=_Body(response, request, self._most if request.method == "POST" else None),
            request=request,
        )

    async def aclose(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()


class _Body(httpx2.AsyncByteStream):
    """The body of an answer. Closing it before its end closes the connection."""

    def __init__(self, response: aiohttp.ClientResponse, request: httpx2.Request, most: int | None) -> None:
        self._response, self._request, self._most = response, request, most

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            size = 0
            async for part in self._response.content.iter_any():
                size += len(part)
                if self._most is not None and size > self._most:
                    raise httpx2.ReadError(f"more than {self._most:,} bytes", request=self._request)
                yield part
        except TimeoutError as error:
            raise httpx2.ReadTimeout(str(error), request=self._request) from error
        except (aiohttp.ClientError, OSError) as error:
            raise httpx2.ReadError(str(error), request=self._request) from error

    async def aclose(self) -> None:
        self._response.close()
