"""Chance that is the same for the same text: numbers drawn from its SHA-256."""

import hashlib
from collections.abc import Sequence
from typing import TypeVar

__all__ = ["Dice"]

T = TypeVar("T")


class Dice:
    """Draws numbers from a text. The same text and the same order of draws give the same numbers, on every machine."""

    def __init__(self, text: str) -> None:
        self._seed = hashlib.sha256(text.encode()).digest()
        self._count = 0

    def number(self) -> float:
        """At least 0, less than 1."""
        self._count += 1
        drawn = hashlib.sha256(self._seed + self._count.to_bytes(8, "big")).digest()
        return int.from_bytes(drawn[:6], "big") / (1 << 48)

    def between(self, low: float, high: float) -> float:
        return low + (high - low) * self.number()

    def whole(self, low: int, high: int) -> int:
        """At least `low`, at most `high`."""
        return low + int(self.number() * (high - low + 1))

    def pick(self, choices: Sequence[T]) -> T:
        return choices[int(self.number() * len(choices))]

    def chance(self, share: float) -> bool:
        return self.number() < share
