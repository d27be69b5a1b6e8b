"""Asks the chat model behind a tool server once: what it said, without thinking aloud, and what that cost."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, Field, ValidationError

from tools.base import Failed, Spending
from tools.endpoint import Endpoint

__all__ = ["Said", "completed"]

_THOUGHT = re.compile(r"<think>.*?</think>", re.DOTALL)
"""Reasoning models may think aloud first; that is no part of what they say."""


@dataclass(frozen=True, slots=True)
class Said:
    """An answer."""

    text: str
    cut: bool
    """Whether it ends at the limit of output tokens."""


class _Message(BaseModel):
    content: str | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


class _Usage(BaseModel):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Completion(BaseModel):
    choices: list[_Choice] = Field(min_length=1)
    usage: _Usage | None = None


async def completed(
    endpoint: Endpoint,
    model: str | None,
    messages: Sequence[Mapping[str, str]],
    spending: Spending,
    *,
    response_format: Mapping[str, object] | None = None,
    at_most: int = 4_000_000,
) -> Said:
    """What the model says to `messages`; what it costs is added to `spending`.

    Args:
        endpoint: where it answers.
        model: its name there.
        messages: with `role` and `content`.
        spending: what the tool has spent so far.
        response_format: the shape that is asked for, as the interface has it.
        at_most: bytes of the whole answer.

    Raises:
        Failed: the endpoint sent no chat completion.
        Unavailable, Overloaded, TimedOut: the endpoint did not serve.
    """
    body: dict[str, object] = {"model": model, "messages": list(messages), "temperature": 0, "stream": False}
    if response_format is not None:
        body["response_format"] = response_format
    answer = await endpoint.post("chat/completions", body, at_most=at_most)
    try:
        completion = _Completion.model_validate_json(answer)
    except ValidationError as error:
        raise Failed(
            f"The endpoint {endpoint.shown!r} sent no chat completion: its answer begins with {answer[:60]!r}.",
            hint=f"Look whether {endpoint.setting}_URL is a chat endpoint.",
        ) from error
    spending.requests += 1
    if completion.usage:
        spending.input_tokens += completion.usage.prompt_tokens
        spending.output_tokens += completion.usage.completion_tokens
    choice = completion.choices[0]
    return Said(_THOUGHT.sub("", choice.message.content or "").strip(), choice.finish_reason == "length")
