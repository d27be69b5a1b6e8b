"""The events of a response as it comes to be, numbered; telling them and keeping the response are one act."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from server.errors import openai_error
from server.responses.answer import Answer, shown
from server.responses.items import item_id
from tools.base import PartiturError

__all__ = ["CallItem", "Event", "Events", "TextItem", "TextKind"]

Event = dict[str, Any]
"""`type`, `sequence_number`, and what the type has beside."""
TextKind = Literal["output_text", "refusal", "reasoning_text"]
_DELTAS: Mapping[TextKind, str] = {
    "output_text": "response.output_text",
    "refusal": "response.refusal",
    "reasoning_text": "response.reasoning_text",
}
_FIELDS: Mapping[TextKind, str] = {"output_text": "text", "refusal": "refusal", "reasoning_text": "text"}


class Events:
    """Makes the events of one response, and the response with them."""

    def __init__(self, answer: Answer, include: Sequence[str] = ()) -> None:
        self.answer = answer
        self._include = tuple(include)
        self._next = 0

    def event(self, type: str, **more: Any) -> Event:
        """The next event."""
        made = {"type": type, "sequence_number": self._next, **more}
        self._next += 1
        return made

    def state(self, name: Literal["created", "queued", "in_progress", "completed", "incomplete", "failed"]) -> Event:
        """An event with the whole response."""
        return self.event(f"response.{name}", response=shown(self.answer.body(), self._include))

    def error(self, error: PartiturError) -> Event:
        """Something went wrong; what becomes of the response is told beside it."""
        said = openai_error(error)["error"]
        return self.event("error", **{name: said[name] for name in ("code", "message", "param")})

    def added(self, item: dict[str, Any]) -> Event:
        """A new item at the end of the output; it gets its id."""
        item = {"id": item_id(item["type"], self.answer.id), **item}
        self.answer.output.append(item)
        return self.event("response.output_item.added", output_index=self.last, item=dict(item))

    def of(self, index: int, type: str, **more: Any) -> Event:
        """An event about an item."""
        return self.event(type, item_id=self.answer.output[index]["id"], output_index=index, **more)

    def done(self, index: int) -> Event:
        """An item is whole."""
        item = shown(self.answer.output[index], self._include)
        return self.event("response.output_item.done", output_index=index, item=item)

    @property
    def last(self) -> int:
        """Index of the newest item."""
        return len(self.answer.output) - 1


@dataclass
class TextItem:
    """A message or a train of thought that is being written. Its parts follow one another, each of one kind."""

    events: Events
    index: int
    kind: TextKind
    pieces: list[str] = field(default_factory=list[str])
    logprobs: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    annotations: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    @classmethod
    def begin(cls, events: Events, kind: TextKind) -> tuple["TextItem", list[Event]]:
        """Opens an item with one part."""
        if kind == "reasoning_text":
            added = events.added({"type": "reasoning", "summary": [], "content": [], "status": "in_progress"})
        else:
            added = events.added({"type": "message", "role": "assistant", "status": "in_progress", "content": []})
        item = cls(events, events.last, kind)
        return item, [added, item._about("response.content_part.added", part=item._part())]

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    def add(self, text: str, logprobs: Sequence[dict[str, Any]] = ()) -> list[Event]:
        """More of its text."""
        self.pieces.append(text)
        self.logprobs += logprobs
        more = {"logprobs": list(logprobs)} if self.kind == "output_text" else {}
        return [self._about(f"{_DELTAS[self.kind]}.delta", delta=text, **more)]

    def annotate(self, annotations: Sequence[dict[str, Any]]) -> list[Event]:
        """Where something in the text is from."""
        first, type = len(self.annotations), "response.output_text.annotation.added"
        self.annotations += annotations
        return [
            self._about(type, annotation_index=at, annotation=annotation)
            for at, annotation in enumerate(annotations, first)
        ]

    def end(self, status: Literal["completed", "incomplete"] = "completed") -> list[Event]:
        """The item is whole, or as far as it came."""
        self.keep(status)
        more = {"logprobs": self.logprobs} if self.kind == "output_text" else {}
        said = {_FIELDS[self.kind]: self.text, **more}
        return [
            self._about(f"{_DELTAS[self.kind]}.done", **said),
            self._about("response.content_part.done", part=self._part()),
            self.events.done(self.index),
        ]

    def keep(self, status: Literal["completed", "incomplete"]) -> None:
        """Puts what there is into the response, without a word."""
        self.events.answer.output[self.index] |= {"status": status, "content": [self._part()]}

    def _about(self, type: str, **more: Any) -> Event:
        return self.events.of(self.index, type, content_index=0, **more)

    def _part(self) -> dict[str, Any]:
        part: dict[str, Any] = {"type": self.kind, _FIELDS[self.kind]: self.text}
        if self.kind == "output_text":
            part |= {"annotations": list(self.annotations), "logprobs": list(self.logprobs)}
        return part


@dataclass
class CallItem:
    """A call of a function or of a tool whose arguments are being written."""

    events: Events
    index: int
    kind: Literal["function_call", "mcp_call"]
    pieces: list[str] = field(default_factory=list[str])

    @classmethod
    def begin(
        cls, events: Events, kind: Literal["function_call", "mcp_call"], about: Mapping[str, Any]
    ) -> tuple["CallItem", list[Event]]:
        """Opens the item."""
        told = [events.added({"type": kind, "status": "in_progress", "arguments": "", **about})]
        if kind == "mcp_call":
            told.append(events.of(events.last, "response.mcp_call.in_progress"))
        return cls(events, events.last, kind), told

    @property
    def arguments(self) -> str:
        return "".join(self.pieces)

    def add(self, text: str) -> list[Event]:
        """More of its arguments."""
        self.pieces.append(text)
        return [self.events.of(self.index, f"response.{self.kind}_arguments.delta", delta=text)]

    def end(self, status: Literal["completed", "incomplete"] = "completed") -> list[Event]:
        """The arguments are whole. A function call is then too; a tool has still to be called."""
        self.keep(status)
        item = self.events.answer.output[self.index]
        name = {"name": item["name"]} if self.kind == "function_call" else {}
        arguments = item["arguments"]
        told = [self.events.of(self.index, f"response.{self.kind}_arguments.done", arguments=arguments, **name)]
        if self.kind == "function_call" or status == "incomplete":
            told.append(self.events.done(self.index))
        return told

    def keep(self, status: Literal["completed", "incomplete"]) -> None:
        """Puts what there is into the response, without a word."""
        state = "in_progress" if self.kind == "mcp_call" and status == "completed" else status
        self.events.answer.output[self.index] |= {"arguments": self.arguments, "status": state}
