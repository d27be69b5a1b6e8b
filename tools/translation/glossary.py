"""Checks whether a translation keeps to a glossary."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping

from tools.translation import GlossaryEntry

__all__ = ["check", "occurring"]


def occurring(glossary: Mapping[str, str], text: str) -> dict[str, int]:
    """How often each term stands in `text`, as whole words; where terms overlap, the longest counts."""
    folded = {" ".join(term.casefold().split()): term for term in glossary}
    found = _count(folded, text, endings="")
    return {folded[term]: number for term, number in found.items()}


def check(glossary: Mapping[str, str], source: str, translated: str) -> list[GlossaryEntry]:
    """One entry for each term that occurs in `source`, in the order of the glossary.

    A translation counts with up to three letters more, so that inflected forms ('permits', 'Bescheides') are seen.
    """
    needed = occurring(glossary, source)
    wanted = {" ".join(glossary[term].casefold().split()) for term in needed}
    left = _count(wanted, translated, endings=r"\w{0,3}")
    report: list[GlossaryEntry] = []
    for term in glossary:
        if not (number := needed.get(term, 0)):
            continue
        key = " ".join(glossary[term].casefold().split())
        applied = min(number, left[key])
        left[key] -= applied
        report.append(
            GlossaryEntry(
                term=term, translation=glossary[term], occurrences=number, applied=applied, missing=number - applied
            )
        )
    return report


def _count(terms: Iterable[str], text: str, *, endings: str) -> Counter[str]:
    """How often each of `terms` (case-folded, single spaces) stands in `text`."""
    ordered = sorted(terms, key=lambda term: (-len(term), term))
    if not ordered:
        return Counter()
    either = "|".join(re.escape(term).replace(r"\ ", r"\s+") for term in ordered)
    found = re.findall(rf"(?<!\w)({either}){endings}(?!\w)", text.casefold())
    return Counter(" ".join(match.split()) for match in found)
