"""What a caller may read of RAGFlow's datasets: found out before anything is asked, and part of every question.

A collection is a dataset, so a question names the datasets of the collections the caller reaches and no others. What only
some of a collection's readers may read lies in a second dataset: of that one, and of collections that keep documents for
some days only, the ids of the readable documents are part of the question. RAGFlow's own conditions on metadata are not
used for this: they compare without regard to case, and versions differ in what they do where nothing matches.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from tools.base import Caller, NotFound, Reach, Reaches, TooLarge
from tools.ragflow import RagflowConfig
from tools.ragflow.client import Client
from tools.ragflow.layout import Layout, lay_out
from tools.ragflow.marks import Marks
from tools.ragflow.shapes import Chunk, ChunkList, Row, RowList, read

__all__ = ["Holdings", "Part", "no_collection", "readable", "several"]

T = TypeVar("T")
U = TypeVar("U")
_PAGE = 100
"""The largest that both versions take."""
_AT_ONCE = 6
_MOST_CHUNKS = 10_000
"""RAGFlow's search engine lists no more of one document."""


@dataclass(frozen=True, slots=True)
class Part:
    """A dataset as a part of a collection."""

    dataset: str
    collection: str
    narrowed: bool
    """Each document in it says who of the collection's readers may read it; one that does not is for nobody."""
    days: int | None = None
    """How long the collection keeps what it holds; null = without end."""

    @property
    def whole(self) -> bool:
        """Whether all that is in it may be read by whoever reaches the collection."""
        return not self.narrowed and self.days is None


class Holdings:
    """The datasets, read for callers."""

    def __init__(self, config: RagflowConfig, client: Client, reaches: Reaches) -> None:
        self.config = config
        self.client = client
        self.reaches = reaches

    async def reach(self, caller: Caller, collections: Iterable[str] | None = None) -> tuple[Reach, list[Part]]:
        """What the caller may read now, as parts.

        Raises:
            NotFound: one of `collections` is not there for this caller.
        """
        reach = await self.reaches.of(caller)
        wanted = reach.collections if collections is None else list(collections)
        for name in wanted:
            if name not in reach.collections:
                raise no_collection(name)
        parts = [part for name in wanted for part in self.parts(caller.tenant, name, reach.collections[name])]
        return reach, parts

    def parts(self, tenant: str, collection: str, days: int | None = None) -> list[Part]:
        """Of one collection; none where the settings name no dataset for it."""
        return [
            Part(dataset, one.collection, narrowed, days)
            for one in self.config.collections
            if (one.tenant, one.collection) == (tenant, collection)
            for dataset, narrowed in ((one.dataset, False), (one.narrowed, True))
            if dataset is not None
        ]

    async def rows(self, part: Part, reach: Reach) -> list[Row]:
        """All documents of a part that the caller may read.

        Raises:
            TooLarge: there are more than are looked through.
        """
        found: list[Row] = []
        page = 1
        while True:
            listed = await self.page(part, page)
            if listed.total > self.config.max_listed:
                raise TooLarge(
                    f"The collection {part.collection!r} has more than {self.config.max_listed:,} documents to be looked through.",
                    hint="Raise ragflow.max_listed in the settings, or split the collection.",
                )
            found += listed.rows
            if not listed.rows or page * _PAGE >= listed.total:
                return [row for row in found if readable(part, row, reach)]
            page += 1

    async def page(self, part: Part, number: int) -> RowList:
        """A page of a dataset, oldest first."""
        query = {"page": number, "page_size": _PAGE, "orderby": "create_time", "desc": "false", "run": "DONE"}
        return read(RowList, await self.client.read(f"/datasets/{part.dataset}/documents", query=query), "documents")

    async def stretch(self, part: Part, skip: int, most: int | None) -> tuple[list[Row], int]:
        """Documents of a dataset from the one after the first `skip`, and how many it has."""
        number = skip // _PAGE + 1
        listed = await self.page(part, number)
        rows = listed.rows[skip % _PAGE :]
        while listed.rows and number * _PAGE < listed.total and (most is None or len(rows) < most):
            number += 1
            listed = await self.page(part, number)
            rows += listed.rows
        return rows[:most], listed.total

    async def drop(self, part: Part, ids: Sequence[str]) -> None:
        """Deletes these documents. None given means all to RAGFlow, so nothing is then asked of it."""
        if ids:
            self.client.data(
                await self.client.write("DELETE", f"/datasets/{part.dataset}/documents", {"ids": list(ids)})
            )

    async def row(self, part: Part, **query: str) -> Row | None:
        """The document of a dataset with this id or name, whoever may read it."""
        told = await self.client.look(
            f"/datasets/{part.dataset}/documents", query={"page": 1, "page_size": _PAGE, **query}
        )
        rows = [] if told is None else read(RowList, told, "documents").rows
        return next((row for row in rows if all(getattr(row, key) == value for key, value in query.items())), None)

    async def locate(self, id: str, reach: Reach, parts: Sequence[Part]) -> tuple[Part, Row] | None:
        """Where a document lies, if the caller may read it."""
        if not id or len(id) > 64 or not id.replace("-", "").replace("_", "").isalnum() or not id.isascii():
            return None
        for part, row in zip(parts, await several(lambda part: self.row(part, id=id), parts), strict=True):
            if row is not None and row.state == "done" and readable(part, row, reach):
                return part, row
        return None

    async def layout(self, dataset: str, document: str, name: str) -> Layout:
        """A document's text with the places of its chunks; nothing where it is gone: searches find it for a while yet.

        Raises:
            TooLarge: it has more chunks than RAGFlow lists.
        """
        chunks: list[Chunk] = []
        page = 1
        while True:
            path = f"/datasets/{dataset}/documents/{document}/chunks"
            told = await self.client.look(path, query={"page": page, "page_size": _PAGE})
            if told is None:
                return Layout("", {})
            listed = read(ChunkList, told, "chunks")
            if listed.total > _MOST_CHUNKS:
                raise TooLarge(
                    f"The document {document!r} has {listed.total:,} chunks. Expected at most {_MOST_CHUNKS:,}."
                )
            chunks += listed.chunks
            if not listed.chunks or page * _PAGE >= listed.total:
                return lay_out(chunks, name)
            page += 1


def readable(part: Part, row: Row, reach: Reach) -> bool:
    """Whether the caller may read this document of a part of a collection they reach."""
    if part.days is not None and row.created < datetime.now(UTC) - timedelta(days=part.days):
        return False
    if not part.narrowed:
        return True
    marks = Marks.of(row.meta)
    return marks is not None and marks.readers is not None and reach.admits(part.collection, marks.readers)


def no_collection(name: str) -> NotFound:
    return NotFound(
        f"The collection {name!r} is not there. Expected one that you may read.",
        hint="List the collections to see their names.",
    )


async def several(act: Callable[[T], Awaitable[U]], given: Iterable[T]) -> list[U]:
    """`act` on each, some at once; the results in their order. The first failure ends the others."""
    room = asyncio.Semaphore(_AT_ONCE)

    async def one(value: T) -> U:
        async with room:
            return await act(value)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(value)) for value in given]
    except ExceptionGroup as error:
        raise error.exceptions[0] from error
    return [task.result() for task in tasks]
