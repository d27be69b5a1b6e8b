"""What a query is about: how much of it documents and sentences hold, the words weighed by how well they tell apart."""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from agents.extractive import answer
from agents.extractive.pool import Sentence
from agents.extractive.support import matches, terms, topic_words
from agents.extractive.values import is_month
from tools.language import Language

__all__ = ["Topic"]

_LONGEST = 12
"""Letters; longer words say more about what a text is on, up to here."""
_WHEN = 1.5
_RARE = 0.5
_WORD = re.compile(r"\w+")
# Words that open a sentence which leans on the one before it.
_GERMAN = "er sie es dies diese dieser dieses dabei damit dazu dort hier daher deshalb außerdem zudem auch jedoch doch denn dann"
_ENGLISH = "he she it they this these those also however therefore then there"
_LEANING = frozenset((*_GERMAN.split(), *_ENGLISH.split()))


class Topic:
    """Made of a query and the sentences found for it."""

    def __init__(self, query: str, sentences: Sequence[Sentence], language: Language) -> None:
        self._sentences = sentences
        self._language: Language = language
        self._words = topic_words(query, language)
        self._scores = answer.prior(sentences, query, language)
        documents: dict[str, list[int]] = {}
        for index, sentence in enumerate(sentences):
            documents.setdefault(sentence.passage.document, []).append(index)
        found = np.array([matches(self._words, terms(self._said(group), language)) for group in documents.values()])
        # A word that all documents hold, such as the town's name, says less. Not much less: they were found by these
        # words, so that the one that matters most may be in all of them too.
        rare = np.log1p(len(documents) / np.maximum(found.sum(axis=0), 0.5)) ** _RARE
        weights = rare * np.array([_says(word) for word in self._words])
        self._weights = weights / max(float(weights.sum()), 1e-12)
        fits = {name: self.fit(group) for name, group in documents.items()}
        most = max(*fits.values(), 1e-9)
        self._fits = {name: value / most for name, value in fits.items()}

    def held_by(self, text: str) -> float:
        """How much of the topic `text` holds, 0 to 1."""
        if not text:
            return 0.0
        return float(np.dot(matches(self._words, terms(text, self._language)), self._weights))

    def fit(self, group: Sequence[int]) -> float:
        """How well the passages of some sentences fit, 0 to 1: the best one's score, less what they lack of the topic."""
        return float(self._scores[group].max()) * (0.5 + 0.5 * self.held_by(self._said(group)))

    def keeps(self) -> NDArray[np.float64]:
        """What each sentence keeps of its worth, at most 1: less off the topic, and in documents that fit less."""
        held = np.array([self.held_by(sentence.text) for sentence in self._sentences])
        kept = np.zeros(len(held))
        for index, sentence in enumerate(self._sentences):
            near = [
                0.5 * held[other]
                for other in (index - 1, index + 1)
                if 0 <= other < len(held) and self._sentences[other].source == sentence.source
            ]
            heading, title = self.held_by(sentence.passage.heading or ""), self.held_by(sentence.passage.title)
            on_topic = 0.3 + 0.7 * max(held[index], 0.7 * heading, 0.6 * title, *near)
            opening = _WORD.match(sentence.text)
            leans = opening is not None and opening.group().casefold() in _LEANING
            fits = 0.4 + 0.6 * self._fits[sentence.passage.document]
            kept[index] = on_topic * fits * (0.85 if leans else 1.0) * (1.0 if sentence.whole else 0.5)
        return kept

    def _said(self, group: Sequence[int]) -> str:
        """All that the passages of some sentences say."""
        sources = {self._sentences[index].source: self._sentences[index].passage for index in group}
        return " ".join(f"{passage.title} {passage.heading or ''} {passage.text}" for passage in sources.values())


def _says(word: str) -> float:
    """How much a word says of what a text is on."""
    # "im Januar 2027" says when, and many other things happen then.
    return _WHEN if word.isdigit() or is_month(word) else float(min(len(word), _LONGEST))
