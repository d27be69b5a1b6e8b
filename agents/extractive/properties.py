"""Finds the sentences that speak of what a property of a schema says about itself, and the value that stands by it."""

import re
from bisect import bisect_left
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from agents.extractive.pool import Sentence
from agents.extractive.question import Kind, asks_for, holds, is_question
from agents.extractive.terms import mentions
from agents.extractive.values import Value
from tools.language import Language, tokens

__all__ = ["nearest", "speaking_of"]

_UNITS = {
    "euro": re.compile(r"\s?(?:€|euro?\b|eur\b)", re.IGNORECASE),
    "prozent": re.compile(r"\s?(?:%|prozent\b|percent\b)", re.IGNORECASE),
}
_MONEY = "fee fees price cost costs amount charge gebühr gebühren preis kosten betrag euro eur entgelt"
_SHARE = "percent percentage prozent share anteil"
_UNIT_OF = {**dict.fromkeys(_MONEY.split(), "euro"), **dict.fromkeys(_SHARE.split(), "prozent")}
_KINDS: dict[str, tuple[Kind, ...]] = {
    "number": ("number", "money"),
    "date": ("date",),
    "time": ("date",),
    "date-time": ("date",),
}
_BEST = 0.85
"""Worth from which a sentence may answer with a value although nothing in it names the property."""


def speaking_of(
    said: Sequence[str],
    sentences: Sequence[Sentence],
    scope: Sequence[int],
    *,
    worth: NDArray[np.float64],
    query: str,
    language: Language,
    form: str = "",
    least: float = 0.5,
) -> list[int]:
    """Indices of the sentences in `scope` that mention what is said, the best first.

    Where none mentions it, the sentence that answers a question for a thing of this form may do. `least` is the part of
    the words that must be mentioned, by the sentence or by what stands above it.
    """
    asked = asks_for(query, language) if query and is_question(query, language) else None
    known = frozenset(tokens(query))
    scores: list[tuple[float, int]] = []
    for index in scope:
        sentence = sentences[index]
        in_text = max((mentions(words, sentence.text, language) for words in said), default=0.0)
        around = f"{sentence.context} {sentence.text}"
        in_all = max((mentions(words, around, language) for words in said), default=0.0)
        answers = (
            asked is not None
            and asked in _KINDS.get(form, ())
            and bool(worth[index] >= _BEST)
            and holds(asked, sentence.text, known)
        )
        if in_all >= least or answers:
            # What the property says decides; worth only between sentences that say as much.
            scores.append((2.0 * in_text + in_all + 0.3 * float(worth[index]) + answers, index))
    return [index for _, index in sorted(scores, key=lambda pair: (-pair[0], pair[1]))]


def nearest(found: Sequence[Value], text: str, said: Sequence[str], language: Language) -> list[Value]:
    """`found` with the values first that have the unit a property names, and stand by its words."""
    named = {word for words in said for word in tokens(words)}
    units = {_UNIT_OF[word] for word in named if word in _UNIT_OF}
    words = [(word.group(), word.start()) for word in re.finditer(r"\w+", text)]
    meant = {word for word in {word for word, _ in words} if any(mentions(name, word, language) for name in named)}
    places = [place for word, place in words if word in meant]

    def distance(value: Value) -> tuple[bool, int]:
        has_unit = any(_UNITS[unit].match(text, value.end) for unit in units)
        at = bisect_left(places, value.start)
        near = [abs(value.start - place) for place in places[max(0, at - 1) : at + 1]]
        return not has_unit, min(near, default=value.start)

    return sorted(found, key=distance)
