"""Judges what a language model wrote against the passages it read, sentence by sentence, without a model."""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from agents.kit.facts import Facts, carried, facts, names, same_name
from agents.kit.polarity import agree
from tools.base import Citation, Passage
from tools.language import Language, Span, detect, grams, sentences, stems, tokens
from tools.language.analysis import is_function_word

__all__ = ["Sources", "Status", "Verdict", "bare", "is_claim"]

Status = Literal["verbatim", "supported", "unsupported"]
Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

_SHORTEST = 15
"""Characters of a quote; anything shorter stands verbatim somewhere by chance."""
_ELLIPTIC = 3
"""Words of content; a claim with fewer is understood with the question it answers, and judged with it."""
_WORDS = 60
"""Words of a claim that are looked for."""
_TRIED = 40
"""Stretches of the passages whose facts are compared, those first that hold most words."""
_HEAD = 1_000
"""Code points of the head of a table that its rows carry with them."""
_NEAR = 0.9
"""A stretch holds at least this part of the words that the best one holds."""
_ADDS = 0.1
"""Share of the words that a second sentence must add to be taken with the first one."""
_NOUN = 1.5
"""What a word with a capital weighs beside another."""
_LIKE = 0.34
"""Share of the 4-grams of a word that another has by chance."""
# Of a logistic function, fitted on half of the claims that benchmarks/answers.py makes: as likely carried as not at .5.
_BIAS = 0.2
_COVERED = 2.1
_MISSING = -4.9
_STRANGE = -2.6
"""For each word with a capital that the passage does not hold: most often a name or a thing that it does not speak of."""
_FOREIGN = 0.25
"""A word that the passage holds less than this is missing in it."""
_CONTRADICTS = 0.1
"""What is left of a score where a name is strange or one says yes and the other no."""

_AROUND = " \n\"'„“”‚‘’»«*_"
_CAPITAL = re.compile(r"\b[A-ZÄÖÜ][^\W_]*")
_EMPTY = frozenset(
    """laut gemäß dokument dokumente dokumenten quelle quellen unterlagen angaben passage passagen textstelle according
    document documents source sources passages states says mentions zudem außerdem ferner weiterhin darüber hinaus hierbei
    hierfür insgesamt zusätzlich allerdings jedoch daher deshalb somit folglich demnach zusammenfassend additionally
    furthermore moreover however therefore thus overall finally also summary short hence besides""".split()
)
"""Words with which an answer speaks of itself and of its sources."""
_MONEY = frozenset("€$£")
_COSTS = frozenset(
    "euro dollar kostet kosten kostete beträgt betragen zahlt zahlen bezahlen bezahlt cost costs pay pays paid price".split()
)
"""Words that a sum says without them."""
_MARKER = re.compile(r"\s?(?:\[\d{1,3}(?:[,–-]\s?\d{1,3}){0,9}\](?!\()|【[^】]{0,40}】)")
_SOURCE = r"(?:quellen?|dokumente?n?|unterlagen|passagen?|textstellen?|sources?|documents?|passages?)"
_LACKS = re.compile(
    rf"\b{_SOURCE}\b[^.]{{0,60}}(?:\b(?:keine?n?|nicht|nichts|no|not|nothing)\b|n['’]t\b)"
    rf"|\b(?:keine?n?|no|nothing|nichts)\b[^.]{{0,50}}\b{_SOURCE}\b",
    re.IGNORECASE,
)
# A document that gives orders to machines that read it is no evidence from there on.
_ORDERS = re.compile(
    r"\b(?:ignorier\w*|vergiss|vergessen sie|missachte\w*|ignore|forget|disregard|override)\b.{0,40}"
    r"\b(?:vorherig\w*|bisherig\w*|obig\w*|alle\w*|previous|prior|above|earlier|all|your)\b.{0,40}"
    r"\b(?:anweisung\w*|instruktion\w*|vorgaben?|befehle?|prompts?|instructions?|rules?|orders?)\b"
    r"|\bsystem[ -]?prompt\b",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a sentence."""

    status: Status
    score: float
    """How surely the passages carry it, 0 to 1."""
    citation: Citation | None = None
    """The sentence that carries it best; None where none does."""


@dataclass(frozen=True, slots=True)
class _Place:
    """A sentence of a passage, with what stands above it and says what it is about."""

    passage: Passage
    source: int
    span: Span
    context: str

    @property
    def text(self) -> str:
        return self.passage.text[self.span.start : self.span.end]


def bare(sentence: str) -> str:
    """A sentence without the reference numbers a model put into it: they point nowhere."""
    return _MARKER.sub("", sentence)


def is_claim(sentence: str) -> bool:
    """Whether a sentence says something that must stand in the sources: no question, no heading, no "they do not say"."""
    core = sentence.strip(_AROUND)
    return bool(tokens(core)) and not (core.startswith("#") or core.endswith(("?", ":")) or _LACKS.search(core))


class Sources:
    """The passages of a run, made ready to judge claims with.

    Args:
        passages: what was read.
        query: what was asked; a short claim is understood with it.
    """

    def __init__(self, passages: Sequence[Passage], *, query: str = "") -> None:
        self._passages = [_evidence(passage) for passage in passages]
        self._query = query
        self._places = [place for at, passage in enumerate(self._passages) for place in _places(passage, at)]
        self._told = {_core(place.text): place for place in reversed(self._places)}
        self._facts: dict[int, Facts] = {}
        self._known: dict[str, Verdict] = {}
        self._own = own = np.array([place.source for place in self._places])
        self._joins = np.append(own[1:] == own[:-1], False) if len(own) else np.zeros(0, dtype=bool)
        """Whether each sentence has a next one in its passage."""
        at_word: dict[str, list[int]] = {}
        for at, place in enumerate(self._places):
            for word in set(tokens(f"{place.context} {place.text}")):
                at_word.setdefault(word, []).append(at)
        self._at_word = {word: np.array(at) for word, at in at_word.items()}
        self._with_gram: dict[str, list[str]] = {}
        for word in self._at_word:
            for gram in set(grams(word)):
                self._with_gram.setdefault(gram, []).append(word)
        self._with_stem: dict[Language, dict[str, list[str]]] = {}

    def judge(self, sentence: str) -> Verdict:
        """Whether a passage carries `sentence`, and which sentence of it does so best."""
        if sentence not in self._known:
            self._known[sentence] = self._verbatim(sentence) or self._likest(bare(sentence))
        return self._known[sentence]

    def _verbatim(self, sentence: str) -> Verdict | None:
        """A whole sentence of a passage; a part of one may say something else than the whole."""
        quote = _core(sentence)
        place = self._told.get(quote) if len(quote) >= _SHORTEST else None
        return place and Verdict("verbatim", 1.0, place.passage.cite(*place.span))

    def _likest(self, claim: str) -> Verdict:
        language = detect(f"{claim} {self._query}")
        said = facts(claim)
        own = _weights(claim, language)
        if any(_MONEY & units for units in said.values()):
            own = {word: weight for word, weight in own.items() if word not in _COSTS}
        weights = own if len(own) >= _ELLIPTIC else {**_weights(self._query, language), **own}
        if not self._places or not weights:
            return Verdict("unsupported", 0.0)
        held = np.array([self._holding(word, language) for word in weights])
        shares = np.array(list(weights.values()))
        found = self._stretch(held * (shares / shares.sum())[:, None], said)
        if found is None:
            return Verdict("unsupported", 0.0)
        covered, stretch, first = found
        place = self._places[first]
        around = held[:, self._own == place.source].max(axis=1)
        mine = np.array([word in own for word in weights])
        foreign = (around < _FOREIGN) & mine
        value = _BIAS + _COVERED * covered + _MISSING * float(shares[foreign].sum() / max(shares[mine].sum(), 1.0))
        score = _logistic(value + _STRANGE * int((foreign & (shares > 1)).sum()))
        words = frozenset(tokens(f"{place.context} {place.passage.text}"))
        if any(not same_name(name, words) for name in names(claim, language)) or not agree(
            claim, [self._places[at].text for at in stretch], language
        ):
            return Verdict("unsupported", score * _CONTRADICTS)
        if score < 0.5:
            return Verdict("unsupported", score)
        return Verdict("supported", score, place.passage.cite(*place.span))

    def _stretch(self, held: Matrix, said: Facts) -> tuple[float, Sequence[int], int] | None:
        """How much of the words the best stretch holds that has all the facts, its sentences, and the better of them.

        A stretch is a sentence, or two that follow each other. None where no stretch has the facts.
        """
        alone = held.sum(axis=0)
        pairs = np.maximum(held, np.roll(held, -1, axis=1)).sum(axis=0)
        adds = self._joins & (pairs >= np.maximum(alone, np.roll(alone, -1)) + _ADDS)
        values = np.concatenate([alone, np.where(adds, pairs, 0.0)])
        size = len(self._places)
        for at in np.argsort(-values, kind="stable")[:_TRIED].tolist():
            if values[at] <= _NEAR * values.max():
                break  # what speaks of the same lacks the facts
            stretch = (at,) if at < size else (at - size, at - size + 1)
            if carried(said, *(self._facts_at(one) for one in stretch)):
                return float(values[at]), stretch, max(stretch, key=lambda one: (alone[one], -one))
        return None

    def _facts_at(self, at: int) -> Facts:
        if at not in self._facts:
            self._facts[at] = facts(f"{self._places[at].context}\n{self._places[at].text}")
        return self._facts[at]

    def _holding(self, word: str, language: Language) -> Vector:
        """How much of `word` each sentence holds, 0 to 1: in some form all, as a part of another word in part."""
        found = np.zeros(len(self._places))
        mine = set(grams(word))
        shared = Counter(other for gram in mine for other in self._with_gram.get(gram, ()))
        for other, count in shared.items():
            value = max(0.0, count / len(mine) - _LIKE) / (1 - _LIKE)
            if value > 0:
                places = self._at_word[other]
                found[places] = np.maximum(found[places], value)
        for other in self._stemmed(language).get(stems(word, language)[0], ()):
            found[self._at_word[other]] = 1.0
        return found

    def _stemmed(self, language: Language) -> Mapping[str, Sequence[str]]:
        if language not in self._with_stem:
            made: dict[str, list[str]] = {}
            for word in self._at_word:
                made.setdefault(stems(word, language)[0], []).append(word)
            self._with_stem[language] = made
        return self._with_stem[language]


def _core(sentence: str) -> str:
    return sentence.strip(_AROUND).rstrip(".!").strip(_AROUND)


def _evidence(passage: Passage) -> Passage:
    """A passage up to where it begins to give orders to its readers."""
    orders = _ORDERS.search(passage.text)
    if orders is None:
        return passage
    until = max(
        (span.start for span in sentences(passage.text, detect(passage.text)) if span.start <= orders.start()),
        default=0,
    )
    return passage.model_copy(update={"text": passage.text[:until], "end": passage.start + until})


def _places(passage: Passage, source: int) -> list[_Place]:
    above = " ".join(part for part in (passage.title, passage.heading) if part)
    text, found = passage.text, list[_Place]()
    head, line, before = "", 0, 0
    for span in sentences(text, detect(text)):
        line = text.rfind("\n", before, span.start) + 1 or line
        before = span.start
        row = text[line : span.start].lstrip().startswith("|")
        head = (head or text[span.start : span.end][:_HEAD]) if row else ""
        found.append(_Place(passage, source, span, f"{above} {head}".strip()))
    return found


def _weights(text: str, language: Language) -> dict[str, float]:
    """The words of content of a text, with their weight; numbers are facts and no words."""
    capital = {word.casefold() for word in _CAPITAL.findall(text)}
    words = [
        word
        for word in dict.fromkeys(tokens(text))
        if not is_function_word(word, language) and word not in _EMPTY and not word.isdigit() and len(word) > 1
    ]
    return {word: _NOUN if word in capital else 1.0 for word in words[:_WORDS]}


def _logistic(value: float) -> float:
    return 1 / (1 + math.exp(-value))
