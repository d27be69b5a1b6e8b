"""Reads the files of vector stores into their collections, in the background, a few at a time."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from tools.base import NotFound, PartiturError
from tools.knowledge.chunking import Chunking
from tools.knowledge.files import Inline, check_ending
from tools.knowledge.formats import Unreadable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from server.state.files import FileStore
    from server.state.vector_files import Taken, VectorFiles
    from server.state.vector_stores import VectorStores
    from tools.knowledge.library import Library

__all__ = ["Shelving"]

log = logging.getLogger(__name__)
_AT_ONCE = 8
"""Files that one ingestion reads; their bytes are in memory together."""
_MOST_BYTES = 64_000_000
_BEAT_S = 5.0


class Shelving:
    """One worker's share of the reading.

    Args:
        files: the uploads.
        shelved: what is to be read, and what it came to.
        stores: the stores; those that have expired are emptied.
        library: where documents go.
    """

    def __init__(self, files: "FileStore", shelved: "VectorFiles", stores: "VectorStores", library: "Library") -> None:
        self._files = files
        self._shelved = shelved
        self._stores = stores
        self._library = library

    async def work(self) -> bool:
        """Reads what waits, once; False where nothing did."""
        taken = await self._shelved.take(_AT_ONCE)
        if not taken:
            return False
        async with self._alive(taken):
            await self._read(taken)
        return True

    async def tidy(self) -> None:
        """Deletes what stores held that have expired."""
        for caller, store in await self._stores.expired():
            await self._library.forget_all(caller, shelf=store)
            await self._stores.emptied(store)

    async def _read(self, taken: "Sequence[Taken]") -> None:
        items: dict[str, tuple[Taken, Inline]] = {}
        size = 0
        for one in taken:
            if size > _MOST_BYTES:
                break
            try:
                check_ending(one.path, self._library.config.readers_extra)
                data = await self._files.read(one.caller, one.row["file"])
            except Unreadable as error:
                await self._shelved.finish(one, error={"code": "unsupported_file", "message": str(error)})
            except NotFound as error:
                await self._shelved.finish(one, error={"code": "invalid_file", "message": str(error)})
            else:
                items[one.path] = one, Inline(one.path, data)
                size += len(data)
        for chunking in {one.chunking for one, _ in items.values()}:
            await self._ingest({path: item for path, item in items.items() if item[0].chunking == chunking}, chunking)

    async def _ingest(self, items: "Mapping[str, tuple[Taken, Inline]]", chunking: Chunking) -> None:
        first, _ = next(iter(items.values()))
        store, caller = first.row["store"], first.caller
        try:
            documents = [item for _, item in items.values()]
            report = await self._library.ingest(documents=documents, caller=caller, shelf=store, chunking=chunking)
        except PartiturError as error:
            log.exception("Files of the vector store %s could not be read", store)
            for one, _ in items.values():
                await self._shelved.finish(one, error={"code": "server_error", "message": error.message})
            return
        failed = {problem.name: problem.reason for problem in report.failed}
        gone: list[str] = []
        for path, (one, item) in items.items():
            why = failed.get(path)
            error = {"code": "invalid_file", "message": why} if why is not None else None
            if not await self._shelved.finish(one, usage=0 if error else len(item.data), error=error) and not error:
                gone.append(item.source)
        if gone:  # taken out of the store while it was read
            await self._library.forget(gone, caller, shelf=store)

    @asynccontextmanager
    async def _alive(self, taken: "Sequence[Taken]") -> "AsyncGenerator[None]":
        """Shows that the files are being read; what is not finished at the end is given back."""

        async def beat() -> None:
            while True:
                await asyncio.sleep(_BEAT_S)
                await self._shelved.keep(taken)

        beating = asyncio.create_task(beat())
        try:
            yield
        finally:
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)
            await self._shelved.leave(taken)
