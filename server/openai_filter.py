"""Lets the streamed chunks of an engine pass the gate: looked at, and forwarded as the bytes they came in."""

from typing import Any, cast

from pydantic_core import from_json, to_json

from agents.kit import Act, Gate, Pieces
from tools.base import Failed

__all__ = ["StreamFilter"]

_NOTHING: dict[str, Any] = {}
_FIRST = (0, "content")
"""The text of the first choice."""
_LONGEST = 4_000_000
"""Bytes of one event."""
_WHOLE = frozenset({"id", "name", "type"})
"""What is never told in pieces; nothing that comes later makes it longer."""


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
        self._buffer, self._begun = b"", False
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
        if not self._begun:
            self._begun = True
            data = data.removeprefix(b"\xef\xbb\xbf")  # a byte order mark is no part of the first event
        buffer = self._buffer + data if self._buffer else data
        if b"\r" in buffer:
            buffer = buffer.replace(b"\r\n", b"\n")
        *events, self._buffer = buffer.split(b"\n\n")
        if len(self._buffer) > _LONGEST:
            raise Failed(f"The engine {self._act.name!r} sent an event of more than {_LONGEST} bytes.")
        values = self._values(events)
        if values:
            try:
                self._chunks(values, self._parsed(values))
            except (AttributeError, TypeError) as error:  # looking at each part's type first would cost every chunk
                raise self._foreign() from error
        if self.done:
            self._end()
        if not self._held or any(pieces.held for pieces in self._pieces.values()):
            return b""
        free, self._held = b"".join(self._held), []
        return free

    def _values(self, events: list[bytes]) -> list[bytes]:
        """The data of the events, up to the end of the stream; comments and events of other kinds have none."""
        values: list[bytes] = []
        for one in events:
            if one.startswith(b"data: ") and b"\n" not in one:
                value = one[6:]
            else:
                value = b"".join(line[5:].strip() for line in one.split(b"\n") if line.startswith(b"data:"))
            if value.startswith(b"[DONE]"):
                self.done = True
                break
            if value:
                values.append(value)
        return values

    def _chunks(self, values: list[bytes], chunks: list[dict[str, Any]]) -> None:
        """What came at once is judged at once."""
        found: dict[tuple[int, str], list[str]] = {}
        ended: list[int] = []
        for value, chunk in zip(values, chunks, strict=True):
            if (text := self._plain(chunk)) is not None:
                found.setdefault(_FIRST, []).append(text)
                self._held += (b"data: ", value, b"\n\n")
                continue
            if "error" in chunk:
                self.error = chunk
                break
            usage, changed = chunk.get("usage"), False
            if usage:
                self.spent = usage
                if not self._usage:
                    if not chunk.get("choices"):
                        continue
                    del chunk["usage"]
                    changed = True
            for choice in chunk.get("choices") or ():
                self._choice(choice, found)
                if (reason := choice.get("finish_reason")) is not None:
                    ended.append(choice.get("index") or 0)
                    if reason == "stop":
                        self.finished.add(ended[-1])
            if chunk.get("model") != self._model:
                chunk["model"] = self._model
                changed = True
            self._held += (b"data: ", to_json(chunk) if changed else value, b"\n\n")
        for place, parts in found.items():
            self._text(place, "".join(parts))
        for index in ended:
            self._end(index)

    def _plain(self, chunk: dict[str, Any]) -> str | None:
        """The text of a chunk as nearly all are: a piece of the one answer and nothing else; None for any other."""
        choices = chunk.get("choices")
        if not choices or len(choices) > 1 or chunk.get("usage") or chunk.get("model") != self._model:
            return None
        choice = choices[0]
        delta = choice.get("delta")
        if not delta or len(delta) > 1 or choice.get("index") or choice.get("finish_reason") is not None:
            return None
        text = delta.get("content")
        return text if type(text) is str and "error" not in chunk else None

    def _choice(self, choice: dict[str, Any], found: dict[tuple[int, str], list[str]]) -> None:
        """Puts every text of a choice with those of the same stream of text."""
        index = choice.get("index") or 0
        if (text := choice.get("text")) is not None:  # of a completion that is no chat
            found.setdefault((index, "text"), []).append(text)
        for name, value in cast("dict[str, Any]", choice.get("delta") or _NOTHING).items():
            if value and (name != "role" or value != "assistant"):
                _gather(index, name, value, found)

    def _text(self, place: tuple[int, str], text: str) -> None:
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

    def _parsed(self, values: list[bytes]) -> list[dict[str, Any]]:
        try:
            chunks: list[dict[str, Any]] = from_json(b"[" + b",".join(values) + b"]")
        except ValueError:
            raise self._foreign() from None
        if len(chunks) != len(values) or not all(type(chunk) is dict for chunk in chunks):
            raise self._foreign()
        return chunks

    def _foreign(self) -> Failed:
        return Failed(f"The engine of {self._act.name!r} sent something else than a chat completion chunk.")


def _gather(index: int, name: str, value: object, found: dict[tuple[int, str], list[str]], end: str = "") -> None:
    """Puts every text in a field with what came of that field before: the pieces of each are one text, and no other's."""
    if isinstance(value, str):
        found.setdefault((index, name), []).append(value + end)
    elif isinstance(value, dict):
        for part, inner in cast("dict[str, object]", value).items():
            _gather(index, f"{name}.{part}", inner, found, "\n" if part in _WHOLE else "")
    elif isinstance(value, list):
        for number, item in enumerate(cast("list[dict[str, object] | str | None]", value)):
            at = item.get("index") if isinstance(item, dict) else None
            _gather(index, f"{name}.{number if at is None else at}", item, found)
