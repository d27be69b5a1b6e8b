"""Language analysis for German and English: terms, sentences and BM25, shared by search and the extractive engine."""

from tools.language.analysis import Language, detect, grams, stems, tokens

__all__ = ["Language", "detect", "grams", "stems", "tokens"]
