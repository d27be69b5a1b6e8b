"""MCP servers of others as tool sources: a list of allowed tools each, and one session that is opened at first use and held."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Any

from agents.kit.foreign import PassagePaths, content_of, digest, fitting, guarded, quotable
from tools.base import SOURCE, NotFound, TimedOut, Unavailable

if TYPE_CHECKING:
    import mcp_types
    from fastmcp import Client

__all__ = ["Outside", "OutsideServer"]

_LISTED_S = 300.0
"""How long what a server says of its tools is believed."""
log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class OutsideServer:
    """What the settings say of a server of others."""

    connect: "Callable[[], Client[Any]]"
    """Makes a client, over HTTP or stdio; nothing is sent yet."""
    tools: Sequence[str]
    """The tools that may be called; all others of the server do not exist for us."""
    sources: Sequence[str] = ()
    """Those whose result is a `Passages`, where the server does not say so itself."""
    passages: Mapping[str, PassagePaths] = field(default_factory=dict[str, PassagePaths])
    """Those whose passages are to be found in another shape."""
    pins: Mapping[str, str] = field(default_factory=dict[str, str])
    """What tools said of themselves when they were approved, as `digest` tells it."""
    most: int = 1_000_000
    """Bytes of a result."""


class Outside:
    """A server of others, as the toolbox sees it."""

    def __init__(self, name: str, server: OutsideServer) -> None:
        self.name = name
        self.server = server
        self._client: Client[Any] | None = None
        self._listed: dict[str, mcp_types.Tool] = {}
        self._digests: dict[str, str] = {}
        self._listed_at = 0.0
        self._opening = asyncio.Lock()

    @property
    def names(self) -> list[str]:
        """Its allowed tools, as `server.tool`."""
        return [f"{self.name}.{tool}" for tool in self.server.tools]

    def is_source(self, tool: str) -> bool:
        """Whether the settings say that a tool's result is material to quote."""
        return tool in self.server.sources or tool in self.server.passages

    async def tool(self, name: str) -> "mcp_types.Tool":
        """What the server says of one of its tools, cut and marked as its own words.

        Raises:
            NotFound: it is not on the list of the settings.
            Unavailable: it cannot be reached, has no such tool, or says something else of it than was approved.
        """
        return guarded(self.name, await self._approved(name))

    async def _approved(self, name: str) -> "mcp_types.Tool":
        if name not in self.server.tools:
            raise NotFound(f"The tool '{self.name}.{name}' is unknown. Known are {', '.join(map(repr, self.names))}.")
        await self._session()
        if name not in self._listed:
            has = ", ".join(map(repr, sorted(self._listed))) or "none"
            raise Unavailable(
                f"The MCP server {self.name!r} has no tool {name!r}. It has {has}.",
                hint=f"Correct the list of tools of mcp_servers.{self.name} in the settings.",
            )
        pin = self.server.pins.get(name)
        if pin is not None and pin != self._digests[name]:
            raise Unavailable(
                f"The tool '{self.name}.{name}' says something else of itself than what was approved. "
                f"Expected the digest {pin!r}, it has {self._digests[name]!r}.",
                hint=f"Look at what it does now; then correct mcp_servers.{self.name}.pins in the settings.",
            )
        return self._listed[name]

    async def digest(self, name: str) -> str:
        """Of what the server says of this tool now, to be pinned."""
        await self._session()
        return self._digests.get(name, "")

    async def call(self, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Calls a tool and gives its structured content, `{"text": …}` where it has only text, or passages of a source.

        What only reads is tried once more over a new session when the held one turns out to be broken.

        Raises:
            NotFound: it is not on the list of the settings.
            InvalidInput: the arguments do not fit its schema.
            Unavailable: the server cannot be reached.
            TimedOut: no result came in time.
            ToolFailed: the tool says that it failed, or gives something that cannot be used.
        """
        told = await self._approved(tool)
        fitting(f"{self.name}.{tool}", told.input_schema, arguments)
        reads = told.annotations is not None and told.annotations.read_only_hint is True
        try:
            result = await self._sent(tool, arguments)
        except Unavailable:
            if not reads:
                raise
            result = await self._sent(tool, arguments)
        content = content_of(f"{self.name}.{tool}", result, self.server.most)
        if self.is_source(tool) or (told.meta or {}).get(SOURCE) is True:
            return quotable(self.name, tool, result, content, self.server.passages.get(tool))
        return content

    async def _sent(self, tool: str, arguments: dict[str, Any]) -> "mcp_types.CallToolResult":
        client = await self._session()
        try:
            return await client.call_tool_mcp(tool, arguments)
        except self._broken() as error:
            if self._late(error):
                raise TimedOut(
                    f"The tool '{self.name}.{tool}' gave no result in time.",
                    hint=f"Ask it for less, or raise mcp_servers.{self.name}.timeout in the settings.",
                ) from error
            await self._leave(client)
            raise self._unreachable(error) from error

    async def close(self) -> None:
        """Ends the session; the next use opens another."""
        if self._client is not None:
            await self._leave(self._client)

    async def _leave(self, client: "Client[Any]") -> None:
        if self._client is client:  # another call may have opened a new one meanwhile
            self._client = None
        with suppress(*self._broken()):
            await client.close()

    async def _session(self) -> "Client[Any]":
        async with self._opening:
            client = self._client
            if client is not None and client.is_connected() and monotonic() - self._listed_at < _LISTED_S:
                return client
            try:
                if client is None or not client.is_connected():
                    client = self.server.connect()
                    await client.__aenter__()
                self._list(await client.list_tools())
            except self._broken() as error:
                self._client = None
                if client is not None:
                    with suppress(*self._broken()):  # closing tells once more why it did not open
                        await client.close()
                raise self._unreachable(error) from error
            except asyncio.CancelledError:
                if client is not None and client is not self._client:  # a program would be left behind
                    await asyncio.shield(client.close())
                raise
            self._client = client
            return client

    def _list(self, tools: "Sequence[mcp_types.Tool]") -> None:
        """Takes what the server says, and tells what of the allowed tools it says otherwise than before."""
        known = self._digests
        self._listed = {tool.name: tool for tool in tools}
        self._digests = {tool.name: digest(tool) for tool in tools}
        self._listed_at = monotonic()
        for name in self.server.tools:
            if name in known and known[name] != self._digests.get(name):
                log.warning("The tool '%s.%s' says something else of itself than before, or is gone.", self.name, name)

    def _unreachable(self, error: BaseException) -> Unavailable:
        return Unavailable(
            f"The MCP server {self.name!r} cannot be reached ({type(error).__name__}).",
            hint=f"Start it, or correct mcp_servers.{self.name} in the settings.",
        )

    @staticmethod
    def _late(error: BaseException) -> bool:
        import httpx2
        from mcp.shared.exceptions import MCPError
        from mcp_types import REQUEST_TIMEOUT

        if isinstance(error, MCPError):
            return error.error.code == REQUEST_TIMEOUT
        return isinstance(error, httpx2.ReadTimeout | TimeoutError)

    @staticmethod
    def _broken() -> tuple[type[Exception], ...]:
        """What a client raises when its server is gone, refuses or does not speak MCP."""
        import httpx2
        from fastmcp.exceptions import FastMCPError
        from mcp.shared.exceptions import MCPError

        return (httpx2.HTTPError, FastMCPError, MCPError, OSError, RuntimeError, TimeoutError)
