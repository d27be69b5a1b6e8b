"""How a query becomes terms, and what each kind of term weighs in each language."""

from collections.abc import Mapping

from tools.language import Language, detect, grams, stems, tokens

__all__ = ["WEIGHTS", "query_terms"]

WEIGHTS: Mapping[Language, Mapping[str, float]] = {
    "de": {"body_stems": 1.0, "body_grams": 0.7, "title_stems": 0.7, "title_grams": 0.7},
    "en": {"body_stems": 1.0, "body_grams": 0.5, "title_stems": 1.5, "title_grams": 0.75},
}
"""A passage's score is the sum of the BM25 scores of these columns, each times its weight."""


def query_terms(
    query: str, language: Language | None = None, weights: Mapping[str, float] | None = None
) -> list[tuple[str, str, float]]:
    """Column, terms joined by blanks, and weight; empty where the query holds no word."""
    if not tokens(query):
        return []
    spoken = language or detect(query)
    stemmed, cut = " ".join(stems(query, spoken)), " ".join(grams(query))
    return [
        (column, cut if column.endswith("grams") else stemmed, weight)
        for column, weight in (weights or WEIGHTS[spoken]).items()
        if weight > 0
    ]
