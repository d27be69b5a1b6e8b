"""Fetches one document from a web address: the host is looked up once, checked, and the connection goes there."""

import asyncio
import socket
import ssl
import zlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urljoin

import aiohttp
import anyio
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from tools.base import Failed, Forbidden, NotFound, TimedOut, TooLarge, Unavailable
from tools.knowledge import KnowledgeConfig
from tools.knowledge.addresses import Target, check_addresses, target
from tools.knowledge.files import Inline
from tools.knowledge.media import name_of

__all__ = ["Resolve", "fetch"]

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Gives the IP addresses of a host; none where it has none."""

_REDIRECTS = 5
_CONNECT_S, _SILENT_S = 10.0, 20.0  # until a connection stands, and until the next byte comes
_HEADERS, _HEADER_BYTES = 100, 8_190
_PART = 1 << 16


async def fetch(
    url: str, config: KnowledgeConfig, *, resolve: Resolve | None = None, trust: ssl.SSLContext | None = None
) -> Inline:
    """The document at `url`, ready to be ingested; it is recognised by its address when it is fetched again.

    Args:
        url: an http or https address.
        config: which hosts may be asked, and the limits of size and time.
        resolve: looks up hosts in place of the system.
        trust: certificates in place of those the system trusts.

    Raises:
        InvalidInput: the address is none, or what lies there is of no kind that is read.
        Forbidden: it may not be asked for.
        NotFound: nothing lies there.
        TooLarge: it is over the limit of files.
        TimedOut: it took too long.
        Unavailable: nobody answers there.
        Failed: it answered otherwise than with a document.
    """
    begin = asked = target(url, config)
    try:
        with anyio.fail_after(config.url_seconds):
            for _ in range(_REDIRECTS + 1):
                answer = await _asked(asked, config, resolve or _looked_up, trust)
                if isinstance(answer, _Body):
                    name = name_of(begin.url, asked.url, answer.media_type, config.readers_extra)
                    return Inline(name, answer.data, source=begin.url)
                # A new address is as strange as the first: nothing of what was checked holds for it.
                on = target(urljoin(asked.url, answer), config)
                if (asked.scheme, on.scheme) == ("https", "http"):
                    raise Forbidden(
                        f"The host {asked.host!r} redirects from https to http. Expected a redirect to https.",
                        hint="Ask for the http address itself if it may be read without protection.",
                    )
                asked = on
    except TimeoutError as error:
        raise TimedOut(
            f"The host {asked.host!r} did not send the document in time. "
            f"Expected it within {config.url_seconds:g} seconds, without long pauses.",
            hint="Try again later; the platform team can raise 'url_seconds'.",
        ) from error
    raise Failed(
        f"The host {begin.host!r} redirects more than {_REDIRECTS} times. Expected a document.",
        hint="Open the address in a browser and take the one it ends at.",
    )


@dataclass(frozen=True, slots=True)
class _Body:
    media_type: str
    data: bytes


class _Pinned(AbstractResolver):
    """Leads to the addresses that were checked, whatever the name service says by now."""

    def __init__(self, host: str, addresses: Sequence[str]) -> None:
        self._host = host
        self._addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        if host != self._host:
            raise OSError(f"{host!r} was not checked")
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address in self._addresses
        ]

    async def close(self) -> None:
        """Holds nothing."""


async def _looked_up(host: str, port: int) -> list[str]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return list(dict.fromkeys(str(place[0]) for *_, place in found))


async def _asked(asked: Target, config: KnowledgeConfig, resolve: Resolve, trust: ssl.SSLContext | None) -> _Body | str:
    """The body of a document, or where the answer sends us."""
    literal = ":" in asked.host or asked.host.rpartition(".")[2].isdigit()
    addresses = [asked.host] if literal else await resolve(asked.host, asked.port)
    check_addresses(asked, addresses)
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            resolver=_Pinned(asked.host, addresses), use_dns_cache=False, force_close=True, ssl=trust or True
        ),
        headers={"Accept": "*/*", "Accept-Encoding": "gzip", "User-Agent": "Partitur"},
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,  # neither a proxy nor a netrc of the environment
        auto_decompress=False,
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S, sock_read=_SILENT_S),
        max_line_size=_HEADER_BYTES,
        max_field_size=_HEADER_BYTES,
        max_headers=_HEADERS,
    )
    try:
        async with session, session.get(URL(asked.url), allow_redirects=False) as response:
            return await _answered(asked, response, config.max_file_bytes)
    except TimeoutError:  # some of aiohttp's are its own errors, too
        raise
    except aiohttp.ClientConnectorCertificateError as error:
        raise Forbidden(
            f"The certificate of {asked.host!r} does not hold for it. Expected one that this machine trusts.",
            hint="Check the address, or add the authority of the intranet to those this machine trusts.",
        ) from error
    except (aiohttp.ClientConnectionError, OSError) as error:
        raise Unavailable(
            f"The host {asked.host!r} did not answer at port {asked.port}. Expected a web server.",
            hint="Check the address, or try again later.",
        ) from error
    except (aiohttp.ClientError, ValueError) as error:
        raise Failed(
            f"The answer of {asked.host!r} cannot be read: {type(error).__name__}. Expected plain HTTP.",
            hint="Open the address in a browser; download the document and ingest the file.",
        ) from error


async def _answered(asked: Target, response: aiohttp.ClientResponse, most: int) -> _Body | str:
    status = response.status
    if status in (301, 302, 303, 307, 308) and (place := response.headers.get("Location")):
        return place
    if status in (404, 410):
        raise NotFound(
            f"There is nothing at this address: {asked.host!r} answered {status}. Expected a document.",
            hint="Check the address.",
        )
    if status != 200:
        raise Failed(
            f"The host {asked.host!r} answered {status}. Expected 200 and a document.",
            hint="Pages that ask for a sign-in cannot be fetched; download the document and ingest the file.",
        )
    coding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if coding not in ("identity", "", "gzip", "x-gzip"):
        raise Failed(
            f"The answer of {asked.host!r} is packed as {coding[:40]!r}. Expected gzip or none, as was asked for.",
            hint="Download the document and ingest the file.",
        )
    declared = response.content_length
    if declared is not None and declared > most:
        raise _too_large(most)
    data = await _body(response.content, most, packed="gzip" in coding)
    return _Body(response.headers.get("Content-Type", "").partition(";")[0].strip().lower(), data)


async def _body(content: aiohttp.StreamReader, most: int, *, packed: bool) -> bytes:
    """All of it, unpacked as it comes and never more than the limit at once."""
    data = bytearray()
    taken = 0
    unpack = zlib.decompressobj(wbits=31)
    async for part in content.iter_chunked(_PART):
        taken += len(part)
        rest = part
        while rest and len(data) <= most:
            if not packed:
                data += rest
                break
            if unpack.eof:  # another member
                unpack = zlib.decompressobj(wbits=31)
            try:
                data += unpack.decompress(rest, _PART)
            except zlib.error as error:
                raise ValueError("no gzip") from error
            rest = unpack.unused_data if unpack.eof else unpack.unconsumed_tail
        if taken > most or len(data) > most:
            raise _too_large(most)
    if packed and taken:
        data += unpack.flush()  # the few bytes that a full part left behind
        if not unpack.eof:
            raise ValueError("cut off")
    return bytes(data)


def _too_large(most: int) -> TooLarge:
    return TooLarge(
        f"The document has more than {most:,} bytes. Expected at most that.",
        hint="The platform team can raise 'max_file_bytes'.",
    )
