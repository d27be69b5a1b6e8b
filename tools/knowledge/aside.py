"""Tends the indices of a large knowledge base in a process of its own, whose memory ends with it."""

import subprocess
import sys
from pathlib import Path

import anyio

from tools.base import ToolFailed
from tools.process import start

__all__ = ["tend_aside"]

_ROOT = Path(__file__).resolve().parents[2]


async def tend_aside(home: Path, *, compact: bool) -> None:
    """Builds the indices of the store at `home` anew; with `compact` it also rewrites the tables.

    Raises:
        ToolFailed: the process ended before its work was done.
    """
    command = [sys.executable, "-P", "-s", "-X", "utf8", "-m", "tools.knowledge.aside", str(home.absolute())]
    process = await start(
        [*command, *(["compact"] if compact else [])],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env={"PYTHONPATH": str(_ROOT), "PYTHONDONTWRITEBYTECODE": "1", "LC_ALL": "C.UTF-8"},
        cwd="/",
    )
    try:
        assert process.stderr is not None
        said = b"".join([chunk async for chunk in process.stderr])
        code = await process.wait()
    finally:
        process.kill()
        with anyio.CancelScope(shield=True):
            await process.aclose()
    if code != 0:
        last = said.decode(errors="replace").strip().rpartition("\n")[2]
        raise ToolFailed(
            f"Indexing {str(home)!r} ended with code {code}: {last!r}. The documents are stored.",
            hint="Search finds them, slowly; the next ingestion indexes again.",
        )


async def _tend(home: Path, compact: bool) -> None:
    from tools.knowledge.store import Store

    store = await Store.open(home)
    await store.index()
    if compact:
        await store.compact()


if __name__ == "__main__":
    anyio.run(_tend, Path(sys.argv[1]), "compact" in sys.argv[2:])
