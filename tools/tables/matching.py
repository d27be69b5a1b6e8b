"""Maps a plain question onto a template and the caller's tables, without a model; says what it could not place, and why."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from tools.base.errors import InvalidInput
from tools.tables.catalog import Catalog
from tools.tables.cues import Cue, cues
from tools.tables.linking import Link, Rows, links, value_queries
from tools.tables.reading import Reading
from tools.tables.shaping import Shape, shaped
from tools.tables.words import HARD, Word, concept, empty, likeness, parts, said, words

__all__ = ["Doubt", "Match", "match"]

_LEAST = 0.72
"""How sure, on average, the meaning of the words must be."""
_CLOSE = 0.03
"""Readings that are not further apart than this are both possible."""


@dataclass(frozen=True, slots=True)
class Match:
    """The template a question means, the words it rests on, and from 0 to 1 how well they fit."""

    shape: Shape
    links: tuple[tuple[str, Link], ...]
    score: float


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why there is no template: words that nothing in the tables matches, several possible meanings, or no known form."""

    reason: Literal["unknown_words", "ambiguous", "no_template"]
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Read:
    reading: Reading
    shape: Shape | None
    unread: tuple[str, ...]
    score: float


def match(question: str, catalog: Catalog, rows: Rows) -> Match | Doubt:
    """The template, or the doubt. `rows` runs a SELECT as the caller: only what that caller may see can be meant."""
    spoken = words(question)
    found = [tuple(map(str, row[:3])) for sql in value_queries(spoken, catalog) for row in rows(sql)]
    values = [(table, column, value) for table, column, value in found]
    spoken = list(_split(spoken, catalog, values))
    candidates = links(spoken, catalog, values)
    read = [_over(name, spoken, catalog, candidates) for name in dict.fromkeys(link.table for link in candidates)]
    understood = sorted((each for each in read if each.shape and not each.unread), key=lambda each: -each.score)
    if not understood:
        return _doubt(read, spoken)
    best, *others = understood
    if best.score < _LEAST:
        return Doubt("no_template")
    if any(best.score - other.score < _CLOSE and not _same(best, other) for other in others):
        return Doubt("ambiguous", tuple(sorted({each.reading.table.name for each in understood[:4]})))
    for link in best.reading.links:
        if rivals := best.reading.rivals(link):
            columns = {f"{each.table}.{each.column}" for each in (link, *rivals)}
            return Doubt("ambiguous", tuple(sorted(columns)))
    placed = tuple((said(spoken[link.start : link.end]), link) for link in best.reading.links)
    return Match(best.shape, placed, round(min(1.0, best.score), 3)) if best.shape else Doubt("no_template")


def _over(name: str, spoken: Sequence[Word], catalog: Catalog, candidates: Sequence[Link]) -> _Read:
    table = catalog.tables[name]
    reading = Reading(spoken, catalog, table, candidates, _kept(spoken, candidates))
    try:
        shape = shaped(reading)
    except (InvalidInput, ValueError):
        # The words make no template that holds: another table may fit them better.
        shape = None
    unread = tuple(reading.unread())
    chosen = reading.links
    score = sum(min(link.score, 1.0) for link in chosen) / len(chosen) if chosen else 0.0
    named = any(link.kind == "table" and link.table == name for link in chosen)
    return _Read(reading, shape, unread, score + (0.05 if named else 0.0))


def _kept(spoken: Sequence[Word], candidates: Sequence[Link]) -> list[Cue]:
    """The turns of phrase but those that are part of a longer value: `Market St above`, "The Most Wanted"."""
    whole = [link for link in candidates if link.kind == "value" and link.whole and link.end - link.start > 1]
    return [cue for cue in cues(spoken) if not any(link.start <= cue.start and cue.end <= link.end for link in whole)]


def _same(one: _Read, other: _Read) -> bool:
    return one.shape == other.shape


def _doubt(read: Sequence[_Read], spoken: Sequence[Word]) -> Doubt:
    if not read:
        return Doubt("unknown_words", tuple(word.text for word in spoken if word.kind != "sign" and not empty(word)))
    best = min(read, key=lambda each: (len(each.unread), -each.score))
    linked = {at for link in best.reading.candidates for at in range(link.start, link.end)}
    linked |= {at for cue in best.reading.cues for at in range(cue.start, cue.end)}
    strange = tuple(
        word.text
        for at, word in enumerate(spoken)
        if word.text in best.unread and at not in linked and word.kind != "sign" and word.folded not in HARD
    )
    return Doubt("unknown_words", strange) if strange else Doubt("no_template", best.unread)


def _split(spoken: Sequence[Word], catalog: Catalog, values: Sequence[tuple[str, str, str]]) -> Iterator[Word]:
    """German compounds of two words that are known here: `Hundesteuergebühr` is Hundesteuer and Gebühr."""
    heads = {word for _, _, value in values for word in parts(value) if len(word) >= 4}
    names = {part for table in catalog.tables.values() for part in (table.name, *parts(table.name))}
    names |= {part for table in catalog.tables.values() for column in table.columns for part in parts(column.header)}
    for word in spoken:
        pair = _pair(word, heads | names) if word.kind == "word" and len(word.folded) >= 9 and not empty(word) else None
        if pair is None or any(likeness(word.folded, known) >= 0.9 for known in heads | names) or concept(word.folded):
            yield word
        else:
            yield from (replace(word, text=half, folded=half) for half in pair)


def _pair(word: Word, known: set[str]) -> tuple[str, str] | None:
    for at in range(len(word.folded) - 4, 3, -1):
        head, tail = word.folded[:at], word.folded[at:]
        for bare in (head, re.sub(r"(?:s|n|en|es)$", "", head)):
            if any(likeness(bare, each) >= 0.97 for each in known) and (
                concept(tail) or any(likeness(tail, each) >= 0.97 for each in known)
            ):
                return bare, tail
    return None
