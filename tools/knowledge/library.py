"""The knowledge base as a Python object: the command line, the benchmarks and the tool server all go through it."""

import os
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Self

import anyio
import anyio.to_thread

from tools.base import (
    DEFAULT,
    Access,
    Caller,
    Failed,
    NotFound,
    OpenReach,
    Passages,
    Reaches,
    SetupError,
    principals_of,
)
from tools.knowledge import (
    Deleted,
    Document,
    Documents,
    DocumentText,
    Filter,
    IngestReport,
    KnowledgeConfig,
    OnProgress,
)
from tools.knowledge.chunking import STRUCTURE, Chunking
from tools.knowledge.files import Inline
from tools.knowledge.ingestion import Ingestion
from tools.knowledge.locking import alone, alone_or_not
from tools.knowledge.place import Place
from tools.knowledge.scope import Readable, Target, listed
from tools.knowledge.searching import Models, Wanted, find, metadata_of, no_document, where_of, words_of
from tools.language import Language

if TYPE_CHECKING:
    from tools.knowledge.store import Row, Store

__all__ = ["Inline", "Library"]

Told = Callable[[str, str, Sequence[str]], Awaitable[None]]
"""Hears of documents that were deleted (tenant, collection, ids), so that what was made of them elsewhere goes, too."""


class Library:
    """Ingests, searches, lists and deletes documents, always for a caller. Opens its tables when they are first used.

    What a caller may read and change `reaches` says, anew for each act. A `shelf` is a collection that nobody can name
    but who owns it, such as a vector store: whoever passes it has asked for the right already.
    """

    def __init__(
        self,
        config: KnowledgeConfig,
        reaches: Reaches | None = None,
        models: Models | None = None,
        told: Told | None = None,
    ) -> None:
        self.config = config
        self._models = models or Models()
        self._told = told
        self.reaches: Reaches = reaches or OpenReach()
        self._opening = anyio.Lock()
        self._stores: dict[str, Store] = {}
        self._checked = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stores.clear()

    async def warm(self, caller: Caller) -> None:
        """Opens the tables of the caller's tenant, which takes seconds the first time."""
        await self.opened(caller.tenant)

    async def ingest(
        self,
        paths: Iterable[Path | str] = (),
        documents: Iterable[Inline] = (),
        *,
        caller: Caller,
        collection: str = DEFAULT,
        access: Access | None = None,
        shelf: str | None = None,
        chunking: Chunking = STRUCTURE,
        on_progress: OnProgress | None = None,
    ) -> IngestReport:
        """Reads files, folders and inline documents; what is unchanged is left, what left a folder is removed.

        One file that cannot be read fails alone and is named in the report.

        Args:
            paths: files and folders.
            documents: what is sent rather than found.
            caller: who brings them.
            collection: where they go.
            access: readers, where they are fewer than the collection's. What the caller had brought of the same file
                for other readers is replaced.
            shelf: instead of a collection.
            chunking: how documents are cut; what was cut in another way is read anew.
            on_progress: told of work done.

        Raises:
            NotFound: a path, or the collection, is not there.
            Forbidden: a path may not be read, or the collection not be changed.
        """
        if shelf is None:
            await self.reaches.writable(caller, collection)
        target = Target.of(caller.tenant, shelf or collection, access, caller.subject)
        mine = None if shelf is not None else Readable(caller.tenant, {collection: None}, principals_of(caller))
        store = await self.opened(caller.tenant)
        async with self.alone(on_progress):
            if shelf is None:  # the wait may have been long, and the collection be gone by now
                await self.reaches.writable(caller, collection)
            ingestion = Ingestion(
                self.config,
                store,
                target,
                mine=mine,
                owner=caller.subject,
                chunking=chunking,
                on_progress=on_progress,
            )
            # Without '..' in them, so that a file has one name whichever way it is reached; links stay as they are.
            places = [Path(os.path.normpath(Path(path).absolute())) for path in paths]
            report = await ingestion.run(places, list(documents))
        if self._told is not None and shelf is None and ingestion.dropped:
            await self._told(caller.tenant, collection, ingestion.dropped)
        if self._models.embedder is not None and report.read + report.replaced:
            try:
                await self.embed(caller.tenant, on_progress)
            except Failed as error:  # what was read is there and found by words; the vectors follow
                report.notes.append(f"Without vectors for now: {error.message} They are made later.")
        return report

    async def embed(self, tenant: str, on_progress: OnProgress | None = None) -> int:
        """Gives what has none its vectors of the embedding model that is set now; returns the number of documents.

        One process at a time does it; where another is at it, nothing is left to do here.

        Raises:
            Failed: the engine cannot be reached; what was embedded stays.
        """
        if self._models.embedder is None:
            return 0

        async def tell(done: int, total: int) -> None:
            if on_progress is not None:
                await on_progress(done, total, "embedding")

        vectors = (await self.opened(tenant)).vectors(self._models.embedder)
        with alone_or_not(self.config.home / "embedding.lock") as mine:
            return await vectors.catch_up(tell, self.alone) if mine else 0

    def forgotten(self, tenant: str) -> None:
        """Lets go of what is held of a tenant's tables in memory; they are opened again when they are used."""
        self._stores.pop(tenant, None)

    @property
    def tenants(self) -> list[str]:
        """Those whose tables are open here."""
        return list(self._stores)

    async def search(
        self,
        query: str,
        *,
        caller: Caller,
        collections: Sequence[str] | None = None,
        shelf: str | None = None,
        limit: int = 8,
        language: Language | None = None,
        filter: Filter | None = None,
        sources: Sequence[str] | None = None,
        around: int = 0,
        why: bool = False,
    ) -> Passages:
        """The passages that fit `query` best. Scores are comparable within one result: weighted sums of BM25.

        Args:
            query: a question or some words.
            caller: what they may read is searched, and nothing else looked at.
            collections: only these; null = all the caller may read.
            shelf: instead of collections.
            limit: how many passages there may be.
            language: of the query, where it is known.
            filter: only documents that are like this.
            sources: only what was made of these files, as `Inline.source` names them.
            around: neighbours on each side.
            why: say for each passage why it was found.

        Raises:
            NotFound: one of `collections` is not there for this caller.
        """
        scope = await self.readable(caller, collections, shelf)
        wanted = Wanted(
            query=query,
            language=language,
            limit=limit,
            where=where_of(filter, sources=sources),
            around=around,
            why=why,
        )
        return await find(await self.opened(caller.tenant), scope, wanted, self._models)

    async def similar(
        self,
        document_id: str,
        *,
        caller: Caller,
        start: int | None = None,
        collections: Sequence[str] | None = None,
        limit: int = 8,
        filter: Filter | None = None,
        around: int = 0,
        why: bool = False,
    ) -> Passages:
        """Passages of other documents that are about the same as this one, or as its passage at `start`.

        Raises:
            NotFound: there is no such document, passage or collection for this caller.
        """
        store = await self.opened(caller.tenant)
        everywhere = await self.readable(caller)
        text = await words_of(store, everywhere, document_id, start)
        where = where_of(filter)
        others = f"document NOT IN ({listed([document_id])})"
        wanted = Wanted(
            query=text,
            limit=limit,
            where=others if where is None else f"{others} AND {where}",
            around=around,
            why=why,
        )
        return await find(store, await self.readable(caller, collections, None), wanted, self._models)

    async def documents(
        self,
        caller: Caller,
        *,
        collection: str | None = None,
        shelf: str | None = None,
        limit: int | None = None,
        offset: int = 0,
    ) -> Documents:
        """The stored documents that the caller may read, ordered by id.

        Raises:
            NotFound: there is no such collection for this caller.
        """
        scope = await self.readable(caller, None if collection is None else [collection], shelf)
        store = await self.opened(caller.tenant)
        ids = await store.ids(scope)
        page = ids[offset : None if limit is None else offset + limit]
        rows = {row["id"]: row for row in await store.documents(scope, None if limit is None else page)}
        return Documents(documents=[_document(rows[id]) for id in page if id in rows], total=len(ids))

    async def text(self, document_id: str, caller: Caller, *, shelf: str | None = None) -> DocumentText:
        """The stored text of a document.

        Raises:
            NotFound: there is no such document for this caller.
        """
        scope = await self.readable(caller, None, shelf)
        rows = await (await self.opened(caller.tenant)).documents(scope, [document_id], text=True)
        if not rows:
            raise no_document(document_id)
        return DocumentText(document=_document(rows[-1]), text=rows[-1]["text"])

    async def delete(self, ids: Sequence[str], caller: Caller) -> Deleted:
        """Deletes documents with their chunks.

        Raises:
            Forbidden: one lies in a collection that the caller may read and not change; then none is deleted.
        """
        store = await self.opened(caller.tenant)
        async with self.alone():
            scope = await self.readable(caller)
            rows = await store.documents(scope, ids)
            await self._changeable(caller, rows)
            deleted = await store.drop_documents(scope, ids)
            if deleted:
                await store.tend(compact=True)
        if self._told is not None:
            for name in sorted({row["collection"] for row in rows}):
                await self._told(caller.tenant, name, [row["id"] for row in rows if row["collection"] == name])
        return Deleted(deleted=deleted, missing=[name for name in ids if name not in deleted])

    async def forget(self, sources: Sequence[str], caller: Caller, *, shelf: str) -> None:
        """Deletes what was made of these files, as `Inline.source` names them."""
        store = await self.opened(caller.tenant)
        async with self.alone():
            await store.drop_sources(Target(caller.tenant, shelf), sources)
            await store.tend(compact=True)

    async def forget_all(self, caller: Caller, *, shelf: str) -> None:
        """Deletes a whole shelf, or a collection that is no longer there."""
        store = await self.opened(caller.tenant)
        async with self.alone():
            await store.drop_all(Target(caller.tenant, shelf))
            await store.tend(compact=True)

    async def readable(
        self, caller: Caller, collections: Sequence[str] | None = None, shelf: str | None = None
    ) -> Readable:
        """What this caller may read now.

        Raises:
            NotFound: one of `collections` is not there for this caller.
        """
        if shelf is not None:
            return Readable(caller.tenant, {shelf: None}, None)
        reach = await self.reaches.of(caller)
        for name in collections or ():
            if name not in reach.collections:
                raise NotFound(
                    f"The collection {name!r} is not there. Expected one that you may read.",
                    hint="List the collections to see their names.",
                )
        return Readable.of(reach, collections)

    async def _changeable(self, caller: Caller, rows: "Sequence[Row]") -> None:
        for name in sorted({row["collection"] for row in rows}):
            await self.reaches.writable(caller, name)

    async def opened(self, tenant: str) -> "Store":
        """The tables of a tenant, for parts of the knowledge base that have asked for the right already."""
        if (store := self._stores.get(tenant)) is not None:
            return store  # whoever opens another tenant's may have to wait for a writer; nobody else has to
        async with self._opening:
            if (store := self._stores.get(tenant)) is None:
                # Seconds of import that must not hold up the event loop.
                module = await anyio.to_thread.run_sync(_store_module)
                store = self._stores[tenant] = await self._prepared(module.FORMAT, module.Store, tenant)
            return store

    async def _prepared(self, form: str, store: "type[Store]", tenant: str) -> "Store":
        home = anyio.Path(self.config.home)
        place = Place.of(self.config, tenant)
        if not self._checked:
            from tools.knowledge.upgrade import OLDER, upgrade

            mark = home / "format"
            found = (await mark.read_text()).strip() if await mark.exists() else None
            if found is None or found in OLDER:
                try:
                    await home.mkdir(parents=True, exist_ok=True)
                    async with self.alone():  # brought up to date once
                        if found is not None:
                            await upgrade(self.config)
                        await mark.write_text(form)
                except OSError as error:
                    raise SetupError(
                        f"The knowledge base at {str(home)!r} cannot be made: {error.strerror}.",
                        hint="Set PARTITUR_HOME to a folder that can be written to.",
                    ) from error
            elif found != form:
                raise SetupError(
                    f"The knowledge base at {str(home)!r} has format {found!r}. This version reads format {form!r}.",
                    hint="Delete the folder and ingest the documents again.",
                )
            self._checked = True
        if self.config.storage is None and await (anyio.Path(place.uri) / "chunks.lance").exists():
            return await store.open(place)
        async with self.alone():  # the tables and their indices are made once
            return await store.open(place)

    def alone(self, on_progress: OnProgress | None = None) -> AbstractAsyncContextManager[None]:
        """Holds the lock of writers: two ingestions of the same folder would store it twice."""

        async def waiting() -> None:
            if on_progress is not None:
                await on_progress(0, 1, "waiting for another ingestion to end")

        return alone(self.config.home / "writer.lock", waiting)


def _store_module() -> ModuleType:
    from tools.knowledge import store

    return store


def _document(row: "Row") -> Document:
    plain = {name: row[name] for name in Document.model_fields if name != "metadata"}
    return Document(**plain, metadata=metadata_of(row))
