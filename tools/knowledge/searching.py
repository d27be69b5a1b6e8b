"""One search: what is found, within what a caller reads; with its neighbours, and why, where that is asked for."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tools.base import Around, Passage
from tools.knowledge import Filter
from tools.knowledge.ranking import query_terms
from tools.knowledge.reasons import reason
from tools.knowledge.scope import Readable, listed, moment, text_of
from tools.language import Language

if TYPE_CHECKING:
    from tools.knowledge.store import Row, Store

__all__ = ["PASSAGE", "Wanted", "find", "metadata_of", "where_of"]

PASSAGE = (
    "document", "title", "title_start", "heading", "heading_start", "page", "start", "end", "text", "collection", "date",
)  # fmt: skip
"""Columns of a chunk that a passage is made of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is looked for."""

    query: str
    language: Language | None = None
    limit: int = 8
    where: str | None = None
    """A condition on chunks besides what may be read."""
    around: int = 0
    why: bool = False


async def find(store: "Store", scope: Readable, wanted: Wanted) -> list[Passage]:
    """The passages that fit best. Scores are comparable within one result: weighted sums of BM25."""
    terms = query_terms(wanted.query, wanted.language)
    if not terms:
        return []
    rows = await store.search(scope, terms, wanted.limit, wanted.where)
    rows.sort(key=lambda row: (-row["_score"], row["document"], row["start"]))
    found: dict[tuple[str, int], Row] = {}
    for row in rows:  # while a file is replaced, its old and its new version are both there for a moment
        found.setdefault((row["document"], row["start"]), row)
    around = await _around(store, scope, list(found.values()), wanted.around) if wanted.around else {}
    best = max((row["_score"] for row in rows), default=0.0)
    return [
        Passage(
            **{name: row[name] for name in PASSAGE},
            score=row["_score"],
            around=around.get(place),
            why=reason(wanted.query, wanted.language, row, lexical=row["_score"] / best) if wanted.why else None,
        )
        for place, row in found.items()
    ]


async def _around(
    store: "Store", scope: Readable, rows: "Sequence[Row]", reach: int
) -> "dict[tuple[str, int], Around]":
    """Each passage with up to `reach` neighbours of its document on each side."""
    ids = sorted({row["document"] for row in rows})
    places: dict[str, list[tuple[int, int]]] = {}
    for row in await store.chunks(scope, f"document IN ({listed(ids)})", ["document", "start", "end"]):
        places.setdefault(row["document"], []).append((row["start"], row["end"]))
    texts = {row["id"]: row["text"] for row in await store.documents(scope, ids, text=True)}
    found: dict[tuple[str, int], Around] = {}
    for row in rows:
        order = sorted(places.get(row["document"], []))
        text = texts.get(row["document"])
        if text is None or (row["start"], row["end"]) not in order:
            continue  # deleted or replaced meanwhile
        at = order.index((row["start"], row["end"]))
        start, end = order[max(0, at - reach)][0], order[min(len(order) - 1, at + reach)][1]
        found[row["document"], row["start"]] = Around(start=start, end=end, text=text[start:end])
    return found


def where_of(given: Filter | None, *, sources: Sequence[str] | None = None) -> str | None:
    """A filter as a condition on chunks; None where it asks for nothing."""
    parts: list[str] = []
    if sources is not None:
        parts.append(f"source IN ({listed(sources)})")
    if given is not None:
        for key, value in given.metadata.items():
            tags = [f"{key}={one}" for one in ([value] if isinstance(value, str) else value)]
            parts.append(f"array_has_any(tags, make_array({listed(tags)}))")
        if given.documents is not None:
            parts.append(f"document IN ({listed(given.documents)})")
        if given.media_types is not None:
            parts.append(f"media_type IN ({listed(given.media_types)})")
        if given.language is not None:
            parts.append(f"language = {text_of(given.language)}")
        if given.after is not None:
            parts.append(
                f"date >= {moment(datetime(given.after.year, given.after.month, given.after.day, tzinfo=UTC))}"
            )
        if given.before is not None:
            day = datetime(given.before.year, given.before.month, given.before.day, tzinfo=UTC)
            parts.append(f"date < {moment(day)}")
    return " AND ".join(parts) or None


def metadata_of(row: "Row") -> dict[str, str]:
    """What a document says of itself."""
    return json.loads(row["metadata"] or "{}")
