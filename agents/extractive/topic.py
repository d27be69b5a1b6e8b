"""What a query is about, weighed by how well each of its words tells the documents found apart."""

from collections.abc import Sequence

import numpy as np

from agents.extractive.support import matches, terms, topic_words
from tools.language import Language

__all__ = ["Topic"]

_LONGEST = 12
"""Letters; longer words say more about what a text is on, up to here."""


_RARE = 0.5


class Topic:
    """Made of a query and the documents found for it."""

    def __init__(self, query: str, documents: Sequence[str], language: Language) -> None:
        self._language: Language = language
        self._words = topic_words(query, language)
        found = np.array([matches(self._words, terms(text, language)) for text in documents])
        found = found.reshape(len(documents), len(self._words))
        # A word that all documents hold, such as the town's name, says less. Not much less: they were found by these
        # words, so that the one that matters most may be in all of them too.
        rare = np.log1p(len(documents) / np.maximum(found.sum(axis=0), 0.5)) ** _RARE
        weights = rare * np.array([min(len(word), _LONGEST) for word in self._words], dtype=np.float64)
        self._weights = weights / max(float(weights.sum()), 1e-12)

    def held_by(self, text: str) -> float:
        """How much of the topic `text` holds, 0 to 1."""
        if not text:
            return 0.0
        return float(np.dot(matches(self._words, terms(text, self._language)), self._weights))
