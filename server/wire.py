"""Serves one tool server alone, over stdio or streamable HTTP, with the same keys before it as everything else."""

import sys
from typing import TYPE_CHECKING, Literal

from server.house import LOCAL, open_house
from server.settings import Settings
from tools.base import NotFound, acting_as

if TYPE_CHECKING:
    from server.house import House

__all__ = ["run_tools"]

Transport = Literal["stdio", "http"]


def run_tools(name: str, settings: Settings, transport: Transport, host: str, port: int) -> None:
    """Serves the tool server `name` alone.

    Args:
        name: the part of its tools' names before the dot.
        settings: as for the whole house.
        transport: stdio for the user whose machine it is, http behind API keys at /mcp.
        host: address for http.
        port: port for http; 0 = any free one.

    Raises:
        NotFound: there is no such tool server.
        SetupError: the settings are wrong, or the address is taken.
    """
    from server.serving import run, run_on_pipe

    (run_on_pipe if transport == "stdio" else run)(_tools(name, settings, transport, host, port))


async def _tools(name: str, settings: Settings, transport: Transport, host: str, port: int) -> None:
    async with open_house(settings) as house:
        names = sorted({ref.server for ref in house.runtime.toolbox.refs.values()})
        if name not in names:
            raise NotFound(f"The tool server {name!r} is unknown. There are {', '.join(map(repr, names))}.")
        from server.tool_gate import ToolGate

        house.runtime.toolbox.server(name).add_middleware(ToolGate(house.runtime.gate, name))
        if transport == "stdio":
            with acting_as(LOCAL):
                await house.runtime.toolbox.server(name).run_stdio_async(show_banner=False)
        else:
            await _over_http(house, name, host, port)


async def _over_http(house: "House", name: str, host: str, port: int) -> None:
    from server.keys import KeyStore, KeyVerifier
    from server.serving import Stopping, address, listening, served
    from server.tool_app import tool_app

    settings = house.settings
    with listening(host, port) as socket:
        keys, stopping = KeyStore(settings.home), Stopping()
        if not settings.api_key and (first := keys.first()):
            # At once: if the start fails after this, nobody would ever see it.
            print(f"API key, shown this once: {first}", file=sys.stderr, flush=True)
        app = tool_app(
            lambda: house.runtime.toolbox.server(name),
            KeyVerifier(keys, settings.api_key),
            host=host,
            max_body_bytes=settings.max_body_bytes,
            stopping=stopping,
        )
        await served(app, socket, stopping, lambda: _greet(f"{address(host, socket)}/mcp", name))


def _greet(url: str, name: str) -> None:
    print(f"The tool server {name!r} serves at {url}", file=sys.stderr, flush=True)
