"""Locks that processes of one machine share, by files in the home."""

import fcntl
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import anyio

__all__ = ["alone", "alone_or_not"]


@asynccontextmanager
async def alone(path: Path, waiting: Callable[[], Awaitable[None]] | None = None) -> AsyncGenerator[None]:
    """Holds the lock for the length of the block; `waiting` is told once where another process has it."""
    handle = _opened(path)
    try:
        told = False
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if not told and waiting is not None:
                    await waiting()
                told = True
                await anyio.sleep(0.1)
        yield
    finally:
        _left(handle)


@contextmanager
def alone_or_not(path: Path) -> Generator[bool]:
    """Whether nobody else has the lock; then it is held for the length of the block."""
    handle = _opened(path)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        _left(handle)


def _opened(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _left(handle: int) -> None:
    fcntl.flock(handle, fcntl.LOCK_UN)  # by name: a child that is being started holds a copy for a moment
    os.close(handle)
