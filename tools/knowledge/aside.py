"""Tends the indices of a large knowledge base in a process of its own, whose memory ends with it."""

import json
import subprocess
import sys
from pathlib import Path

import anyio

from tools.base import ToolFailed
from tools.knowledge.place import Place
from tools.process import start

__all__ = ["tend_aside"]

_ROOT = Path(__file__).resolve().parents[2]


async def tend_aside(place: Place, *, compact: bool) -> None:
    """Builds the indices of the tables at `place` anew; with `compact` it also rewrites the tables.

    Raises:
        ToolFailed: the process ended before its work was done.
    """
    process = await start(
        [sys.executable, "-P", "-s", "-X", "utf8", "-m", "tools.knowledge.aside"],
        stdout=subprocess.DEVNULL,
        env={"PYTHONPATH": str(_ROOT), "PYTHONDONTWRITEBYTECODE": "1", "LC_ALL": "C.UTF-8"},
        cwd="/",
    )
    try:
        assert process.stdin is not None
        assert process.stderr is not None
        # By the pipe: others can read a command line, and the keys of an object store are not for them.
        order = {"uri": place.uri, "options": dict(place.options), "compact": compact}
        await process.stdin.send(json.dumps(order).encode())
        await process.stdin.aclose()
        said = b"".join([chunk async for chunk in process.stderr])
        code = await process.wait()
    finally:
        process.kill()
        with anyio.CancelScope(shield=True):
            await process.aclose()
    if code != 0:
        last = said.decode(errors="replace").strip().rpartition("\n")[2]
        raise ToolFailed(
            f"Indexing {place.uri!r} ended with code {code}: {last!r}. The documents are stored.",
            hint="Search finds them, slowly; the next ingestion indexes again.",
        )


async def _tend(place: Place, compact: bool) -> None:
    from tools.knowledge.store import Store

    store = await Store.open(place)
    await store.index()
    if compact:
        await store.compact()


if __name__ == "__main__":
    given = json.loads(sys.stdin.buffer.read())
    anyio.run(_tend, Place(given["uri"], given["options"]), given["compact"])
