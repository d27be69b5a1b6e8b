"""Vector stores: names for collections of the knowledge base, with what their files came to."""

import time
from collections.abc import Callable, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict
from sqlalchemy import ColumnElement, RowMapping, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.state.database import Database
from server.state.paging import Page, Paging, new_id, paged
from server.state.tables import mine, row_of, vector_store_files, vector_stores
from tools.base import Caller, InvalidInput, NotFound, Unavailable

__all__ = ["Counts", "FileStatus", "VectorStore", "VectorStores", "counted"]

FileStatus = Literal["in_progress", "completed", "cancelled", "failed"]
_DAY_S = 86_400
_STIR_S = 60
"""Seconds between two notes of use; a search a moment later writes nothing."""


class Counts(BaseModel):
    """Files by what they came to."""

    model_config = ConfigDict(frozen=True)

    in_progress: int = 0
    completed: int = 0
    failed: int = 0
    cancelled: int = 0
    total: int = 0


class VectorStore(BaseModel):
    """A store as it stands."""

    model_config = ConfigDict(frozen=True)

    id: str
    home: str
    name: str
    description: str | None
    metadata: dict[str, str]
    created: int
    active: int
    days: int | None
    expires: int | None
    counts: Counts = Counts()
    usage: int = 0
    expired: bool = False

    @property
    def status(self) -> Literal["expired", "in_progress", "completed"]:
        if self.expired:
            return "expired"
        return "in_progress" if self.counts.in_progress else "completed"


class VectorStores:
    """The stores of callers.

    Args:
        database: where they stand.
        home: names that where the documents of new stores lie; those of others cannot be reached from here.
        clock: Unix seconds.
    """

    def __init__(self, database: Database, *, home: str, clock: Callable[[], float] = time.time) -> None:
        self.database = database
        self.home = home
        self._clock = clock

    @property
    def now(self) -> int:
        return int(self._clock())

    async def add(
        self, caller: Caller, *, name: str, description: str | None, metadata: Mapping[str, str], days: int | None
    ) -> VectorStore:
        """Makes an empty store; without use for `days` it expires."""
        now = self.now
        row = {
            "id": new_id("vs_"),
            "home": self.home,
            "name": name,
            "description": description,
            "metadata": dict(metadata),
            "created": now,
            "active": now,
            "days": days,
            "expires": _end(now, days),
        }
        async with self.database.begin() as connection:
            await connection.execute(insert(vector_stores).values(**row_of(caller), **row))
        return VectorStore.model_validate(row)

    async def get(self, caller: Caller, id: str) -> VectorStore:
        """A store.

        Raises:
            NotFound: it is not there, or not for this caller.
        """
        async with self.database.read() as connection:
            return await self.found(connection, caller, id)

    async def here(self, caller: Caller, id: str) -> VectorStore:
        """A store whose documents lie in this home.

        Raises:
            NotFound: as `get`.
            Unavailable: they lie in that of another machine.
        """
        store = await self.get(caller, id)
        if store.home != self.home:
            raise Unavailable(
                f"The documents of the vector store {id!r} lie on another machine. Expected a home that all machines share.",
                hint="Ask the machine where it was made, or let the platform team share the home.",
            )
        return store

    async def used(self, caller: Caller, id: str) -> VectorStore:
        """A store that is being used, which puts off its end.

        Raises:
            NotFound: as `get`.
            Unavailable: as `here`.
            InvalidInput: it has expired.
        """
        store = await self.here(caller, id)
        if store.expired:
            raise InvalidInput(
                f"The vector store {id!r} has expired. Expected one that has not.", hint="Make a new one."
            )
        now = self.now
        if now - store.active >= _STIR_S:
            values = {"active": now, "expires": _end(now, store.days)}
            async with self.database.begin() as connection:
                await connection.execute(_update(caller, id).values(values))
        return store

    async def many(self, caller: Caller, part: Paging) -> Page[VectorStore]:
        """The caller's stores."""
        async with self.database.read() as connection:
            page = await paged(connection, vector_stores, mine(vector_stores, caller), part)
            return Page([await self._store(connection, row) for row in page.data], page.more)

    async def change(self, caller: Caller, id: str, values: Mapping[str, Any]) -> VectorStore:
        """Changes `name`, `metadata` or `days`.

        Raises:
            NotFound: as `get`.
        """
        async with self.database.begin() as connection:
            store = await self.found(connection, caller, id)
            now, days = self.now, values.get("days", store.days)
            await connection.execute(_update(caller, id).values({**values, "active": now, "expires": _end(now, days)}))
            return await self.found(connection, caller, id)

    async def delete(self, caller: Caller, id: str) -> None:
        """Deletes a store; its documents are the knowledge base's.

        Raises:
            NotFound: as `get`.
        """
        async with self.database.begin() as connection:
            await self.found(connection, caller, id)
            await connection.execute(delete(vector_stores).where(mine(vector_stores, caller), vector_stores.c.id == id))

    async def expired(self) -> list[tuple[Caller, str]]:
        """Stores of all callers in this home that have expired and still have files."""
        files = select(vector_store_files.c.store).distinct()
        query = select(vector_stores.c.tenant, vector_stores.c.subject, vector_stores.c.id).where(
            vector_stores.c.expires <= self.now, vector_stores.c.home == self.home, vector_stores.c.id.in_(files)
        )
        async with self.database.read() as connection:
            rows = (await connection.execute(query)).all()
        return [(Caller(subject=row.subject, tenant=row.tenant), row.id) for row in rows]

    async def emptied(self, id: str) -> None:
        """Takes all files from a store whose documents are deleted."""
        async with self.database.begin() as connection:
            await connection.execute(delete(vector_store_files).where(vector_store_files.c.store == id))

    async def found(self, connection: AsyncConnection, caller: Caller, id: str) -> VectorStore:
        """The same as `get`, as a part of a transaction that does more."""
        query = select(vector_stores).where(mine(vector_stores, caller), vector_stores.c.id == id)
        row = (await connection.execute(query)).mappings().one_or_none()
        if row is None:
            raise NotFound(
                f"The vector store {id[:80]!r} is not there. Expected the id of one of yours.",
                hint="GET /v1/vector_stores lists them.",
            )
        return await self._store(connection, row)

    async def _store(self, connection: AsyncConnection, row: RowMapping) -> VectorStore:
        counts, usage = await counted(connection, vector_store_files.c.store == row["id"])
        expired = row["expires"] is not None and row["expires"] <= self.now
        return VectorStore.model_validate({**row, "counts": counts, "usage": usage, "expired": expired})


async def counted(connection: AsyncConnection, where: ColumnElement[bool]) -> tuple[Counts, int]:
    """How many files there are for which `where` holds, by status; and the bytes of all."""
    columns = vector_store_files.c
    counts: dict[str, int] = {}
    size = 0
    query = select(columns.status, func.count().label("files"), func.sum(columns.usage).label("bytes"))
    for row in (await connection.execute(query.where(where).group_by(columns.status))).mappings():
        counts[row["status"]] = row["files"]
        size += int(row["bytes"])
    return Counts.model_validate({**counts, "total": sum(counts.values())}), size


def _update(caller: Caller, id: str) -> Any:
    return update(vector_stores).where(mine(vector_stores, caller), vector_stores.c.id == id)


def _end(now: int, days: int | None) -> int | None:
    return None if days is None else now + days * _DAY_S
