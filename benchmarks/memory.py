"""The most memory that this process, and those below it, took during a stretch of work."""

import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import Self

from benchmarks.process import memory_mb

__all__ = ["Memory"]

_EVERY_S = 0.25


class Memory:
    """Looks four times a second, from a thread of its own. Shared pages are counted once."""

    def __init__(self) -> None:
        self.own = 0.0
        self.below = 0.0
        self._left = threading.Event()
        self._watching = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._watching.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._left.set()
        self._watching.join()

    def _watch(self) -> None:
        while True:
            whole, below = memory_mb(os.getpid()), sum(memory_mb(child) for child in _children())
            self.own, self.below = max(self.own, whole - below), max(self.below, below)
            if self._left.wait(_EVERY_S):
                return


def _children() -> list[int]:
    """Those started by this process; `memory_mb` counts what is below them."""
    found: list[int] = []
    for task in Path("/proc/self/task").glob("*/children"):
        with suppress(OSError):
            found += [int(child) for child in task.read_text().split()]
    return found
