"""What is kept with a document of RAGFlow, in its metadata: the name it came with, who brought it, who may read it.

Values are percent-encoded and hold neither commas nor brackets: RAGFlow splits and reads such values in ways of its own.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote, unquote

from tools.language import detect
from tools.ragflow.layout import Layout

__all__ = ["Marks", "Measured", "foreign", "shown", "stored_name"]

_PREFIX = "partitur_"
_SAFE = "/:*@._-"
_SLASH = "\u2215"
_MOST = 180
"""Bytes of a name there, of the 255 that RAGFlow takes."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What reading the whole text tells, good as long as the document has this many chunks."""

    language: Literal["de", "en"]
    size: int
    pages: int | None
    chunks: int

    @classmethod
    def of(cls, layout: Layout) -> "Measured":
        """Reads the text."""
        return cls(detect(layout.text), len(layout.text), layout.pages, layout.listed)


@dataclass(frozen=True, slots=True)
class Marks:
    """As they are kept."""

    name: str
    owner: str = ""
    hash: str = ""
    readers: tuple[str, ...] | None = None
    measured: Measured | None = None

    def meta(self) -> dict[str, str]:
        """As metadata."""
        fields = {"name": quote(self.name, safe=_SAFE), "owner": quote(self.owner, safe=_SAFE), "hash": self.hash}
        if self.readers is not None:
            fields["readers"] = " ".join(quote(one, safe=_SAFE) for one in self.readers)
        if (told := self.measured) is not None:
            fields["measured"] = f"{told.language} {told.size} {told.pages or 0} {told.chunks}"
        return {_PREFIX + key: value for key, value in fields.items() if value}

    @classmethod
    def of(cls, meta: Mapping[str, str]) -> "Marks | None":
        """Of a document's metadata; null where it was not brought by us."""
        fields = {key.removeprefix(_PREFIX): value for key, value in meta.items() if key.startswith(_PREFIX)}
        if "name" not in fields:
            return None
        readers = tuple(map(unquote, fields["readers"].split())) if "readers" in fields else None
        return cls(
            unquote(fields["name"]),
            unquote(fields.get("owner", "")),
            fields.get("hash", ""),
            readers,
            _measured(fields.get("measured", "")),
        )


def _measured(value: str) -> Measured | None:
    match value.split():
        case [("de" | "en") as language, size, pages, chunks] if size.isdecimal() and pages.isdecimal():
            return Measured(language, int(size), int(pages) or None, int(chunks))
        case _:
            return None


def foreign(meta: Mapping[str, str]) -> dict[str, str]:
    """What others keep with the document."""
    return {key: value for key, value in meta.items() if not key.startswith(_PREFIX)}


def stored_name(name: str, access: str) -> str:
    """The name it gets there: of documents with other readers never the same, as RAGFlow would show it by renaming."""
    plain = name.replace("/", _SLASH)
    if len(plain.encode()) > _MOST:
        ending = plain[plain.rfind(".") :] if "." in plain[-12:] else ""
        plain = hashlib.sha256(name.encode()).hexdigest()[:32] + ending
    return f"{access}-{plain}" if access else plain


def shown(name: str) -> str:
    """The title of a document with this stored name: its file's name."""
    return name.replace(_SLASH, "/").rpartition("/")[2]
