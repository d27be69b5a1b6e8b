"""Takes documents out of the knowledge base for good: from the tables, their indices and vectors, and from the disk."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tools.base import Caller
from tools.knowledge.aside import purge_aside
from tools.knowledge.place import tenant_folder
from tools.knowledge.scope import Readable, listed, text_of

if TYPE_CHECKING:
    from tools.knowledge.library import Library

__all__ = ["Held", "brought_by", "drop", "expire", "held", "late", "left", "others", "purge", "unpurged"]


@dataclass(frozen=True, slots=True)
class Held:
    """A document that is there."""

    id: str
    collection: str
    text: str


async def held(library: "Library", caller: Caller, ids: Sequence[str]) -> list[Held]:
    """Those of the documents that the caller may read and change.

    Raises:
        Forbidden: one lies in a collection that the caller may read and not change.
    """
    scope = await library.readable(caller)
    found = await _found(library, caller.tenant, scope, ids)
    for name in sorted({each.collection for each in found}):
        await library.reaches.writable(caller, name)
    return found


async def brought_by(library: "Library", tenant: str, subject: str, collections: Sequence[str]) -> list[Held]:
    """All that a person brought into these collections or shelves, whoever may read it."""
    rows = await (await library.opened(tenant)).brought_by(subject)
    found: list[Held] = []
    for name in collections:  # one by one: on somebody else's shelf a document may have the same id
        if ids := [row["id"] for row in rows if row["collection"] == name]:
            found += await _found(library, tenant, Readable(tenant, {name: None}, None), ids)
    return found


async def drop(library: "Library", tenant: str, documents: Sequence[Held]) -> None:
    """Deletes them from the tables; on the disk they are until `purge`."""
    store = await library.opened(tenant)
    async with library.alone():
        _due(library).mkdir(exist_ok=True)
        (_due(library) / tenant_folder(tenant)).write_text(tenant, "utf-8")
        for name in sorted({each.collection for each in documents}):
            ids = [each.id for each in documents if each.collection == name]
            await store.drop_documents(Readable(tenant, {name: None}, None), ids)


async def purge(library: "Library", tenant: str) -> dict[str, int]:
    """Takes from the disk what was deleted, with all older versions of the tables. See `purging.Purged`."""
    store = await library.opened(tenant)
    async with library.alone():
        done = await purge_aside(store.place)
        (_due(library) / tenant_folder(tenant)).unlink(missing_ok=True)
    library.forgotten(tenant)
    return done


def unpurged(library: "Library") -> list[str]:
    """Tenants of whom something was dropped and not purged: who was to do it was stopped."""
    folder = _due(library)
    return [path.read_text("utf-8") for path in sorted(folder.iterdir())] if folder.is_dir() else []


def _due(library: "Library") -> Path:
    """A folder with a file for each such tenant."""
    return library.config.home / "purging"


async def left(library: "Library", tenant: str, documents: Sequence[Held]) -> int:
    """How many rows of these documents can still be read: none, once they are erased."""
    store = await library.opened(tenant)
    rows = 0
    for name in sorted({each.collection for each in documents}):
        scope = Readable(tenant, {name: None}, None)
        ids = [each.id for each in documents if each.collection == name]
        rows += len(await store.documents(scope, ids))
        rows += len(await store.chunks(scope, f"document IN ({listed(ids)})", ["document"]))
    return rows


async def others(library: "Library", tenant: str, documents: Sequence[Held]) -> AsyncIterator[str]:
    """The texts of all other documents of the tenant."""
    names = sorted({each.collection for each in documents})
    erased = [
        f"(collection = {text_of(name)} AND id IN ({listed(each.id for each in documents if each.collection == name)}))"
        for name in names
    ]
    async for text in (await library.opened(tenant)).texts(f"NOT ({' OR '.join(erased) or 'false'})"):
        yield text


async def late(library: "Library", tenant: str, collection: str, days: int) -> list[str]:
    """Ids of what came into a collection more than so many days ago. It is out of reach already."""
    store = await library.opened(tenant)
    kept, everything = (Readable(tenant, {collection: most}, None) for most in (days, None))
    there = {row["id"] for row in await store.documents(everything)}
    return sorted(there - {row["id"] for row in await store.documents(kept)})


async def expire(library: "Library", tenant: str, collection: str, days: int) -> list[str]:
    """Deletes it; returns the ids."""
    store = await library.opened(tenant)
    async with library.alone():
        if ids := await late(library, tenant, collection, days):
            await store.drop_documents(Readable(tenant, {collection: None}, None), ids)
            await store.tend(compact=True)
    return ids


async def _found(library: "Library", tenant: str, scope: Readable, ids: Sequence[str]) -> list[Held]:
    rows = await (await library.opened(tenant)).documents(scope, ids, text=True)
    return [Held(row["id"], row["collection"], row["text"]) for row in rows]
