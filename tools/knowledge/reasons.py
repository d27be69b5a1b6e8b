"""Says why a passage was found: which words of the query stand in it, whole or as a part of others."""

from collections.abc import Mapping
from typing import Any

from tools.base import Why
from tools.language import Language, detect, grams, stems, tokens

__all__ = ["reason"]

_PART = 0.6
"""Share of a word's 4-grams that stand in a passage from which it counts as a part of its words."""


def reason(
    query: str,
    language: Language | None,
    row: Mapping[str, Any],
    *,
    lexical: float | None,
    semantic: float | None = None,
    rerank: float | None = None,
) -> Why:
    """Of a passage with `text`, `title` and `heading`."""
    spoken = language or detect(query)
    above = f"{row['title']} {row['heading'] or ''}"
    in_title, in_body = set(stems(above, spoken)), set(stems(row["text"], spoken))
    parts_there: set[str] | None = None
    words: list[str] = []
    title: list[str] = []
    parts: list[str] = []
    missing: list[str] = []
    for word in dict.fromkeys(tokens(query)):
        stem = stems(word, spoken)
        if in_title.issuperset(stem):
            title.append(word)
        if in_title.issuperset(stem) or in_body.issuperset(stem):
            words.append(word)
            continue
        if parts_there is None:
            parts_there = {*grams(above), *grams(row["text"])}
        own = [gram for gram in grams(word) if not gram.startswith("_") and not gram.endswith("_")] or grams(word)
        share = sum(gram in parts_there for gram in own) / len(own) if own else 0.0
        (parts if share >= _PART else missing).append(word)
    return Why(
        words=words, parts=parts, missing=missing, title=title, lexical=lexical, semantic=semantic, rerank=rerank
    )
