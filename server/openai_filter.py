"""Lets the streamed chunks of an engine pass the gate: every text in them, each stream of text on its own."""

from collections.abc import Generator
from typing import Any, cast

from agents.kit import Act, Gate, Pieces

__all__ = ["StreamFilter"]

_TEXTS = ("content", "reasoning_content", "reasoning", "refusal")


class StreamFilter:
    """Keeps one filter for each text of each choice; a word is sent when it is whole."""

    def __init__(self, gate: Gate, act: Act) -> None:
        self._gate, self._act = gate, act
        self._pieces: dict[tuple[int, str], Pieces] = {}
        self._said: list[str] = []

    @property
    def text(self) -> str:
        """All that came out."""
        return "".join(self._said)

    def chunk(self, chunk: dict[str, Any]) -> Generator[dict[str, Any]]:
        """`chunk` with what may be sent of it, and before the end of a choice what was still held."""
        for choice in cast("list[dict[str, Any]]", chunk.get("choices") or []):
            index = int(choice.get("index") or 0)
            delta = cast("dict[str, Any]", choice.get("delta") or {})
            for name in _TEXTS:
                if isinstance(delta.get(name), str):
                    delta[name] = self._passed(index, name, delta[name])
            for call in cast("list[dict[str, Any]]", delta.get("tool_calls") or []):
                function = cast("dict[str, Any]", call.get("function") or {})
                if isinstance(function.get("arguments"), str):
                    name = f"tool {int(call.get('index') or 0)}"
                    function["arguments"] = self._passed(index, name, function["arguments"])
            if choice.get("finish_reason") is not None:
                yield from self._rest(chunk, index)
        yield chunk

    def _passed(self, index: int, name: str, text: str) -> str:
        pieces = self._pieces.setdefault((index, name), self._gate.pieces(self._act))
        free = pieces.add(text)
        self._said.append(free)
        return free

    def _rest(self, chunk: dict[str, Any], index: int) -> Generator[dict[str, Any]]:
        for (of, name), pieces in self._pieces.items():
            if of != index or not (text := pieces.end()):
                continue
            self._said.append(text)
            delta: dict[str, Any] = {name: text}
            if name.startswith("tool "):
                delta = {"tool_calls": [{"index": int(name[5:]), "function": {"arguments": text}}]}
            yield {**chunk, "choices": [{"index": index, "delta": delta, "finish_reason": None}]}
