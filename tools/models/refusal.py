"""What an engine's status other than 2xx means: that it does not want the request, or that it cannot serve it now."""

import logging
import re
import time
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, cast

from pydantic_core import from_json

from tools.base import Failed, Overloaded, PartiturError, TimedOut, Unavailable
from tools.models.transport import beginning

if TYPE_CHECKING:
    from tools.models.connections import Answer

__all__ = ["Declined", "is_too_long", "refusal"]

log = logging.getLogger(__name__)
_BUSY = frozenset({408, 429, 500, 502, 503, 504})
"""What another engine, or the same a little later, may answer better."""
_TOO_LONG = re.compile(
    r"context (?:length|window)|maximum (?:model|input) length|max_model_len|too many tokens", re.IGNORECASE
)
_MOST = 65_536
_SAID = 500
_LONGEST_REST_S = 3600.0


class Declined(Failed):
    """The engine said no to what it was sent.

    Args:
        message: as for every error.
        model: the id of the model whose engine it is.
        answered: its HTTP status.
        said: its own sentence, or nothing.
        param: the part of the request that it names, if any.
        hint: as for every error.
    """

    def __init__(
        self,
        message: str,
        *,
        model: str,
        answered: int,
        said: str,
        param: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.answered = answered
        self.said = said
        self.param = param
        self.model = model

    @property
    def too_long(self) -> bool:
        """Whether the engine said that the request is longer than its model can read."""
        return is_too_long(self.said)


async def refusal(response: "Answer", id: str) -> PartiturError:
    """The error of our tree that an answer of an engine of the model `id` stands for."""
    status = response.status
    data = await beginning(response.content, _MOST)
    log.warning("The engine of %r answered %d: %r", id, status, data[:_SAID])
    if status not in _BUSY:
        said, param = _message(data)
        return Declined(
            f"The engine of {id!r} refused the request (status {status})" + (f": {said}" if said else "."),
            model=id,
            answered=status,
            said=said,
            param=param,
            hint="The log has the reason.",
        )
    again = _seconds(response.headers.get("Retry-After"))
    if status == 429:
        return Overloaded(f"The engine of {id!r} is overloaded.", retry_after=again)
    if status in (408, 504):
        return TimedOut(f"The engine of {id!r} gave no answer in time (status {status}).")
    return Unavailable(f"The engine of {id!r} is overloaded or broken (status {status}).", retry_after=again)


def is_too_long(said: str) -> bool:
    """Whether an engine's sentence is about the length that its model can read: no engine has a code for it."""
    return _TOO_LONG.search(said) is not None


def _message(data: bytes) -> tuple[str, str | None]:
    """Sentence and parameter of an error in OpenAI's shape, or in vLLM's; nothing where there is none."""
    try:
        error: object = from_json(data)
    except ValueError:
        return "", None
    if isinstance(error, dict) and "error" in error:
        error = cast("object", error["error"])
    about = cast("dict[str, object]", error) if isinstance(error, dict) else {"message": error}
    said, param = about.get("message", about.get("detail")), about.get("param")
    text = " ".join(said.split())[:_SAID] if isinstance(said, str) else ""
    return text, param if isinstance(param, str) else None


def _seconds(header: str | None) -> float | None:
    """A Retry-After in seconds, whether it gives them or a date; nonsense is as none."""
    if not header:
        return None
    try:
        seconds = float(header) if header.strip().isdecimal() else _until(header)
    except (ValueError, OverflowError):
        return None
    return min(max(0.0, seconds), _LONGEST_REST_S)


def _until(date: str) -> float:
    at = parsedate_to_datetime(date)
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - time.time()
