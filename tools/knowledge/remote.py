"""What failures of an object store are called in the house; its own texts hold addresses and names of keys, and stay out."""

import inspect
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import contextmanager
from functools import wraps
from typing import Any, Protocol, TypeVar

from tools.base import PartiturError, SetupError, Unavailable
from tools.knowledge.place import Place

__all__ = ["answering", "told"]

_CODE = re.compile(r"<Code>(\w{1,60})</Code>")
_ABSENT = ("NoSuchBucket", "ContainerNotFound", "bucket does not exist", "container does not exist")
_REFUSED = ("Status { status: 401", "Status { status: 403", "401 Unauthorized", "403 Forbidden", "PermissionDenied")
_OUTSIDE = (
    "Generic S3 error", "Generic GCS error", "Generic MicrosoftAzure error", "RetryError", "HttpError", "HTTP error",
    "object_store",
)  # fmt: skip


class _Placed(Protocol):
    place: Place


T = TypeVar("T", bound=_Placed)


@contextmanager
def answering(place: Place) -> Generator[None]:
    """Within it an object store that is absent, refuses us or does not answer raises errors of the house.

    Raises:
        SetupError: there is no such bucket, or its keys are not accepted.
        Unavailable: it does not answer.
    """
    try:
        yield
    except (RuntimeError, ValueError, OSError) as error:
        found = _named(place, str(error)) if place.remote else None
        if found is None:
            raise
        raise found from None


def told(cls: type[T]) -> type[T]:
    """Every act of such an object is `answering`."""
    for name, act in list(vars(cls).items()):
        if inspect.iscoroutinefunction(act):
            setattr(cls, name, _act(act))
        elif inspect.isasyncgenfunction(act):
            setattr(cls, name, _flow(act))
    return cls


def _act(act: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:  # Any: as the method has it
    @wraps(act)
    async def wrapped(self: _Placed, *args: Any, **named: Any) -> Any:
        with answering(self.place):
            return await act(self, *args, **named)

    return wrapped


def _flow(act: Callable[..., AsyncGenerator[Any]]) -> Callable[..., AsyncGenerator[Any]]:  # Any: as above
    @wraps(act)
    async def wrapped(self: _Placed, *args: Any, **named: Any) -> AsyncGenerator[Any]:
        with answering(self.place):
            async for item in act(self, *args, **named):
                yield item

    return wrapped


def _named(place: Place, said: str) -> PartiturError | None:
    code = _CODE.search(said)
    reason = f" ({code[1]})" if code else ""
    if any(mark in said for mark in _ABSENT):
        return SetupError(
            f"The object store has no bucket {place.bucket!r}{reason}. Expected one that is there.",
            hint="Make it, or correct 'storage' under [knowledge] in partitur.toml.",
        )
    if any(mark in said for mark in _REFUSED):
        return SetupError(
            f"The object store refuses access to {place.bucket!r}{reason}. Expected keys that may read and write there.",
            hint="Correct 'storage_options' under [knowledge] in partitur.toml.",
        )
    if any(mark in said for mark in _OUTSIDE):
        return Unavailable(
            f"The object store of {place.bucket!r} does not answer as expected{reason}. The documents are kept there.",
            hint="Try again in a moment; look whether it runs and whether 'aws_endpoint' in 'storage_options' is right.",
        )
    return None
