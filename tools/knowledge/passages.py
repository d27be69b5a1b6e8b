"""Gives the passages of a stored document in their order, as a search finds and cites them."""

from collections.abc import Sequence

from tools.base import Caller, Passage
from tools.knowledge.chunks import cut
from tools.knowledge.library import Library
from tools.knowledge.scope import listed
from tools.knowledge.searching import HIT, PASSAGE, no_document
from tools.knowledge.shelf import Shelf

__all__ = ["passages_of"]


async def passages_of(shelf: Shelf, document_id: str, caller: Caller, *, collection: str) -> Sequence[Passage]:
    """All passages of a document of a collection that the caller may read.

    A shelf that keeps no passages of its own gives the text, which is cut here and knows no pages.

    Raises:
        NotFound: there is no such collection or document for this caller.
    """
    if not isinstance(shelf, Library):
        return await _cut(shelf, document_id, caller)
    scope = await shelf.readable(caller, [collection])
    rows = await (await shelf.opened(caller.tenant)).chunks(scope, f"document IN ({listed([document_id])})", HIT)
    if not rows:
        raise no_document(document_id)
    # While a document is replaced both its versions are there.
    newest = max(row["ingested_at"] for row in rows)
    chosen = sorted((row for row in rows if row["ingested_at"] == newest), key=lambda row: row["start"])
    return [Passage(**{name: row[name] for name in PASSAGE}) for row in chosen]


async def _cut(shelf: Shelf, document_id: str, caller: Caller) -> Sequence[Passage]:
    stored = await shelf.text(document_id, caller)
    text, document = stored.text, stored.document
    at = text[:1_000].find(document.title)
    return [
        Passage(
            document=document_id,
            title=document.title,
            heading=" › ".join(chunk.headings) or None,
            start=chunk.start,
            end=chunk.end,
            text=text[chunk.start : chunk.end],
            title_start=at if at >= 0 else None,
            heading_start=chunk.heading_start,
        )
        for chunk in cut(text, language=document.language, title=document.title)
    ]
