"""The vectors of chunks, in a table for each embedding model; whatever is filtered by stands beside them, too."""

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, cast

from tools.base import Failed
from tools.knowledge.lance import lance_index
from tools.knowledge.meaning import Embedder
from tools.knowledge.place import Place
from tools.knowledge.remote import told
from tools.knowledge.schema import CHUNKS, Row, pa
from tools.knowledge.scope import Readable, listed, text_of

__all__ = ["Vectors", "vector_tables"]

_Known = tuple[str, str, str]
"""Collection, document and version."""
_PREFIX = "vectors_"
"""Of the names of such tables."""

_KEPT = (
    "tenant", "collection", "access", "readers", "ingested_at", "date", "document", "source", "version", "start",
    "language", "media_type", "tags",
)  # fmt: skip
_DOCUMENTS = 50
"""Documents whose chunks are embedded together, and are there together."""
_INDEXED = 20_000
"""Vectors from which an index is worth its price; below it every one is compared."""


@told
class Vectors:
    """Of one tenant and one embedding model."""

    def __init__(
        self, place: Place, db: Any, documents: Any, chunks: Any, embedder: Embedder
    ) -> None:  # Any: lancedb has no types
        self.place = place
        self._db = db
        self._documents = documents
        self._chunks = chunks
        self._embedder = embedder
        self._name = _PREFIX + hashlib.sha256(embedder.id.encode()).hexdigest()[:24]
        self._table: Any = None

    async def search(self, scope: Readable, query: Sequence[float], limit: int, where: str | None) -> list[Row]:
        """The nearest chunks by cosine: `collection`, `document`, `version`, `start` and `_distance`.

        Raises:
            Failed: the query's vector has another length than those that are there.
        """
        table = await self._opened()
        if table is None:
            return []
        await _check_length(table, len(query))
        whole = scope.filter if where is None else f"{scope.filter} AND ({where})"
        nearest = table.query().nearest_to(list(query)).distance_type("cosine").where(whole).limit(limit)
        return cast(
            list[Row], await nearest.select(["collection", "document", "version", "start", "_distance"]).to_list()
        )

    async def missing(self) -> int:
        """Documents that have no vectors of this model yet."""
        return len(await self._lacking())

    async def catch_up(
        self, tell: Callable[[int, int], Awaitable[None]], alone: Callable[[], AbstractAsyncContextManager[None]]
    ) -> int:
        """Embeds what has no vectors yet and drops those of what is gone; then other models' tables, too.

        A document's chunks get their vectors all together, so that whoever is stopped goes on where he was. `alone` is
        the lock of writers: it is held while vectors are written, not while the model is asked, and what was deleted or
        replaced meanwhile gets none. Returns how many documents were embedded.

        Raises:
            Failed: the model cannot be reached, or gives vectors of another length than before.
        """
        lacking = await self._lacking()
        done = 0
        for at in range(0, len(lacking), _DOCUMENTS):
            some = lacking[at : at + _DOCUMENTS]
            ids = sorted({document for _, document, _ in some})
            chosen = set(some)
            rows: list[Row] = []
            query = self._chunks.query().where(f"document IN ({listed(ids)})")
            async for batch in await query.select([*_KEPT, "title", "heading", "text"]).to_batches():
                rows += [
                    row for row in batch.to_pylist() if (row["collection"], row["document"], row["version"]) in chosen
                ]
            vectors = await self._embedder.passages([_spoken(row) for row in rows])
            async with alone():
                there = await self._known(self._documents, "id", f"id IN ({listed(ids)})")
                kept = [
                    {**{name: row[name] for name in _KEPT}, "vector": vector}
                    for row, vector in zip(rows, vectors, strict=True)
                    if (row["collection"], row["document"], row["version"]) in there
                ]
                if kept:
                    table = await self._made(len(vectors[0]))
                    await table.add(pa.Table.from_pylist(kept, schema=await table.schema()))
            done += len(some)
            await tell(done, len(lacking))
        async with alone():
            await self._tidy()
        return done

    async def _lacking(self) -> list[_Known]:
        stored = await self._known(self._documents, "id", "chunks > 0")
        table = await self._opened()
        there: set[_Known] = set() if table is None else await self._known(table, "document", None)
        return sorted(stored - there)

    async def _tidy(self) -> None:
        for name in await vector_tables(self._db):
            if name != self._name:
                await self._db.drop_table(name)
        table = await self._opened()
        if table is None:
            return
        gone = await self._known(table, "document", None) - await self._known(self._documents, "id", None)
        for collection, document, version in gone:
            place = f"collection = {text_of(collection)} AND document = {text_of(document)}"
            await table.delete(f"{place} AND version = {text_of(version)}")
        if await table.count_rows() >= _INDEXED and not list(await table.list_indices()):
            await table.create_index("vector", config=lance_index.IvfFlat(distance_type="cosine"))

    @staticmethod
    async def _known(table: Any, id: str, where: str | None) -> set[_Known]:
        query = table.query().select(["collection", id, "version"])
        found: set[_Known] = set()
        async for batch in await (query if where is None else query.where(where)).to_batches():
            columns = batch.to_pydict()
            found.update(zip(columns["collection"], columns[id], columns["version"], strict=True))
        return found

    async def _opened(self) -> Any:
        if self._table is None and self._name in await vector_tables(self._db):
            self._table = await self._db.open_table(self._name)
        return self._table

    async def _made(self, length: int) -> Any:
        if await self._opened() is None:
            fields = [CHUNKS.field(name) for name in _KEPT]
            schema = pa.schema([*fields, pa.field("vector", pa.list_(pa.float32(), length))])
            self._table = await self._db.create_table(self._name, schema=schema, exist_ok=True)
        await _check_length(self._table, length)
        return self._table


async def _check_length(table: Any, length: int) -> None:  # Any: lancedb has no types
    before = (await table.schema()).field("vector").type.list_size
    if before != length:
        raise Failed(
            f"The embedding model gives vectors of {length:,} numbers. Expected {before:,}, as before: it is another model.",
            hint="Give the model of the role 'embedding' another name in the settings; then its vectors are made anew.",
        )


def _spoken(row: Row) -> str:
    """What is embedded of a chunk: a passage says little without the headings above it."""
    above = " › ".join(part for part in (row["title"], row["heading"]) if part)
    return f"{above}\n{row['text']}"


async def vector_tables(db: Any) -> list[str]:  # Any: lancedb has no types
    """Names of the tables of vectors, of whatever models."""
    names: list[str] = []
    token: str | None = None
    while True:
        page = await db.list_tables(page_token=token, limit=1_000)
        names += [name for name in page.tables if name.startswith(_PREFIX)]
        token = page.page_token
        if not token:
            return names
