"""Says what a file is and decodes its text; every reader of a format returns an `Extract`."""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

__all__ = [
    "CONTROLS",
    "Extract",
    "Limits",
    "SUPPORTED",
    "Skip",
    "Unreadable",
    "decode",
    "ending_of",
    "kind_of",
    "spoken",
    "suffix_of",
]

Kind = Literal["text", "markdown", "csv", "html", "pdf", "docx", "sheets", "slides", "mail", "zip", "lines", "list"]

_KINDS: dict[str, tuple[Kind, str]] = {
    ".txt": ("text", "text/plain"),
    ".text": ("text", "text/plain"),
    ".md": ("markdown", "text/markdown"),
    ".markdown": ("markdown", "text/markdown"),
    ".html": ("html", "text/html"),
    ".htm": ("html", "text/html"),
    ".xhtml": ("html", "text/html"),
    ".pdf": ("pdf", "application/pdf"),
    ".docx": ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ".csv": ("csv", "text/csv"),
    ".tsv": ("csv", "text/tab-separated-values"),
    ".xlsx": ("sheets", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ".xlsm": ("sheets", "application/vnd.ms-excel.sheet.macroenabled.12"),
    ".xls": ("sheets", "application/vnd.ms-excel"),
    ".ods": ("sheets", "application/vnd.oasis.opendocument.spreadsheet"),
    ".pptx": ("slides", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
    ".eml": ("mail", "message/rfc822"),
    ".zip": ("zip", "application/zip"),
    ".jsonl": ("lines", "application/jsonl"),
    ".ndjson": ("lines", "application/jsonl"),
    ".json": ("list", "application/json"),
}
SUPPORTED = ", ".join(sorted(suffix[1:] for suffix in _KINDS))
_CHARSET = re.compile(rb"""<meta[^>]{0,200}charset\s*=\s*["']?([A-Za-z0-9_-]{2,30})""", re.IGNORECASE)
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_PROBE = 4096
CONTROLS = dict.fromkeys((*range(9), *range(11, 32), 127), " ")
"""For `str.translate`: control characters other than tab and line end become blanks."""


class Unreadable(Exception):
    """The file cannot be read; the message says why and what was expected."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one file may cost."""

    text_chars: int
    """Code points of a document."""
    output_chars: int
    """Code points of all documents of a file."""


@dataclass(frozen=True, slots=True)
class Extract:
    """A document as a format's reader found it."""

    text: str
    """Light markdown: headings as `# …` lines, tables as `| a | b |` rows, blank lines between paragraphs."""
    title: str = ""
    pages: list[int] = field(default_factory=list[int])
    """Offsets at which pages begin."""
    language: str = ""
    """As the document itself says it."""
    record: str = ""
    """Id inside a collection file."""
    fraction: float = 1.0
    """How much of the file is read after this document."""
    media_type: str = ""
    """Of a document inside a container; empty: that of the file."""
    date: str = ""
    """When the document itself says it was written or changed: ISO 8601, a date or a date with a time."""
    metadata: dict[str, str] = field(default_factory=dict[str, str])
    """What else it says of itself, as `facts.metadata_of` bounds it."""


@dataclass(frozen=True, slots=True)
class Skip:
    """A record that is no document."""

    place: str
    reason: str


def suffix_of(name: str) -> str:
    """The ending of a file name in small letters, with its dot; empty where there is none."""
    base = name.rpartition("/")[2]
    return "." + base.rpartition(".")[2].lower() if "." in base[1:] else ""


def spoken(name: str) -> str:
    """A file's name as a title: without folder and ending."""
    base = name.rpartition("/")[2]
    stem = base.rpartition(".")[0] or base
    return stem.replace("_", " ").strip()


def kind_of(name: str) -> tuple[Kind, str]:
    """Kind and media type by the ending of the name.

    Raises:
        Unreadable: files with this ending are not read.
    """
    suffix = suffix_of(name)
    if suffix not in _KINDS:
        raise Unreadable(f"Files of type {suffix or 'without an ending'!r} are not read. Expected one of {SUPPORTED}.")
    return _KINDS[suffix]


def ending_of(media_type: str) -> str:
    """The ending for a media type; empty where files of it are not read."""
    return next((suffix for suffix, (_, media) in _KINDS.items() if media == media_type), "")


def decode(data: bytes) -> str:
    """Text of bytes in UTF-8, UTF-16 or cp1252, or what an HTML head declares; line ends become `\\n`.

    Raises:
        Unreadable: the bytes are no text.
    """
    for encoding in _encodings(data):
        try:
            text = data.decode(encoding)
        except (UnicodeDecodeError, LookupError):
            continue
        if _CONTROLS.search(text, 0, _PROBE) is None:
            return _lines(text)
    raise Unreadable("The content is binary, not text. Expected text in UTF-8, UTF-16 or Windows-1252.")


def _encodings(data: bytes) -> Iterator[str]:
    if data.startswith(codecs.BOM_UTF8):
        yield "utf-8-sig"
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        yield "utf-16"
    probe = data[:_PROBE]
    if b"\0" in probe and len(data) % 2 == 0:
        even, odd = probe[::2].count(0), probe[1::2].count(0)
        if max(even, odd) > len(probe) // 5:  # most characters of our languages have a zero byte there
            yield "utf-16-le" if odd > even else "utf-16-be"
    yield "utf-8"
    if declared := _CHARSET.search(probe):
        name = declared[1].decode("ascii").lower()
        if name.startswith(("iso-8859", "windows-125", "cp125", "latin", "koi8", "mac")):
            yield name
    yield "cp1252"
    yield "latin-1"  # the few bytes that cp1252 leaves undefined


def _lines(text: str) -> str:
    text = text.removeprefix("\ufeff")
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\x0c", "\n").replace("\x0b", "\n")
