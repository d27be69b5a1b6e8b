"""Reads the input of a batch: one request a line, each checked before any of them is made."""

from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import to_json

from server.body import parsed_object
from tools.base import InvalidInput

__all__ = ["MOST_LINES", "Checked", "Problem", "lines"]

MOST_LINES = 50_000
_LONGEST = 10_000_000
"""Bytes of a line."""
_LONGEST_NAME = 512
_BOM = b"\xef\xbb\xbf"

Problem = dict[str, Any]
"""What is wrong with a line, as a batch shows it."""


async def lines(parts: AsyncIterable[bytes]) -> AsyncIterator[tuple[int, bytes]]:
    """The lines that hold something, each with its number from 1. One that is too long ends early."""
    number, rest, first = 0, b"", True
    async for part in parts:
        *whole, rest = (rest + (part.removeprefix(_BOM) if first else part)).split(b"\n")
        first = False
        for line in whole:
            number += 1
            if line.strip():
                yield number, line
        if len(rest) > _LONGEST:
            break
    if rest.strip():
        yield number + 1, rest


@dataclass
class Checked:
    """Looks at line after line of a file for one endpoint; remembers what the whole file must hold to."""

    endpoint: str
    problems: list[Problem] = field(default_factory=list[Problem])
    total: int = 0
    _names: set[str] = field(default_factory=set[str])
    _models: set[str] = field(default_factory=set[str])

    @property
    def model(self) -> str | None:
        """The one model that all requests are for."""
        return next(iter(self._models)) if len(self._models) == 1 else None

    def line(self, number: int, line: bytes) -> tuple[str, str] | None:
        """Name and body of a request; None where the line does not fit, which is then among the problems."""
        if len(line) > _LONGEST:
            return self._wrong(number, "line_too_long", f"The line is longer than {_LONGEST} bytes.")
        try:
            data = parsed_object(line)
        except InvalidInput as error:
            return self._wrong(number, "invalid_json_line", error.message)
        name, body = data.get("custom_id"), data.get("body")
        if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_NAME:
            return self._wrong(number, "missing_required_parameter", "Expected a text.", "custom_id")
        if name in self._names:
            return self._wrong(
                number, "duplicate_custom_id", f"{name!r:.80} is there twice. Expected it once.", "custom_id"
            )
        if data.get("method") != "POST":
            return self._wrong(
                number, "invalid_method", f"It is {data.get('method')!r:.40}. Expected 'POST'.", "method"
            )
        if data.get("url") != self.endpoint:
            said = f"It is {data.get('url')!r:.80}. Expected that of the batch, {self.endpoint!r}."
            return self._wrong(number, "mismatched_endpoint", said, "url")
        if not isinstance(body, dict):
            return self._wrong(number, "missing_required_parameter", "Expected an object.", "body")
        model = body.get("model")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # looked at in the next line
        if not isinstance(model, str):
            return self._wrong(number, "missing_required_parameter", "Expected a text.", "body.model")
        if body.get("stream"):  # pyright: ignore[reportUnknownMemberType]  # only whether it is there
            return self._wrong(number, "invalid_parameter", "A request of a batch is not streamed.", "body.stream")
        if body.get("background"):  # pyright: ignore[reportUnknownMemberType]  # only whether it is there
            said = "A request of a batch is in the background already, and waits for its turn."
            return self._wrong(number, "invalid_parameter", said, "body.background")
        self._names.add(name)
        self._models.add(model)
        self.total += 1
        return name, to_json(body).decode()

    def end(self) -> None:
        """Looks at the file as a whole."""
        if self.total > MOST_LINES:
            self._wrong(None, "too_many_requests", f"There are more than {MOST_LINES} requests. Expected fewer.")
        elif not self.total and not self.problems:
            self._wrong(None, "empty_file", "The file holds no request. Expected one a line.")

    def _wrong(self, line: int | None, code: str, message: str, param: str | None = None) -> None:
        self.problems.append({"code": code, "message": message, "param": param, "line": line})
