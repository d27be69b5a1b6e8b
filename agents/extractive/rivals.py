"""Finds where documents contradict each other: the same said of the same matter, with another figure."""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from agents.extractive.pool import Sentence
from agents.extractive.question import asks_for, holds
from agents.kit.facts import facts
from tools.language import Language, tokens
from tools.language.bm25 import Cosine

__all__ = ["with_rivals"]

_ALIKE = 0.45
"""Likeness from which two sentences speak of the same matter."""
_AS_GOOD = 0.8
"""A rival is worth this part of the sentence it contradicts."""


def with_rivals(
    first: int,
    sentences: Sequence[Sentence],
    free: Sequence[int],
    worth: NDArray[np.float64],
    like: Cosine,
    query: str,
    language: Language,
) -> list[int]:
    """`first` and those `free` sentences of other documents that answer with another sum, number or date, one a document.

    The newest document comes first where the dates of all are known; otherwise the order of their worth stays.
    """
    kind, asked = asks_for(query, language), frozenset(tokens(query))
    if kind not in ("money", "number", "date"):
        return [first]
    mine, figures = sentences[first], _figures(sentences[first], query)
    alike = like.to(first)
    taken = {mine.passage.document}
    found = [first]
    for index in sorted(free, key=lambda index: -worth[index]):
        other = sentences[index]
        if worth[index] < _AS_GOOD * worth[first]:
            break
        if other.passage.document in taken or other.form != mine.form or alike[index] < _ALIKE:
            continue
        theirs = _figures(other, query)
        if theirs - figures and figures - theirs and holds(kind, other.text, asked):
            taken.add(other.passage.document)
            found.append(index)
    dates = [date for index in found if (date := _date(sentences[index])) is not None]
    if len(dates) == len(found):
        found.sort(key=lambda index: _date(sentences[index]) or dates[0], reverse=True)
    return found


def _figures(sentence: Sentence, query: str) -> frozenset[str]:
    return frozenset(facts(sentence.text)) - frozenset(facts(query))


def _date(sentence: Sentence) -> datetime | None:
    """When its document is from; a time that names no zone is taken as UTC, so that all can be compared."""
    date = sentence.passage.date
    return date.replace(tzinfo=date.tzinfo or UTC) if date else None
