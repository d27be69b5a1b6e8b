"""An OpenAI-compatible engine on a loopback port that answers by script: a real HTTP path without weights."""

import json
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}


@dataclass
class FakeEngine:
    """What it answers and what it was asked."""

    url: str = ""
    output: dict[str, Any] = field(default_factory=dict)
    """What it fills a JSON schema with."""
    search: str = "Hund"
    """What it looks up first where it is given tools."""
    bodies: list[dict[str, Any]] = field(default_factory=list)

    async def chat(self, request: Request) -> Response:
        body = await request.json()
        self.bodies.append(body)
        base = {"id": "chatcmpl-1", "created": 1, "model": body["model"]}
        message = self._message(body)
        reason = "tool_calls" if "tool_calls" in message else "stop"
        if not body.get("stream"):
            choice = {"index": 0, "message": message, "finish_reason": reason}
            return JSONResponse({**base, "object": "chat.completion", "choices": [choice], "usage": USAGE})

        def chunk(delta: dict[str, Any], end: str | None = None, usage: dict[str, int] | None = None) -> str:
            choices = [] if usage else [{"index": 0, "delta": delta, "finish_reason": end}]
            data = {
                **base,
                "object": "chat.completion.chunk",
                "choices": choices,
                **({"usage": usage} if usage else {}),
            }
            return f"data: {json.dumps(data)}\n\n"

        def chunks() -> Generator[str]:
            if "tool_calls" in message:
                yield chunk(
                    {"role": "assistant", "tool_calls": [{"index": 0, **call} for call in message["tool_calls"]]}
                )
            else:
                text = message["content"]
                for at in range(0, len(text), 7):
                    yield chunk({"role": "assistant", "content": text[at : at + 7]})
            yield chunk({}, reason)
            yield chunk({}, usage=USAGE)
            yield "data: [DONE]\n\n"

        return StreamingResponse(chunks(), media_type="text/event-stream")

    def _message(self, body: dict[str, Any]) -> dict[str, Any]:
        asked_before = any(message["role"] == "tool" for message in body["messages"])
        if body.get("tools") and not asked_before:
            name = body["tools"][0]["function"]["name"]
            function = {"name": name, "arguments": json.dumps({"query": self.search})}
            return {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "call-1", "type": "function", "function": function}],
            }
        if body.get("response_format", {}).get("type") == "json_schema":
            return {"role": "assistant", "content": json.dumps(self.output, ensure_ascii=False)}
        return {"role": "assistant", "content": "Guten Tag. Ich bin ein Modell."}

    async def models(self, request: Request) -> Response:
        return JSONResponse({"object": "list", "data": [{"id": "town-model", "object": "model"}]})


@contextmanager
def serve_fake_engine() -> Generator[FakeEngine]:
    """Serves it while the block lasts."""
    fake = FakeEngine()
    app = Starlette(
        routes=[
            Route("/v1/chat/completions", fake.chat, methods=["POST"]),
            Route("/v1/models", fake.models),
        ]
    )
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 10
    while not server.started:
        if time.monotonic() > deadline:
            raise RuntimeError("The fake engine did not start within ten seconds.")
        time.sleep(0.01)
    fake.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/v1"
    try:
        yield fake
    finally:
        server.should_exit = True
        thread.join(5)
