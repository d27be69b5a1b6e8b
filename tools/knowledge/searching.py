"""One search: what is found, within what a caller reads; with its neighbours, and why, where that is asked for."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tools.base import Around, Failed, NotFound, Passage, Passages
from tools.knowledge import Filter
from tools.knowledge.ranking import query_terms
from tools.knowledge.reasons import reason
from tools.knowledge.scope import Readable, listed, moment, text_of
from tools.language import Language

if TYPE_CHECKING:
    from tools.knowledge.meaning import Embedder, Reranker
    from tools.knowledge.store import Row, Store

__all__ = ["HIT", "PASSAGE", "Models", "Wanted", "find", "metadata_of", "no_document", "where_of", "words_of"]

PASSAGE = (
    "document", "title", "title_start", "heading", "heading_start", "page", "start", "end", "text", "collection", "date",
)  # fmt: skip
"""Columns of a chunk that a passage is made of."""
HIT = (*PASSAGE, "ingested_at")
"""With what tells the versions of a document apart."""


_CANDIDATES = 100
"""Passages that words, and vectors, put forward each where both are asked, or where a model reranks."""
_RERANKED = 50
_LIKE = 4_000
"""Code points of a text that more like it is looked for by."""
_Place = tuple[str, str, int]
"""Collection, document and start."""

log = logging.getLogger(__name__)


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


@dataclass(frozen=True, slots=True)
class Models:
    """What reads for meaning, where the organisation has it."""

    embedder: "Embedder | None" = None
    reranker: "Reranker | None" = None
    weight: float = 0.5
    """Of meaning against words, 0 to 1."""


@dataclass(slots=True)
class _Hit:
    """A chunk on its way into the result."""

    row: "Row"
    lexical: float | None = None
    semantic: float | None = None
    rerank: float | None = None
    score: float = 0.0


async def find(store: "Store", scope: Readable, wanted: Wanted, models: Models) -> Passages:
    """The passages that fit best. Scores are comparable within one result.

    By words alone a score is a weighted sum of BM25; with an embedding model the weighted sum of both shares, each from
    0 to 1; with a rerank model what it says. An engine that is down is done without, and a note says so.
    """
    terms = query_terms(wanted.query, wanted.language)
    if not terms:
        return Passages(passages=[])
    notes: list[str] = []
    deep = models.embedder is not None or models.reranker is not None
    by_words = await store.search(scope, terms, max(wanted.limit, _CANDIDATES) if deep else wanted.limit, wanted.where)
    best = max((row["_score"] for row in by_words), default=0.0)
    hits: dict[_Place, _Hit] = {}
    for row in _newest(by_words):
        hits.setdefault(_place(row), _Hit(row, lexical=row["_score"] / best, score=row["_score"]))
    if models.embedder is not None:
        await _by_meaning(store, scope, wanted, models, models.embedder, hits, notes)
    found = sorted(hits.values(), key=lambda hit: (-hit.score, hit.row["document"], hit.row["start"]))
    if models.reranker is not None and found:
        found = await _reranked(models.reranker, wanted.query, found, notes)
    found = found[: wanted.limit]
    around = await _around(store, scope, [hit.row for hit in found], wanted.around) if wanted.around else {}
    return Passages(passages=[_passage(hit, wanted, around) for hit in found], notes=notes)


def _passage(hit: _Hit, wanted: Wanted, around: "Mapping[_Place, Around]") -> Passage:
    why = None
    if wanted.why:
        why = reason(
            wanted.query, wanted.language, hit.row, lexical=hit.lexical, semantic=hit.semantic, rerank=hit.rerank
        )
    fields = {name: hit.row[name] for name in PASSAGE}
    return Passage(**fields, score=hit.score, around=around.get(_place(hit.row)), why=why)


async def _by_meaning(
    store: "Store",
    scope: Readable,
    wanted: Wanted,
    models: Models,
    embedder: "Embedder",
    hits: "dict[_Place, _Hit]",
    notes: list[str],
) -> None:
    """Adds what the vectors put forward, and gives every hit the sum of both shares."""
    try:
        query = await embedder.query(wanted.query)
        near = await store.vectors(embedder).search(scope, query, _CANDIDATES, wanted.where)
    except Failed as error:
        log.warning("The embedding model did not serve a search: %s", error.message)
        notes.append("The embedding model did not answer; found by words alone.")
        return
    cosines = {(row["collection"], row["document"], row["start"]): 1.0 - float(row["_distance"]) for row in near}
    if unknown := cosines.keys() - hits.keys():
        ids = sorted({document for _, document, _ in unknown})
        for row in _newest(await store.chunks(scope, f"document IN ({listed(ids)})")):
            if _place(row) in unknown:
                hits.setdefault(_place(row), _Hit(row))
    low, high = min(cosines.values(), default=0.0), max(cosines.values(), default=0.0)
    for place, hit in hits.items():
        hit.semantic = cosines.get(place)
        share = 0.0 if hit.semantic is None else (hit.semantic - low) / (high - low) if high > low else 1.0
        hit.score = models.weight * share + (1 - models.weight) * (hit.lexical or 0.0)


async def _reranked(reranker: "Reranker", query: str, found: list[_Hit], notes: list[str]) -> list[_Hit]:
    """The best hits in the order the model gives them; what it was not shown is left out."""
    shown = found[:_RERANKED]
    try:
        scores = await reranker.scores(query, [f"{hit.row['title']}\n{hit.row['text']}" for hit in shown])
    except Failed as error:
        log.warning("The rerank model did not serve a search: %s", error.message)
        notes.append("The rerank model did not answer; in the order they were found.")
        return found
    for hit, score in zip(shown, scores, strict=True):
        hit.rerank = hit.score = score
    return sorted(shown, key=lambda hit: -hit.score)


def _newest(rows: "Sequence[Row]") -> "list[Row]":
    """While a file is replaced, its old and its new version are both there for a moment: the new one alone is shown."""
    newest: dict[tuple[str, str], datetime] = {}
    for row in rows:
        name = row["collection"], row["document"]
        newest[name] = max(row["ingested_at"], newest.get(name, row["ingested_at"]))
    return [row for row in rows if row["ingested_at"] == newest[row["collection"], row["document"]]]


def _place(row: "Row") -> "_Place":
    return row["collection"], row["document"], row["start"]


async def _around(store: "Store", scope: Readable, rows: "Sequence[Row]", reach: int) -> "dict[_Place, Around]":
    """Each passage with up to `reach` neighbours of its document on each side."""
    ids = sorted({row["document"] for row in rows})
    places: dict[tuple[str, datetime], list[tuple[int, int]]] = {}
    for row in await store.chunks(scope, f"document IN ({listed(ids)})", ["document", "start", "end", "ingested_at"]):
        places.setdefault((row["document"], row["ingested_at"]), []).append((row["start"], row["end"]))
    texts = {(row["id"], row["ingested_at"]): row["text"] for row in await store.documents(scope, ids, text=True)}
    found: dict[_Place, Around] = {}
    for row in rows:
        version = row["document"], row["ingested_at"]
        order = sorted(places.get(version, []))
        text = texts.get(version)
        if text is None or (row["start"], row["end"]) not in order:
            continue  # deleted or replaced meanwhile
        at = order.index((row["start"], row["end"]))
        start, end = order[max(0, at - reach)][0], order[min(len(order) - 1, at + reach)][1]
        found[_place(row)] = Around(start=start, end=end, text=text[start:end])
    return found


async def words_of(store: "Store", scope: Readable, document: str, start: int | None) -> str:
    """The words of a document, or of its passage at `start`, that more like it is looked for by.

    Raises:
        NotFound: there is no such document or passage in the scope.
    """
    rows = await store.chunks(scope, f"document IN ({listed([document])})")
    chosen = sorted(
        (row for row in rows if start is None or row["start"] <= start < row["end"]), key=lambda row: row["start"]
    )
    if not rows:
        raise no_document(document)
    if not chosen:
        raise NotFound(
            f"Document {document!r} has no passage at {start}. Expected an offset within one of its passages.",
            hint="Take the 'start' of a passage that a search gave.",
        )
    return " ".join([chosen[0]["title"], *(row["text"] for row in chosen)])[:_LIKE]


def no_document(id: str) -> NotFound:
    """What is said of a document that is not there for whoever asks."""
    return NotFound(
        f"Document {id!r} is not there. Expected the id of a stored document.",
        hint="List the documents to see their ids.",
    )


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
