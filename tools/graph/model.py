"""Asks a chat model for an object of a given shape, and takes nothing else for an answer."""

import re
from collections.abc import Sequence
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from tools.base import InvalidInput, Spending
from tools.completion import completed
from tools.endpoint import Endpoint

__all__ = ["Message", "said"]

T = TypeVar("T", bound=BaseModel)


class Message(BaseModel):
    """One turn."""

    role: str
    content: str


async def said(endpoint: Endpoint, messages: Sequence[Message], shape: type[T], spending: Spending) -> tuple[T, str]:
    """What the model says, as `shape` and as it came; what it costs is added to `spending`.

    Raises:
        InvalidInput: it said something of another shape; the message says what, for another try.
        Failed: the endpoint sent no chat completion.
        Unavailable, Overloaded, TimedOut: the endpoint did not serve.
    """
    form: dict[str, object] | None = None
    if "json_schema" in endpoint.pool.config.capabilities:
        schema = {"name": shape.__name__.strip("_").lower(), "schema": shape.model_json_schema()}
        form = {"type": "json_schema", "json_schema": schema}
    turns = [message.model_dump() for message in messages]
    answer = await completed(endpoint, endpoint.pool.name, turns, spending, response_format=form)
    # Some put a fence around what they write.
    text = re.sub(r"^```(?:json)?\s*|\s*```$", "", answer.text)
    if answer.cut:
        raise InvalidInput("The answer was cut off at the limit of output tokens. Expected a shorter one.")
    try:
        return shape.model_validate_json(text), text
    except ValidationError as error:
        raise InvalidInput.of(error, shape) from error
