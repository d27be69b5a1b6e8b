"""Reads the members of a container in a process of their own: one that fails or ends it is skipped, and the rest is read."""

import json
import math
import os
import resource
import signal
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from typing import Any, BinaryIO, NoReturn, cast

from tools.knowledge.formats import Extract, Skip, Unreadable
from tools.knowledge.packed import Budget

__all__ = ["each", "reason_of"]

_DEATHS = 10  # processes that a container may cost

Read = Callable[[int], Iterator[Extract | Skip]]


def each(places: Sequence[str], read: Read, budget: Budget) -> Iterator[Extract | Skip]:
    """What `read` finds in each of the members, in their order.

    Args:
        places: paths of the members.
        read: reads the member of this number.
        budget: what they may unpack to together.

    Raises:
        Unreadable: the budget is spent, or too many members ended the process that read them.
    """
    begin = 0
    for _ in range(_DEATHS):
        reached = begin
        process, source = _forked(range(begin, len(places)), places, read, budget)
        try:
            with source:
                while head := source.read(4):
                    frame = cast(dict[str, Any], json.loads(source.read(struct.unpack(">I", head)[0])))
                    if "at" in frame:
                        reached, budget.left = int(frame["at"]), int(frame["left"])
                        if budget.left < 0:
                            raise Unreadable("What is packed in it unpacks to more than a file may.")
                        if reached == len(places):
                            return
                    elif "reason" in frame:
                        yield Skip(**frame)
                    else:
                        found = Extract(**frame)
                        yield replace(found, fraction=(reached + found.fraction) / len(places))
        finally:
            os.kill(process, signal.SIGKILL)
            status = os.waitpid(process, 0)[1]
        yield Skip(places[reached], _end(os.waitstatus_to_exitcode(status)))
        begin = reached + 1
        if begin == len(places):
            return
    raise Unreadable(f"{_DEATHS} of its members made the reading process end. It is damaged or hostile.")


def reason_of(error: Exception) -> str:
    """Why a file or member was not read, for those who sent it."""
    match error:
        case Unreadable():
            return str(error)
        case MemoryError():
            return "Reading it needs more memory than a file may use."
        case RecursionError():
            return "It is nested too deeply."
        case _:
            return f"The file is damaged or not what its name says: {type(error).__name__}: {error}"[:500]


def _forked(numbers: range, places: Sequence[str], read: Read, budget: Budget) -> tuple[int, BinaryIO]:
    """A process that writes frames on what it reads."""
    source, sink = os.pipe()
    used = resource.getrusage(resource.RUSAGE_SELF)
    allowed = resource.getrlimit(resource.RLIMIT_CPU)[0]
    share = max(1, int(allowed - used.ru_utime - used.ru_stime) // 4) if allowed != resource.RLIM_INFINITY else 0
    try:
        process = os.fork()
    except OSError as error:
        raise Unreadable(f"No process can be started to read what lies in it: {error.strerror}.") from error
    if process == 0:
        os.close(source)
        _work(os.fdopen(sink, "wb"), numbers, places, read, budget, share)
    os.close(sink)
    return process, os.fdopen(source, "rb")


def _work(sink: BinaryIO, numbers: range, places: Sequence[str], read: Read, budget: Budget, share: int) -> NoReturn:
    """The child's work; it ends without what the parent would do at its end."""

    def send(frame: dict[str, object]) -> None:
        data = json.dumps(frame).encode()
        sink.write(struct.pack(">I", len(data)) + data)
        sink.flush()

    code = 1
    try:
        for number in numbers:
            send({"at": number, "left": budget.left})
            if share:
                used = resource.getrusage(resource.RUSAGE_SELF)
                until = math.ceil(used.ru_utime + used.ru_stime + share)
                resource.setrlimit(resource.RLIMIT_CPU, (until, resource.getrlimit(resource.RLIMIT_CPU)[1]))
            try:
                for found in read(number):
                    send(asdict(found))
            except Exception as error:  # top handler: a member fails alone, whatever its parser raises
                send(asdict(Skip(places[number], reason_of(error))))
            if budget.left < 0:
                break
        send({"at": len(places), "left": budget.left})
        code = 0
    finally:
        os._exit(code)


def _end(code: int) -> str:
    if code == -signal.SIGXCPU:
        return "Reading it takes too long."
    died = f"by signal {signal.Signals(-code).name}" if code < 0 else f"with code {code}"
    return f"It made the reading process end {died}. It is damaged or hostile, or needs too much memory."
