"""Chat completion chunks of use cases, with exact framing."""

import secrets
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from agents.kit import Done, Event, Piece, Usage
from server.streaming import END, event
from server.words import shortfall

__all__ = ["Framing", "answer_chunks", "usage_of"]


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


def usage_of(usage: Usage) -> dict[str, int]:
    """Usage as OpenAI counts it."""
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }


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
