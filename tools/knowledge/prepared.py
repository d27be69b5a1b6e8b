"""A document on its way from the reading process to the store."""

from dataclasses import dataclass, field
from typing import Literal

__all__ = ["Prepared", "PreparedChunk"]


@dataclass(frozen=True, slots=True)
class PreparedChunk:
    """A chunk as it is indexed; offsets are code points, half-open, within the document's text."""

    start: int
    end: int
    heading: str
    heading_start: int | None
    page: int | None
    terms: dict[str, str]
    """For each indexed column its terms, joined by blanks."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A document with its chunks."""

    record: str
    """Id inside a collection file, else empty."""
    title: str
    title_start: int | None
    language: Literal["de", "en"]
    media_type: str
    pages: int | None
    text: str
    fraction: float
    """How much of its file is read with it."""
    chunks: list[PreparedChunk]
    date: str = ""
    """Of the document itself: ISO 8601, a date or a date with a time; empty where it says none."""
    metadata: dict[str, str] = field(default_factory=dict[str, str])
    """What else the document says of itself: at most 50 keys of 64 characters, values of 500."""
