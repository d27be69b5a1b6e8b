"""Servers under measurement as processes: started, waited for, measured through /proc, ended."""

import contextlib
import os
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ROOT", "Process", "cpu_seconds", "free_port", "family", "memory_mb", "started"]

ROOT = Path(__file__).resolve().parents[1]
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Process:
    """A server that runs and answers."""

    pid: int
    ready_s: float
    """From its start until it answered."""


def family(pid: int) -> list[int]:
    """A process and those below it."""
    found = [pid]
    for one in found:
        for task in Path(f"/proc/{one}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                found += [int(child) for child in task.read_text().split()]
    return found


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, of those below it, and of children that have ended."""
    ticks = 0
    for one in family(pid):
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(int(field) for field in fields[11:15])  # utime, stime, cutime, cstime
    return ticks / _TICKS


def memory_mb(pid: int) -> float:
    """Proportional set size of a process and of those below it: shared pages are counted once."""
    kilobytes = 0
    for one in family(pid):
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{one}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    kilobytes += int(line.split()[1])
    return kilobytes / 1000


def free_port() -> int:
    """A loopback port that was free a moment ago."""
    import socket

    with socket.socket() as plug:
        plug.bind(("127.0.0.1", 0))
        return plug.getsockname()[1]


@contextmanager
def started(
    command: Sequence[str | Path],
    *,
    ready: str,
    environment: Mapping[str, str] | None = None,
    folder: Path = ROOT,
    within_s: float = 120,
) -> Generator[Process]:
    """Runs `command` while the block lasts, which begins when `ready` (a URL) answers with 200.

    Raises:
        RuntimeError: it ended, or did not answer in time; with the end of what it wrote.
    """
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    began = time.monotonic()
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=folder,
            env=inherited | dict(environment or {}),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            while not _answers(ready):
                if process.poll() is not None or time.monotonic() - began > within_s:
                    log.seek(0)
                    raise RuntimeError(f"{command[0]} does not serve {ready}:\n{log.read()[-3000:]}")
                time.sleep(0.05)
            yield Process(process.pid, time.monotonic() - began)
        finally:
            _end(process)


def _answers(url: str) -> bool:
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=2) as answer:
            return answer.status == 200
    except (OSError, urllib.error.URLError):
        return False


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Asks the process to end, then ends its whole group."""
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(10)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(10)
