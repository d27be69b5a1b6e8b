"""The child's side of a sandboxed engine: opens its script's engine, locks the door, answers one JSON line at a time.

Standard library only: it starts in a bare interpreter, with an empty environment. An engine's own limits do not hold
everywhere (a single function call can take a minute or 14 GB), the kernel's do: once the engine is open, the process
can open no file, write none, and ask for no more memory than it was given; its parent kills it when time is up.
"""

import importlib
import importlib.util
import json
import resource
import signal
import sys
from collections.abc import Iterable
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol, TextIO, cast

__all__ = ["Engine", "gathered", "main", "plain"]

_RESULT = 2_000_000
"""Characters of a result; further rows are left out."""
_CELL = 20_000
"""Characters of one text value; the rest is cut."""
_BIG = 2**53
"""Beyond it a JSON number loses digits in most readers."""


class Engine(Protocol):
    """What a child's script makes of its settings with its function `start`."""

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """The reply to one request; errors the asker can mend come back as `{"error": …, "kind": …}`. With `"last": True`
        the child asks to be replaced: what it took of its memory does not come back."""
        ...


def main(script: str, settings: str) -> None:
    """Runs `start(settings)` of the file `script`, then serves requests from stdin until it is closed."""
    replies = sys.stdout
    sys.stdout = sys.stderr
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    given = json.loads(settings)
    engine = _load(script).start(given)
    if given["locked"]:
        _lock_down(memory=given["memory_mb"] * 2**20)
    _send(replies, {"ready": True})
    for line in sys.stdin:
        request = json.loads(line)
        # The parent kills a late child; where the parent is gone, the kernel's alarm does, even inside C code.
        signal.setitimer(signal.ITIMER_REAL, request["seconds"] + 1)
        try:
            reply = engine.answer(request)
        except MemoryError:
            reply = {"error": "out of memory", "kind": "memory", "last": True}
        except Exception as error:
            # The top of this process: what the engine throws is an answer, too, and the next request may be a good one.
            reply = {"error": f"{type(error).__name__}: {error}", "kind": "engine"}
        signal.setitimer(signal.ITIMER_REAL, 0)
        _send(replies, reply)


def gathered(rows: Iterable[Iterable[Any]], limit: int) -> dict[str, Any]:
    """The first `limit` rows as JSON and whether anything was left out, or an error where one row is too large."""
    found: list[list[Any]] = []
    size, truncated = 0, False
    for row in rows:
        values = [plain(value) for value in row]
        for position, value in enumerate(values):
            if isinstance(value, str) and len(value) > _CELL:
                values[position], truncated = value[:_CELL] + "…", True
        size += len(json.dumps(values))
        if len(found) == limit or (size > _RESULT and found):
            truncated = True
            break
        if size > _RESULT:
            return {"error": "one row is larger than a result may be", "kind": "size"}
        found.append(values)
    return {"rows": found, "truncated": truncated}


def plain(value: Any) -> Any:
    """`value` as JSON carries it without loss: dates and times as ISO text, long numbers and bytes as text."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return value if abs(value) <= _BIG else str(value)
    if isinstance(value, float):
        return value if abs(value) != float("inf") and value == value else str(value)
    if isinstance(value, dict):
        return {_key(key): plain(item) for key, item in cast(dict[Any, Any], value).items()}
    if isinstance(value, list | tuple | set):
        return [plain(item) for item in cast(Iterable[Any], value)]
    if isinstance(value, bytes | bytearray):
        return value.hex()
    if isinstance(value, date | datetime | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        short = value.is_finite() and len(value.normalize().as_tuple().digits) <= 15
        return float(value) if short else str(value)
    return str(value)


def _key(key: Any) -> str:
    found = plain(key)
    return found if isinstance(found, str) else json.dumps(found)


def _load(script: str) -> Any:
    # By path, not by name: the package around the script would bring pydantic and more into a process that needs none.
    spec = importlib.util.spec_from_file_location(Path(script).stem, script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _lock_down(*, memory: int) -> None:
    # Engines import these with the first value that needs them, when no file can be opened any more.
    for name in ("uuid", "traceback", "zoneinfo"):
        importlib.import_module(name)
    # What the engine has mapped already (its file, its code) is not what a query asks for. Linux alone counts it here.
    mapped = Path("/proc/self/statm")
    used = int(mapped.read_text().split()[0]) * resource.getpagesize() if mapped.exists() else 0
    resource.setrlimit(resource.RLIMIT_AS, (used + memory, used + memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))


def _send(replies: TextIO, reply: dict[str, Any]) -> None:
    replies.write(json.dumps(reply, ensure_ascii=True, allow_nan=False) + "\n")
    replies.flush()
