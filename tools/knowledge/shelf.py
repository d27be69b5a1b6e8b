"""What the tools of the knowledge base need of whatever keeps the documents: our own tables, or a RAGFlow server."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from tools.base import DEFAULT, Access, Caller, Passages, Reaches
from tools.knowledge import Deleted, Documents, DocumentText, Filter, IngestReport, OnProgress
from tools.knowledge.files import Inline
from tools.language import Language

__all__ = ["Shelf"]


class Shelf(Protocol):
    """Always for a caller; what they may read and change `reaches` says, anew for each act."""

    reaches: Reaches

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

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
        """Reads files and what is sent; what is unchanged is left. One that cannot be read fails alone."""
        ...

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
        """The passages that fit best; the text of each is that of its document at its offsets."""
        ...

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
        """Passages of other documents that are about the same."""
        ...

    async def documents(
        self, caller: Caller, *, collection: str | None = None, limit: int | None = None, offset: int = 0
    ) -> Documents:
        """The documents that the caller may read, in an order that holds."""
        ...

    async def text(self, document_id: str, caller: Caller) -> DocumentText:
        """The text that citations point into."""
        ...

    async def delete(self, ids: Sequence[str], caller: Caller) -> Deleted:
        """Deletes documents with all that was made of them."""
        ...
