"""Ranks the sentences of texts for a summary: LexRank times position, then those that say something new."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from agents.extractive.pool import Sentence
from tools.language import Language, stems
from tools.language.bm25 import Cosine

__all__ = ["choose", "likeness", "worth"]

Vector = NDArray[np.float64]

_DAMPING = 0.85
_ROUNDS = 30
# Tuned on articles with summaries written by people. Steeper places make it a lead, flatter ones lose to the lead.
_PLACE = 0.3
_OPENS = 0.3
"""What the first sentence of a passage gains."""
_LENGTH = 110
"""Code points of a sentence that is neither a fragment nor hard to follow; what is far from it loses."""
_UNWIELDY = 200


def likeness(sentences: Sequence[Sentence], language: Language) -> Cosine:
    """Likeness of the sentences by their stems."""
    return Cosine([stems(sentence.text, language) for sentence in sentences])


def worth(sentences: Sequence[Sentence], like: Cosine, *, position: float) -> Vector:
    """How much each sentence says of the whole, at most 1: LexRank, times its place, its opening a passage, its length.

    `position` says how much the place counts: 0 not at all, 1 as measured.
    """
    if not sentences:
        return np.zeros(0)
    total = _lexrank(like) * _places(sentences) ** (-_PLACE * position)
    total *= [1.0 + _OPENS * position * (sentence.order == 0) for sentence in sentences]
    total *= [math.exp(-abs(len(sentence.text) - _LENGTH) / _UNWIELDY) for sentence in sentences]
    # Headings, questions and rows seldom say what the text says; a list item does sometimes.
    total *= [
        1.0 if sentence.tells and sentence.finished else 0.3 if sentence.form == "item" else 0.05
        for sentence in sentences
    ]
    return total / max(float(total.max()), 1e-12)


def choose(
    worth: Vector, like: Cosine, count: int, *, diversity: float, allowed: Sequence[int] | None = None
) -> list[int]:
    """The `count` sentences of most worth, in the order they are chosen.

    Maximal marginal relevance: each loses `diversity` times its likeness to the likest one chosen before.
    """
    left = list(range(len(worth))) if allowed is None else list(allowed)
    closest = np.zeros(len(worth))
    chosen: list[int] = []
    while left and len(chosen) < count:
        gain = worth[left] - diversity * closest[left]
        best = left.pop(int(np.argmax(gain)))
        chosen.append(best)
        closest = np.maximum(closest, like.to(best))
    return chosen


def _lexrank(like: Cosine) -> Vector:
    size = len(like)
    degree = np.maximum(like.spread(np.ones(size)), 1e-12)
    rank = np.full(size, 1.0 / size)
    for _ in range(_ROUNDS):
        after = (1 - _DAMPING) / size + _DAMPING * like.spread(rank / degree)
        done = float(np.abs(after - rank).max()) < 1e-6 / size
        rank = after
        if done:
            break
    return rank / rank.max()


def _places(sentences: Sequence[Sentence]) -> Vector:
    """1 for the first sentence of each document, 2 for the next, …"""
    seen: dict[str, int] = {}
    places: list[float] = []
    for sentence in sentences:
        seen[sentence.passage.document] = place = seen.get(sentence.passage.document, 0) + 1
        places.append(float(place))
    return np.array(places)
