"""The columns of the knowledge base's tables, and the rows that documents become."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

import pyarrow

from tools.knowledge.prepared import Prepared
from tools.knowledge.ranking import COLUMNS
from tools.knowledge.scope import Target

__all__ = ["CHUNKS", "DOCUMENTS", "FILES", "Row", "Stored", "chunk_rows", "document_row", "guard", "tags_of"]

Row = dict[str, Any]  # Any: a row as LanceDB returns it; typed where it becomes a model

pa = cast(Any, pyarrow)  # Any: pyarrow has no types

_GUARD = [
    pa.field("tenant", pa.string(), nullable=False),
    pa.field("collection", pa.string(), nullable=False),
    pa.field("access", pa.string(), nullable=False),
    pa.field("readers", pa.list_(pa.string())),
]
"""Stands in every table: whose it is, and who may read it where these are fewer than the collection's readers."""
_TIMES = [
    pa.field("ingested_at", pa.timestamp("us", tz="UTC"), nullable=False),
    pa.field("date", pa.timestamp("us", tz="UTC")),
]
FILES = pa.schema(
    [*_GUARD, ("source", pa.string()), ("version", pa.string()), ("documents", pa.int64())],
)
DOCUMENTS = pa.schema(
    [
        *_GUARD,
        *_TIMES,
        ("id", pa.string()),
        ("source", pa.string()),
        ("record", pa.string()),
        ("version", pa.string()),
        ("title", pa.string()),
        ("language", pa.string()),
        ("media_type", pa.string()),
        ("metadata", pa.string()),
        ("owner", pa.string()),
        ("pages", pa.int32()),
        ("size", pa.int64()),
        ("chunks", pa.int32()),
        ("text", pa.large_string()),
    ]
)
CHUNKS = pa.schema(
    [
        *_GUARD,
        *_TIMES,
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
        ("language", pa.string()),
        ("media_type", pa.string()),
        ("tags", pa.list_(pa.string())),
        ("text", pa.large_string()),
        *((name, pa.large_string()) for name in COLUMNS),
    ]
)


@dataclass(frozen=True, slots=True)
class Stored:
    """A document with the place it came from, ready to be written."""

    id: str
    source: str
    version: str
    document: Prepared
    owner: str
    """The subject that brought it."""


def document_row(target: Target, item: Stored, now: datetime) -> Row:
    """The row of a document."""
    document = item.document
    return {
        **_head(target, document, now),
        "id": item.id,
        "source": item.source,
        "record": document.record,
        "version": item.version,
        "title": document.title,
        "language": document.language,
        "media_type": document.media_type,
        "metadata": json.dumps(document.metadata, ensure_ascii=False),
        "owner": item.owner,
        "pages": document.pages,
        "size": len(document.text),
        "chunks": len(document.chunks),
        "text": document.text,
    }


def chunk_rows(target: Target, item: Stored, now: datetime) -> list[Row]:
    """The rows of its chunks."""
    document = item.document
    head = _head(target, document, now)
    tags = tags_of(document.metadata)
    return [
        {
            **head,
            "document": item.id,
            "source": item.source,
            "version": item.version,
            "title": document.title,
            "title_start": document.title_start,
            "heading": chunk.heading or None,
            "heading_start": chunk.heading_start,
            "page": chunk.page,
            "start": chunk.start,
            "end": chunk.end,
            "language": document.language,
            "media_type": document.media_type,
            "tags": tags,
            "text": document.text[chunk.start : chunk.end],
            **{name: chunk.terms[name] for name in COLUMNS},
        }
        for chunk in document.chunks
    ]


def tags_of(metadata: Mapping[str, str]) -> list[str]:
    """Metadata as they are filtered by: `key=value`."""
    return [f"{key}={value}" for key, value in metadata.items()]


def guard(target: Target) -> Row:
    """The columns that stand in every table."""
    return {
        "tenant": target.tenant,
        "collection": target.collection,
        "access": target.access,
        "readers": None if target.readers is None else list(target.readers),
    }


def _head(target: Target, document: Prepared, now: datetime) -> Row:
    return {
        **guard(target),
        "ingested_at": now,
        "date": _moment(document.date),
    }


def _moment(said: str) -> datetime | None:
    """A document's own date as a moment; days begin at midnight UTC, and what is no date is none."""
    try:
        found = datetime.fromisoformat(said)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):  # the first and the last day of the calendar may have no UTC
        return None
