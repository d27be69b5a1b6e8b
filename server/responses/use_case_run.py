"""A use case as a response: its readable text with its sources, or its typed output as JSON, and the envelope beside it."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

from pydantic import BaseModel, ValidationError

from agents.kit import Done, Piece, Result, UseCase, from_text
from agents.kit import Event as RunEvent
from server.errors import InvalidParameter
from server.house import House
from server.openai_annotations import annotations
from server.openai_format import AskedFormat
from server.responses.conversation import last_said
from server.responses.events import Event, Events, TextItem, TextKind
from server.responses.items import Item
from server.responses.request import Asked, Format, FunctionTool
from server.schemas import Schema
from server.words import shortfall, words
from tools.base import Caller, InvalidInput, TooLong

__all__ = ["UseCaseRun"]


class UseCaseRun:
    """The work of one response of a use case.

    Raises:
        InvalidParameter: the request asks for what only a model can do, or its input does not fit.
    """

    def __init__(
        self,
        use_case: UseCase[Any, Any],
        asked: Asked,
        items: Sequence[Item],
        events: Events,
        *,
        house: House,
        caller: Caller,
        streamed: bool,
    ) -> None:
        _check(asked, use_case.name)
        self._fits = _format(asked.format, use_case)
        self._history, text = last_said(items)
        self._given = _input(use_case, text)
        self._use_case = use_case
        self._events = events
        self._house = house
        self._caller = caller
        self._streamed = streamed
        self._as_json = asked.format.type != "text"
        self._open: TextItem | None = None

    async def events(self) -> AsyncGenerator[Event]:
        """All events between the begin and the end of the response.

        Raises:
            PartiturError: a required step failed, a guard refused, an engine is down.
        """
        async with aclosing(self._run()) as events:
            async for event in events:
                match event:
                    case Piece(text) if not self._as_json:
                        for told in self._text("output_text", text):
                            yield told
                    case Done(result):
                        for told in self._end(result):
                            yield told
                    case _:
                        pass  # steps and partial outputs have no place here; the envelope has the steps

    def keep(self) -> None:
        """The answer broke off: what there is of it stays in the response."""
        if self._open is not None:
            self._open.keep("incomplete")

    async def _run(self) -> AsyncGenerator[RunEvent]:
        house, caller, history = self._house, self._caller, self._history
        if not self._streamed:
            yield Done(await house.ask(self._use_case, self._given, caller=caller, history=history))
            return
        async with aclosing(house.stream(self._use_case, self._given, caller=caller, history=history)) as events:
            async for event in events:
                yield event

    def _text(self, kind: TextKind, text: str) -> list[Event]:
        told: list[Event] = []
        if self._open is None:
            self._open, told = TextItem.begin(self._events, kind)
        return told + self._open.add(text) if text else told

    def _end(self, result: Result[Any]) -> list[Event]:
        """What is still to be said, its sources, and the end of the message."""
        answer = self._events.answer
        answer.spent.add(result.usage)
        answer.extra["partitur"] = result.model_dump(mode="json")
        if result.output is None:
            told = self._text("refusal" if self._as_json else "output_text", result.message or "")
        elif self._as_json:
            made = result.output.model_dump_json()
            if self._fits is not None:
                self._fits.check(made)
            told = self._text("output_text", made)
        else:
            told = self._text("output_text", words(result) if self._open is None else shortfall(result))
        item, self._open = self._open, None
        assert item is not None
        if item.kind == "output_text" and not self._as_json:
            told += item.annotate(
                [
                    {"type": one["type"], **one[one["type"]]}
                    for one in annotations(item.text, result.citations, result.support)
                ]
            )
        return told + item.end()


def _format(format: Format, use_case: UseCase[Any, Any]) -> AskedFormat | None:
    """What the typed output has to fit besides its own type; None where no schema says."""
    if format.type != "json_schema":
        return None
    Schema(format.schema_ or {}, param="text.format.schema")
    own = use_case.output.model_json_schema(mode="serialization")
    return AskedFormat(use_case.name, own, format.schema_ or {}, param="text.format")


def _input(use_case: UseCase[Any, Any], text: str) -> BaseModel:
    """What the user said last, as the input of the use case."""
    try:
        return from_text(use_case.input, text)
    except InvalidInput as error:
        cause = error.__cause__
        if isinstance(cause, ValidationError) and cause.errors(include_url=False)[0]["type"] == "string_too_long":
            raise TooLong(error.message, hint=error.hint) from error
        raise InvalidParameter(error.message, param="input", hint=error.hint) from error


def _check(asked: Asked, name: str) -> None:
    """A use case has tools of its own and calls none of the client's."""
    for at, tool in enumerate(asked.tools or ()):
        if not isinstance(tool, FunctionTool):
            raise InvalidParameter(
                f"The use case {name!r} has tools of its own. Expected no tool of the type {tool.type!r}.",
                param=f"tools[{at}]",
                hint="Leave it out, or ask a model.",
            )
    if asked.tool_choice not in (None, "auto", "none"):
        raise InvalidParameter(
            f"The use case {name!r} calls no tools of its client, and 'tool_choice' wants one called.",
            param="tool_choice",
            hint="Leave it out, or ask a model.",
        )
