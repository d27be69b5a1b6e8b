"""Chat with a use case: the last user message is its input, what was said before its history; the rest is checked."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pydantic import BaseModel, JsonValue, ValidationError
from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response

from agents.kit import Result, Turn, UseCase, from_text
from server.body import while_connected
from server.errors import InvalidParameter
from server.house import House
from server.openai_annotations import annotations
from server.openai_format import AskedFormat
from server.openai_request import Message, ResponseFormat, checked
from server.openai_stream import Framing, answer_chunks, usage_of
from server.streaming import EventStream
from server.words import words
from tools.base import Caller, InvalidInput, TooLong

__all__ = ["CaseChat"]


@dataclass(frozen=True)
class CaseChat:
    """Chat completions of use cases."""

    house: House

    async def answer(
        self, request: Request, *, use_case: UseCase[Any, Any], data: Mapping[str, Any], caller: Caller
    ) -> Response:
        """The answer of `use_case`, whole or as a stream.

        Args:
            request: watched, so that a client that goes away stops the run.
            use_case: who is asked.
            data: the request, parsed.
            caller: who asks.

        Raises:
            InvalidParameter: a parameter, or the message, does not fit.
            TooLong: the message is longer than the use case reads.
            PartiturError: it failed before it had something to say.
        """
        chat = checked(data, f"the use case {use_case.name!r}")
        asked = _asked_format(chat.response_format, use_case)
        given, history = _given(chat.messages, use_case), _history(chat.messages)
        as_json = chat.response_format is not None and chat.response_format.type != "text"
        if chat.stream:
            options = chat.stream_options
            framing = Framing(model=use_case.name, include_usage=bool(options and options.include_usage))
            events = self.house.stream(use_case, given, caller=caller, history=history)
            chunks = answer_chunks(
                events,
                framing,
                as_json=as_json,
                fits=asked and asked.check,
                progress=bool(chat.partitur and chat.partitur.progress),
            )
            return EventStream(chunks)
        work = self.house.ask(use_case, given, caller=caller, history=history)
        result = await while_connected(request, work)
        message = _message(result, as_json)
        if asked and message["content"] is not None:
            asked.check(message["content"])
        return Response(to_json(_completion(result, message)), media_type="application/json")


def _asked_format(form: ResponseFormat | None, use_case: UseCase[Any, Any]) -> AskedFormat | None:
    """What the answer has to fit; None where no schema says."""
    if form is None or form.type != "json_schema" or form.json_schema is None:
        return None
    return AskedFormat(use_case.name, _output_schema(use_case.output), form.json_schema.schema_)


@lru_cache(maxsize=256)
def _output_schema(output: type[BaseModel]) -> Mapping[str, Any]:
    return output.model_json_schema(mode="serialization")


def _last(messages: Sequence[Message]) -> int:
    place = next((at for at in reversed(range(len(messages))) if messages[at].role == "user"), None)
    if place is None:
        roles = ", ".join(sorted({repr(message.role) for message in messages}))
        raise InvalidParameter(
            f"No message is of the role 'user', only of {roles}. Expected one with the input.", param="messages"
        )
    return place


def _given(messages: Sequence[Message], use_case: UseCase[Any, Any]) -> BaseModel:
    """The last user message as input."""
    place = _last(messages)
    where = f"messages[{place}].content"
    try:
        return from_text(use_case.input, _text(messages[place].content, where))
    except InvalidInput as error:
        if isinstance(error, InvalidParameter):
            raise
        cause = error.__cause__
        if isinstance(cause, ValidationError) and cause.errors(include_url=False)[0]["type"] == "string_too_long":
            raise TooLong(error.message, hint=error.hint) from error
        raise InvalidParameter(error.message, param=where, hint=error.hint) from error


def _text(content: JsonValue, where: str) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, list) or not content:
        raise InvalidParameter(
            f"The last user message has no content. Expected a text or a list of text parts, got {content!r:.80}.",
            param=where,
        )
    texts: list[str] = []
    for number, part in enumerate(content):
        text = _part(part)
        if text is None:
            kind = part.get("type") if isinstance(part, dict) else type(part).__name__
            raise InvalidParameter(
                f"Part {number + 1} of the last user message is {kind!r:.80}. A use case reads text parts alone.",
                param=f"{where}[{number}]",
                hint="Send its text as a part of the type 'text'.",
            )
        texts.append(text)
    return "\n".join(texts)


def _part(part: JsonValue) -> str | None:
    """The text of a part; None where it is none."""
    if not isinstance(part, dict) or part.get("type") not in ("text", "input_text"):
        return None
    text = part.get("text")
    return text if isinstance(text, str) else None


def _history(messages: Sequence[Message]) -> list[Turn]:
    """What user and assistant said before the last user message, as far as it is text."""
    turns: list[Turn] = []
    for message in messages[: _last(messages)]:
        if message.role in ("user", "assistant"):
            parts = message.content if isinstance(message.content, list) else []
            texts = [message.content] if isinstance(message.content, str) else map(_part, parts)
            if text := "\n".join(text for text in texts if text):
                turns.append(Turn(role=message.role, text=text))
    return turns


def _message(result: Result[Any], as_json: bool) -> dict[str, Any]:
    """The text, or the typed output as JSON; where there is none, why."""
    message: dict[str, Any] = {"role": "assistant", "content": None, "refusal": None}
    if not as_json:
        message["content"] = words(result)
    elif result.output is None:
        message["refusal"] = result.message
    else:
        message["content"] = result.output.model_dump_json()
    message["annotations"] = annotations(message["content"] or "", result.citations, result.support)
    return message


def _completion(result: Result[Any], message: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{result.trace_id}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": result.use_case,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "usage": usage_of(result.usage),
        "partitur": result.model_dump(mode="json"),
    }
