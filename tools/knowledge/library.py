"""The knowledge base as a Python object: the command line, the benchmarks and the tool server all go through it."""

import fcntl
import os
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Self

import anyio
import anyio.to_thread

from tools.base import Caller, NotFound, Passage, Passages, SetupError
from tools.knowledge import Deleted, Document, Documents, DocumentText, IngestReport, KnowledgeConfig, OnProgress
from tools.knowledge.files import Inline
from tools.knowledge.ingestion import Ingestion
from tools.knowledge.ranking import query_terms
from tools.knowledge.scope import Scope
from tools.language import Language

if TYPE_CHECKING:
    from tools.knowledge.store import Row, Store

__all__ = ["Inline", "Library"]


class Library:
    """Ingests, searches, lists and deletes documents, always for a caller. Opens its store when it is first used."""

    def __init__(self, config: KnowledgeConfig) -> None:
        self.config = config
        self._opening = anyio.Lock()
        self._store: Store | None = None

    async def __aenter__(self) -> Self:
        await self._opened()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._store = None

    async def ingest(
        self,
        paths: Iterable[Path | str] = (),
        documents: Iterable[Inline] = (),
        *,
        caller: Caller,
        collection: str = "",
        on_progress: OnProgress | None = None,
    ) -> IngestReport:
        """Reads files, folders and inline documents; what is unchanged is left, what left a folder is removed.

        One file that cannot be read fails alone and is named in the report.

        Raises:
            NotFound: a path is not there.
            Forbidden: a path may not be read.
        """
        store = await self._opened()
        async with self._alone(on_progress):
            ingestion = Ingestion(self.config, store, Scope(caller, collection), on_progress)
            # Without '..' in them, so that a file has one name whichever way it is reached; links stay as they are.
            places = [Path(os.path.normpath(Path(path).absolute())) for path in paths]
            return await ingestion.run(places, list(documents))

    async def search(
        self,
        query: str,
        *,
        caller: Caller,
        collection: str = "",
        limit: int = 8,
        language: Language | None = None,
        sources: Iterable[str] | None = None,
    ) -> Passages:
        """The passages that fit `query` best. Scores are comparable within one result: weighted sums of BM25.

        Args:
            query: a question or some words.
            caller: whose documents are searched.
            collection: the one to look into.
            limit: how many passages there may be.
            language: of the query, where it is known.
            sources: look only into what was made of these files, as `Inline.source` names them.
        """
        store = await self._opened()
        terms = query_terms(query, language)
        if not terms:
            return Passages(passages=[])
        rows = await store.search(Scope(caller, collection), terms, limit, sources)
        rows.sort(key=lambda row: (-row["_score"], row["document"], row["start"]))
        seen: set[tuple[str, int]] = set()
        passages: list[Passage] = []
        for row in rows:
            place = (row["document"], row["start"])
            if place not in seen:  # while a file is replaced, its old and its new version are both there for a moment
                seen.add(place)
                passages.append(_passage(row))
        return Passages(passages=passages)

    async def documents(
        self, caller: Caller, *, collection: str = "", limit: int | None = None, offset: int = 0
    ) -> Documents:
        """The stored documents, ordered by id."""
        rows = await (await self._opened()).documents(Scope(caller, collection))
        rows.sort(key=lambda row: row["id"])
        end = None if limit is None else offset + limit
        return Documents(documents=[_document(row) for row in rows[offset:end]], total=len(rows))

    async def text(self, document_id: str, caller: Caller, *, collection: str = "") -> DocumentText:
        """The stored text of a document.

        Raises:
            NotFound: there is no such document for this caller.
        """
        rows = await (await self._opened()).documents(Scope(caller, collection), [document_id], text=True)
        if not rows:
            raise NotFound(
                f"Document {document_id!r} is not there. Expected the id of a stored document.",
                hint="List the documents to see their ids.",
            )
        return DocumentText(document=_document(rows[-1]), text=rows[-1]["text"])

    async def delete(self, ids: Sequence[str], caller: Caller, *, collection: str = "") -> Deleted:
        """Deletes documents with their chunks."""
        store = await self._opened()
        async with self._alone(None):
            deleted = await store.drop_documents(Scope(caller, collection), ids)
            if deleted:
                await store.tend(compact=True)
        return Deleted(deleted=deleted, missing=[name for name in ids if name not in deleted])

    async def forget(self, sources: Sequence[str], caller: Caller, *, collection: str) -> None:
        """Deletes what was made of these files, as `Inline.source` names them."""
        store = await self._opened()
        async with self._alone(None):
            await store.drop_sources(Scope(caller, collection), sources)
            await store.tend(compact=True)

    async def forget_all(self, caller: Caller, *, collection: str) -> None:
        """Deletes a whole collection."""
        store = await self._opened()
        async with self._alone(None):
            await store.drop_all(Scope(caller, collection))
            await store.tend(compact=True)

    async def _opened(self) -> "Store":
        async with self._opening:
            if self._store is None:
                # Seconds of import that must not hold up the event loop.
                module = await anyio.to_thread.run_sync(_store_module)
                self._store = await self._prepared(module.FORMAT, module.OLDER, module.Store)
            return self._store

    async def _prepared(self, form: str, older: str, store: "type[Store]") -> "Store":
        home = anyio.Path(self.config.home)
        mark = home / "format"
        found = (await mark.read_text()).strip() if await mark.exists() else None
        if found in (None, older):
            try:
                await home.mkdir(parents=True, exist_ok=True)
                async with self._alone(None):  # the tables and their indices are made, or brought up to date, once
                    if found == older:
                        await store.upgrade(self.config.home)
                    opened = await store.open(self.config.home)
                    await mark.write_text(form)
                    return opened
            except OSError as error:
                raise SetupError(
                    f"The knowledge base at {str(home)!r} cannot be made: {error.strerror}.",
                    hint="Set PARTITUR_HOME to a folder that can be written to.",
                ) from error
        if found != form:
            raise SetupError(
                f"The knowledge base at {str(home)!r} has format {found!r}. This version reads format {form!r}.",
                hint="Delete the folder and ingest the documents again.",
            )
        return await store.open(self.config.home)

    @asynccontextmanager
    async def _alone(self, on_progress: OnProgress | None) -> AsyncGenerator[None]:
        """Holds the lock of writers: two ingestions of the same folder would store it twice."""
        handle = os.open(self.config.home / "writer.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            waited = False
            while True:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except OSError:
                    if not waited and on_progress is not None:
                        await on_progress(0, 1, "waiting for another ingestion to end")
                    waited = True
                    await anyio.sleep(0.1)
            yield
        finally:
            fcntl.flock(handle, fcntl.LOCK_UN)  # by name: a child that is being started holds a copy for a moment
            os.close(handle)


def _store_module() -> ModuleType:
    from tools.knowledge import store

    return store


def _passage(row: "Row") -> Passage:
    return Passage(**{name: row[name] for name in Passage.model_fields if name != "score"}, score=row["_score"])


def _document(row: "Row") -> Document:
    return Document(**{name: row[name] for name in Document.model_fields})
