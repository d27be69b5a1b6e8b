"""Several workers on one machine: one parent holds the port, starts them, replaces those that die, and ends with them."""

import asyncio
import json
import logging
import pickle
import signal
import socket as sockets
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from server.serving import listening, say
from server.settings import Settings
from tools.process import Process, start

__all__ = ["Command", "Work", "Workers", "serve_workers"]

log = logging.getLogger(__name__)
_STARTS = 3
"""Starts of a worker that may fail in a row."""
_LASTED_S = 60.0
"""A worker that served this long was a good one: what comes after it starts without delay again."""
_LONGEST_PAUSE_S = 30.0
_GRACE_S = 20.0
"""Seconds until a worker that was told to stop is ended; it gives its requests five, and closes its stores."""

Command = Callable[[int], Sequence[str]]
"""How a worker is started, which has its end of the channel under this number."""


@dataclass(frozen=True)
class Work:
    """What a worker is told before anything else."""

    settings: Settings
    """With the port that the parent holds."""
    at_once: bool
    """Whether it listens while it loads. One that replaces another listens afterwards: the others serve meanwhile."""


@dataclass(frozen=True)
class _End:
    """How a worker ended."""

    code: int
    """Of its exit; negative: the signal that ended it."""
    said: str
    """Why, where it could say so."""
    lasted: float | None
    """Seconds that it served; None where its start failed."""

    @property
    def how(self) -> str:
        with suppress(ValueError):
            return f"was ended by {signal.Signals(-self.code).name}"
        return f"ended with exit code {self.code}"


def serve_workers(settings: Settings) -> int:
    """Serves the house with several workers until it is told to stop; gives the exit code.

    Raises:
        SetupError: the address is taken.
    """
    with _held(settings.host, settings.port) as port:
        work = settings.model_copy(update={"port": port})
        return asyncio.run(Workers(work, _command).run())


@contextmanager
def _held(host: str, port: int) -> Generator[int]:
    """Keeps a port for workers that share it; nobody connects to it before one of them listens.

    Each worker has a socket of its own there: the system spreads connections over them evenly. From one socket that all
    inherit, whoever wakes first takes a whole burst.
    """
    with listening(host, port) as socket:  # alone, so that a port which somebody shares is taken, too
        family, place = socket.family, socket.getsockname()
    with sockets.socket(family, sockets.SOCK_STREAM) as socket:
        socket.setsockopt(sockets.SOL_SOCKET, sockets.SO_REUSEADDR, 1)
        socket.setsockopt(sockets.SOL_SOCKET, sockets.SO_REUSEPORT, 1)
        socket.bind(place)
        socket.setsockopt(sockets.SOL_SOCKET, sockets.SO_REUSEADDR, 0)  # from now on, who does not share is refused
        yield place[1]


def _command(channel: int) -> Sequence[str]:
    return [sys.executable, "-P", "-s", "-X", "utf8", "-m", "server.worker", str(channel)]


class Workers:
    """The workers of one server.

    Args:
        settings: what they serve; `workers` says how many there are.
        command: starts one.
        first_pause_s: before the first worker that replaces another; then twice as long each time.
    """

    def __init__(self, settings: Settings, command: Command, *, first_pause_s: float = 0.5) -> None:
        self._settings = settings
        self._command = command
        self._first_pause_s = first_pause_s
        self._running: set[Process] = set()
        self._stopping = asyncio.Event()
        self._greeted = False
        self._failed: _End | None = None

    async def run(self) -> int:
        """Keeps them running until it is told to stop, or one cannot be started; gives the exit code."""
        loop, told = asyncio.get_running_loop(), (signal.SIGINT, signal.SIGTERM)
        for number in told:
            loop.add_signal_handler(number, self.stop)
        try:
            async with asyncio.TaskGroup() as group:
                kept = [group.create_task(self._keep()) for _ in range(self._settings.workers)]
                group.create_task(self._end(kept))
        finally:
            for number in told:
                loop.remove_signal_handler(number)
        if self._failed is None:
            return 0
        say(self._failed.said or f"Error: A worker {self._failed.how} while it started.")
        return self._failed.code if self._failed.code > 0 else 1

    def stop(self) -> None:
        """Tells all workers to stop; told a second time, it ends them."""
        again = self._stopping.is_set()
        self._stopping.set()
        for process in self._running:
            if again:
                process.kill()
            else:
                process.terminate()

    async def _end(self, kept: list[asyncio.Task[None]]) -> None:
        """Ends those that do not stop in time."""
        await self._stopping.wait()
        await asyncio.wait(kept, timeout=_GRACE_S)
        for process in self._running:
            process.kill()

    async def _keep(self) -> None:
        """Keeps one worker running: when it dies, another one takes its place."""
        failed, pause, at_once = 0, self._first_pause_s, True
        while not self._stopping.is_set():
            end = await self._one(at_once)
            if self._stopping.is_set():
                return
            failed = failed + 1 if end.lasted is None else 0
            if failed >= _STARTS or (end.code == 2 and not self._greeted):
                self._failed = end  # a mistake of the set-up is told at once: it stays one
                self.stop()
                return
            if end.lasted is not None and end.lasted >= _LASTED_S:
                pause = self._first_pause_s
            log.error("A worker %s. Another one takes its place in %g s.%s", end.how, pause, f"\n{end.said}".rstrip())
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._stopping.wait()
            pause, at_once = min(pause * 2, _LONGEST_PAUSE_S), False

    async def _one(self, at_once: bool) -> _End:
        """Runs one worker to its end."""
        ours, its = sockets.socketpair()
        with its:
            try:
                process = await start(
                    self._command(its.fileno()),
                    stdin=subprocess.DEVNULL,
                    stdout=None,
                    stderr=None,
                    pass_fds=(its.fileno(),),
                    start_new_session=True,  # Ctrl-C comes to us alone, and we tell the workers
                )
            except OSError as error:
                ours.close()
                return _End(1, f"Error: A worker cannot be started: {error.strerror}.", None)
        self._running.add(process)
        if self._stopping.is_set():
            process.terminate()
        reader, writer = await asyncio.open_unix_connection(sock=ours)
        try:
            # Kept open: when it closes, the parent is gone, and the worker stops.
            writer.write(pickle.dumps(Work(self._settings, at_once)))
            began, said = None, ""
            with suppress(ConnectionError):  # it died before it was told
                await writer.drain()
                while line := await reader.readline():
                    told: dict[str, Any] = json.loads(line)
                    if "greeting" in told:
                        began = time.monotonic()
                        self._greet(told["greeting"])
                    said = told.get("failed", "")
            code = await process.wait()
            return _End(code, said, None if began is None else time.monotonic() - began)
        finally:
            self._running.discard(process)
            writer.close()

    def _greet(self, greeting: str) -> None:
        if not self._greeted:
            self._greeted = True
            say(greeting)
