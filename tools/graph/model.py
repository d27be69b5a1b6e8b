"""Asks a chat model for an object of a given shape, and takes nothing else for an answer."""

import re
from collections.abc import Sequence
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from tools.base import Failed, InvalidInput, Spending
from tools.endpoint import Endpoint

__all__ = ["Message", "said"]

_MOST_BYTES = 4_000_000
T = TypeVar("T", bound=BaseModel)


class Message(BaseModel):
    """One turn."""

    role: str
    content: str


class _Spoken(BaseModel):
    content: str | None = None


class _Choice(BaseModel):
    message: _Spoken
    finish_reason: str | None = None


class _Usage(BaseModel):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Completion(BaseModel):
    choices: list[_Choice]
    usage: _Usage | None = None


async def said(endpoint: Endpoint, messages: Sequence[Message], shape: type[T], spending: Spending) -> tuple[T, str]:
    """What the model says, as `shape` and as it came; what it costs is added to `spending`.

    Raises:
        InvalidInput: it said something of another shape; the message says what, for another try.
        Failed: the endpoint sent no chat completion.
        Unavailable, Overloaded, TimedOut: the endpoint did not serve.
    """
    body: dict[str, object] = {
        "model": endpoint.pool.name,
        "messages": [message.model_dump() for message in messages],
        "temperature": 0,
        "stream": False,
    }
    if "json_schema" in endpoint.pool.config.capabilities:
        form = {"name": shape.__name__.strip("_").lower(), "schema": shape.model_json_schema()}
        body["response_format"] = {"type": "json_schema", "json_schema": form}
    answer = await endpoint.post("chat/completions", body, at_most=_MOST_BYTES)
    try:
        completion = _Completion.model_validate_json(answer)
        choice = completion.choices[0]
    except (ValidationError, IndexError) as error:
        raise Failed(
            f"The endpoint {endpoint.shown!r} sent no chat completion: its answer begins with {answer[:60]!r}.",
            hint=f"Look whether {endpoint.setting}_URL is a chat endpoint.",
        ) from error
    spending.requests += 1
    if completion.usage:
        spending.input_tokens += completion.usage.prompt_tokens
        spending.output_tokens += completion.usage.completion_tokens
    # Reasoning models may think aloud first, and others put a fence around what they write.
    text = re.sub(r"<think>.*?</think>", "", choice.message.content or "", flags=re.DOTALL).strip()
    text = re.sub(r"^```(?:json)?\s*|\s*```$", "", text)
    if choice.finish_reason == "length":
        raise InvalidInput("The answer was cut off at the limit of output tokens. Expected a shorter one.")
    try:
        return shape.model_validate_json(text), text
    except ValidationError as error:
        raise InvalidInput.of(error, shape) from error
