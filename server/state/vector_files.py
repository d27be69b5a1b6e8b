"""Files in vector stores: put in, read in the background, taken out."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from pydantic import BaseModel, ConfigDict, TypeAdapter
from sqlalchemy import ColumnElement, RowMapping, and_, delete, insert, select, update

from server.state.database import Database
from server.state.files import StoredFile
from server.state.leases import LEASE_S, Lease
from server.state.paging import Page, Paging, new_id, paged
from server.state.tables import mine, row_of, vector_store_files, vector_stores
from server.state.vector_stores import Counts, FileStatus, counted
from tools.base import Caller, NotFound
from tools.knowledge.chunking import STRUCTURE, Chunking
from tools.knowledge.files import Inline

__all__ = ["Attributes", "Entry", "FileBatch", "Taken", "VectorFile", "VectorFiles", "Windows", "path_of", "source_of"]

Attributes = dict[str, str | float | bool]
Windows = dict[Literal["max_chunk_size_tokens", "chunk_overlap_tokens"], int]
_CALLER = TypeAdapter(Caller)
_T = vector_store_files


class VectorFile(BaseModel):
    """A file in a store."""

    model_config = ConfigDict(frozen=True)

    store: str
    file: str
    name: str
    status: FileStatus
    error: dict[str, str] | None
    attributes: Attributes
    windows: Windows | None
    usage: int
    created: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A file that is to be put into a store."""

    file: StoredFile
    attributes: Attributes = field(default_factory=Attributes)
    windows: Windows | None = None
    """How it is to be cut; null = by its structure."""


class FileBatch(BaseModel):
    """Files that were put in together."""

    model_config = ConfigDict(frozen=True)

    id: str
    store: str
    created: int
    counts: Counts


@dataclass(frozen=True, slots=True)
class Taken:
    """A file that this worker reads now."""

    row: RowMapping
    caller: Caller

    @property
    def path(self) -> str:
        return path_of(self.row["file"], self.row["name"])

    @property
    def chunking(self) -> Chunking:
        """How it is to be cut."""
        windows = cast("Windows | None", self.row["windows"])
        if windows is None:
            return STRUCTURE
        return Chunking("tokens", windows["max_chunk_size_tokens"], windows["chunk_overlap_tokens"])


def path_of(file: str, name: str) -> str:
    """How a file's documents are called in the collection: the ids of its documents begin with the file's."""
    return f"{file}/{name}"


def source_of(file: str, name: str) -> str:
    """What the knowledge base recognises it by."""
    return Inline(path_of(file, name), b"").source


class VectorFiles:
    """The files of stores. Whoever calls has looked whether the store is the caller's.

    Args:
        database: where they stand.
        worker: whose hold it is on the files it reads.
        home: names that where its documents go; files of stores of another home are not for it.
        clock: Unix seconds.
        lease_s: after how many seconds without a sign of life others go on with the work.
    """

    def __init__(
        self,
        database: Database,
        *,
        worker: str,
        home: str,
        clock: Callable[[], float] = time.time,
        lease_s: int = LEASE_S,
    ) -> None:
        self._database = database
        self._home = home
        self._clock = clock
        self._lease = Lease(_T, worker, lease_s)

    async def add(self, caller: Caller, store: str, items: Sequence[Entry], *, together: bool = False) -> str | None:
        """Puts files in, to be read; what is there already is read anew. Gives the id of what was put in together.

        Raises:
            NotFound: the store has been deleted meanwhile.
        """
        batch, now = new_id("vsfb_") if together else None, int(self._clock())
        whose, who = row_of(caller), _CALLER.dump_python(caller, mode="json")
        one = select(vector_stores.c.id).where(mine(vector_stores, caller), vector_stores.c.id == store)
        async with self._database.begin() as connection:
            # Held, so that nobody deletes it now, or puts the same file in.
            if (await connection.execute(one.with_for_update())).first() is None:
                raise NotFound(f"The vector store {store!r} is not there any more.", hint="Make a new one.")
            for item in items:
                row = {
                    "store": store,
                    "file": item.file.id,
                    **whose,
                    "batch": batch,
                    "name": item.file.name,
                    "status": "in_progress",
                    "attributes": item.attributes,
                    "usage": 0,
                    "caller": who,
                    "windows": item.windows,
                    "created": now,
                }
                await connection.execute(delete(_T).where(self._one(caller, store, item.file.id)))
                await connection.execute(insert(_T).values(row))
        return batch

    async def get(self, caller: Caller, store: str, file: str) -> VectorFile:
        """One of them.

        Raises:
            NotFound: it is not there, or not for this caller.
        """
        async with self._database.read() as connection:
            row = (await connection.execute(select(_T).where(self._one(caller, store, file)))).mappings().one_or_none()
        if row is None:
            raise _missing(file)
        return _file(row)

    async def many(
        self, caller: Caller, store: str, part: Paging, *, status: str | None = None, batch: str | None = None
    ) -> Page[VectorFile]:
        """The files of a store, or those of one batch, with one status or any."""
        where = mine(_T, caller) & (_T.c.store == store)
        if status is not None:
            where &= _T.c.status == status
        if batch is not None:
            where &= _T.c.batch == batch
        async with self._database.read() as connection:
            page = await paged(connection, _T, where, part, id="file")
        return Page([_file(row) for row in page.data], page.more)

    async def all(self, caller: Caller, store: str) -> list[VectorFile]:
        """Every file that can be found in a store."""
        where = (mine(_T, caller), _T.c.store == store, _T.c.status == "completed")
        async with self._database.read() as connection:
            return [_file(row) for row in (await connection.execute(select(_T).where(*where))).mappings().all()]

    async def named(self, caller: Caller, store: str, ids: Collection[str]) -> dict[str, VectorFile]:
        """Those of `ids` that can be found in a store, by id."""
        where = (mine(_T, caller), _T.c.store == store, _T.c.file.in_(ids), _T.c.status == "completed")
        async with self._database.read() as connection:
            rows = (await connection.execute(select(_T).where(*where))).mappings().all()
        return {row["file"]: _file(row) for row in rows}

    async def holding(self, caller: Caller, file: str) -> list[VectorFile]:
        """The same file in every store that holds it."""
        async with self._database.read() as connection:
            rows = (await connection.execute(select(_T).where(mine(_T, caller), _T.c.file == file))).mappings().all()
        return [_file(row) for row in rows]

    async def describe(self, caller: Caller, store: str, file: str, attributes: Mapping[str, Any]) -> VectorFile:
        """Gives a file other attributes.

        Raises:
            NotFound: as `get`.
        """
        async with self._database.begin() as connection:
            changed = update(_T).where(self._one(caller, store, file)).values(attributes=dict(attributes))
            await connection.execute(changed)
        return await self.get(caller, store, file)

    async def delete(self, caller: Caller, store: str, file: str) -> VectorFile:
        """Takes a file out.

        Raises:
            NotFound: as `get`.
        """
        found = await self.get(caller, store, file)
        async with self._database.begin() as connection:
            await connection.execute(delete(_T).where(self._one(caller, store, file)))
        return found

    async def batch(self, caller: Caller, store: str, batch: str) -> FileBatch:
        """Files that were put in together.

        Raises:
            NotFound: there are none of this id, or not for this caller.
        """
        where = and_(mine(_T, caller), _T.c.store == store, _T.c.batch == batch)
        async with self._database.read() as connection:
            created = (await connection.execute(select(_T.c.created).where(where).limit(1))).scalar_one_or_none()
            counts, _ = await counted(connection, where)
        if created is None:
            raise NotFound(f"The file batch {batch[:80]!r} is not there. Expected one of this vector store.")
        return FileBatch(id=batch, store=store, created=created, counts=counts)

    async def cancel(self, caller: Caller, store: str, batch: str) -> FileBatch:
        """Leaves out those that are not read yet.

        Raises:
            NotFound: as `batch`.
        """
        where = and_(mine(_T, caller), _T.c.store == store, _T.c.batch == batch, _T.c.status == "in_progress")
        async with self._database.begin() as connection:
            await connection.execute(update(_T).where(where, _T.c.worker.is_(None)).values(status="cancelled"))
        return await self.batch(caller, store, batch)

    async def take(self, most: int) -> list[Taken]:
        """Takes files that wait to be read, all of one store and nobody else's now."""
        waiting, now = _T.c.status == "in_progress", int(self._clock())
        async with self._database.read() as connection:
            free = _T.c.heartbeat.is_(None) | (_T.c.heartbeat < now - self._lease.seconds)
            own = _T.c.store.in_(select(vector_stores.c.id).where(vector_stores.c.home == self._home))
            query = select(_T.c.store).where(waiting, free, own).order_by(_T.c.created).limit(1)
            store = (await connection.execute(query)).scalar_one_or_none()
        if store is None:
            return []
        async with self._database.begin() as connection:
            rows = await self._lease.take(connection, waiting & (_T.c.store == store), now=now, most=most)
        return [Taken(row, _CALLER.validate_python(row["caller"])) for row in rows]

    async def keep(self, taken: Sequence[Taken]) -> None:
        """Shows that they are still being read."""
        async with self._database.begin() as connection:
            for one in taken:
                await self._lease.keep(connection, one.row, now=int(self._clock()))

    async def leave(self, taken: Sequence[Taken]) -> None:
        """Gives those that are not read back to whoever comes next."""
        async with self._database.begin() as connection:
            for one in taken:
                await self._lease.leave(connection, one.row)

    async def finish(self, one: Taken, *, usage: int = 0, error: Mapping[str, str] | None = None) -> bool:
        """Notes what a file came to; False where it, or its store, was deleted meanwhile."""
        values: dict[str, Any] = {
            "status": "failed" if error else "completed",
            "error": dict(error) if error else None,
            "usage": usage,
            "worker": None,
            "heartbeat": None,
        }
        async with self._database.begin() as connection:
            done = await connection.execute(update(_T).where(self._lease.held(one.row)).values(values))
        return done.rowcount > 0

    @staticmethod
    def _one(caller: Caller, store: str, file: str) -> ColumnElement[bool]:
        return and_(mine(_T, caller), _T.c.store == store, _T.c.file == file)


def _file(row: RowMapping) -> VectorFile:
    return VectorFile.model_validate(dict(row))


def _missing(file: str) -> NotFound:
    return NotFound(
        f"The file {file[:80]!r} is not in this vector store. Expected the id of one that is.",
        hint="GET /v1/vector_stores/{id}/files lists them.",
    )
