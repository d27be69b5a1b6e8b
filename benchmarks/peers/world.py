"""What every contestant of the agent benchmark leans on: an engine that calls one tool and then answers, and an MCP server."""

import argparse
import asyncio
import json
from typing import Any, cast

import uvloop

__all__ = ["ANSWER", "main"]

ANSWER = "The town hall opens at eight."
"""What the engine says once it has seen the result of the tool."""
_TOOL = {
    "name": "hours",
    "description": "The opening hours of an office.",
    "inputSchema": {
        "type": "object",
        "properties": {"office": {"type": "string", "description": "Its name."}},
        "required": ["office"],
    },
    "outputSchema": {"type": "object", "properties": {"hours": {"type": "string"}}, "required": ["hours"]},
}
_HOURS = {"hours": "Monday to Friday, eight to twelve."}


class World(asyncio.Protocol):
    """One connection: HTTP/1.1 with keep-alive, as little of it as clients need."""

    def __init__(self) -> None:
        self._held = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._held += data
        while (cut := self._held.find(b"\r\n\r\n")) >= 0:
            head = self._held[:cut].decode("latin-1").split("\r\n")
            fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
            end = cut + 4 + int(fields.get("content-length", "0"))
            if len(self._held) < end:
                return
            body, self._held = self._held[cut + 4 : end], self._held[end:]
            method, path, _ = head[0].split(" ", 2)
            self._answer(method, path, body)

    def _answer(self, method: str, path: str, body: bytes) -> None:
        if method != "POST":
            self._send(405 if method == "GET" else 200, None)
            return
        asked = json.loads(body)
        if path.endswith("/chat/completions"):
            self._send(200, completion(asked))
        elif "id" not in asked:
            self._send(202, None)
        else:
            self._send(200, {"jsonrpc": "2.0", "id": asked["id"], **rpc(asked["method"], asked.get("params") or {})})

    def _send(self, status: int, data: object) -> None:
        body = b"" if data is None else json.dumps(data).encode()
        head = f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        self._transport.write(head.encode() + body)


def completion(asked: dict[str, Any]) -> dict[str, Any]:
    """A call of the first tool; after its result the answer, as JSON where a schema asks for it."""
    message: dict[str, Any] = {"role": "assistant", "content": None}
    called = any(one["role"] == "tool" for one in asked["messages"])
    if called:
        wanted: dict[str, Any] = asked.get("response_format") or {}
        typed = wanted.get("type") == "json_schema"
        message["content"] = json.dumps({"text": ANSWER}) if typed else ANSWER
    else:
        tool = asked["tools"][0]["function"]
        arguments = dict.fromkeys(tool["parameters"].get("required", ()), "town hall")
        call = {"name": tool["name"], "arguments": json.dumps(arguments)}
        message["tool_calls"] = [{"id": "call_1", "type": "function", "function": call}]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop" if called else "tool_calls"}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_760_000_000,
        "model": asked["model"],
        "choices": [choice],
        "usage": {"prompt_tokens": 120, "completion_tokens": 20, "total_tokens": 140},
    }


def rpc(method: str, params: dict[str, Any]) -> dict[str, Any]:
    """The result of an MCP request, or its error."""
    if method == "initialize":
        return {
            "result": {
                "protocolVersion": params["protocolVersion"],
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "town", "version": "1"},
            }
        }
    if method == "tools/list":
        return {"result": {"tools": [_TOOL]}}
    if method == "tools/call":
        content = [{"type": "text", "text": json.dumps(_HOURS)}]
        return {"result": {"content": content, "structuredContent": _HOURS, "isError": False}}
    if method == "ping":
        return {"result": {}}
    return {"error": {"code": -32601, "message": "Method not found"}}


async def serve(port: int) -> None:
    """Serves until it is killed."""
    server = await asyncio.get_running_loop().create_server(World, "127.0.0.1", port, backlog=512)
    await server.serve_forever()


def main() -> None:
    """Serves on --port."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    uvloop.run(serve(parser.parse_args().port))


if __name__ == "__main__":
    main()
