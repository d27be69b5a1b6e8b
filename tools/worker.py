"""The parent's side of a sandboxed engine: long-lived children, one question at a time each, killed when time is up."""

import contextlib
import importlib.util
import json
import os
import queue
import select
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Generator, Mapping
from pathlib import Path
from threading import Event
from typing import IO, Any

import tools
from tools.base.errors import Cancelled, Failed, SetupError, TimedOut, Unavailable

__all__ = ["Workers"]

_LINE = 16 * 2**20
"""Bytes of the longest reply that is read."""
_GRACE = 0.5
"""Seconds an engine has to stop by itself before it is killed."""
_START = 30.0
"""Seconds a child has to open its store."""


class Workers:
    """Up to `count` children of the same `script` and settings, started when first needed, replaced when they die.

    Args:
        script: file with `start(settings) -> Engine`, see `tools.child`.
        package: the engine's Python package.
        settings: JSON values for `start`; `memory_mb` and `locked` are for the sandbox.
        what: names the engine in messages.
    """

    def __init__(
        self, script: Path, *, package: str, settings: Mapping[str, Any], what: str, count: int, cwd: Path
    ) -> None:
        self._idle: queue.LifoQueue[_Child | None] = queue.LifoQueue()
        for _ in range(count):
            self._idle.put(None)
        self._script = script
        self._package = package
        self._settings = settings
        self._what = what
        self._cwd = cwd

    def ask(self, request: Mapping[str, Any], *, seconds: float, stop: Event | None = None) -> dict[str, Any]:
        """The child's reply; it may wait `seconds` for a free child, and take `seconds` itself.

        Raises:
            TimedOut: no reply in time; the child was killed.
            Unavailable: the child died, or all are busy.
            Cancelled: `stop` was set.
            SetupError: the engine is not installed.
        """
        with self._child(seconds) as child:
            try:
                # From here on: a child that had to be started first takes nothing from its query's time.
                deadline = time.monotonic() + seconds + _GRACE
                reply = child.ask({**request, "seconds": seconds}, deadline=deadline, stop=stop)
                if reply.pop("last", False):
                    child.kill()
                return reply
            except _Late:
                raise TimedOut(
                    f"The {self._what} query ran longer than {seconds:g} seconds and was stopped. "
                    "Expected a query that needs less work.",
                    hint="Narrow it (a condition, fewer joins, a smaller depth).",
                ) from None
            except _Died as death:
                raise Unavailable(
                    f"The {self._what} engine died while it answered ({death}). Expected a query it can carry.",
                    hint="Narrow the query; the engine starts again with the next one.",
                ) from None

    def close(self) -> None:
        """Ends the children that are idle."""
        with contextlib.suppress(queue.Empty):
            while True:
                child = self._idle.get_nowait()
                if child is not None:
                    child.kill()

    @contextlib.contextmanager
    def _child(self, seconds: float) -> "Generator[_Child]":
        try:
            child = self._idle.get(timeout=seconds)
        except queue.Empty:
            raise Unavailable(
                f"All {self._what} engines were busy for {seconds:g} seconds. Expected one to become free."
            ) from None
        try:
            if child is None or not child.alive:
                child = self._start()
            yield child
        except BaseException:
            # Whatever it was, the child may be in the middle of an answer: the next question gets a fresh one.
            if child is not None:
                child.kill()
            child = None
            raise
        finally:
            self._idle.put(child)

    def _start(self) -> "_Child":
        spec = importlib.util.find_spec(self._package)
        if spec is None or spec.origin is None:
            raise SetupError(
                f"The engine {self._package!r} is not installed. Expected it in this environment.",
                hint=f"Install it ('uv pip install {self._package}'), or name another engine in the settings.",
            )
        site = str(Path(spec.origin).parent.parent)
        return _Child(self._script, site=site, settings=self._settings, cwd=self._cwd, what=self._what)


class _Late(Exception):
    """No reply before the deadline."""


class _Died(Exception):
    """The child's end of the pipe was closed."""


class _Child:
    def __init__(self, script: Path, *, site: str, settings: Mapping[str, Any], cwd: Path, what: str) -> None:
        root = str(Path(tools.__path__[0]).parent)
        code = f"import sys; sys.path[:0] = [{root!r}, {site!r}]; from tools.child import main; main(*sys.argv[1:])"
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the child, closed by _end
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-c", code, str(script), json.dumps(dict(settings))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            cwd=cwd,
            # Empty on purpose: a query that breaks out of the engine finds no secret here.
            env={},
        )
        self._buffer = b""
        self._end = weakref.finalize(self, _end, self._process, self._said)
        try:
            self._reply(time.monotonic() + _START, None)
        except (_Died, _Late) as reason:
            said = self._last_words()
            self.kill()
            raise Failed(
                f"The {what} engine did not start: {said or reason}. Expected it to open {str(cwd)!r}.",
                hint="Load the data again; 'partitur doctor' checks the engine.",
            ) from None

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def ask(self, request: Mapping[str, Any], *, deadline: float, stop: Event | None) -> dict[str, Any]:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(dict(request)).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise _Died(self._reason()) from None
        return self._reply(deadline, stop)

    def kill(self) -> None:
        self._end()

    def _reply(self, deadline: float, stop: Event | None) -> dict[str, Any]:
        assert self._process.stdout is not None
        pipe = self._process.stdout.fileno()
        poll = select.poll()
        poll.register(pipe, select.POLLIN)
        while b"\n" not in self._buffer:
            left = deadline - time.monotonic()
            if stop is not None and stop.is_set():
                raise Cancelled("The query was cancelled.")
            if left <= 0:
                raise _Late
            if not poll.poll(min(left, 0.1) * 1000):
                continue
            piece = os.read(pipe, 2**16)
            if not piece or len(self._buffer) > _LINE:
                raise _Died(self._reason())
            self._buffer += piece
        line, _, self._buffer = self._buffer.partition(b"\n")
        return json.loads(line)

    def _reason(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = self._process.wait(timeout=1)
            return f"signal {-code}" if code < 0 else f"exit code {code}"
        return "reply too long"

    def _last_words(self) -> str:
        """The end of what it wrote to stderr, for the message that says why it did not start."""
        self._said.seek(0)
        lines = self._said.read()[-2000:].decode("utf-8", "replace").strip().splitlines()
        return lines[-1][:300] if lines else ""


def _end(process: "subprocess.Popen[bytes]", said: IO[bytes]) -> None:
    process.kill()
    process.wait()
    said.close()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
