"""Reads the JSON body of a request, strictly: its kind, its encoding, its depth, its numbers; and waits on the client."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar, cast

from pydantic_core import from_json
from starlette.requests import Request

from server.errors import UnsupportedMedia
from tools.base import Cancelled, InvalidInput

__all__ = ["json_object", "while_connected"]

T = TypeVar("T")


async def json_object(request: Request) -> tuple[dict[str, Any], bytes]:
    """The JSON object in the body of `request`, and the bytes it was read from.

    Raises:
        UnsupportedMedia: the body says that it is something else than plain JSON.
        InvalidInput: it is no JSON object.
        TooLarge: it is longer than the settings allow.
    """
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != "application/json" and not media.endswith("+json"):
        raise UnsupportedMedia(f"The body is {media or 'of no kind'!r}. Expected 'application/json'.")
    encoding = request.headers.get("content-encoding", "identity").lower()
    if encoding != "identity":
        raise UnsupportedMedia(f"The body is encoded as {encoding!r}. Expected plain JSON.")
    body = await request.body()
    if not body.strip():
        raise InvalidInput("The body is empty. Expected a JSON object.")
    try:
        data: object = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise InvalidInput(f"The body is not valid JSON: {error}. Expected a JSON object.") from None
    if not isinstance(data, dict):
        raise InvalidInput(f"The body is a JSON {_name(data)}. Expected a JSON object.")
    return cast("dict[str, Any]", data), body


async def while_connected(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """What `work` gives; it is stopped when the client goes away.

    Raises:
        Cancelled: nobody waits for the answer any more.
    """
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise Cancelled("The client went away before the answer was ready.")
    finally:
        task.cancel()
        gone.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _name(data: object) -> str:
    match data:
        case None:
            return "null"
        case list():
            return "array"
        case str():
            return "string"
        case bool():
            return "boolean"
        case _:
            return "number"
