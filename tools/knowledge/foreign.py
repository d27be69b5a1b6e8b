"""Reads files through readers of llama-index that the settings name; runs in the reading process only."""

from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, cast

from tools.knowledge.facts import date_of, metadata_of
from tools.knowledge.formats import Extract, Unreadable

if TYPE_CHECKING:
    from llama_index.core.readers.base import BaseReader
    from llama_index.core.schema import Document

__all__ = ["read_with"]

_PAGE = "page_label"
_DATES = ("date", "modified", "last_modified_date", "created", "creation_date")


def read_with(reader: str, path: Path) -> Iterator[Extract]:
    """The documents that a reader, `package.module:Class`, finds in a file.

    Documents that are pages become one document; others are records of their own.

    Raises:
        Unreadable: the reader is not installed, is none, or found no text.
    """
    documents = list(cast("Iterable[Document]", _reader(reader).load_data(path)))
    if len(documents) > 1 and all(_PAGE in found.metadata for found in documents):
        yield _paged(documents)
        return
    documents = [found for found in documents if found.get_content().strip()]
    if not documents:
        raise Unreadable(f"The reader {reader!r} found no text in the file. Expected some.")
    for number, found in enumerate(documents, 1):
        record = str(number) if len(documents) > 1 else ""
        yield _extract(found, _lines(found.get_content()), record=record, fraction=number / len(documents))


def _reader(name: str) -> "BaseReader":
    from llama_index.core.readers.base import BaseReader

    hint = "Install the package that holds it beside Partitur, name its folder in 'readers_path', or correct 'readers_extra'."
    module, _, attribute = name.partition(":")
    try:
        kind = cast(object, getattr(import_module(module), attribute))
    except (ImportError, AttributeError, ValueError) as error:
        raise Unreadable(
            f"The reader {name!r} cannot be loaded: {error}. Expected 'package.module:Class', installed. {hint}"
        ) from error
    if not (isinstance(kind, type) and issubclass(kind, BaseReader)):
        raise Unreadable(f"{name!r} is no reader. Expected a class made from llama-index's BaseReader. {hint}")
    return kind()


def _paged(documents: "list[Document]") -> Extract:
    texts = [_lines(found.get_content()) for found in documents]
    pages: list[int] = []
    at = 0
    for text in texts:
        pages.append(at)
        at += len(text) + 2
    return _extract(documents[0], "\n\n".join(texts), pages=pages)


def _extract(
    found: "Document", text: str, *, pages: list[int] | None = None, record: str = "", fraction: float = 1.0
) -> Extract:
    facts = cast("dict[str, object]", found.metadata)
    title, language = facts.get("title"), facts.get("language") or facts.get("lang")
    return Extract(
        text=text,
        title=title.strip() if isinstance(title, str) else "",
        pages=pages or [],
        language=language if isinstance(language, str) else "",
        record=record,
        fraction=fraction,
        date=next((date for key in _DATES if (date := date_of(facts.get(key)))), ""),
        metadata=metadata_of((key, value) for key, value in facts.items() if key not in ("title", _PAGE)),
    )


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()
