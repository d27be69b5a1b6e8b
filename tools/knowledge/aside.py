"""Tends the tables of a large knowledge base in a process of its own, whose memory ends with it."""

import json
import os
import sys
import threading
import time
from pathlib import Path

import anyio
from anyio.abc import ByteReceiveStream

from tools.base import ToolFailed
from tools.knowledge.place import Place
from tools.process import start

__all__ = ["purge_aside", "tend_aside"]

_ROOT = Path(__file__).resolve().parents[2]


async def tend_aside(place: Place, *, compact: bool) -> None:
    """Builds the indices of the tables at `place` anew; with `compact` it also rewrites the tables.

    Raises:
        ToolFailed: the process ended before its work was done.
    """
    await _aside(place, "compact" if compact else "index")


async def purge_aside(place: Place) -> dict[str, int]:
    """Writes the tables at `place` anew and takes every older byte of them from the disk. See `purging.Purged`.

    Raises:
        ToolFailed: the process ended before its work was done.
    """
    return json.loads(await _aside(place, "purge"))


async def _aside(place: Place, task: str) -> bytes:
    process = await start(
        [sys.executable, "-P", "-s", "-X", "utf8", "-m", "tools.knowledge.aside"],
        env={"PYTHONPATH": str(_ROOT), "PYTHONDONTWRITEBYTECODE": "1", "LC_ALL": "C.UTF-8"},
        cwd="/",
    )
    said, answered = bytearray(), bytearray()
    try:
        assert process.stdin is not None
        # By the pipe: others can read a command line, and the keys of an object store are not for them.
        order = {"uri": place.uri, "options": dict(place.options), "task": task, "parent": os.getpid()}
        await process.stdin.send(json.dumps(order).encode())
        await process.stdin.aclose()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_drain, process.stderr, said)
            tasks.start_soon(_drain, process.stdout, answered)
        code = await process.wait()
    finally:
        process.kill()
        with anyio.CancelScope(shield=True):
            await process.aclose()
    if code != 0:
        last = said.decode(errors="replace").strip().rpartition("\n")[2]
        raise ToolFailed(
            f"Tending {place.uri!r} ({task}) ended with code {code}: {last!r}. The documents are stored.",
            hint="Search finds them, slowly; the next ingestion indexes again.",
        )
    return bytes(answered)


async def _drain(stream: ByteReceiveStream | None, into: bytearray) -> None:
    assert stream is not None
    async for chunk in stream:
        into += chunk


async def _tend(place: Place, task: str) -> dict[str, int] | None:
    from tools.knowledge.remote import answering
    from tools.knowledge.store import Store

    if task == "purge":
        from tools.knowledge.purging import purge

        with answering(place):
            return await purge(place)
    store = await Store.open(place)
    await store.index()
    if task == "compact":
        await store.compact()
    return None


def _stay(parent: int) -> None:
    """Ends this process with the one that holds the lock of writers: the next writer must find nobody at work."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


if __name__ == "__main__":
    given = json.loads(sys.stdin.buffer.read())
    threading.Thread(target=_stay, args=(given["parent"],), daemon=True).start()
    print(json.dumps(anyio.run(_tend, Place(given["uri"], given["options"]), given["task"])))
