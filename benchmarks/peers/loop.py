"""The hand-written loop: two posts to the engine and one to the MCP server, over one aiohttp session."""

import argparse
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

__all__ = ["app"]


def app(engine: str, server: str | None) -> Starlette:
    """Answers `POST /run`; without `server` the tool is a function."""
    parameters = {"type": "object", "properties": {"office": {"type": "string"}}, "required": ["office"]}
    tools = [{"type": "function", "function": {"name": "hours", "parameters": parameters}}]

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncGenerator[dict[str, aiohttp.ClientSession]]:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            yield {"session": session}

    async def run(request: Request) -> JSONResponse:
        session: aiohttp.ClientSession = request.state.session

        async def post(url: str, data: object) -> dict[str, Any]:
            async with session.post(url, json=data) as reply:
                return await reply.json()

        messages: list[dict[str, Any]] = [{"role": "user", "content": (await request.json())["text"]}]
        while True:
            asked = {"model": "bench", "messages": messages, "tools": tools}
            message = (await post(f"{engine}/chat/completions", asked))["choices"][0]["message"]
            if not message.get("tool_calls"):
                return JSONResponse({"text": message["content"]})
            messages.append(message)
            for call in message["tool_calls"]:
                given = json.loads(call["function"]["arguments"])
                if server is None:
                    content: object = {"hours": "Monday to Friday, eight to twelve."}
                else:
                    params = {"name": call["function"]["name"], "arguments": given}
                    said = await post(server, {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
                    content = said["result"]["structuredContent"]
                messages.append({"role": "tool", "tool_call_id": call["id"], "content": json.dumps(content)})

    return Starlette(routes=[Route("/run", run, methods=["POST"])], lifespan=lifespan)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--engine", required=True)
    parser.add_argument("--server")
    given = parser.parse_args()
    uvicorn.run(app(given.engine, given.server), port=given.port, loop="uvloop", http="httptools", access_log=False)
