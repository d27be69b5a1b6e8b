"""The knowledge base over a RAGFlow server: the same acts as over our own tables, with citations that hold."""

import mimetypes
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tools.base import (
    DEFAULT,
    Access,
    Caller,
    Failed,
    InvalidInput,
    NotFound,
    OpenReach,
    Passage,
    Passages,
    Reach,
    Reaches,
)
from tools.knowledge import Deleted, Document, Documents, DocumentText, Filter, IngestReport, OnProgress
from tools.knowledge.files import Inline
from tools.knowledge.formats import Unreadable, kind_of
from tools.knowledge.reasons import reason
from tools.language import Language
from tools.ragflow import RagflowConfig
from tools.ragflow.client import Client
from tools.ragflow.holdings import Holdings, Part, several
from tools.ragflow.ingestion import Ingestion
from tools.ragflow.layout import Layout
from tools.ragflow.marks import Marks, Measured, foreign, shown
from tools.ragflow.shapes import Hit, Hits, Row, read

__all__ = ["RagflowLibrary"]

_FEWEST = 30
"""Results asked for at least: some versions rank a page alone, and find nothing on a very short one."""
_MOST = 100
_LIKE = 2_000
"""Code points of a text that more like it is looked for by."""
_LEFT_OUT = "Some results of RAGFlow were left out: they are no stretches of a document, but summaries it made or of what is gone."


@dataclass(frozen=True, slots=True)
class _Shown:
    """How many passages are shown, and what with each."""

    query: str
    language: Language | None
    limit: int
    around: int
    why: bool

    def besides(self, hit: Hit, layout: Layout, passage: Passage, best: float) -> dict[str, object]:
        """What was asked for besides the passage; `best` is the highest similarity of words in the result."""
        told: dict[str, object] = {}
        if self.around:
            told["around"] = layout.around(hit.id, self.around)
        if self.why:
            lexical = hit.words / best if hit.words is not None and best else None
            told["why"] = reason(self.query, self.language, passage.model_dump(), lexical=lexical, semantic=hit.vectors)
        return told


class RagflowLibrary:
    """A `Shelf`. One session to RAGFlow, opened at its first use and closed at the end of the block."""

    def __init__(self, config: RagflowConfig, reaches: Reaches | None = None) -> None:
        self.config = config
        self.reaches: Reaches = reaches or OpenReach()
        self._client = Client(config)
        self._holdings = Holdings(config, self._client, self.reaches)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.close()

    async def check(self) -> str:
        """Looks whether all datasets of the settings are there, and says how many.

        Raises:
            Failed: one is not, or the key is not accepted.
            Unavailable: RAGFlow cannot be reached.
        """
        parts = [part for one in self.config.collections for part in self._holdings.parts(one.tenant, one.collection)]
        totals = await several(lambda part: self._holdings.page(part, 1), parts)
        return f"{sum(page.total for page in totals)} documents in RAGFlow, datasets found: {len(parts)}"

    async def ingest(
        self,
        paths: Iterable[Path | str] = (),
        documents: Iterable[Inline] = (),
        *,
        caller: Caller,
        collection: str = DEFAULT,
        access: Access | None = None,
        on_progress: OnProgress | None = None,
    ) -> IngestReport:
        """Sends files to RAGFlow and waits until it has read them. What left a folder stays there.

        Raises:
            NotFound: a path, or the collection, is not there.
            Forbidden: a path may not be read, or the collection not be changed.
            InvalidInput: documents of this collection cannot have readers of their own.
        """
        await self.reaches.writable(caller, collection)
        ingestion = Ingestion(self._holdings, caller, collection, access, on_progress)
        return await ingestion.run([Path(path) for path in paths], list(documents))

    async def search(
        self,
        query: str,
        *,
        caller: Caller,
        collections: Sequence[str] | None = None,
        limit: int = 8,
        language: Language | None = None,
        filter: Filter | None = None,
        around: int = 0,
        why: bool = False,
    ) -> Passages:
        """The passages that RAGFlow finds most similar; scores are its similarities, 0 to 1.

        Raises:
            NotFound: one of `collections` is not there for this caller.
            InvalidInput: the filter asks for something that RAGFlow does not keep.
        """
        reach, parts = await self._holdings.reach(caller, collections)
        hits, rows = await self._found(query, reach, parts, filter, min(_MOST, max(_FEWEST, limit * 2)))
        return await self._passages(hits, rows, parts, _Shown(query, language, limit, around, why))

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
        part, row = await self._located(document_id, caller)
        layout = await self._holdings.layout(part.dataset, row.id, _name(row))
        spans = [span for span in layout.spans.values() if start is None or span.start <= start < span.end]
        if not spans:
            raise NotFound(
                f"Document {document_id!r} has no passage at {start}. Expected an offset within one of its passages.",
                hint="Take the 'start' of a passage that a search gave.",
            )
        query = layout.text[spans[0].start : spans[-1].end][:_LIKE]
        reach, parts = await self._holdings.reach(caller, collections)
        hits, rows = await self._found(query, reach, parts, filter, _MOST)
        others = [hit for hit in hits if hit.document != document_id]
        return await self._passages(others, rows, parts, _Shown(query, None, limit, around, why))

    async def documents(
        self, caller: Caller, *, collection: str | None = None, limit: int | None = None, offset: int = 0
    ) -> Documents:
        """The documents that the caller may read: collection by collection, oldest first.

        Raises:
            NotFound: there is no such collection for this caller.
        """
        reach, parts = await self._holdings.reach(caller, None if collection is None else [collection])
        chosen: list[tuple[Part, Row]] = []
        total = 0
        for part in sorted(parts, key=lambda part: (part.collection, part.narrowed)):
            left = None if limit is None else limit - len(chosen)
            rows, count = await self._listed(part, reach, max(0, offset - total), left)
            chosen += [(part, row) for row in rows]
            total += count
        described = await several(lambda one: self._document(*one), chosen)
        return Documents(documents=described, total=total)

    async def text(self, document_id: str, caller: Caller) -> DocumentText:
        """The chunks of a document, joined in their order: what citations point into.

        Raises:
            NotFound: there is no such document for this caller.
        """
        part, row = await self._located(document_id, caller)
        layout = await self._holdings.layout(part.dataset, row.id, _name(row))
        return DocumentText(document=_described(part, row, Measured.of(layout)), text=layout.text)

    async def delete(self, ids: Sequence[str], caller: Caller) -> Deleted:
        """Deletes documents with their chunks, there.

        Raises:
            Forbidden: one lies in a collection that the caller may read and not change; then none is deleted.
        """
        reach, parts = await self._holdings.reach(caller)
        wanted = list(dict.fromkeys(ids))
        places = await several(lambda id: self._holdings.locate(id, reach, parts), wanted)
        there = [place for place in places if place is not None]
        for name in sorted({part.collection for part, _ in there}):
            await self.reaches.writable(caller, name)
        for part in {part.dataset: part for part, _ in there}.values():
            await self._holdings.drop(part, [row.id for one, row in there if one.dataset == part.dataset])
        deleted = [row.id for _, row in there]
        return Deleted(deleted=deleted, missing=[id for id in ids if id not in deleted])

    async def _located(self, id: str, caller: Caller) -> tuple[Part, Row]:
        reach, parts = await self._holdings.reach(caller)
        place = await self._holdings.locate(id, reach, parts)
        if place is None:
            raise NotFound(
                f"Document {id!r} is not there. Expected the id of a stored document.",
                hint="List the documents to see their ids.",
            )
        return place

    async def _found(
        self, query: str, reach: Reach, parts: Sequence[Part], filter: Filter | None, most: int
    ) -> tuple[list[Hit], dict[str, Row]]:
        """Best first, of what may be read and nothing else; and the rows of those that were asked for by id."""
        _no_dates(filter)
        free = [part for part in parts if part.whole and filter is None]
        asked = [part for part in parts if part not in free]
        found = await self._asked(query, free, None, most) if free else []
        rows: dict[str, Row] = {}
        for last in (False, True):
            listed = await several(lambda part: self._holdings.rows(part, reach), asked)
            rows = {row.id: row for some in listed for row in some if _fits(row, filter)}
            try:
                found += await self._asked(query, asked, sorted(rows), most) if rows else []
                break
            except Failed as error:
                if last or type(error) is not Failed:
                    raise  # else one of them was deleted meanwhile, and RAGFlow refuses the whole question
        hits = {hit.id: hit for hit in found}
        return sorted(hits.values(), key=lambda hit: (-hit.similarity, hit.id)), rows

    async def _asked(self, query: str, parts: Sequence[Part], ids: list[str] | None, most: int) -> list[Hit]:
        """One question to RAGFlow. It is told where to look; should it look elsewhere, that is an error, no result."""
        datasets = [part.dataset for part in parts]
        body: dict[str, object] = {
            "question": query,
            "dataset_ids": datasets,
            "page": 1,
            "page_size": most,
            "similarity_threshold": self.config.similarity,
            "vector_similarity_weight": self.config.vector_weight,
        }
        if ids is not None:
            body["document_ids"] = ids
        if self.config.rerank_model is not None:
            body["rerank_id"] = self.config.rerank_model
        hits = read(Hits, await self._client.read("/retrieval", body=body), "what it found").chunks
        if any(hit.dataset not in datasets or (ids is not None and hit.document not in ids) for hit in hits):
            raise Failed(
                "RAGFlow gave results from where it was not asked to look. Expected only what was asked for.",
                hint="This version of RAGFlow cannot be trusted with permissions; take another one.",
            )
        return hits

    async def _passages(
        self, hits: Sequence[Hit], rows: dict[str, Row], parts: Sequence[Part], wanted: "_Shown"
    ) -> Passages:
        """The best that stand in a document; a note where others had to be left out for them."""
        places = {part.dataset: part for part in parts}
        layouts: dict[str, Layout] = {}
        passages: list[Passage] = []
        best = max((hit.words or 0.0 for hit in hits), default=0.0)
        done = 0
        while len(passages) < wanted.limit and done < len(hits):
            batch = hits[done : done + wanted.limit - len(passages)]
            done += len(batch)
            new = {hit.document: hit for hit in batch if hit.document not in layouts}
            laid_out = await several(lambda hit: self._laid_out(hit, rows), new.values())
            layouts.update(zip(new, laid_out, strict=True))
            for hit in batch:
                layout = layouts[hit.document]
                if hit.id in layout.spans:
                    passage = _passage(hit, layout, _title(hit, rows), places[hit.dataset].collection)
                    passages.append(passage.model_copy(update=wanted.besides(hit, layout, passage, best)))
        return Passages(passages=passages, notes=[_LEFT_OUT] if len(passages) < done else [])

    async def _laid_out(self, hit: Hit, rows: dict[str, Row]) -> Layout:
        return await self._holdings.layout(hit.dataset, hit.document, _title(hit, rows))

    async def _listed(self, part: Part, reach: Reach, skip: int, most: int | None) -> tuple[list[Row], int]:
        """Up to `most` documents of a part after the first `skip`, and how many there are in all."""
        if not part.whole:
            rows = await self._holdings.rows(part, reach)
            return rows[skip : None if most is None else skip + most], len(rows)
        return await self._holdings.stretch(part, skip, most)

    async def _document(self, part: Part, row: Row) -> Document:
        measured = (marks := Marks.of(row.meta)) and marks.measured
        if measured is None or measured.chunks != row.chunks:  # RAGFlow got it from others, or cut it anew
            measured = Measured.of(await self._holdings.layout(part.dataset, row.id, _name(row)))
        return _described(part, row, measured)


def _no_dates(filter: Filter | None) -> None:
    if filter is not None and (filter.after is not None or filter.before is not None):
        raise InvalidInput(
            "The filter asks for the dates of documents, which RAGFlow does not keep. Expected another filter.",
            hint="Leave out 'after' and 'before', or keep a date in the metadata.",
        )


def _fits(row: Row, filter: Filter | None) -> bool:
    if filter is None:
        return True
    marks = Marks.of(row.meta)
    own = foreign(row.meta)
    return (
        (filter.documents is None or row.id in filter.documents)
        and (filter.media_types is None or _media_type(_name(row)) in filter.media_types)
        and (
            filter.language is None
            or (marks is not None and marks.measured is not None and marks.measured.language == filter.language)
        )
        and all(
            own.get(key) in ([value] if isinstance(value, str) else value) for key, value in filter.metadata.items()
        )
    )


def _name(row: Row) -> str:
    return marks.name if (marks := Marks.of(row.meta)) else row.name


def _title(hit: Hit, rows: dict[str, Row]) -> str:
    return shown(_name(rows[hit.document]) if hit.document in rows else hit.name) or hit.document


def _passage(hit: Hit, layout: Layout, title: str, collection: str) -> Passage:
    span = layout.spans[hit.id]
    return Passage(
        document=hit.document,
        title=title,
        page=span.page,
        start=span.start,
        end=span.end,
        text=layout.text[span.start : span.end],
        score=hit.similarity,
        collection=collection,
    )


def _described(part: Part, row: Row, measured: Measured) -> Document:
    marks = Marks.of(row.meta)
    return Document(
        id=row.id,
        title=shown(_name(row)),
        language=measured.language,
        media_type=_media_type(_name(row)),
        pages=measured.pages,
        ingested_at=row.created,
        size=measured.size,
        chunks=measured.chunks,
        collection=part.collection,
        readers=list(marks.readers) if part.narrowed and marks and marks.readers is not None else None,
        metadata=foreign(row.meta),
    )


def _media_type(name: str) -> str:
    try:
        return kind_of(name)[1]
    except Unreadable:
        return mimetypes.guess_type(name)[0] or "application/octet-stream"
