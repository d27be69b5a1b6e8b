"""Ranks sentences for a question or a topic: 4-grams and stems, the passage's score, the kind of thing asked for."""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from agents.extractive.pool import Sentence
from agents.extractive.question import Kind, asks_for, holds, is_question
from agents.extractive.support import COSTS, coverage, topic_words
from agents.extractive.terms import mentions
from tools.language import Language, grams, stems, tokens
from tools.language.bm25 import BM25

__all__ = ["prior", "rank", "worth"]

Vector = NDArray[np.float64]

# Fitted on half of the XQuAD questions, German and English; each part is scaled to at most 1 before it is weighted.
_GRAMS = 1.0
_STEMS = 0.25
_PASSAGE = 1.35
_KIND = 0.35
_HEADED = 0.4
_COUNT = 0.9
_TABLE = 1.9
_IN_ROW = 0.25
_BEFORE = 0.2
_AFTER = 0.1
_CONTEXT = 0.2
_HOW_MANY = re.compile(r"\b(?:wie ?viele|how many)\s+(\w{3,})", re.IGNORECASE)
_COUNTS = re.compile(r"\d[\d.,]*\s+(\w+(?:\s\w+)?)")
# Judgement, not measurement: a question or a heading that repeats the words of the query does not answer it.
_REPEATS = 0.6
_LEADS = 0.6
_SCRAP = 0.3


def worth(sentences: Sequence[Sentence], query: str, language: Language) -> Vector:
    """How well each sentence answers `query`; only the order and the ratio to the best have a meaning.

    `sentences` are those of all passages found, in order.
    """
    wanted_grams, wanted_stems = grams(query), stems(query, language)
    by_grams = _scaled(BM25([grams(sentence.text) for sentence in sentences]).scores(wanted_grams))
    by_stems = _scaled(BM25([stems(sentence.text, language) for sentence in sentences]).scores(wanted_stems))
    own = np.array([sentence.source for sentence in sentences])
    same = own[1:] == own[:-1] if len(own) else np.array([], dtype=bool)
    before, after = np.zeros(len(own)), np.zeros(len(own))
    before[1:] = np.where(same, by_grams[:-1], 0.0)
    after[:-1] = np.where(same, by_grams[1:], 0.0)
    total = _GRAMS * by_grams + _STEMS * by_stems + _PASSAGE * prior(sentences, query, language)
    total += _BEFORE * before + _AFTER * after
    total += _CONTEXT * _scaled(BM25([grams(sentence.context) for sentence in sentences]).scores(wanted_grams))
    if is_question(query, language):
        total += _HEADED * _covered(sentences, query, language)
        total += _COUNT * _counted(sentences, query, language)
        kind, asked = asks_for(query, language), frozenset(tokens(query))
        if kind is not None:
            total += _TABLE * _rows(sentences, query, kind, language)
            total += _KIND * np.array([holds(kind, sentence.text, asked) for sentence in sentences], dtype=np.float64)
    else:
        total += _LEADS * np.array([sentence.leads for sentence in sentences])
    total -= _SCRAP * np.array([not sentence.whole for sentence in sentences], dtype=np.float64)
    return total - _REPEATS * np.array([not sentence.tells for sentence in sentences], dtype=np.float64)


def _rows(sentences: Sequence[Sentence], query: str, kind: Kind, language: Language) -> Vector:
    """How well the headings over each table row, and the row, say what is asked: 0 to 1, 0 for all that is no row.

    A row says little by itself; where what stands above it names the matter, it answers better than running text.
    """
    asked = [word for word in topic_words(query, language) if not (kind == "money" and word in COSTS)]
    found = np.zeros(len(sentences))
    if kind not in ("money", "date") or not asked:
        return found
    words = frozenset(asked)
    for index, sentence in enumerate(sentences):
        if sentence.form == "row" and holds(kind, sentence.text, words):
            above = f"{sentence.context} {sentence.text}"
            said = [max(mentions(word, above, language), coverage(word, above, language)) for word in asked]
            own = coverage(" ".join(asked), sentence.text, language)
            found[index] = max(0.0, 2 * sum(said) / len(said) - 1) * (1 + _IN_ROW * own)
    return found


def _covered(sentences: Sequence[Sentence], query: str, language: Language) -> Vector:
    """How much of the question each sentence below a heading covers together with it, 0 to 1.

    A heading names the matter ("Leihfristen"), the sentence below it only the case ("Bücher").
    """
    return np.array(
        [
            coverage(query, f"{one.passage.heading} {one.text}", language) if one.passage.heading and one.tells else 0.0
            for one in sentences
        ]
    )


def _counted(sentences: Sequence[Sentence], query: str, language: Language) -> Vector:
    """1 for each sentence that counts what the question wants counted ("wie viele Hunde": "1.870 Hunde")."""
    wanted = _HOW_MANY.search(query)
    if wanted is None:
        return np.zeros(len(sentences))
    stem = stems(wanted.group(1), language)[-1:] or [wanted.group(1).casefold()]
    number = [_COUNTS.findall(sentence.text) for sentence in sentences]
    return np.array([any(stem[0] in stems(found, language) for found in one) for one in number], dtype=np.float64)


def rank(sentences: Sequence[Sentence], query: str, language: Language) -> list[int]:
    """Indices of `sentences`, best first; ties keep their order."""
    return [int(index) for index in np.argsort(-worth(sentences, query, language), kind="stable")]


def prior(sentences: Sequence[Sentence], query: str, language: Language) -> Vector:
    """The score of each sentence's passage: the search's own, or ours where no passage carries one.

    A passage without a score among others that have one, such as a quote somebody chose before, counts as the best one
    of its document, or else as a middling one.
    """
    scores = np.array([sentence.passage.score for sentence in sentences], dtype=np.float64)
    if len(scores) and scores.max() > 0:
        by_document: dict[str, float] = {}
        for sentence, score in zip(sentences, scores, strict=True):
            name = sentence.passage.document
            by_document[name] = max(by_document.get(name, 0.0), float(score))
        middling = float(np.median(scores[scores > 0]))
        known = [by_document[sentence.passage.document] or middling for sentence in sentences]
        return _scaled(np.where(scores > 0, scores, known))
    sources = {sentence.source: sentence.passage for sentence in sentences}
    texts = [f"{passage.heading or ''} {passage.text}" for passage in sources.values()]
    own = _scaled(BM25([grams(text) for text in texts]).scores(grams(query)))
    own += _scaled(BM25([stems(text, language) for text in texts]).scores(stems(query, language)))
    by_source = dict(zip(sources, own / 2, strict=True))
    return np.array([by_source[sentence.source] for sentence in sentences], dtype=np.float64)


def _scaled(values: Vector) -> Vector:
    best = values.max() if len(values) else 0.0
    return values / best if best > 0 else values
