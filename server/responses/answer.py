"""A response in the making: its output, its usage, its status, and how all that is shown to a client."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from agents.kit import Usage
from server.errors import told
from tools.base import PartiturError

__all__ = ["Answer", "Spent", "Status", "shown"]

Status = Literal["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"]
_RESULTS = "file_search_call.results"


@dataclass
class Spent:
    """Tokens of all requests to the model."""

    input: int = 0
    cached: int = 0
    output: int = 0
    reasoning: int = 0

    def add_chat(self, usage: Mapping[str, Any]) -> None:
        """Adds what an engine counted."""
        self.input += _count(usage, "prompt_tokens")
        self.output += _count(usage, "completion_tokens")
        self.cached += _count(usage.get("prompt_tokens_details"), "cached_tokens")
        self.reasoning += _count(usage.get("completion_tokens_details"), "reasoning_tokens")

    def add(self, usage: Usage) -> None:
        """Adds what a use case counted."""
        self.input += usage.input_tokens
        self.output += usage.output_tokens

    def shown(self) -> dict[str, Any]:
        return {
            "input_tokens": self.input,
            "input_tokens_details": {"cached_tokens": self.cached, "cache_write_tokens": 0},
            "output_tokens": self.output,
            "output_tokens_details": {"reasoning_tokens": self.reasoning},
            "total_tokens": self.input + self.output,
        }


@dataclass
class Answer:
    """What a response is made of. Everything in it is plain JSON data."""

    id: str
    asked: Mapping[str, Any]
    """What it repeats of its request."""
    stored: bool
    status: Status = "in_progress"
    created: int = field(default_factory=lambda: int(time.time()))
    completed: int | None = None
    output: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    spent: Spent = field(default_factory=Spent)
    error: dict[str, str] | None = None
    incomplete: Literal["max_output_tokens", "content_filter"] | None = None
    extra: dict[str, Any] = field(default_factory=dict[str, Any])
    """What our responses have beyond OpenAI's."""

    @property
    def ended(self) -> bool:
        return self.status not in ("queued", "in_progress")

    def end(self, status: Status, *, incomplete: Literal["max_output_tokens", "content_filter"] | None = None) -> None:
        """Nothing comes after this."""
        self.status, self.incomplete = status, incomplete
        self.completed = int(time.time()) if status == "completed" else None

    def fail(self, error: PartiturError) -> None:
        """It ends with an error, in the words of the few codes that OpenAI has."""
        code = "rate_limit_exceeded" if error.status == 429 else "invalid_prompt"
        if error.status >= 500:
            code = "server_error"
        self.error = {"code": code, "message": told(error)}
        self.end("failed")

    def body(self) -> dict[str, Any]:
        """The whole response, as it is stored."""
        return {
            "id": self.id,
            "object": "response",
            "created_at": self.created,
            "completed_at": self.completed,
            "status": self.status,
            "error": self.error,
            "incomplete_details": {"reason": self.incomplete} if self.incomplete else None,
            **self.asked,
            "output": self.output,
            "store": self.stored,
            **({"usage": self.spent.shown()} if self.ended and self.status != "cancelled" else {}),
            **self.extra,
        }


def shown(body: Mapping[str, Any], include: Sequence[str]) -> dict[str, Any]:
    """A response or an item as a client sees it: what a search found is there where it was asked for."""
    if _RESULTS in include:
        return dict(body)
    if body.get("type") == "file_search_call":
        return {**body, "results": None}
    output = cast("list[dict[str, Any]] | None", body.get("output") if body.get("object") == "response" else None)
    if output is None:
        return dict(body)
    return {**body, "output": [shown(item, include) for item in output]}


def _count(usage: object, name: str) -> int:
    value = cast("Mapping[str, object]", usage).get(name) if isinstance(usage, Mapping) else None
    return value if isinstance(value, int) else 0
