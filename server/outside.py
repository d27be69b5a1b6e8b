"""The MCP servers of others that the settings name, as the toolbox takes them."""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from agents.kit import OutsideServer, PassagePaths

if TYPE_CHECKING:
    from fastmcp import Client

    from server.settings import McpServer

__all__ = ["outside_servers"]

_WIRE = 4
"""A result on the wire is at most this many times as large: escaped, and told both as text and as structure."""


def outside_servers(servers: "Mapping[str, McpServer]") -> dict[str, OutsideServer]:
    """By name; nothing is opened."""
    return {
        name: OutsideServer(
            connect=partial(_client, server),
            tools=server.tools,
            sources=server.sources,
            passages={tool: PassagePaths(**dict(paths)) for tool, paths in server.passages.items()},
            pins=server.pins,
            most=server.max_result_bytes,
        )
        for name, server in servers.items()
    }


def _client(server: "McpServer") -> "Client[Any]":
    """A client that is not connected yet. What it sends is the settings' alone, and nothing of a caller."""
    from fastmcp import Client
    from fastmcp.client.transports import StdioTransport, StreamableHttpTransport

    from server.outside_http import http_client

    if server.url is not None:
        headers = {name: value.get_secret_value() for name, value in server.headers.items()}
        if server.key is not None:
            headers["Authorization"] = f"Bearer {server.key.get_secret_value()}"
        factory = partial(http_client, most=server.max_result_bytes * _WIRE)
        transport = StreamableHttpTransport(server.url, headers=headers, httpx_client_factory=factory)
        return Client(transport, timeout=server.timeout)
    program, *arguments = server.command
    environment = {name: value.get_secret_value() for name, value in server.environment.items()}
    return Client(StdioTransport(program, arguments, env=environment), timeout=server.timeout)
