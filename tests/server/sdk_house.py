"""The app on a port of its own, an engine behind it that says what a test wants, and the official SDK before it."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import openai
import uvicorn
from jsonschema import Draft202012Validator
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from web_house import Web, web

from server.protocol import Protocol
from tools.models import ModelConfig
from tools.models.config import Limits

__all__ = ["LOOK", "MODEL", "USAGE", "Desk", "Script", "chunk", "desk", "desk_before_engine", "problems", "whole"]

MODEL = "town/model"
"""An id with a slash, as models on the hub of all models have."""
USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
_BASE = {"id": "chatcmpl-1", "created": 1_700_000_000, "model": "model-there"}
LOOK: Any = {
    "type": "function",
    "function": {
        "name": "look_up",
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {"query": {"type": "string"}},
            "required": ["query"],
            "additionalProperties": False,
        },
    },
}
"""A function as clients declare it."""
Answer = Callable[[dict[str, Any]], Response]


@dataclass
class Script:
    """An engine: what it was sent, and what it answers next."""

    url: str = ""
    answer: Answer = lambda body: JSONResponse({})
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def says(self, *choices: dict[str, Any], **more: Any) -> None:
        """Answers with these choices, whole."""
        self.answer = lambda body: JSONResponse(whole(*choices, **more))

    def streams(self, *chunks: dict[str, Any] | bytes, end: bool = True) -> None:
        """Answers with these chunks, and at the `end` with [DONE]."""

        async def parts() -> AsyncGenerator[bytes]:
            for one in chunks:
                yield one if isinstance(one, bytes) else b"data: " + json.dumps(one).encode() + b"\n\n"
                await asyncio.sleep(0)
            if end:
                yield b"data: [DONE]\n\n"

        self.answer = lambda body: StreamingResponse(parts(), media_type="text/event-stream")

    def fails(self, status: int, message: str = "no", *, headers: dict[str, str] | None = None, **more: Any) -> None:
        """Answers with an error, as vLLM does."""
        error = {"message": message, "type": "BadRequestError", "param": None, "code": status, **more}
        self.answer = lambda body: JSONResponse({"error": error}, status_code=status, headers=headers)

    async def chat(self, request: Request) -> Response:
        self.bodies.append(await request.json())
        self.headers.append(dict(request.headers))
        return self.answer(self.bodies[-1])


def whole(*choices: dict[str, Any], usage: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """A chat completion; a choice without a message is one."""
    made = [
        {"index": at, "logprobs": None, "finish_reason": "stop", **one}
        if "message" in one
        else {
            "index": at,
            "logprobs": None,
            "finish_reason": "stop",
            "message": {"role": "assistant", "refusal": None} | one,
        }
        for at, one in enumerate(choices)
    ]
    return {**_BASE, "object": "chat.completion", "choices": made, "usage": usage or USAGE, **more}


def chunk(
    delta: dict[str, Any] | None = None, *, index: int = 0, finish: str | None = None, **more: Any
) -> dict[str, Any]:
    """A chunk of one choice; without a delta that of the usage."""
    base = {**_BASE, "object": "chat.completion.chunk"}
    if delta is None:
        return {**base, "choices": [], "usage": USAGE, **more}
    return {**base, "choices": [{"index": index, "delta": delta, "finish_reason": finish, **more}]}


@dataclass(frozen=True)
class Desk:
    """A client with its key, the server's address, and the engine behind."""

    sdk: openai.AsyncOpenAI
    url: str
    site: Web
    engine: Script


@asynccontextmanager
async def desk(home: Path, **given: Any) -> AsyncGenerator[Desk]:
    """A house of its own without a language model."""
    async with web(home, **given) as site, _before(site, Script()) as opened:
        yield opened


@asynccontextmanager
async def desk_before_engine(home: Path, **given: Any) -> AsyncGenerator[Desk]:
    """All of it, each on a free port; the model 'down' is one that nobody serves."""
    engine = Script()
    async with _on_a_port(Starlette(routes=[Route("/v1/chat/completions", engine.chat, methods=["POST"])])) as url:
        engine.url = f"{url}/v1"
        config = ModelConfig(
            engines=(engine.url,),
            server="openai",
            name="model-there",
            limits=Limits(retries=0, **given.pop("limits", {})),
        )
        down = ModelConfig(engines=("http://127.0.0.1:9/v1",), server="openai", limits=Limits(retries=0))
        async with web(home, models={MODEL: config, "down": down}, **given) as site, _before(site, engine) as opened:
            yield opened


@asynccontextmanager
async def _before(site: Web, engine: Script) -> AsyncGenerator[Desk]:
    async with _on_a_port(site.app) as base:
        await site.app.state.health.loaded.wait()
        async with openai.AsyncOpenAI(base_url=f"{base}/v1", api_key=site.key, max_retries=0) as sdk:
            yield Desk(sdk, base, site, engine)


@asynccontextmanager
async def _on_a_port(app: Starlette) -> AsyncGenerator[str]:
    started = asyncio.Event()

    class Server(uvicorn.Server):
        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            started.set()

        @contextmanager
        def capture_signals(self) -> Generator[None]:
            yield

    config = uvicorn.Config(app, host="127.0.0.1", port=0, http=Protocol, lifespan="off", log_config=None)
    server = Server(config)
    serving = asyncio.create_task(server.serve())
    await asyncio.wait_for(started.wait(), 20)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving


def problems(name: str, data: Any) -> list[str]:
    """What OpenAI's own document has against `data` as a `name`; empty where it fits."""
    schema = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": _contract()}}
    return [f"{error.json_path}: {error.message}" for error in Draft202012Validator(schema).iter_errors(data)]


def _contract() -> Any:
    """The schemas of the published OpenAPI document, 'nullable' written as JSON Schema writes it."""
    return _plain(json.loads((Path(__file__).parent / "openai_contract.json").read_text("utf-8")))


def _plain(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_plain(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: _plain(value) for name, value in schema.items() if name != "nullable"}
    return {"anyOf": [made, {"type": "null"}]} if schema.get("nullable") is True else made
