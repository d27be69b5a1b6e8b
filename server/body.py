"""Reads the JSON body of a request, strictly: its kind, its size, its time, its depth, its numbers; and waits on the client."""

import asyncio
from collections.abc import Coroutine, Generator, Iterable
from contextlib import closing
from types import coroutine
from typing import Any, TypeVar, cast

import jiter
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message, Receive, Scope

from server.errors import InvalidParameter, TooSlow, UnsupportedMedia
from tools.base import Cancelled, TooLarge

__all__ = ["json_object", "parsed_object", "read_object", "while_connected"]

T = TypeVar("T")
_LONGEST_S = 60.0
"""Seconds that a client has for sending a body."""
_MOST_PARTS = 500_000
"""Of a body: commas, colons and opening brackets, also those in texts. A long text has a tenth of it; a tree of many more
small values takes seconds and hundreds of megabytes."""
_INFINITE = (float("inf"), float("-inf"))


async def json_object(request: Request) -> tuple[dict[str, Any], bytes]:
    """As `read_object`, for those who hold a Starlette request."""
    return await read_object(request.scope, request.receive)


async def read_object(scope: Scope, receive: Receive, *, seconds: float = _LONGEST_S) -> tuple[dict[str, Any], bytes]:
    """The JSON object in the body of a request, and the bytes it was read from.

    Args:
        scope: of the request; its headers say what the body is.
        receive: gives the body.
        seconds: that the client has for sending it.

    Raises:
        UnsupportedMedia: the body says that it is something else than plain JSON.
        InvalidParameter: it is no JSON object.
        TooLarge: it is longer than the settings allow, or has too many values.
        TooSlow: it did not come in time.
        ClientDisconnect: it will never come.
    """
    _check_kind(scope["headers"])
    body = await _received(receive, seconds)
    return parsed_object(body), body


def parsed_object(body: bytes) -> dict[str, Any]:
    """The JSON object that `body` is: valid UTF-8, no name twice, no number beyond a float, 200 levels deep at most.

    Raises:
        InvalidParameter: it is none.
        TooLarge: it has too many values.
    """
    if len(body) > _MOST_PARTS and sum(map(body.count, (b",", b":", b"[", b"{"))) > _MOST_PARTS:
        raise TooLarge(f"The body has too many values. At most about {_MOST_PARTS // 2} are read.")
    try:
        data: object = jiter.from_json(body, allow_inf_nan=False, catch_duplicate_keys=True)
    except ValueError as error:
        raise _invalid(body, str(error)) from None
    if not isinstance(data, dict):
        raise _unfit(f"The body is a JSON {_name(data)}.")
    if _overflows(cast("dict[str, Any]", data)):
        raise _unfit("The body holds a number that is too large for a double.")
    return cast("dict[str, Any]", data)


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


def _check_kind(headers: Iterable[tuple[bytes, bytes]]) -> None:
    media, encoding = b"", b"identity"
    for name, value in headers:
        if name == b"content-type":
            media = value.partition(b";")[0].strip().lower()
        elif name == b"content-encoding":
            encoding = value.strip().lower()
    if media != b"application/json" and not media.endswith(b"+json"):
        kind = media.decode("latin-1")[:80] or "of no kind"
        raise UnsupportedMedia(f"The body is {kind!r}. Expected 'application/json'.")
    if encoding != b"identity":
        # What is packed small can be anything when it is unpacked, and no client of ours packs.
        raise UnsupportedMedia(f"The body is encoded as {encoding.decode('latin-1')[:80]!r}. Expected plain JSON.")


async def _received(receive: Receive, seconds: float) -> bytes:
    """The whole body. It is mostly there already; only where it is not a clock is set, which is dear."""
    first = cast("Coroutine[Any, Any, Message]", receive())
    message: Message = {}
    upcoming = None
    try:
        waits_for: object = first.send(None)
    except StopIteration as end:
        message = end.value
        if not message.get("more_body"):
            return _part(message)
    else:
        upcoming = _resumed(first, waits_for)
    try:
        async with asyncio.timeout(seconds):
            if upcoming is not None:
                message = await upcoming
            parts = [_part(message)]
            while message.get("more_body"):
                message = await receive()
                parts.append(_part(message))
            return b"".join(parts)
    except TimeoutError:
        raise TooSlow(f"The body did not come within {seconds:g} seconds.") from None


@coroutine
def _resumed(step: Coroutine[Any, Any, T], waits_for: object) -> Generator[Any, Any, T]:
    """The rest of a coroutine that was begun by hand and now waits for something."""
    with closing(step):
        yield waits_for
        return (yield from step.__await__())


def _part(message: Message) -> bytes:
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    return message.get("body", b"")


def _overflows(data: dict[str, Any]) -> bool:
    """Whether a number in it came out infinite: 1e999 is valid JSON."""
    waiting: list[Any] = [data]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting.extend(cast("dict[str, Any]", value).values())
        elif isinstance(value, list):
            waiting.extend(cast("list[Any]", value))
        elif isinstance(value, float) and value in _INFINITE:
            return True
    return False


def _invalid(body: bytes, why: str) -> InvalidParameter:
    if not body.strip():
        return _unfit("The body is empty.")
    if why.startswith("recursion limit"):
        return _unfit("The body is nested too deep. At most 200 levels are read.")
    if why.startswith("Detected duplicate key"):
        return _unfit(f"The body is not valid JSON here: a name stands twice in one object ({why[9:200]}).")
    return _unfit(f"The body is not valid JSON: {why[:200]}.")


def _unfit(what: str) -> InvalidParameter:
    return InvalidParameter(f"{what} Expected a JSON object.", param="body")


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
