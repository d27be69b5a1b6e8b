"""The tables of a tenant's knowledge base in LanceDB: files, documents, and chunks with their full-text indices."""

from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from tools.knowledge.aside import tend_aside
from tools.knowledge.lance import lance_index, lance_query
from tools.knowledge.meaning import Embedder
from tools.knowledge.place import Place
from tools.knowledge.ranking import COLUMNS
from tools.knowledge.remote import answering, told
from tools.knowledge.schema import CHUNKS, DOCUMENTS, FILES, Row, Stored, chunk_rows, document_row, guard, pa
from tools.knowledge.scope import Readable, Scope, Target, listed, text_of
from tools.knowledge.searching import HIT
from tools.knowledge.vectors import Vectors, vector_tables

__all__ = ["FORMAT", "Row", "Store", "Stored"]

FORMAT = "3"
"""Written beside the tables; raise it when a schema or the meaning of a column changes."""

# Any: lancedb declares none of the defaults of its queries.
_Match, _Boolean, _should = (
    cast(Any, lance_query.MatchQuery),
    cast(Any, lance_query.BooleanQuery),
    lance_query.Occur.SHOULD,
)
_BUILD_MEMORY = 256  # MiB
_SMALL = 3_000  # chunks that are tended in the same process
_WAITING, _WAITING_SHARE = 300, 0.02  # chunks outside of the indices that a search may have to read
_PRUNE = timedelta(hours=1)  # versions that a search under way may still read


@told
class Store:
    """All statements that touch the tables. Every one of them is bound to a scope."""

    def __init__(
        self, place: Place, db: Any, files: Any, documents: Any, chunks: Any
    ) -> None:  # Any: lancedb has no types
        self.place = place
        self._db = db
        self._files = files
        self._documents = documents
        self._chunks = chunks

    @classmethod
    async def open(cls, place: Place) -> "Store":
        """Opens the tables, and makes them when they are not there. Each read sees what other processes have written."""
        with answering(place):
            db = await place.connect()
            files = await db.create_table("files", schema=FILES, exist_ok=True)
            documents = await db.create_table("documents", schema=DOCUMENTS, exist_ok=True)
            chunks = await db.create_table("chunks", schema=CHUNKS, exist_ok=True)
            store = cls(place, db, files, documents, chunks)
            if len(list(await chunks.list_indices())) < len(COLUMNS):
                await store.index()
            return store

    async def versions(self, target: Target, where: str) -> dict[str, tuple[str, int]]:
        """For each file that was read completely: its version and how many documents it holds.

        `where` may name the source only.
        """
        found: dict[str, tuple[str, int]] = {}
        query = self._files.query().where(f"{target.filter} AND ({where})").select(["source", "version", "documents"])
        async for row in _rows(query):
            found[row["source"]] = (row["version"], row["documents"])
        return found

    async def stored_versions(self, target: Target, where: str) -> dict[str, set[str]]:
        """For each file: the versions that documents are there of, complete or not."""
        found: dict[str, set[str]] = {}
        query = self._documents.query().where(f"{target.filter} AND ({where})").select(["source", "version"])
        async for row in _rows(query):
            found.setdefault(row["source"], set()).add(row["version"])
        return found

    async def owners(self, target: Target, ids: Iterable[str]) -> dict[str, tuple[str, str]]:
        """Source and record of the documents that have these ids already."""
        query = (
            self._documents.query()
            .where(f"{target.filter} AND id IN ({listed(ids)})")
            .select(["id", "source", "record"])
        )
        return {row["id"]: (row["source"], row["record"]) async for row in _rows(query)}

    async def add(self, target: Target, batch: Sequence[Stored]) -> None:
        """Adds documents and their chunks; documents first, so that a kill in between leaves a trace to clean up."""
        if not batch:
            return
        now = datetime.now(UTC)
        await self._documents.add(
            pa.Table.from_pylist([document_row(target, item, now) for item in batch], schema=DOCUMENTS)
        )
        rows = [row for item in batch for row in chunk_rows(target, item, now)]
        if rows:
            await self._chunks.add(pa.Table.from_pylist(rows, schema=CHUNKS))

    async def finish(self, target: Target, files: Sequence[tuple[str, str, int]], replaced: Iterable[str]) -> None:
        """Notes files as read completely (source, version, documents) and drops other versions of the `replaced`."""
        if not files:
            return
        old = set(replaced)
        stale = [
            f"(source = {text_of(source)} AND version <> {text_of(version)})"
            for source, version, _ in files
            if source in old
        ]
        for at in range(0, len(stale), 100):
            await self.drop(target, f"({' OR '.join(stale[at : at + 100])})")
        await self._files.delete(f"{target.filter} AND source IN ({listed(source for source, _, _ in files)})")
        head = guard(target)
        rows = [{**head, "source": source, "version": version, "documents": count} for source, version, count in files]
        await self._files.add(pa.Table.from_pylist(rows, schema=FILES))

    async def drop(self, target: Target, where: str) -> None:
        """Deletes documents and chunks for which `where` holds; it may name source and version only."""
        for table in (*await self._of_chunks(), self._documents):
            await table.delete(f"{target.filter} AND {where}")

    async def drop_sources(self, target: Target, sources: Sequence[str]) -> list[str]:
        """Deletes all that was made of these files; returns the ids of the documents."""
        ids: list[str] = []
        for at in range(0, len(sources), 500):
            where = f"source IN ({listed(sources[at : at + 500])})"
            ids += await self._ids(f"{target.filter} AND {where}")
            await self._files.delete(f"{target.filter} AND {where}")
            await self.drop(target, where)
        return ids

    async def supersede(self, target: Target, mine: Readable, sources: Iterable[str]) -> list[str]:
        """Deletes what was made of these files for other readers, as far as `mine` reaches; returns the documents' ids."""
        others = f"{mine.filter} AND {target.whole} AND access <> {text_of(target.access)}"
        query = self._files.query().where(others).select(["source"])
        there = {row["source"] async for row in _rows(query)}
        stale = sorted(there.intersection(sources))
        ids: list[str] = []
        for at in range(0, len(stale), 500):
            where = f"{others} AND source IN ({listed(stale[at : at + 500])})"
            ids += await self._ids(where)
            for table in (*await self._of_chunks(), self._documents, self._files):
                await table.delete(where)
        return ids

    async def _ids(self, where: str) -> list[str]:
        return [row["id"] async for row in _rows(self._documents.query().where(where).select(["id"]))]

    async def drop_all(self, target: Target) -> None:
        """Deletes the whole collection, whoever may read it."""
        for table in (self._files, *await self._of_chunks(), self._documents):
            await table.delete(target.whole)

    async def drop_documents(self, scope: Scope, ids: Sequence[str]) -> list[str]:
        """Deletes documents by id and returns those that were there; their files are read anew when ingested again."""
        query = self._documents.query().where(f"{scope.filter} AND id IN ({listed(ids)})")
        found = [row async for row in _rows(query.select(["id", "collection", "access", "source"]))]
        for row in found:
            place = f"collection = {text_of(row['collection'])} AND access = {text_of(row['access'])}"
            tenant = f"tenant = {text_of(scope.tenant)} AND {place}"
            await self._files.delete(f"{tenant} AND source = {text_of(row['source'])}")
            for table in await self._of_chunks():
                await table.delete(f"{tenant} AND document = {text_of(row['id'])}")
            await self._documents.delete(f"{tenant} AND id = {text_of(row['id'])}")
        there = {row["id"] for row in found}
        return [name for name in ids if name in there]

    async def tend(self, *, compact: bool = False) -> None:
        """Takes new rows into the indices once they are many; until then a search reads them one by one.

        Large tables are tended in a process of their own, since that needs memory that would not be given back.
        `compact` also rewrites the tables without what was deleted.
        """
        total, waiting = await self.waiting()
        if total < _SMALL:
            if waiting or compact:
                await self.compact()
        elif compact or waiting > _WAITING + total * _WAITING_SHARE:
            await tend_aside(self.place, compact=compact)

    async def waiting(self) -> tuple[int, int]:
        """How many chunks there are in all collections, and how many of them are not in the indices."""
        total = int(await self._chunks.count_rows())
        stats = await self._chunks.index_stats(f"{COLUMNS[0]}_terms")
        return total, total if stats is None else int(stats.num_unindexed_rows)

    async def compact(self) -> None:
        """Updates the indices, joins small fragments and drops versions of the tables that are an hour old."""
        for table in (*await self._of_chunks(), self._documents, self._files):
            await table.optimize(cleanup_older_than=_PRUNE)

    async def index(self) -> None:
        """Builds the indices anew, in a memory that does not grow with the table."""
        for column in COLUMNS:
            await self._chunks.create_index(column, config=_terms_index(), name=f"{column}_terms", replace=True)

    def vectors(self, embedder: Embedder) -> Vectors:
        """Those of one embedding model."""
        return Vectors(self.place, self._db, self._documents, self._chunks, embedder)

    async def _of_chunks(self) -> list[Any]:
        """The chunks, and all tables of their vectors: what goes of one goes of all."""
        return [self._chunks, *[await self._db.open_table(name) for name in await vector_tables(self._db)]]

    async def search(
        self, scope: Scope, terms: Sequence[tuple[str, str, float]], limit: int, where: str | None = None
    ) -> list[Row]:
        """The chunks with the highest weighted sum of BM25 scores over (column, terms joined by blanks, weight).

        `where` narrows the scope.
        """
        parts = [(_should, _Match(words, column, boost=weight)) for column, words, weight in terms]
        query = self._chunks.query().nearest_to_text(_Boolean(parts)).where(_narrowed(scope, where)).limit(limit)
        return cast(list[Row], await query.select([*HIT, "_score"]).to_list())

    async def chunks(self, scope: Scope, where: str | None = None, columns: Sequence[str] = HIT) -> list[Row]:
        """Chunks without any order."""
        query = self._chunks.query().where(_narrowed(scope, where)).select(list(columns))
        return [row async for row in _rows(query)]

    async def brought_by(self, owner: str) -> list[Row]:
        """Id, collection and readers of all documents that a person brought, in whatever collection."""
        query = self._documents.query().where(f"owner = {text_of(owner)}")
        return [row async for row in _rows(query.select(["id", "collection", "access"]))]

    async def texts(self, where: str) -> AsyncIterator[str]:
        """The texts of documents, one after another, for comparing."""
        async for row in _rows(self._documents.query().where(where).select(["text"])):
            yield row["text"]

    async def ids(self, scope: Scope) -> list[str]:
        """Of all documents in the scope, in order, and nothing else of them: there may be very many."""
        found: set[str] = set()
        async for batch in await self._documents.query().where(scope.filter).select(["id"]).to_batches():
            found.update(batch.column("id").to_pylist())
        return sorted(found)

    async def documents(self, scope: Scope, ids: Sequence[str] | None = None, *, text: bool = False) -> list[Row]:
        """Documents without their text unless asked for, all in the scope or those with these ids.

        While a file is replaced, its new version alone.
        """
        where = None if ids is None else f"id IN ({listed(ids)})"
        columns = [name for name in cast(list[str], DOCUMENTS.names) if text or name != "text"]
        found: dict[tuple[str, str], Row] = {}
        async for row in _rows(self._documents.query().where(_narrowed(scope, where)).select(columns)):
            name = row["collection"], row["id"]
            if name not in found or found[name]["ingested_at"] < row["ingested_at"]:
                found[name] = row
        return list(found.values())


def _narrowed(scope: Scope, where: str | None) -> str:
    return scope.filter if where is None else f"{scope.filter} AND ({where})"


async def _rows(query: Any) -> AsyncIterator[Row]:
    async for batch in await query.to_batches():
        for row in cast(list[Row], batch.to_pylist()):
            yield row


def _terms_index() -> Any:
    """Terms come analysed and joined by blanks; the index counts them as they are."""
    return lance_index.FTS(
        base_tokenizer="whitespace",
        lower_case=False,
        stem=False,
        remove_stop_words=False,
        ascii_folding=False,
        max_token_length=100,
        memory_limit=_BUILD_MEMORY,
        num_workers=1,
    )
