"""Documents of the organisation: read, cut by structure, indexed, searched and cited. Here only what others may name."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import Base64Bytes, BaseModel, ConfigDict, Field, model_validator

from tools.base import Passages, ToolRef, Words

__all__ = [
    "Delete",
    "Deleted",
    "Document",
    "DocumentRef",
    "DocumentText",
    "Documents",
    "Ingest",
    "IngestReport",
    "KnowledgeConfig",
    "ListDocuments",
    "OnProgress",
    "Problem",
    "Search",
    "delete",
    "document",
    "documents",
    "ingest",
    "search",
]

OnProgress = Callable[[float, float, str], Awaitable[None]]
"""Told of work done: files done (with a fraction for the one being read), files in all, what is being done."""

_MEGABYTE = 1_000_000


class KnowledgeConfig(BaseModel):
    """Where the store lies, and the limits that a document is read under."""

    model_config = ConfigDict(frozen=True)

    home: Path = Field(description="Folder of the store; made when it is missing.")
    max_file_bytes: int = Field(default=50 * _MEGABYTE, ge=1, description="Larger files are refused.")
    max_text_chars: int = Field(default=5_000_000, ge=1, description="Code points that one document may have.")
    max_output_chars: int = Field(
        default=200_000_000, ge=1, description="Code points that all documents of a file may have."
    )
    parse_seconds: float = Field(default=60.0, gt=0, description="Time that one file may take to be read.")
    parse_memory_bytes: int = Field(default=1_000 * _MEGABYTE, ge=200 * _MEGABYTE, description="Memory of a reader.")
    readers: int = Field(default=2, ge=1, le=16, description="Reading processes at work at the same time.")
    allowed_roots: tuple[Path, ...] | None = Field(
        default=None, description="Folders that files may be read from; null = every folder the process may read."
    )


class Search(BaseModel):
    """What to look for."""

    model_config = ConfigDict(extra="forbid")

    query: Words = Field(min_length=1, max_length=4_000, description="A question or some words.")
    limit: int = Field(default=8, ge=1, le=50, description="How many passages to return.")
    language: Literal["de", "en"] | None = Field(
        default=None, description="Language of the query; recognised when it is not given."
    )


class Ingest(BaseModel):
    """One document, sent as text or as the bytes of a file."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(
        min_length=1, max_length=300, description="File name; its ending says what it is. The same name replaces."
    )
    text: str | None = Field(default=None, max_length=10_000_000, description="The content, where it is text.")
    content: Base64Bytes | None = Field(
        default=None, max_length=50_000_000, description="The bytes in base64, for pdf and docx."
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> "Ingest":
        if (self.text is None) == (self.content is None):
            raise ValueError("exactly one of 'text' and 'content' is expected")
        return self

    @property
    def data(self) -> bytes:
        """The bytes of the file."""
        return self.content if self.content is not None else (self.text or "").encode()


class Problem(BaseModel):
    """Something that was not read, and why."""

    model_config = ConfigDict(frozen=True)

    name: str = Field(description="Path or name of the file, with the place inside it where there is one.")
    reason: str = Field(description="What is wrong with it, and what was expected.")


class IngestReport(BaseModel):
    """What became of each file. Documents are counted; a collection file holds many."""

    read: int = Field(default=0, description="Documents that are new.")
    replaced: int = Field(default=0, description="Documents read anew because their file changed.")
    unchanged: int = Field(default=0, description="Documents left as they are because their file is the same.")
    removed: int = Field(default=0, description="Documents deleted because they are no longer there.")
    failed: list[Problem] = Field(default_factory=list[Problem], description="Files that could not be read.")
    skipped: list[Problem] = Field(default_factory=list[Problem], description="What is no document, and why.")
    documents: list[str] = Field(
        default_factory=list[str], description="Ids of the first 100 new or replaced documents."
    )


class Document(BaseModel):
    """A stored document."""

    model_config = ConfigDict(frozen=True)

    id: str = Field(description="Stable and readable: made of the path below the ingested folder.")
    title: str = Field(description="Title, else the file's name.")
    language: Literal["de", "en"] = Field(description="Recognised from the text.")
    media_type: str = Field(description="For example application/pdf.")
    pages: int | None = Field(default=None, description="Number of pages, where the document has pages.")
    ingested_at: datetime = Field(description="When it was read, UTC.")
    size: int = Field(ge=0, description="Code points of the stored text.")
    chunks: int = Field(ge=0, description="Passages it was cut into.")


class ListDocuments(BaseModel):
    """Which part of the list."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=100, ge=1, le=1_000, description="How many documents to return.")
    offset: int = Field(default=0, ge=0, description="How many to leave out before.")


class Documents(BaseModel):
    """Stored documents, ordered by id."""

    documents: list[Document]
    total: int = Field(ge=0, description="How many there are in all.")


class DocumentRef(BaseModel):
    """One document."""

    model_config = ConfigDict(extra="forbid")

    id: str = Field(min_length=1, max_length=500, description="Id of the document.")


class DocumentText(BaseModel):
    """The stored text that citations point into: light markdown, headings as `# …`, tables as `| a | b |`."""

    document: Document
    text: str


class Delete(BaseModel):
    """Documents to delete."""

    model_config = ConfigDict(extra="forbid")

    ids: list[str] = Field(min_length=1, max_length=1_000, description="Ids of documents.")


class Deleted(BaseModel):
    """What was deleted."""

    deleted: list[str] = Field(description="Ids that were there and are gone.")
    missing: list[str] = Field(description="Ids that were not there.")


search = ToolRef(
    name="knowledge.search",
    input=Search,
    output=Passages,
    description="Searches the documents and returns the passages that fit best, each with its document, heading, page and offsets.",
    source=True,
)
ingest = ToolRef(
    name="knowledge.ingest",
    input=Ingest,
    output=IngestReport,
    description="Reads one document (txt, md, html, pdf, docx, or a jsonl or json collection) into the store.",
    read_only=False,
    timeout=600.0,
)
documents = ToolRef(
    name="knowledge.documents",
    input=ListDocuments,
    output=Documents,
    description="Lists the stored documents.",
)
document = ToolRef(
    name="knowledge.document",
    input=DocumentRef,
    output=DocumentText,
    description="Returns the stored text of one document; offsets of citations point into it.",
)
delete = ToolRef(
    name="knowledge.delete",
    input=Delete,
    output=Deleted,
    description="Deletes documents with everything that was made of them.",
    read_only=False,
    destructive=True,
)
