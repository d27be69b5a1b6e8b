"""How well passages carry an answer to a query: idf-weighted coverage of its words plus how far the best stands out."""

import math
from collections.abc import Iterable, Sequence

from tools.base import Passage
from tools.language import Language, grams, sentences, stems, tokens
from tools.language.analysis import is_function_word

__all__ = ["coverage", "support"]

# Weights of a logistic function, fitted on half of the XQuAD questions, once with and once without the right passage.
_BIAS = -5.5
_PASSAGE = 5.0
_SENTENCE = 3.0


def support(query: str, passages: Sequence[Passage], language: Language) -> float:
    """Between 0 (the passages say nothing on `query`) and 1; .5 is where an answer is as likely right as wrong."""
    words = _words(query, language)
    if not words or not passages:
        return 0.0
    whole = max(
        _covered(words, _terms(f"{passage.title} {passage.heading or ''} {passage.text}", language))
        for passage in passages
    )
    best = 0.0
    for passage in passages:
        for span in sentences(passage.text, language):
            best = max(best, _covered(words, _terms(passage.text[span.start : span.end], language)))
    return 1 / (1 + math.exp(-(_BIAS + _PASSAGE * whole + _SENTENCE * best)))


def coverage(words: str, text: str, language: Language) -> float:
    """The part, 0 to 1, of the content words of `words` that `text` holds; a compound that holds one counts in part."""
    wanted = _words(words, language)
    return _covered(wanted, _terms(text, language)) if wanted else 0.0


def _words(query: str, language: Language) -> dict[str, tuple[str, float]]:
    """Each word of the query with its stem and its weight; words that only hold a question together weigh little."""
    words = dict.fromkeys(tokens(query))
    heavy = {word: 0.1 if is_function_word(word) else 1.0 for word in words}
    if all(weight < 1 for weight in heavy.values()):
        heavy = dict.fromkeys(words, 1.0)
    return {word: (stems(word, language)[0], weight) for word, weight in heavy.items()}


def _terms(text: str, language: Language) -> tuple[frozenset[str], frozenset[str]]:
    return frozenset(stems(text, language)), frozenset(tokens(text))


def _covered(words: dict[str, tuple[str, float]], terms: tuple[frozenset[str], frozenset[str]]) -> float:
    stemmed, plain = terms
    total = sum(weight for _, weight in words.values())
    return (
        sum(weight * (1.0 if stem in stemmed else _likest(word, plain)) for word, (stem, weight) in words.items())
        / total
    )


def _likest(word: str, others: Iterable[str]) -> float:
    """How much of `word` the word most like it holds, by 4-grams; a third or less is chance and counts as nothing."""
    if len(word) < 4:
        return 0.0
    mine = set(grams(word))
    best = max((len(mine.intersection(grams(other))) for other in others if len(other) >= 4), default=0) / len(mine)
    return max(0.0, (best - 1 / 3) * 1.5) * 0.9
