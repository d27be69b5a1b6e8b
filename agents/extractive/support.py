"""How well passages carry an answer: how much of the query they cover, and how far the best stands out."""

import math
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from agents.extractive.pool import Sentence
from agents.extractive.question import asks_for, holds, is_question
from agents.extractive.terms import mentions
from agents.kit.facts import facts
from tools.language import Language, grams, stems, tokens
from tools.language.analysis import is_function_word

__all__ = ["COSTS", "Terms", "coverage", "matches", "support", "terms", "topic_words"]

# Of a logistic function, fitted on half of the XQuAD questions, German and English, among 240 passages and among 12,240,
# each once with and once without the passage that answers it: an answer is as likely right as wrong at .5.
_BIAS = -8.3
_PASSAGE = 2.9
_SENTENCE = 1.6
_PASSAGE_GRAMS = 3.6
_SENTENCE_GRAMS = 1.5
_STANDS_OUT = 1.0
_FOUND_BETTER = 1.2
_FIGURE = -0.6
"""For each of the first two numbers, days and the like in the question that the passage does not have."""
_FAR = 3.0
"""How many times as good as those of another document the best sentence and its passage may count."""
_ALONE = 1.3
"""What counts where there is nothing to compare with."""
# A topic is carried by several passages together; nothing has to stand out.
_TOPIC_BIAS = -3.6
_TOPIC_BEST = 3.2
_TOPIC_ALL = 5.0

# Words that ask for a measure or for news: what they ask for is said in other words.
_MEASURES = "viel hoch lang lange groß gross alt weit oft schwer teuer breit tief much long old far often big high tall"
_NEWS = "neu neue neuen neuer neues ändert ändern new news changes change"
_ASKING = frozenset((*_MEASURES.split(), *_NEWS.split()))
COSTS = frozenset("kostet kosten kostete gekostet cost costs zahlen zahle bezahlen pay".split())
"""Words that ask for a sum: it says so itself."""

_MOST = 200
"""Words of a query that are looked for: each of them is compared with each word of the texts."""

_ABROAD = 4.0
_STEM = 8
"""Letters by which a place is known in its forms and in compounds."""
_NUMBERED = re.compile(
    r"(?:\b(?:[A-ZÄÖÜ]\w+|application|case|file|form|invoice|permit|request)\s+(?:Nr\.?\s*|[Nn]ummer\s+|number\s+|no\.\s*)?|\b[A-Z]{1,5}[-/])(?!(?:19|20)\d\d\b)(\d{3,})\b"
    r"(?![.,:]\d|\s*(?:[A-ZÄÖÜ€$£%°]|(?:[ckm]?m[²³]?|qm|k?g|l|ct|euros?|eur|met\w+|people|days|years|hours)\b))"
)
"""A thing with a number of its own, such as an application or a file: no year, no sum, no measure."""
_PLACE = re.compile(r"\b(?:in|aus|from)\s+([A-ZÄÖÜ]\w{3,})")

Terms = tuple[frozenset[str], frozenset[str]]
"""Stems and words of a text."""


def support(query: str, sentences: Sequence[Sentence], worth: NDArray[np.float64], language: Language) -> float:
    """Between 0 (the passages say nothing on `query`) and 1.

    `sentences` are those of all passages found, `worth` how well each answers; both as `answer.worth` takes and gives them.
    """
    words = topic_words(query, language)
    if not sentences or all(is_function_word(word, language) for word in words):
        return 0.0
    if not is_question(query, language):
        return _topic(words, sentences, language)
    at = int(np.argmax(worth))
    best = sentences[at]
    if asks_for(query, language) == "money" and holds("money", best.text, frozenset(tokens(query))):
        words = {word: stem for word, stem in words.items() if word not in COSTS} or words
    around = f"{best.passage.title} {best.passage.heading or ''} {best.passage.text}"
    # Other passages of the same document are no rivals: they speak of the same thing.
    rivals = [index for index, one in enumerate(sentences) if one.passage.document != best.passage.document]
    far = _ahead(float(worth[at]), [float(worth[index]) for index in rivals])
    found = _ahead(best.passage.score, [sentences[index].passage.score for index in rivals])
    lacking = facts(query).keys() - facts(around).keys()
    wanted = grams(query)
    own = _mean(words, terms(f"{best.context} {best.text}", language))
    if best.form == "row":
        # What a table is on stands above it, and often in other words: "geöffnet" is asked, "Öffnungszeiten" is written.
        own = max(own, sum(mentions(word, f"{best.context} {best.text}", language) for word in words) / len(words))
    return _logistic(
        _BIAS
        - _ABROAD * (_names_elsewhere(query, sentences) or _numbered_otherwise(query, best, sentences))
        + _PASSAGE * max(own if best.form == "row" else 0.0, _mean(words, terms(around, language)))
        + _SENTENCE * own
        + _PASSAGE_GRAMS * _share(wanted, around)
        + _SENTENCE_GRAMS * _share(wanted, best.text)
        + _STANDS_OUT * far
        + _FOUND_BETTER * found
        + _FIGURE * min(len(lacking), 2)
    )


def _ahead(best: float, others: Sequence[float]) -> float:
    """How many times as good as the best of the others; a middling value where nothing is known of them."""
    return min(best / max(*others, 1e-9), _FAR) if others and best > 0 else _ALONE


def _names_elsewhere(query: str, sentences: Sequence[Sentence]) -> bool:
    """Whether the question names a place that no passage knows, such as another town."""
    places = {token for name in _PLACE.findall(query) for token in tokens(name)}
    if not places:
        return False
    said = {token for one in sentences for token in tokens(f"{one.passage.title} {one.passage.text}")}
    return any(not any(place[:_STEM] in token for token in said) for place in places)


def _numbered_otherwise(query: str, best: Sentence, sentences: Sequence[Sentence]) -> bool:
    """Whether the question is about a thing by its number, and the document has another: application 1777, not 777."""
    asked = set(_NUMBERED.findall(query))
    if not asked:
        return False
    own = {one.source: one.passage for one in sentences if one.passage.document == best.passage.document}.values()
    said = {number for one in own for number in re.findall(r"\d+", f"{one.title} {one.heading or ''} {one.text}")}
    return not asked <= said


def coverage(query: str, text: str, language: Language) -> float:
    """The part, 0 to 1, of the content words of `query` that `text` holds; a compound that holds one counts in part."""
    words = topic_words(query, language)
    return _mean(words, terms(text, language)) if words else 0.0


def _topic(words: Mapping[str, str], sentences: Sequence[Sentence], language: Language) -> float:
    sources = {sentence.source: sentence.passage for sentence in sentences}
    texts = [f"{passage.title} {passage.heading or ''} {passage.text}" for passage in sources.values()]
    # Longer words say more about what a topic is.
    weights = np.array([min(len(word), 12) for word in words], dtype=np.float64)
    weights /= weights.sum()
    found = np.array([matches(words, terms(text, language)) for text in texts])
    best = float((found @ weights).max())
    together = float(found.max(axis=0) @ weights)
    return _logistic(_TOPIC_BIAS + _TOPIC_BEST * best + _TOPIC_ALL * together)


def topic_words(query: str, language: Language) -> dict[str, str]:
    """The words of a query that say what it is about, with their stems; all of them where none does."""
    words = list(dict.fromkeys(tokens(query)))[:_MOST]
    content = [word for word in words if not is_function_word(word, language) and word not in _ASKING]
    return {word: stems(word, language)[0] for word in content or words}


def terms(text: str, language: Language) -> Terms:
    """What `matches` looks words up in."""
    return frozenset(stems(text, language)), frozenset(tokens(text))


def _mean(words: Mapping[str, str], held: Terms) -> float:
    found = matches(words, held)
    return sum(found) / len(found)


def matches(words: Mapping[str, str], held: Terms) -> list[float]:
    """For each word how well a text holds it, 0 to 1."""
    stemmed, plain = held
    return [1.0 if stem in stemmed else _likest(word, plain) for word, stem in words.items()]


def _likest(word: str, others: frozenset[str]) -> float:
    """How much of `word` the words of a text hold, by 4-grams: the likest one, or the parts of a compound together.

    A third or less is chance and counts as nothing.
    """
    if len(word) < 4:
        return 0.0
    mine = _grams(word)
    best, parts = 0, set[str]()
    for other in others:
        theirs = _grams(other) if len(other) >= 4 else frozenset[str]()
        shared = mine & theirs
        best = max(best, len(shared))
        if shared and len(shared) >= 0.6 * len(theirs):
            parts |= shared
    return max(0.0, max(best, len(parts)) / len(mine) - 1 / 3) * 1.35


def _share(wanted: Sequence[str], text: str) -> float:
    said = set(grams(text))
    return sum(gram in said for gram in wanted) / len(wanted) if wanted else 0.0


@lru_cache(maxsize=1 << 16)
def _grams(word: str) -> frozenset[str]:
    return frozenset(grams(word))


def _logistic(value: float) -> float:
    return 1 / (1 + math.exp(-value))
