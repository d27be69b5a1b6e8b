"""The yardsticks of benchmarks/mcp_calls.py: one tool that says its text back, over MCP, each way people serve one.

    python -m benchmarks.peers.mcp_servers NAME    # prints its address, serves until it is stopped

One worker, uvloop and httptools, no key, no log, as lean as each can be configured.
"""

import argparse
import json
import logging
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import uvicorn

if TYPE_CHECKING:
    from mcp.server.context import ServerRequestContext
    from mcp_types import CallToolRequestParams, CallToolResult
    from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["PEERS"]


def raw() -> "ASGIApp":
    """No library: what an MCP answer costs at least under uvicorn. It checks nothing."""

    async def app(scope: "Scope", receive: "Receive", send: "Send") -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        asked = cast("dict[str, Any]", json.loads(body))
        said = {"text": str(asked["params"]["arguments"]["text"])}
        result = {"content": [{"type": "text", "text": json.dumps(said)}], "structuredContent": said, "isError": False}
        answer = json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result}).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    return app


def sdk() -> "ASGIApp":
    """The low-level server of the protocol's SDK, stateless, one JSON answer."""
    from mcp.server.lowlevel.server import Server
    from mcp_types import CallToolResult, TextContent

    async def call(context: "ServerRequestContext[Any, Any]", params: "CallToolRequestParams") -> "CallToolResult":
        said = {"text": str((params.arguments or {})["text"])}
        return CallToolResult(content=[TextContent(type="text", text=json.dumps(said))], structured_content=said)

    server: Server[Any] = Server("peer", on_call_tool=call)
    return server.streamable_http_app(json_response=True, stateless_http=True)


def fastmcp_json() -> "ASGIApp":
    """fastmcp, stateless, one JSON answer."""
    return _fastmcp(json_response=True)


def fastmcp() -> "ASGIApp":
    """fastmcp, stateless, the answer as a stream of one event: what `stateless_http` gives by itself."""
    return _fastmcp(json_response=False)


def _fastmcp(*, json_response: bool) -> "ASGIApp":
    from fastmcp import FastMCP

    server = FastMCP("peer")

    async def say(text: str) -> dict[str, str]:
        return {"text": text}

    server.tool(say)
    return server.http_app(path="/mcp", json_response=json_response, stateless_http=True)


PEERS: dict[str, Callable[[], "ASGIApp"]] = {
    "raw": raw,
    "sdk": sdk,
    "fastmcp-json": fastmcp_json,
    "fastmcp": fastmcp,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("name", choices=list(PEERS))
    name = cast("str", parser.parse_args().name)
    logging.disable(logging.WARNING)
    app = PEERS[name]()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
        config = uvicorn.Config(app, loop="uvloop", http="httptools", log_level="critical", access_log=False)
        uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
