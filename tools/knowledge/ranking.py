"""Which terms are indexed of a chunk, how a query becomes terms, and what each kind weighs in each language."""

from collections.abc import Iterable, Mapping
from itertools import chain, pairwise

from tools.language import Language, detect, grams, stems, tokens

__all__ = ["COLUMNS", "WEIGHTS", "chunk_terms", "query_terms"]

COLUMNS = ("title_stems", "title_grams", "body_stems", "whole_grams", "whole_pairs")
"""Title with heading path, body, or both as a whole; stems, character 4-grams, or pairs of neighbouring stems."""

WEIGHTS: Mapping[Language, Mapping[str, float]] = {
    "de": {"title_grams": 0.5, "body_stems": 1.0, "whole_grams": 0.8, "whole_pairs": 0.8},
    "en": {"title_stems": 2.0, "title_grams": 0.6, "body_stems": 1.0, "whole_grams": 0.5, "whole_pairs": 0.5},
}
"""A passage's score is the sum of the BM25 scores of these columns, each times its weight (benchmarks/retrieval.py)."""


def chunk_terms(above: str, body: str, language: Language) -> dict[str, str]:
    """For each column the terms of a chunk, joined by blanks; `above` is the title with the heading path."""
    title, text = stems(above, language), stems(body, language)
    title_grams = grams(above)
    return {
        "title_stems": " ".join(title),
        "title_grams": " ".join(title_grams),
        "body_stems": " ".join(text),
        "whole_grams": " ".join(chain(title_grams, grams(body))),
        "whole_pairs": " ".join(chain(_pairs(title), _pairs(text))),
    }


def query_terms(
    query: str, language: Language | None = None, weights: Mapping[str, float] | None = None
) -> list[tuple[str, str, float]]:
    """Column, terms joined by blanks, and weight; empty where the query holds no word."""
    if not tokens(query):
        return []
    spoken = language or detect(query)
    words = stems(query, spoken)
    kinds = {"stems": " ".join(words), "grams": " ".join(grams(query)), "pairs": " ".join(_pairs(words))}
    terms = [
        (column, kinds[column.rpartition("_")[2]], weight) for column, weight in (weights or WEIGHTS[spoken]).items()
    ]
    return [(column, found, weight) for column, found, weight in terms if found and weight > 0]


def _pairs(words: Iterable[str]) -> Iterable[str]:
    return (f"{first}~{second}" for first, second in pairwise(words))
