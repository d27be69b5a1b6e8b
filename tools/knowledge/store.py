"""The tables of the knowledge base in LanceDB: files, documents, and chunks with their full-text indices."""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pyarrow

from tools.knowledge.aside import tend_aside
from tools.knowledge.lance import lance_index, lance_query, lancedb
from tools.knowledge.prepared import Prepared
from tools.knowledge.ranking import COLUMNS
from tools.knowledge.scope import Scope, listed, text_of

__all__ = ["FORMAT", "OLDER", "Row", "Store", "Stored"]

FORMAT = "2"
"""Written beside the tables; raise it when a schema or the meaning of a column changes."""
OLDER = "1"
"""The format that `Store.upgrade` brings up to date: it had no collections."""


Row = dict[str, Any]  # Any: a row as LanceDB returns it; typed where it becomes a model

# Any: pyarrow has no types, and lancedb declares none of the defaults of its queries.
pa = cast(Any, pyarrow)
_Match, _Boolean, _should = (
    cast(Any, lance_query.MatchQuery),
    cast(Any, lance_query.BooleanQuery),
    lance_query.Occur.SHOULD,
)

_FILES = pa.schema(
    [
        ("tenant", pa.string()),
        ("source", pa.string()),
        ("version", pa.string()),
        ("documents", pa.int64()),
        pa.field("collection", pa.string(), nullable=False),
    ]
)
_DOCUMENTS = pa.schema(
    [
        ("tenant", pa.string()),
        ("id", pa.string()),
        ("source", pa.string()),
        ("record", pa.string()),
        ("version", pa.string()),
        ("title", pa.string()),
        ("language", pa.string()),
        ("media_type", pa.string()),
        ("pages", pa.int32()),
        ("ingested_at", pa.timestamp("us", tz="UTC")),
        ("size", pa.int64()),
        ("chunks", pa.int32()),
        ("text", pa.large_string()),
        pa.field("collection", pa.string(), nullable=False),
    ]
)
_CHUNKS = pa.schema(
    [
        ("tenant", pa.string()),
        ("document", pa.string()),
        ("source", pa.string()),
        ("version", pa.string()),
        ("title", pa.string()),
        ("title_start", pa.int64()),
        ("heading", pa.string()),
        ("heading_start", pa.int64()),
        ("page", pa.int32()),
        ("start", pa.int64()),
        ("end", pa.int64()),
        ("text", pa.large_string()),
        *((name, pa.large_string()) for name in COLUMNS),
        pa.field("collection", pa.string(), nullable=False),
    ]
)
_SHOWN = ("document", "title", "title_start", "heading", "heading_start", "page", "start", "end", "text")
_INDEX_CACHE, _METADATA_CACHE = 128_000_000, 32_000_000  # bytes; LanceDB's own limits are gigabytes
_BUILD_MEMORY = 256  # MiB
_SMALL = 3_000  # chunks that are tended in the same process
_WAITING, _WAITING_SHARE = 300, 0.02  # chunks outside of the indices that a search may have to read
_PRUNE = timedelta(hours=1)  # versions that a search under way may still read


@dataclass(frozen=True, slots=True)
class Stored:
    """A document with the place it came from, ready to be written."""

    id: str
    source: str
    version: str
    document: Prepared


class Store:
    """All statements that touch the tables. Every one of them is bound to a scope."""

    def __init__(self, home: Path, files: Any, documents: Any, chunks: Any) -> None:  # Any: lancedb has no types
        self._home = home
        self._files = files
        self._documents = documents
        self._chunks = chunks

    @classmethod
    async def open(cls, home: Path) -> "Store":
        """Opens the store, and makes it when it is not there. Each read sees what other processes have written."""
        session = lancedb.Session(index_cache_size_bytes=_INDEX_CACHE, metadata_cache_size_bytes=_METADATA_CACHE)
        every_read = timedelta(0)
        db = await lancedb.connect_async(home / "lance", read_consistency_interval=every_read, session=session)
        files = await db.create_table("files", schema=_FILES, exist_ok=True)
        documents = await db.create_table("documents", schema=_DOCUMENTS, exist_ok=True)
        chunks = await db.create_table("chunks", schema=_CHUNKS, exist_ok=True)
        store = cls(home, files, documents, chunks)
        if len(list(await chunks.list_indices())) < len(COLUMNS):
            await store.index()
        return store

    @staticmethod
    async def upgrade(home: Path) -> None:
        """Brings tables of format 1 up to date: all that is there goes to the collection without a name."""
        db = await lancedb.connect_async(home / "lance")
        for name in ("files", "documents", "chunks"):
            table = cast(Any, await db.open_table(name))
            if "collection" not in (await table.schema()).names:  # an upgrade may have been killed halfway
                await table.add_columns({"collection": "''"})

    async def versions(self, scope: Scope, where: str) -> dict[str, tuple[str, int]]:
        """For each file that was read completely: its version and how many documents it holds.

        `where` may name the source only.
        """
        found: dict[str, tuple[str, int]] = {}
        query = self._files.query().where(f"{scope.filter} AND ({where})").select(["source", "version", "documents"])
        async for row in _rows(query):
            found[row["source"]] = (row["version"], row["documents"])
        return found

    async def stored_versions(self, scope: Scope, where: str) -> dict[str, set[str]]:
        """For each file: the versions that documents are there of, complete or not."""
        found: dict[str, set[str]] = {}
        query = self._documents.query().where(f"{scope.filter} AND ({where})").select(["source", "version"])
        async for row in _rows(query):
            found.setdefault(row["source"], set()).add(row["version"])
        return found

    async def owners(self, scope: Scope, ids: Iterable[str]) -> dict[str, tuple[str, str]]:
        """Source and record of the documents that have these ids already."""
        query = (
            self._documents.query()
            .where(f"{scope.filter} AND id IN ({listed(ids)})")
            .select(["id", "source", "record"])
        )
        return {row["id"]: (row["source"], row["record"]) async for row in _rows(query)}

    async def add(self, scope: Scope, batch: Sequence[Stored]) -> None:
        """Adds documents and their chunks; documents first, so that a kill in between leaves a trace to clean up."""
        if not batch:
            return
        now = datetime.now(UTC)
        await self._documents.add(
            pa.Table.from_pylist([_document_row(scope, item, now) for item in batch], schema=_DOCUMENTS)
        )
        rows = [row for item in batch for row in _chunk_rows(scope, item)]
        if rows:
            await self._chunks.add(pa.Table.from_pylist(rows, schema=_CHUNKS))

    async def finish(self, scope: Scope, files: Sequence[tuple[str, str, int]], replaced: Iterable[str]) -> None:
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
            await self.drop(scope, f"({' OR '.join(stale[at : at + 100])})")
        await self._files.delete(f"{scope.filter} AND source IN ({listed(source for source, _, _ in files)})")
        rows = [
            {
                "tenant": scope.tenant,
                "source": source,
                "version": version,
                "documents": count,
                "collection": scope.collection,
            }
            for source, version, count in files
        ]
        await self._files.add(pa.Table.from_pylist(rows, schema=_FILES))

    async def drop(self, scope: Scope, where: str) -> None:
        """Deletes documents and chunks for which `where` holds; it may name source and version only."""
        await self._chunks.delete(f"{scope.filter} AND {where}")
        await self._documents.delete(f"{scope.filter} AND {where}")

    async def drop_sources(self, scope: Scope, sources: Sequence[str]) -> None:
        """Deletes all that was made of these files."""
        for at in range(0, len(sources), 500):
            where = f"source IN ({listed(sources[at : at + 500])})"
            await self._files.delete(f"{scope.filter} AND {where}")
            await self.drop(scope, where)

    async def drop_all(self, scope: Scope) -> None:
        """Deletes the whole collection."""
        for table in (self._files, self._chunks, self._documents):
            await table.delete(scope.filter)

    async def drop_documents(self, scope: Scope, ids: Sequence[str]) -> list[str]:
        """Deletes documents by id and returns those that were there; their files are read anew when ingested again."""
        owners = await self.owners(scope, ids)
        if owners:
            await self._files.delete(
                f"{scope.filter} AND source IN ({listed({source for source, _ in owners.values()})})"
            )
            await self._chunks.delete(f"{scope.filter} AND document IN ({listed(owners)})")
            await self._documents.delete(f"{scope.filter} AND id IN ({listed(owners)})")
        return [name for name in ids if name in owners]

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
            await tend_aside(self._home, compact=compact)

    async def waiting(self) -> tuple[int, int]:
        """How many chunks there are in all tenants, and how many of them are not in the indices."""
        total = int(await self._chunks.count_rows())
        stats = await self._chunks.index_stats(f"{COLUMNS[0]}_terms")
        return total, total if stats is None else int(stats.num_unindexed_rows)

    async def compact(self) -> None:
        """Updates the indices, joins small fragments and drops versions of the tables that are an hour old."""
        for table in (self._chunks, self._documents, self._files):
            await table.optimize(cleanup_older_than=_PRUNE)

    async def index(self) -> None:
        """Builds the indices anew, in a memory that does not grow with the table."""
        for column in COLUMNS:
            await self._chunks.create_index(column, config=_terms_index(), name=f"{column}_terms", replace=True)

    async def search(
        self,
        scope: Scope,
        terms: Sequence[tuple[str, str, float]],
        limit: int,
        sources: Iterable[str] | None = None,
    ) -> list[Row]:
        """The chunks with the highest weighted sum of BM25 scores over (column, terms joined by blanks, weight).

        `sources`: those that were made of these files alone.
        """
        where = scope.filter if sources is None else f"{scope.filter} AND source IN ({listed(sources)})"
        parts = [(_should, _Match(words, column, boost=weight)) for column, words, weight in terms]
        query = self._chunks.query().nearest_to_text(_Boolean(parts)).where(where).limit(limit)
        columns = [*_SHOWN, "_score"]
        return cast(list[Row], await query.select(columns).to_list())

    async def documents(self, scope: Scope, ids: Sequence[str] | None = None, *, text: bool = False) -> list[Row]:
        """Documents without their text unless asked for, all of the tenant or those with these ids."""
        where = scope.filter if ids is None else f"{scope.filter} AND id IN ({listed(ids)})"
        columns = [name for name in cast(list[str], _DOCUMENTS.names) if text or name != "text"]
        return [row async for row in _rows(self._documents.query().where(where).select(columns))]


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


def _document_row(scope: Scope, item: Stored, now: datetime) -> Row:
    document = item.document
    return {
        "tenant": scope.tenant,
        "id": item.id,
        "source": item.source,
        "record": document.record,
        "version": item.version,
        "title": document.title,
        "language": document.language,
        "media_type": document.media_type,
        "pages": document.pages,
        "ingested_at": now,
        "size": len(document.text),
        "chunks": len(document.chunks),
        "text": document.text,
        "collection": scope.collection,
    }


def _chunk_rows(scope: Scope, item: Stored) -> list[Row]:
    text = item.document.text
    return [
        {
            "tenant": scope.tenant,
            "document": item.id,
            "source": item.source,
            "version": item.version,
            "title": item.document.title,
            "title_start": item.document.title_start,
            "heading": chunk.heading or None,
            "heading_start": chunk.heading_start,
            "page": chunk.page,
            "start": chunk.start,
            "end": chunk.end,
            "text": text[chunk.start : chunk.end],
            **{name: chunk.terms[name] for name in COLUMNS},
            "collection": scope.collection,
        }
        for chunk in item.document.chunks
    ]
