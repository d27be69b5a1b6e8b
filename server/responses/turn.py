"""One answer of a model, from the chunks of a chat completion to the events of a response."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, cast

from server.responses.events import CallItem, Event, Events, TextItem, TextKind
from tools.base import Failed

__all__ = ["Call", "Citing", "Turn", "as_chunk"]

_MARK = re.compile(r"\[(\d{1,4})\]")


class Tools(Protocol):
    """What a turn needs to know of the tools: which of them run here."""

    def kind(self, name: str) -> Literal["function", "mcp", "approval", "search", "over"]:
        """How a call of a tool is to be told; `over` where it is one too many and nothing is said of it."""
        ...

    def about(self, name: str) -> Mapping[str, Any]:
        """What the item of an MCP call says of the tool: its server and its name there."""
        ...


@dataclass
class Citing:
    """Passages that searches have found; a text cites them by number."""

    found: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def annotations(self, text: str) -> list[dict[str, Any]]:
        """A citation for each number in brackets that is one of a passage."""
        made: list[dict[str, Any]] = []
        for mark in _MARK.finditer(text):
            number = int(mark[1])
            if 0 < number <= len(self.found):
                one = self.found[number - 1]
                about = {"file_id": one["file_id"], "filename": one["filename"]}
                made.append({"type": "file_citation", "index": mark.start(), **about})
        return made


@dataclass
class Call:
    """A call that the model made, of whatever kind."""

    kind: Literal["function", "mcp", "approval", "search"]
    id: str
    name: str
    """As the model knows it."""
    pieces: list[str] = field(default_factory=list[str])
    item: CallItem | None = None
    """Where the call is told while it is written."""
    index: int = -1
    """Of its item in the output."""

    @property
    def arguments(self) -> str:
        return "".join(self.pieces)


class Turn:
    """Takes chunks and gives events; at last it knows what the model wants to be done."""

    def __init__(self, events: Events, tools: Tools, citing: Citing) -> None:
        self._events = events
        self._tools = tools
        self._citing = citing
        self._open: TextItem | None = None
        self._calls: dict[int, Call | None] = {}
        self._ids: dict[int, tuple[int, object]] = {}
        """By the number an engine gives: the number here, and the id it came with."""
        self._writing: int | None = None
        self.said: list[str] = []
        self.thought: list[str] = []
        self.refused = False
        self.finish: str | None = None
        self._usage: dict[str, Any] | None = None

    @property
    def calls(self) -> list[Call]:
        """What the model called, in its order, without what was one too many."""
        return [call for call in self._calls.values() if call is not None]

    @property
    def text(self) -> str:
        """What it said, of all messages."""
        return "".join(self.said)

    def chunk(self, chunk: Mapping[str, Any]) -> list[Event]:
        """The events of a chunk."""
        if usage := chunk.get("usage"):
            self._usage = cast("dict[str, Any]", usage)  # some engines tell it with every chunk, each time of the whole
        choices = cast("Sequence[Mapping[str, Any]]", chunk.get("choices") or ())
        if not choices:
            return []
        told: list[Event] = []
        choice = choices[0]
        delta = cast("Mapping[str, Any]", choice.get("delta") or {})
        if thought := delta.get("reasoning") or delta.get("reasoning_content"):
            self.thought.append(thought)
            told += self._text("reasoning_text", thought)
        if text := delta.get("content"):
            self.said.append(text)
            logprobs = cast("Mapping[str, Any]", choice.get("logprobs") or {}).get("content")
            told += self._text("output_text", text, _logprobs(logprobs))
        if refusal := delta.get("refusal"):
            self.refused = True
            told += self._text("refusal", refusal)
        for call in cast("Sequence[Mapping[str, Any]]", delta.get("tool_calls") or ()):
            told += self._call(call)
        self.finish = choice.get("finish_reason") or self.finish
        return told

    def end(self) -> list[Event]:
        """The events that close what is open. What the model's length has cut stays incomplete."""
        self._count()
        status = "incomplete" if self.finish in ("length", "content_filter") else "completed"
        return self._close_text(status) + self._close_call(status)

    def keep(self) -> None:
        """Puts what is open into the response as it is: the answer broke off."""
        self._count()
        if self._open is not None:
            self._open.keep("incomplete")
        if self._writing is not None and (call := self._calls[self._writing]) is not None and call.item is not None:
            call.item.keep("incomplete")

    def _count(self) -> None:
        usage, self._usage = self._usage, None
        if usage is not None:
            self._events.answer.spent.add_chat(usage)

    def _text(self, kind: TextKind, text: str, logprobs: Sequence[dict[str, Any]] = ()) -> list[Event]:
        told = self._close_call("completed")
        if self._open is None or self._open.kind != kind:
            told += self._close_text("completed")
            self._open, begun = TextItem.begin(self._events, kind)
            told += begun
        return told + self._open.add(text, logprobs)

    def _close_text(self, status: Literal["completed", "incomplete"]) -> list[Event]:
        if self._open is None:
            return []
        item, self._open = self._open, None
        cited = item.annotate(self._citing.annotations(item.text)) if item.kind == "output_text" else []
        return cited + item.end(status)

    def _call(self, given: Mapping[str, Any]) -> list[Event]:
        """A piece of a call: the first one has the name, all have more of the arguments."""
        function = cast("Mapping[str, Any]", given.get("function") or {})
        number, told = self._number(given, function), list[Event]()
        if number not in self._calls:
            told = self._close_text("completed") + self._close_call("completed")
            self._calls[number], begun = self._begin(str(given.get("id") or ""), str(function.get("name") or ""))
            self._writing = number
            told += begun
        call, arguments = self._calls[number], function.get("arguments")
        if call is None or not arguments:
            return told
        if number != self._writing:
            raise Failed(f"The engine went back to its call {call.name!r} after it had begun another.")
        call.pieces.append(arguments)
        return told + (call.item.add(arguments) if call.item is not None else [])

    def _number(self, given: Mapping[str, Any], function: Mapping[str, Any]) -> int:
        """Which call a piece is of; a name and another id begin a new one, for engines that number all of them alike."""
        index, id = int(given.get("index") or 0), given.get("id")
        known = self._ids.get(index)
        if known is not None and (not id or id == known[1] or not function.get("name")):
            return known[0]
        number = index if known is None else max(self._calls) + 1
        self._ids[index] = (number, id)
        return number

    def _begin(self, id: str, name: str) -> tuple[Call | None, list[Event]]:
        kind = self._tools.kind(name)
        if kind == "over":
            return None, []
        call = Call(kind, id or f"call_{self._events.answer.id[-8:]}{self._events.last + 1}", name)
        told: list[Event] = []
        if kind == "function":
            call.item, told = CallItem.begin(self._events, "function_call", {"call_id": call.id, "name": name})
        elif kind == "mcp":
            about = {**self._tools.about(name), "approval_request_id": None, "output": None, "error": None}
            call.item, told = CallItem.begin(self._events, "mcp_call", about)
        if call.item is not None:
            call.index = call.item.index
        return call, told

    def _close_call(self, status: Literal["completed", "incomplete"]) -> list[Event]:
        number, self._writing = self._writing, None
        call = self._calls.get(number) if number is not None else None
        return call.item.end(status) if call is not None and call.item is not None else []


def as_chunk(completion: Mapping[str, Any]) -> dict[str, Any]:
    """A whole chat completion as the one chunk that says it all."""
    choices: list[dict[str, Any]] = []
    for choice in cast("Sequence[dict[str, Any]]", completion.get("choices") or ()):
        message = dict(cast("Mapping[str, Any]", choice.get("message") or {}))
        calls = cast("Sequence[Mapping[str, Any]]", message.get("tool_calls") or ())
        message["tool_calls"] = [{**call, "index": at} for at, call in enumerate(calls)]
        choices.append({**choice, "delta": message})
    return {"choices": choices, "usage": completion.get("usage")}


def _logprobs(given: object) -> list[dict[str, Any]]:
    """Probabilities as responses tell them; some engines leave out what is not asked for."""
    entries = cast("list[dict[str, Any]]", given) if isinstance(given, list) else []
    return [{"bytes": [], "top_logprobs": [], **entry} for entry in entries]
