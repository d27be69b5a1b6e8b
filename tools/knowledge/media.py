"""Names what came from the web: host and path, with the ending that says what it is."""

from collections.abc import Collection, Sequence
from urllib.parse import unquote, urlsplit

from tools.base import InvalidInput
from tools.knowledge.formats import SUPPORTED, ending_of, kind_of, suffix_of

__all__ = ["name_of"]

_NAME_CHARS = 250
_VAGUE = ("", "application/octet-stream", "binary/octet-stream", "application/force-download", "text/plain")
_ALIASES = {
    "application/xhtml+xml": "text/html",
    "text/x-markdown": "text/markdown",
    "application/x-ndjson": "application/jsonl",
    "application/csv": "text/csv",
    "application/x-pdf": "application/pdf",
    "application/x-zip-compressed": "application/zip",
}
"""Media types that go by several names."""


def name_of(asked: str, answered: str, media_type: str, further: Collection[str]) -> str:
    """A name for what `asked` led to, which ends as the kind of file that it is.

    Args:
        asked: the address that was asked for.
        answered: the address that answered.
        media_type: what it said the document is: it decides, unless it is vague.
        further: endings that readers of others are set for.

    Raises:
        InvalidInput: it is of no kind that is read.
    """
    endings = (*SUPPORTED.split(", "), *further)
    return _name(asked, _ending((_suffix(asked, endings), _suffix(answered, endings)), media_type, answered, further))


def _ending(written: Sequence[str], media_type: str, answered: str, further: Collection[str]) -> str:
    of_address = next((suffix for suffix in written if suffix), "")
    said = _ALIASES.get(media_type, media_type)
    if of_address and (said in _VAGUE or (of_address[1:] not in further and kind_of(f"x{of_address}")[1] == said)):
        return of_address
    if found := ending_of(said):
        return found
    if of_address[1:] in further:
        return of_address
    raise InvalidInput(
        f"What {urlsplit(answered).hostname!r} sent is of type {media_type[:60] or 'unknown'!r}. "
        f"Expected one of {', '.join((SUPPORTED, *further))}.",
        hint="Download the document and ingest it as a file of one of these kinds.",
    )


def _suffix(url: str, endings: Collection[str]) -> str:
    suffix = suffix_of(unquote(urlsplit(url).path))
    return suffix if suffix[1:] in endings else ""


def _name(url: str, ending: str) -> str:
    split = urlsplit(url)
    whole = f"{split.netloc}/{unquote(split.path).strip('/') or 'index'}"
    whole += f"-{unquote(split.query)}" if split.query else ""
    plain = "".join(char if char.isprintable() else "-" for char in whole)[:_NAME_CHARS]
    return plain if suffix_of(plain) == ending else plain + ending
