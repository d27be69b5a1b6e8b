"""Chat completion chunks of use cases, with exact framing."""

import secrets
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from agents.kit import Done, Event, Piece, Result, StepFinished, StepStarted, Usage
from server.openai_annotations import annotations
from server.streaming import END, event
from server.words import shortfall

__all__ = ["Framing", "answer_chunks", "usage_of"]


@dataclass(frozen=True, kw_only=True)
class Framing:
    """How the chunks of one answer look."""

    model: str
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


async def answer_chunks(
    events: AsyncGenerator[Event],
    framing: Framing,
    *,
    as_json: bool = False,
    fits: Callable[[str], None] | None = None,
    progress: bool = False,
) -> AsyncGenerator[bytes]:
    """The answer of a use case as chunks; its sources and its envelope ride on the last one.

    Args:
        events: of the run.
        framing: of the chunks.
        as_json: the content is the typed output, in one piece.
        fits: raises where the JSON is not what the client asked for, before any of it is sent.
        progress: steps that begin and end are told too, by chunks that add nothing to the text.
    """
    first, said = {"role": "assistant", "content": "", "refusal": None}, ""
    async with aclosing(events):
        async for current in events:
            delta: dict[str, Any] | None = None
            told: dict[str, Any] = {}
            match current:
                case Piece(text) if not as_json:
                    delta = {"content": text}
                case Done(result):
                    delta = _rest(result, as_json)
                    if fits and as_json and "content" in delta:
                        fits(delta["content"])
                case StepStarted(id, name, kind) if progress:
                    told = {"id": id, "name": name, "kind": kind, "state": "started"}
                case StepFinished(step) if progress:
                    told = {**step.model_dump(mode="json", exclude={"prompt"}), "state": "finished"}
                case _:
                    pass  # partial outputs are told at interfaces that have a place for them
            if first and (delta is not None or told):
                yield framing.chunk(first)
                first = {}
            if told:
                yield framing.chunk({"content": ""}, partitur={"progress": told})
            if delta:
                said += delta.get("content", "")
                yield framing.chunk(delta)
            if isinstance(current, Done):
                last = (
                    {"annotations": made}
                    if (made := annotations(said, current.result.citations, current.result.support))
                    else {}
                )
                yield framing.chunk(last, finish="stop", partitur=current.result.model_dump(mode="json"))
                yield framing.spent(usage_of(current.result.usage))
                yield END


def _rest(result: Result[Any], as_json: bool) -> dict[str, Any]:
    """What is still to be said when a run is done; empty where all has been."""
    if result.output is None:
        return {"refusal" if as_json else "content": result.message or ""}
    rest = result.output.model_dump_json() if as_json else shortfall(result)
    return {"content": rest} if rest else {}
