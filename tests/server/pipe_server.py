"""An MCP server on stdin and stdout that starts at once, because it imports nothing: for tests of crashes and restarts."""

import json
import os
import sys
from pathlib import Path
from typing import Any

TOOLS: list[dict[str, Any]] = [
    {"name": "forecast", "description": "The weather.", "inputSchema": {"type": "object"}},
    {"name": "crash", "description": "Takes the program with it.", "inputSchema": {"type": "object"}},
    {
        "name": "fragile",
        "description": "Takes the program with it, the first time.",
        "inputSchema": {"type": "object", "required": ["mark"]},
        "annotations": {"readOnlyHint": True},
    },
    {"name": "seen", "description": "What reaches the program.", "inputSchema": {"type": "object"}},
]


def call(name: str, arguments: dict[str, Any], whole: dict[str, Any]) -> dict[str, Any]:
    match name:
        case "crash":
            os._exit(3)
        case "fragile" if not Path(arguments["mark"]).exists():
            Path(arguments["mark"]).touch()
            os._exit(3)
        case "seen":
            return {"request": whole, "environment": dict(os.environ)}
        case _:
            return {"pid": os.getpid(), **arguments}


def answer(asked: dict[str, Any]) -> dict[str, Any] | None:
    match asked.get("method"):
        case "initialize":
            version = asked["params"]["protocolVersion"]
            about = {"name": "weather", "version": "1"}
            return {"result": {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": about}}
        case "tools/list":
            return {"result": {"tools": TOOLS}}
        case "tools/call":
            params = asked["params"]
            given = call(params["name"], params.get("arguments", {}), asked)
            content = [{"type": "text", "text": json.dumps(given)}]
            return {"result": {"content": content, "structuredContent": given}}
        case "ping":
            return {"result": {}}
        case _:
            return {"error": {"code": -32601, "message": "Method not found"}}


for line in sys.stdin:
    message = json.loads(line)
    if "id" in message and (told := answer(message)) is not None:
        print(json.dumps({"jsonrpc": "2.0", "id": message["id"], **told}), flush=True)
