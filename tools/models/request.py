"""The body of a request to an engine: the bytes that came in wherever they can stay, with what the engine must know."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic_core import to_json

__all__ = ["Body", "Json"]


@dataclass(frozen=True)
class Json:
    """A JSON object, parsed; and the same as it came in, where nothing of it was changed."""

    data: Mapping[str, Any]
    raw: bytes | None = None

    def having(self, changes: Mapping[str, Any]) -> "Json":
        """The same with other fields."""
        return Json({**self.data, **changes}, None if self.raw is None else self.written(changes))

    def written(self, changes: Mapping[str, Any]) -> bytes:
        """The object with `changes`. New fields are put before the others, so that a large body is not written anew."""
        new = {name: value for name, value in changes.items() if not self._has(name, value)}
        if self.raw is None:
            return to_json({**self.data, **new})
        if not new:
            return self.raw
        if any(name in self.data for name in new) or not self.data:
            return to_json({**self.data, **new})
        at = self.raw.index(b"{") + 1
        return b"".join((self.raw[:at], to_json(new)[1:-1], b",", self.raw[at:]))

    def _has(self, name: str, value: object) -> bool:
        """Whether it stands there already; `true` is not `1`."""
        return name in self.data and type(self.data[name]) is type(value) and self.data[name] == value


Body = Json | bytes
"""What is sent: an object whose model and further fields are set for the engine, or bytes that go as they are."""
