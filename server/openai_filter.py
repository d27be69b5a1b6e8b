"""Lets the streamed chunks of an engine pass the gate: looked at, and forwarded as the bytes they came in."""

from typing import Any, cast

from pydantic_core import from_json, to_json

from agents.kit import Act, Gate, Pieces
from tools.base import Failed

__all__ = ["StreamFilter"]

_TEXTS = ("content", "reasoning_content", "reasoning", "refusal")
_LONGEST = 4_000_000
"""Bytes of one event."""


class StreamFilter:
    """Takes an engine's bytes and gives events; those with a text that may be the beginning of a secret wait for more.

    Args:
        gate: judges every text, each stream of text on its own.
        act: what passes it.
        model: the id that chunks name.
        usage: whether the client asked for the chunk that carries the usage.
    """

    def __init__(self, gate: Gate, act: Act, *, model: str, usage: bool) -> None:
        self._gate, self._act, self._model, self._usage = gate, act, model, usage
        self._pieces: dict[tuple[int, str], Pieces] = {}
        self._said: dict[tuple[int, str], list[str]] = {}
        self._buffer = b""
        self._held: list[bytes] = []
        self.spent: dict[str, Any] = {}
        """The usage that the engine told."""
        self.error: dict[str, Any] | None = None
        """What it said instead of an answer."""
        self.done = False
        """True once '[DONE]' came."""
        self.finished: set[int] = set()
        """Choices that ended by themselves, with the reason 'stop'."""

    @property
    def text(self) -> str:
        """All that came out."""
        return "\n".join("".join(parts) for parts in self._said.values())

    def content(self, index: int) -> str:
        """What a choice has said."""
        return "".join(self._said.get((index, "content"), ()))

    def take(self, data: bytes) -> bytes:
        """Takes bytes as they come and gives the events that may be sent now.

        Raises:
            Refused: a guard said no.
            Failed: it is no stream of chat completion chunks.
        """
        buffer = self._buffer + data if self._buffer else data
        if b"\r" in buffer:
            buffer = buffer.replace(b"\r\n", b"\n")
        *events, self._buffer = buffer.split(b"\n\n")
        if len(self._buffer) > _LONGEST:
            raise Failed(f"The engine {self._act.name!r} sent an event of more than {_LONGEST} bytes.")
        for one in events:
            self._event(one)
            if self.done or self.error is not None:
                break
        if not self._held or any(pieces.held for pieces in self._pieces.values()):
            return b""
        free, self._held = b"".join(self._held), []
        return free

    def _event(self, one: bytes) -> None:
        if not one.startswith(b"data:") or b"\n" in one:
            one = b"data: " + b"".join(line[5:].strip() for line in one.split(b"\n") if line.startswith(b"data:"))
        value = one[5:].strip()
        if not value:
            return  # a comment, or an event of another kind
        if value == b"[DONE]":
            self.done = True
            self._end()
            return
        chunk = self._parsed(value)
        if "error" in chunk:
            self.error = chunk
            return
        try:
            self._chunk(chunk, one)
        except (AttributeError, TypeError) as error:  # looking at each part's type first would cost every chunk
            raise self._foreign() from error

    def _chunk(self, chunk: dict[str, Any], one: bytes) -> None:
        usage, changed = chunk.get("usage"), False
        if usage:
            self.spent = usage
            if not self._usage:
                if not chunk.get("choices"):
                    return
                del chunk["usage"]
                changed = True
        for choice in cast("list[dict[str, Any]]", chunk.get("choices") or ()):
            self._choice(choice)
        if chunk.get("model") != self._model:
            chunk["model"] = self._model
            changed = True
        self._held.append(b"data: " + to_json(chunk) + b"\n\n" if changed else one + b"\n\n")

    def _choice(self, choice: dict[str, Any]) -> None:
        index = choice.get("index") or 0
        delta = cast("dict[str, Any]", choice.get("delta") or {})
        for name in _TEXTS:
            if text := delta.get(name):
                self._text(index, name, text)
        if calls := delta.get("tool_calls"):
            for call in cast("list[dict[str, Any]]", calls):
                function = cast("dict[str, Any]", call.get("function") or {})
                if text := function.get("arguments"):
                    self._text(index, f"tool {call.get('index') or 0}", text)
        if (reason := choice.get("finish_reason")) is not None:
            if reason == "stop":
                self.finished.add(index)
            self._end(index)

    def _text(self, index: int, name: str, text: str) -> None:
        place = (index, name)
        pieces = self._pieces.get(place)
        if pieces is None:
            pieces = self._pieces[place] = self._gate.pieces(self._act)
            self._said[place] = []
        pieces.add(text)
        self._said[place].append(text)

    def _end(self, index: int | None = None) -> None:
        for (of, _), pieces in self._pieces.items():
            if pieces.held and (index is None or of == index):
                pieces.end()

    def _parsed(self, value: bytes) -> dict[str, Any]:
        try:
            chunk: object = from_json(value)
        except ValueError:
            chunk = None
        if not isinstance(chunk, dict):
            raise self._foreign()
        return cast("dict[str, Any]", chunk)

    def _foreign(self) -> Failed:
        return Failed(f"The engine of {self._act.name!r} sent something else than a chat completion chunk.")
