"""What of the database belongs to a person or quotes erased documents: found, deleted, and overwritten on the disk."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.state.database import Database
from server.state.paging import new_id
from server.state.tables import (
    batch_lines,
    batches,
    collections,
    erasures,
    file_parts,
    files,
    responses,
    row_of,
    vector_stores,
)
from tools.base import Caller, NotFound

__all__ = ["Erasures"]

Judge = Callable[[bytes], bool]
"""Whether something says what is to be erased."""


class Erasures:
    """Deletes rows across all callers of a tenant, and keeps the receipts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def quoting(self, tenant: str, judge: Callable[[bytes, str], bool]) -> dict[str, int]:
        """Deletes stored responses, results of batches and files made of these that quote what is erased.

        `judge` is asked with what something says, and with the subject whose it is.
        """
        if not self._database.there:
            return {}
        erased = {"responses": 0, "batch results": 0, "files of results": 0}
        async with self._database.begin() as connection:
            rows = (await connection.execute(select(responses).where(responses.c.tenant == tenant))).mappings()
            hit = [row["id"] for row in rows if judge(_bytes([row["body"], row["items"]]), row["subject"])]
            erased["responses"] = await _delete(connection, responses, hit)
            own = select(batch_lines, batches.c.subject).join(batches, batches.c.id == batch_lines.c.batch)
            lines = (await connection.execute(own.where(batches.c.tenant == tenant))).mappings().all()
            for row in lines:
                if judge((row["result"] or "").encode(), row["subject"]):
                    where = (batch_lines.c.batch == row["batch"]) & (batch_lines.c.number == row["number"])
                    await connection.execute(update(batch_lines).where(where).values(result=None))
                    erased["batch results"] += 1
            made = select(file_parts, files.c.subject).join(files, files.c.id == file_parts.c.file)
            output = (files.c.tenant == tenant) & (files.c.purpose == "batch_output")
            parts = (await connection.execute(made.where(output))).mappings()
            quoting = sorted({row["file"] for row in parts if judge(row["content"], row["subject"])})
            erased["files of results"] = await _delete(connection, files, quoting)
        return erased

    async def uploads(self, tenant: str, judge: Judge) -> list[str]:
        """Ids of uploaded files, of whomever, that say what is erased: named, for they are not ours to delete."""
        if not self._database.there:
            return []
        async with self._database.read() as connection:
            own = select(files.c.id).where(files.c.tenant == tenant)
            rows = (await connection.execute(select(file_parts).where(file_parts.c.file.in_(own)))).mappings()
            return sorted({row["file"] for row in rows if judge(row["content"])})

    async def of_other_tenants(self, tenant: str, judge: Judge) -> list[bytes]:
        """What says the same in responses, batches and files of other tenants: it is theirs, whatever is erased here."""
        if not self._database.there:
            return []
        found: list[bytes] = []
        async with self._database.read() as connection:
            rows = (await connection.execute(select(responses).where(responses.c.tenant != tenant))).mappings()
            found += [said for row in rows if judge(said := _bytes([row["body"], row["items"]]))]
            own = select(batches.c.id).where(batches.c.tenant != tenant)
            lines = (await connection.execute(select(batch_lines).where(batch_lines.c.batch.in_(own)))).mappings()
            found += [said for row in lines if judge(said := f"{row['request']}\n{row['result'] or ''}".encode())]
            sent = select(files.c.id).where(files.c.tenant != tenant)
            parts = (await connection.execute(select(file_parts).where(file_parts.c.file.in_(sent)))).mappings()
            found += [row["content"] for row in parts if judge(row["content"])]
        return found

    async def stores_of(self, tenant: str, subject: str) -> list[str]:
        """A person's vector stores, whose documents lie on shelves of the knowledge base."""
        if not self._database.there:
            return []
        where = (vector_stores.c.tenant == tenant) & (vector_stores.c.subject == subject)
        async with self._database.read() as connection:
            return list((await connection.execute(select(vector_stores.c.id).where(where))).scalars())

    async def person(self, tenant: str, subject: str) -> dict[str, int]:
        """Deletes all rows that belong to a person, and takes them from the rules of collections."""
        if not self._database.there:
            return {}
        erased: dict[str, int] = {}
        async with self._database.begin() as connection:
            for name, table in (("responses", responses), ("batches", batches), ("files", files)):
                where = (table.c.tenant == tenant) & (table.c.subject == subject)
                erased[name] = (await connection.execute(delete(table).where(where))).rowcount
            where = (vector_stores.c.tenant == tenant) & (vector_stores.c.subject == subject)
            erased["vector stores"] = (await connection.execute(delete(vector_stores).where(where))).rowcount
            erased["rules of collections"] = await _unlisted(connection, tenant, subject)
        return erased

    async def scrub(self) -> None:
        """Overwrites on the disk what was deleted; takes a moment, in which nobody else writes."""
        if not self._database.there:
            return
        await self._database.scrub()

    async def keep(self, caller: Caller, receipt: dict[str, Any]) -> str:
        """Keeps a receipt; returns its id."""
        id = new_id("er_")
        async with self._database.begin() as connection:
            row = {"id": id, "created": receipt["at"], "receipt": {**receipt, "id": id}}
            await connection.execute(insert(erasures).values(**row_of(caller), **row))
        return id

    async def receipts(self, caller: Caller, *, all: bool) -> list[dict[str, Any]]:
        """The caller's receipts, newest first; or those of the whole tenant."""
        if not self._database.there:
            return []
        where = erasures.c.tenant == caller.tenant
        if not all:
            where &= erasures.c.subject == caller.subject
        query = select(erasures.c.receipt).where(where).order_by(erasures.c.created.desc(), erasures.c.id)
        async with self._database.read() as connection:
            return list((await connection.execute(query)).scalars())

    async def receipt(self, caller: Caller, id: str, *, all: bool) -> dict[str, Any]:
        """One of them.

        Raises:
            NotFound: there is none for this caller.
        """
        for found in await self.receipts(caller, all=all):
            if found["id"] == id:
                return found
        raise NotFound(f"The receipt {id!r} is not there. Expected the id of one of yours.", hint="List them.")


async def _delete(connection: AsyncConnection, table: Any, ids: Sequence[str]) -> int:  # Any: any of our tables
    for at in range(0, len(ids), 500):
        await connection.execute(delete(table).where(table.c.id.in_(ids[at : at + 500])))
    return len(ids)


async def _unlisted(connection: AsyncConnection, tenant: str, subject: str) -> int:
    changed = 0
    rows = (await connection.execute(select(collections).where(collections.c.tenant == tenant))).mappings().all()
    for row in rows:
        values: dict[str, Any] = {"owner": None} if row["owner"] == subject else {}
        for name in ("readers", "editors"):
            if subject in row[name]["users"]:
                values[name] = {**row[name], "users": [user for user in row[name]["users"] if user != subject]}
        if values:
            where = (collections.c.tenant == tenant) & (collections.c.name == row["name"])
            await connection.execute(update(collections).where(where).values(**values))
            changed += 1
    return changed


def _bytes(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
