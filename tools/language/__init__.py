"""Language analysis for German and English: terms, sentences and BM25, shared by search and the extractive engine."""

from tools.language.analysis import Language, detect, grams, stems, tokens
from tools.language.sentences import Span, sentences

__all__ = ["Language", "Span", "detect", "grams", "sentences", "stems", "tokens"]
