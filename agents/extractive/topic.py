"""What a query is about: its facets, how much of them documents and sentences hold, and which documents are on them."""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from agents.extractive import answer
from agents.extractive.pool import Sentence
from agents.extractive.support import matches, terms, topic_words
from agents.extractive.values import is_month
from tools.language import Language, tokens
from tools.language.analysis import is_function_word

__all__ = ["Topic"]

Vector = NDArray[np.float64]

_LONGEST = 12
"""Letters; longer words say more about what a text is on, up to here."""
_WHEN = 1.5
_FRAMES = 0.25
_PLACE = 0.25
"""What is left of a place name after "in": where something is says little of what it is."""
_COMMON, _TOO_COMMON, _USUAL = 0.03, 0.2, 0.6
"""A word that this part of the documents hold counts less the more do, down to nearly nothing."""
_UNTITLED = 0.6
_ENDS, _BEGINS, _SHARES = 0.8, 0.5, 0.45
_SHARED = 6
"""Letters that two compounds have in common at least to share a part."""
_DIM = 0.4
"""A word that a text holds less than this, by its letters, is another word."""
_BEGINNING = 400
"""Code points; a sentence before that opens its document."""
_TITLE, _HEADING, _OPENING, _OFTEN = 1.0, 0.65, 0.6, 0.9
"""What a document is about: what its title names; less surely what a heading, its opening or many sentences name."""
_SEVERAL = 3.0
_ALSO = 0.4
"""The part of a fit that covering the other facets makes."""
_WORD = re.compile(r"\w+")
_IN = re.compile(r"\b(?:in|aus|from)\s+([A-ZÄÖÜ]\w+)")
_ENDING = re.compile(r"(?<=\w{4})(?:en|er|e|n|s)$")
_AND = re.compile(r"[,;&/]\s|\b(?:und|sowie|oder|and|or)\b", re.IGNORECASE)
_CLAUSE = re.compile(r",\s(?=(?:die|der|das|dem|den|welche\w?|who|which|that)\b)", re.IGNORECASE)
# Words that open a sentence which leans on the one before it.
_GERMAN = "er sie es dies diese dieser dieses dabei damit dazu dort hier daher deshalb außerdem zudem auch jedoch doch denn dann"
_ENGLISH = "he she it they this these those also however therefore then there"
_NAMES = 0.6
_LEANING = frozenset((*_GERMAN.split(), *_ENGLISH.split()))
# Words that frame a topic (what is done with it, when) rather than name it.
_FRAME = frozenset(
    """
    ausbau angebot angebote folgen auswirkungen entwicklung informationen überblick thema themen stand
    aktuelles aktuelle aktuellen maßnahmen planung pläne projekte bereich leben wichtige wichtiges wichtigste
    tipps hinweise fragen nächste nächsten nächstes nächster kommende kommenden jahr jahre jahres jahren monat
    monate woche heute künftig zukunft steigen sinken ändern änderungen änderung bald später klein kleine
    kleinen groß große großen verschiedene stadt städtische städtischen gemeinde city town ihre seine unsere
    unserer unseren steps first living offers overview information development plans changes next coming year
    years month week today future things update updates topic effects consequences our your""
    """.split()
)


class Topic:
    """Made of a query and the sentences found for it."""

    def __init__(self, query: str, sentences: Sequence[Sentence], language: Language) -> None:
        self._query = query
        self._sentences = sentences
        self._language: Language = language
        self._words = topic_words(query, language)
        self._scores = answer.prior(sentences, query, language)
        documents: dict[str, list[int]] = {}
        for index, sentence in enumerate(sentences):
            documents.setdefault(sentence.passage.document, []).append(index)
        groups = list(documents.values())
        self._held = [self._holds(sentence.text) for sentence in sentences]
        self._weights = self._weighed(groups)
        self._facets = self._faceted(query)
        self.fits = {name: self.fit(group) for name, group in documents.items()}
        self._most = max(*self.fits.values(), 1e-9)

    def held_by(self, text: str) -> float:
        """How much of the topic, or of one side of it, `text` holds, 0 to 1."""
        return max(self._sides(self._holds(text))) if text else 0.0

    def fit(self, group: Sequence[int]) -> float:
        """How well the passages of some sentences fit, 0 to 1: how much they are about the topic, less a low score."""
        sides = self.sides(group)
        about = (1 - _ALSO) * max(sides) + _ALSO * sum(sides) / len(sides)
        return about * (0.6 + 0.4 * float(self._scores[group].max()))

    def sides(self, group: Sequence[int]) -> list[float]:
        """How much the passages of some sentences are about each side of the topic ("A und B"), 0 to 1."""
        passages = {self._sentences[index].source: self._sentences[index].passage for index in group}
        told = [index for index in group if self._sentences[index].form != "row"] or list(group)
        titles = np.array([self._holds(passage.title) for passage in passages.values()])
        headings = np.array([self._holds(passage.heading or "") for passage in passages.values()])
        texts = np.array([self._held[index] for index in told])
        begun = [self._begins(index) for index in told]
        found: list[float] = []
        for at, share, counts in self._facets:
            # By words, wherever they stand, and by what stands together: "digital … administration" is a weaker sign.
            apart, together = np.eye(len(at)), share[:, None]
            about = [
                np.max(
                    [
                        _TITLE * (titles[:, at] @ by).max(axis=0),
                        _HEADING * (headings[:, at] @ by).max(axis=0),
                        _OPENING * (texts[begun][:, at] @ by).max(axis=0, initial=0.0),
                        _OFTEN * _often((texts[:, at] @ by).sum(axis=0)),
                    ],
                    axis=0,
                )
                for by in (apart, together)
            ]
            found.append(counts * (0.5 * float(about[0] @ share) + 0.5 * float(about[1][0])))
        return found

    def names(self, title: str) -> bool:
        """Whether a title names the topic, or a side of it, so that the whole document is about it."""
        return self.held_by(title) >= _NAMES

    def keeps(self) -> Vector:
        """What each sentence keeps of its worth, at most 1: less off the topic, and in documents that fit less."""
        held = np.array([max(self._sides(held)) for held in self._held])
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
            fits = 0.4 + 0.6 * self.fits[sentence.passage.document] / self._most
            kept[index] = on_topic * fits * (0.85 if leans else 1.0) * (1.0 if sentence.whole else 0.5)
        return kept

    def _sides(self, held: Vector) -> list[float]:
        return [float(held[at] @ share) * counts for at, share, counts in self._facets]

    def _begins(self, index: int) -> bool:
        sentence = self._sentences[index]
        return sentence.passage.start + sentence.span.start < _BEGINNING

    def _holds(self, text: str) -> Vector:
        """How much a text holds of each word; one that a compound begins or ends with counts nearly whole."""
        if not text:
            return np.zeros(len(self._words))
        # "sich" and "sicher" have one stem; a function word is no sign of a topic.
        content = " ".join(word for word in tokens(text) if not is_function_word(word, self._language))
        held = terms(content, self._language)
        found = np.array(matches(self._words, held))
        for at, (word, stem) in enumerate(self._words.items()):
            root = _ENDING.sub("", stem)
            if len(root) >= 4 and found[at] < 1.0:
                within = max((_within(other, root, (root, stem, word)) for other in held[1]), default=0.0)
                found[at] = within or found[at]
        return np.where(found >= _DIM, found, 0.0)

    def _weighed(self, groups: Sequence[Sequence[int]]) -> Vector:
        """The words' weights: a word that nearly all documents hold says next to nothing, such as the town's name."""
        said = [self._holds(self._said(group)) for group in groups]
        common = np.array(said).mean(axis=0)
        rare = np.clip((1 - common) / _USUAL, _COMMON, 1.0)
        passages = {sentence.source: sentence.passage for sentence in self._sentences}
        above = {part for one in passages.values() for part in (one.title, one.heading or "")}
        titled = np.max([self._holds(part) for part in above], axis=0)
        places = {word for name in _IN.findall(self._query) for word in topic_words(name, self._language)}
        says = [_says(word) * (_PLACE if word in places else 1.0) for word in self._words]
        names = np.where(titled >= 0.6, 1.0, _UNTITLED)
        # A side of nothing but frames, places or words that all documents hold, such as "and its effects", is none.
        framed = np.array([0.3 if word in places or word in _FRAME else 1.0 for word in self._words])
        self._strengths = names * framed * np.minimum(rare / _TOO_COMMON, 1.0)
        return rare * names * np.array(says)

    def _said(self, group: Sequence[int]) -> str:
        """All that the passages of some sentences say."""
        sources = {self._sentences[index].source: self._sentences[index].passage for index in group}
        return " ".join(f"{passage.title} {passage.heading or ''} {passage.text}" for passage in sources.values())

    def _faceted(self, query: str) -> list[tuple[list[int], Vector, float]]:
        """Each side of a topic as the places of its words, their shares, and how much the side counts."""
        places = {word: at for at, word in enumerate(self._words)}
        facets: list[list[int]] = []
        for part in _AND.split(_CLAUSE.sub(" ", query)):
            facet = [places[word] for word in topic_words(part, self._language) if word in places]
            if facet:
                facets.append(list(dict.fromkeys(facet)))
        facets = facets or [list(places.values())]
        made: list[tuple[list[int], Vector, float]] = []
        strongest = max(float(self._strengths.max()), 1e-12)
        for facet in facets:
            weights = self._weights[facet]
            counts = float(self._strengths[facet].max()) / strongest
            made.append((facet, weights / max(float(weights.sum()), 1e-12), counts))
        return made


def _within(other: str, root: str, ends: tuple[str, ...]) -> float:
    """How much a word says of one that it is made of: one of its forms all, a compound much, above all by its end."""
    if _ENDING.sub("", other) == root:
        return 1.0
    if len(other) >= len(root) + 4 and (other.endswith(ends) or other.startswith(root)):
        return _ENDS if other.endswith(ends) else _BEGINS
    part = root[: max(_SHARED, len(root) * 2 // 5)]
    return _SHARES if len(part) >= _SHARED and part in other else 0.0


def _often(mentions: Vector) -> Vector:
    """From 0 to 1: one sentence that mentions a topic says little, several say that it is one."""
    return mentions**2 / (mentions**2 + _SEVERAL)


def _says(word: str) -> float:
    """How much a word says of what a text is on."""
    # "im Januar 2027" says when, and many other things happen then.
    if word.isdigit() or is_month(word):
        return _WHEN
    return float(min(len(word), _LONGEST)) * (_FRAMES if word in _FRAME else 1.0)
