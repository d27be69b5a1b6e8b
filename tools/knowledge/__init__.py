"""Documents of the organisation: read, cut by structure, indexed, searched and cited. Here only what others may name."""

from collections.abc import Awaitable, Callable
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Base64Bytes, BaseModel, ConfigDict, Field, SecretStr, StringConstraints, model_validator

from tools.base import DEFAULT, Access, Collection, Passages, ToolRef, Words

__all__ = [
    "Collections",
    "Delete",
    "Deleted",
    "Document",
    "DocumentRef",
    "DocumentText",
    "Documents",
    "Ingest",
    "IngestReport",
    "Filter",
    "KnowledgeConfig",
    "KnowledgeOptions",
    "ListCollections",
    "ListDocuments",
    "OnProgress",
    "Problem",
    "Search",
    "Similar",
    "collections",
    "delete",
    "document",
    "documents",
    "ingest",
    "search",
    "similar",
]

OnProgress = Callable[[float, float, str], Awaitable[None]]
"""Told of work done: files done (with a fraction for the one being read), files in all, what is being done."""

_MEGABYTE = 1_000_000
_HOST = r"(?:[\w.-]+|\[[\da-fA-F:.]+\])(?::\d{1,5})?$"
_Host = Annotated[str, StringConstraints(to_lower=True, pattern=rf"^{_HOST}")]
_Hosts = Annotated[str, StringConstraints(to_lower=True, pattern=rf"^(?:\*\.)?{_HOST}")]
_Ending = Annotated[str, StringConstraints(to_lower=True, pattern=r"^\w{1,20}$")]


class KnowledgeOptions(BaseModel):
    """What an installation may set under [knowledge]."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    storage: str | None = Field(
        default=None,
        pattern=r"^(s3|gs|az)://[^/]+",
        description="An object store for the tables, for example s3://bucket/partitur; null = below the home.",
    )
    storage_options: dict[str, SecretStr] = Field(
        default_factory=dict[str, SecretStr],
        description="How it is reached, in LanceDB's names: aws_endpoint and so on.",
    )
    embedding_weight: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="Share of meaning in a score, where an embedding model is set; the rest: words.",
    )
    query_prefix: str = Field(default="", max_length=500, description="What the embedding model wants before a query.")
    passage_prefix: str = Field(
        default="", max_length=500, description="What the embedding model wants before a passage."
    )
    max_text_chars: int = Field(default=5_000_000, ge=1, description="Code points that one document may have.")
    max_output_chars: int = Field(
        default=200_000_000, ge=1, description="Code points that all documents of a file may have."
    )
    parse_seconds: float = Field(default=60.0, gt=0, description="Time that one file may take to be read.")
    parse_memory_bytes: int = Field(default=1_000 * _MEGABYTE, ge=200 * _MEGABYTE, description="Memory of a reader.")
    index_cache_bytes: int = Field(
        default=256 * _MEGABYTE, ge=_MEGABYTE, description="What each process may keep of a tenant's indices in memory."
    )
    readers: int = Field(default=2, ge=1, le=16, description="Reading processes at work at the same time.")
    allowed_roots: tuple[Path, ...] | None = Field(
        default=None, description="Folders that files may be read from; null = every folder the process may read."
    )
    url_hosts: tuple[_Hosts, ...] | None = Field(
        default=None,
        description="Hosts that documents may be fetched from, as 'host', '*.domain' or 'host:port'; null = every public one.",
    )
    url_private_hosts: tuple[_Host, ...] = Field(
        default=(),
        description="Hosts of the intranet, as 'host' or 'host:port', that may have addresses of the inside.",
    )
    url_seconds: float = Field(default=60.0, gt=0, description="Time that fetching one document may take.")
    readers_extra: dict[_Ending, str] = Field(
        default_factory=dict[str, str],
        description="Readers of llama-index for further endings, as 'epub' = 'package.module:Class'.",
    )
    readers_path: tuple[Path, ...] = Field(
        default=(), description="Folders with such readers that are not installed packages."
    )


class KnowledgeConfig(KnowledgeOptions):
    """Where the store lies, and the limits that a document is read under."""

    home: Path = Field(description="Folder of the store; made when it is missing.")
    max_file_bytes: int = Field(default=50 * _MEGABYTE, ge=1, description="Larger files are refused.")


Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
"""Of a collection."""


class Filter(BaseModel):
    """What a document has to be for its passages to be looked at."""

    model_config = ConfigDict(extra="forbid")

    metadata: dict[str, str | list[str]] = Field(
        default_factory=dict[str, str | list[str]],
        max_length=20,
        description="Keys with the value, or one of the values, that the document says of itself.",
    )
    documents: list[str] | None = Field(default=None, max_length=1_000, description="Only these, by id.")
    media_types: list[str] | None = Field(default=None, max_length=20, description="For example application/pdf.")
    language: Literal["de", "en"] | None = Field(default=None, description="The language it is written in.")
    after: date | None = Field(default=None, description="Its own date is this day or later.")
    before: date | None = Field(default=None, description="Its own date is before this day.")


class _Looking(BaseModel):
    """How passages are looked for, whatever for."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=8, ge=1, le=50, description="How many passages to return.")
    collections: list[Name] | None = Field(
        default=None, min_length=1, max_length=100, description="Only in these; all that the caller may read otherwise."
    )
    filter: Filter | None = Field(default=None, description="Only in documents that are like this.")
    around: int = Field(default=0, ge=0, le=3, description="Neighbours on each side that are given with a passage.")
    why: bool = Field(default=False, description="Say for each passage why it was found.")


class Search(_Looking):
    """What to look for."""

    query: Words = Field(min_length=1, max_length=4_000, description="A question or some words.")
    language: Literal["de", "en"] | None = Field(
        default=None, description="Language of the query; recognised when it is not given."
    )


class Similar(_Looking):
    """A passage, or a whole document, to find more like it."""

    document: str = Field(min_length=1, max_length=500, description="Id of the document.")
    start: int | None = Field(
        default=None, ge=0, description="A code point in the passage meant; the whole document where it is left out."
    )


class Ingest(BaseModel):
    """One document, sent as text or as the bytes of a file, or fetched from the web."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(
        default="",
        max_length=300,
        description="File name of what is sent; its ending says what it is. The same name replaces.",
    )
    collection: Name = Field(default=DEFAULT, description="Where it goes.")
    access: Access | None = Field(
        default=None, description="Narrower than the collection's readers: only these of them, and who sends it."
    )
    text: str | None = Field(default=None, max_length=10_000_000, description="The content, where it is text.")
    content: Base64Bytes | None = Field(
        default=None, max_length=50_000_000, description="The bytes in base64, for all that is no text."
    )

    url: str | None = Field(
        default=None, max_length=2_000, description="Or where it lies, http or https; then it has no name."
    )

    @model_validator(mode="after")
    def _one_of_three(self) -> "Ingest":
        if [self.text, self.content, self.url].count(None) != 2:
            raise ValueError("exactly one of 'text', 'content' and 'url' is expected")
        if (self.name == "") != (self.url is not None):
            raise ValueError("a 'name' is expected with 'text' and 'content', and none with 'url'")
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
    notes: list[str] = Field(default_factory=list[str], description="What had to be left for later.")


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
    collection: str = Field(default=DEFAULT, description="Where it lies.")
    readers: list[str] | None = Field(
        default=None, description="Who of the collection's readers may read it, as `user:…` and `group:…`; null = all."
    )
    date: datetime | None = Field(default=None, description="Of the document itself, where it says one.")
    metadata: dict[str, str] = Field(default_factory=dict[str, str], description="What else it says of itself.")


class ListDocuments(BaseModel):
    """Which part of the list."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=100, ge=1, le=1_000, description="How many documents to return.")
    offset: int = Field(default=0, ge=0, description="How many to leave out before.")
    collection: Name | None = Field(default=None, description="Only of this one.")


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


class ListCollections(BaseModel):
    """Takes nothing."""

    model_config = ConfigDict(extra="forbid")


class Collections(BaseModel):
    """What the caller may look into, by name."""

    collections: list[Collection]


search = ToolRef(
    name="knowledge.search",
    input=Search,
    output=Passages,
    description="Searches the documents and returns the passages that fit best, each with its document, heading, page and offsets.",
    source=True,
)
similar = ToolRef(
    name="knowledge.similar",
    input=Similar,
    output=Passages,
    description="Finds more like a passage or a document: other documents' passages that are about the same.",
    source=True,
)
collections = ToolRef(
    name="knowledge.collections",
    input=ListCollections,
    output=Collections,
    description="Lists the collections you may look into, with what each is kept for.",
)
ingest = ToolRef(
    name="knowledge.ingest",
    input=Ingest,
    output=IngestReport,
    description="Reads one document (txt, md, html, pdf, docx and more), sent or at a web address, into the store.",
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
