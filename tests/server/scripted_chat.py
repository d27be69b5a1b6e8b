"""Models that answer by script, and the routes of responses over them: whole or in small chunks, as an engine would."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import httpx2
import openai
from starlette.applications import Starlette
from starlette.middleware import Middleware

import agents.kit.agent
import tools.knowledge.server
from server import House, Settings, open_house
from server.identity import Door
from server.keys import KeyStore, KeyVerifier
from server.responses import ResponsesApi
from server.state.vector_files import VectorFiles
from server.state.vector_stores import VectorStores
from server.vector_search import VectorSearch
from tools.base import Caller

MODEL = "town-model"
WARM = (agents.kit.agent, tools.knowledge.server)
"""Dear to import, and no part of what a test measures, as is the first use of an engine."""
USAGE = {
    "prompt_tokens": 10,
    "completion_tokens": 5,
    "total_tokens": 15,
    "prompt_tokens_details": {"cached_tokens": 4},
    "completion_tokens_details": {"reasoning_tokens": 2},
}


def says(text: str, **more: Any) -> dict[str, Any]:
    return {"content": text, **more}


def calls(*made: tuple[str, str], **more: Any) -> dict[str, Any]:
    """An answer with calls of functions, each a name and its arguments."""
    return {
        "tool_calls": [
            {"id": f"call-{at}", "type": "function", "function": {"name": name, "arguments": arguments}}
            for at, (name, arguments) in enumerate(made)
        ],
        "finish_reason": "tool_calls",
        **more,
    }


@dataclass
class ScriptedChat:
    """Gives its answers in their order; an exception among them is raised, and an event waited for."""

    script: list[dict[str, Any] | Exception | asyncio.Event] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    callers: list[Caller] = field(default_factory=list)
    priorities: list[int] = field(default_factory=list)
    began: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when it is asked."""
    stopped: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when somebody who was waited for went away."""

    def plays(self, *script: dict[str, Any] | Exception | asyncio.Event) -> "ScriptedChat":
        self.script, self.asked = list(script), []
        self.began.clear()
        self.stopped.clear()
        return self

    async def complete(self, data: Mapping[str, Any], caller: Caller, *, priority: int = 0) -> dict[str, Any]:
        self.priorities.append(priority)
        message = await self._next(data, caller)
        reason = message.pop("finish_reason", "stop")
        logprobs = message.pop("logprobs", None)
        broken = message.pop("breaks", None)
        if broken is not None:
            raise broken
        message = {"role": "assistant", "content": None, **message}
        choice = {"index": 0, "message": message, "finish_reason": reason, "logprobs": logprobs}
        return {"id": "chatcmpl-1", "object": "chat.completion", "choices": [choice], "usage": USAGE}

    async def chunks(
        self, data: Mapping[str, Any], caller: Caller, *, priority: int = 0
    ) -> AsyncGenerator[dict[str, Any]]:
        self.priorities.append(priority)
        message = await self._next(data, caller)
        reason, logprobs = message.pop("finish_reason", "stop"), message.pop("logprobs", None)
        broken = message.pop("breaks", None)
        for delta in _deltas(message):
            yield {"choices": [{"index": 0, "delta": delta, "finish_reason": None, "logprobs": logprobs}]}
        if broken is not None:
            raise broken
        yield {"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}
        yield {"choices": [], "usage": USAGE}

    async def _next(self, data: Mapping[str, Any], caller: Caller) -> dict[str, Any]:
        self.asked.append(dict(data))
        self.callers.append(caller)
        self.began.set()
        while True:
            step = self.script.pop(0)
            if isinstance(step, Exception):
                raise step
            if isinstance(step, dict):
                return dict(step)
            try:
                await step.wait()
            except asyncio.CancelledError:
                self.stopped.set()
                raise


def _deltas(message: dict[str, Any]) -> list[dict[str, Any]]:
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    for name in ("reasoning", "content", "refusal"):
        text = message.get(name) or ""
        deltas += [{name: text[at : at + 6]} for at in range(0, len(text), 6)]
    for at, call in enumerate(message.get("tool_calls", ())):
        at = 0 if message.get("alike") else at
        arguments = call["function"]["arguments"]
        first = {"index": at, "id": call["id"], "type": "function", "function": {**call["function"], "arguments": ""}}
        deltas.append({"tool_calls": [first]})
        for place in range(0, len(arguments), 6):
            piece = {"index": at, "function": {"arguments": arguments[place : place + 6]}}
            deltas.append({"tool_calls": [piece]})
    return deltas


@dataclass(frozen=True)
class Town:
    """The routes of responses over an open house and scripted models."""

    house: House
    api: ResponsesApi
    chat: ScriptedChat
    app: Starlette
    key: str
    client: httpx.AsyncClient
    sdk: openai.AsyncOpenAI

    def other(self) -> openai.AsyncOpenAI:
        """The SDK in the hands of somebody else."""
        keys = KeyStore(self.house.settings.home)
        return _sdk(self.app, keys.add("other"))


@asynccontextmanager
async def town(home: Path, *, key: str | None = None, **given: Any) -> AsyncGenerator[Town]:
    """Opens it over a new house; over the home of another one, with its key, it is a further worker."""
    async with open_house(Settings(home=home, **given)) as house:
        for engine in house.runtime.engines.all.values():
            _ = engine.model
        keys = KeyStore(home)
        key = key or keys.first() or keys.add("again")
        chat = ScriptedChat()
        vectors = VectorSearch(
            house, VectorStores(house.state, home="test"), VectorFiles(house.state, worker="test", home="test")
        )
        api = ResponsesApi(house, chat, lambda: [MODEL], lambda: vectors)
        door = Middleware(Door, verify=KeyVerifier(keys, None), open_paths=(), max_body_bytes=20_000_000)
        app = Starlette(routes=api.routes(), middleware=[door])
        headers = {"Authorization": f"Bearer {key}"}
        transport = httpx.ASGITransport(app)
        async with (
            httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers) as client,
            _sdk(app, key) as sdk,
        ):
            yield Town(house, api, chat, app, key, client, sdk)


def _sdk(app: Starlette, key: str) -> openai.AsyncOpenAI:
    client = httpx2.AsyncClient(transport=httpx2.ASGITransport(app))
    return openai.AsyncOpenAI(base_url="http://test/v1", api_key=key, max_retries=0, http_client=client)
