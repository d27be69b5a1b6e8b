"""MCP servers of others as tool sources: a list of allowed tools each, and one session that is opened at first use and held."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tools.base import ToolFailed, Unavailable

if TYPE_CHECKING:
    import mcp_types
    from fastmcp import Client

__all__ = ["Outside", "OutsideServer"]


@dataclass(frozen=True, kw_only=True)
class OutsideServer:
    """What the settings say of a server of others."""

    connect: "Callable[[], Client[Any]]"
    """Makes a client, over HTTP or stdio; nothing is sent yet."""
    tools: Sequence[str]
    """The tools that may be called; all others of the server do not exist for us."""
    sources: Sequence[str] = ()
    """Those whose result is a `Passages`, where the server does not say so itself."""


class Outside:
    """A server of others, as the toolbox sees it."""

    def __init__(self, name: str, server: OutsideServer) -> None:
        self.name = name
        self.server = server
        self._client: Client[Any] | None = None
        self._listed: dict[str, mcp_types.Tool] = {}
        self._opening = asyncio.Lock()

    @property
    def names(self) -> list[str]:
        """Its allowed tools, as `server.tool`."""
        return [f"{self.name}.{tool}" for tool in self.server.tools]

    async def tool(self, name: str) -> "mcp_types.Tool":
        """What the server says of one of its tools.

        Raises:
            Unavailable: it cannot be reached, or has no such tool.
        """
        await self._session()
        if name not in self._listed:
            raise Unavailable(
                f"The MCP server {self.name!r} has no tool {name!r}. It has {', '.join(map(repr, self._listed)) or 'none'}.",
                hint=f"Correct the list of tools of mcp_servers.{name} in the settings.",
            )
        return self._listed[name]

    async def call(self, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Calls a tool and gives its structured content, or `{"text": …}` where it has only text.

        Raises:
            Unavailable: the server cannot be reached.
            ToolFailed: the tool says that it failed.
        """
        client = await self._session()
        try:
            result = await client.call_tool_mcp(tool, arguments)
        except self._broken() as error:
            await self.close()
            raise self._unreachable(error) from error
        text = "\n".join(getattr(block, "text", "") for block in result.content)
        if result.is_error:
            raise ToolFailed(f"The tool '{self.name}.{tool}' failed: {text[:500]}", hint="")
        return result.structured_content if result.structured_content is not None else {"text": text}

    async def close(self) -> None:
        """Ends the session; the next use opens another."""
        client, self._client = self._client, None
        if client is not None:
            with suppress(*self._broken()):
                await client.close()

    async def _session(self) -> "Client[Any]":
        async with self._opening:
            if self._client is None or not self._client.is_connected():
                client = self.server.connect()
                try:
                    await client.__aenter__()
                    self._listed = {tool.name: tool for tool in await client.list_tools()}
                except self._broken() as error:
                    with suppress(*self._broken()):  # closing tells once more why it did not open
                        await client.close()
                    raise self._unreachable(error) from error
                self._client = client
            return self._client

    def _unreachable(self, error: BaseException) -> Unavailable:
        return Unavailable(
            f"The MCP server {self.name!r} cannot be reached ({type(error).__name__}).",
            hint=f"Start it, or correct mcp_servers.{self.name} in the settings.",
        )

    @staticmethod
    def _broken() -> tuple[type[Exception], ...]:
        """What a client raises when its server is gone, refuses or does not speak MCP."""
        import httpx2
        from fastmcp.exceptions import FastMCPError
        from mcp.shared.exceptions import MCPError

        return (httpx2.HTTPError, FastMCPError, MCPError, OSError, RuntimeError, TimeoutError)
