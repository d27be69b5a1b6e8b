"""Server-sent events: chat completion chunks with exact framing, kept alive, closed with the client."""

import asyncio
import json
import logging
import secrets
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, TypeVar

import anyio
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from agents.kit import Done, Event, Piece, Usage
from server.body import while_connected
from server.errors import Broken, openai_error
from server.words import shortfall
from tools.base import Failed, PartiturError, Unavailable

__all__ = ["END", "EventStream", "Framing", "answer_chunks", "begun", "event", "usage_of"]

T = TypeVar("T")
log = logging.getLogger(__name__)
END = b"data: [DONE]\n\n"
"""The event after the last chunk."""
ALIVE = b": keep-alive\n\n"
"""A comment; clients pass over it."""
_FIRST = 5.0
"""Seconds that the first event is waited for, so that an early error still has its status."""
_BEAT = 15.0
"""Seconds of silence after which a comment keeps proxies from closing the stream."""


@dataclass(frozen=True, kw_only=True)
class Framing:
    """How the chunks of one answer look."""

    model: str
    as_json: bool = False
    include_usage: bool = False
    id: str = field(default_factory=lambda: f"chatcmpl-{secrets.token_hex(16)}")
    created: int = field(default_factory=lambda: int(time.time()))

    def chunk(self, delta: dict[str, Any], *, finish: str | None = None, **more: object) -> bytes:
        """A chunk with one choice."""
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return self._event([choice], usage=None, **more)

    def spent(self, usage: dict[str, int]) -> bytes:
        """The chunk that carries the usage and no choice; nothing where it was not asked for."""
        return self._event([], usage=usage) if self.include_usage else b""

    def _event(self, choices: list[dict[str, Any]], *, usage: dict[str, int] | None, **more: object) -> bytes:
        chunk: dict[str, Any] = {
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "choices": choices,
        }
        if self.include_usage:
            chunk["usage"] = usage
        return event(chunk | more)


def event(data: object) -> bytes:
    """One server-sent event."""
    return b"data: " + json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"


def usage_of(usage: Usage) -> dict[str, int]:
    """Usage as OpenAI counts it."""
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }


class EventStream(Response):
    """Sends events as they come. A client that goes away ends them; so does an error, with an event that tells it."""

    def __init__(self, events: AsyncGenerator[bytes]) -> None:
        super().__init__(media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})
        self.headers["cache-control"] = "no-cache"
        del self.headers["content-length"]
        self._events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with aclosing(self._events), anyio.create_task_group() as tasks:
            tasks.start_soon(_until_gone, receive, tasks.cancel_scope)
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            try:
                async for data in self._events:
                    if data:
                        await send({"type": "http.response.body", "body": data, "more_body": True})
            except PartiturError as error:
                await send({"type": "http.response.body", "body": event(openai_error(error)), "more_body": True})
            except asyncio.CancelledError:
                if not tasks.cancel_scope.cancel_called:  # not the client: the server stops
                    stopped = openai_error(Unavailable("The server stopped before the answer was whole."))
                    with anyio.CancelScope(shield=True):
                        await send({"type": "http.response.body", "body": event(stopped), "more_body": True})
                        await send({"type": "http.response.body", "body": b"", "more_body": False})
                raise
            except OSError:
                return  # the client went away while something was sent
            except Exception:
                log.exception("Stream failed")
                failed = openai_error(Broken("The answer broke off inside the server."))
                await send({"type": "http.response.body", "body": event(failed), "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            tasks.cancel_scope.cancel()


async def begun(request: Request, chunks: AsyncGenerator[bytes]) -> EventStream:
    """A stream whose first chunk is there, or was waited for long enough: an early error still has its own status.

    Raises:
        PartiturError: it failed before it began.
    """
    beating = with_beats(chunks, first=_FIRST, every=_BEAT)
    try:
        head = await while_connected(request, _next(beating))
    except BaseException:
        await beating.aclose()
        raise
    return EventStream(_joined(head, beating))


async def answer_chunks(events: AsyncGenerator[Event], framing: Framing) -> AsyncGenerator[bytes]:
    """The answer of a use case as chunks; its envelope rides on the last one."""
    opened = False
    async with aclosing(events):
        async for current in events:
            if not opened:
                yield framing.chunk({"role": "assistant", "content": "", "refusal": None})
                opened = True
            match current:
                case Piece(text) if not framing.as_json:
                    yield framing.chunk({"content": text})
                case Done(result):
                    if result.output is None:
                        yield framing.chunk({"refusal" if framing.as_json else "content": result.message or ""})
                    elif framing.as_json:
                        yield framing.chunk({"content": result.output.model_dump_json()})
                    elif rest := shortfall(result):
                        yield framing.chunk({"content": rest})
                    yield framing.chunk({}, finish="stop", partitur=result.model_dump(mode="json"))
                    yield framing.spent(usage_of(result.usage))
                    yield END
                case _:
                    pass  # steps and partial outputs are told at interfaces that have a place for them


async def _joined(head: bytes | None, rest: AsyncGenerator[bytes | None]) -> AsyncGenerator[bytes]:
    async with aclosing(rest):
        yield ALIVE if head is None else head
        async for item in rest:
            yield ALIVE if item is None else item


async def _next(items: AsyncGenerator[T]) -> T:
    try:
        return await anext(items)
    except StopAsyncIteration:
        raise Failed("The answer ended before it began. Expected chunks.") from None


async def with_beats(items: AsyncGenerator[T], *, first: float, every: float) -> AsyncGenerator[T | None]:
    """What `items` gives, and None after each silence of `every` seconds (`first` before the first one)."""
    upcoming: asyncio.Future[T] | None = None
    silence = first
    try:
        while True:
            upcoming = upcoming or asyncio.ensure_future(anext(items))
            done, _ = await asyncio.wait({upcoming}, timeout=silence)
            silence = every
            if not done:
                yield None
                continue
            try:
                item = upcoming.result()
            except StopAsyncIteration:
                return
            finally:
                upcoming = None
            yield item
    finally:
        with anyio.CancelScope(shield=True):  # who went away must not keep the run from being stopped in order
            if upcoming is not None:
                upcoming.cancel()
                await asyncio.gather(upcoming, return_exceptions=True)
            await items.aclose()


async def _until_gone(receive: Receive, scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()
