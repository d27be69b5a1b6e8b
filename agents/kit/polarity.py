"""Whether two texts say yes and no to the same things: denials and opposites, in German and English."""

import re
from collections.abc import Sequence

from tools.language import Language, stems, tokens

__all__ = ["agree"]

_OPPOSITES = """
erlaubt erlauben zulässig gestattet genehmigt allowed permitted
 / verboten verbietet untersagt unzulässig forbidden prohibited banned
kostenlos kostenfrei gebührenfrei unentgeltlich gratis / kostenpflichtig gebührenpflichtig
geöffnet offen öffnet öffnen open opens opened / geschlossen schliesst schliessen closed closes
angenommen zugestimmt beschlossen accepted approved adopted / abgelehnt verworfen rejected declined refused
erhöht erhöhen steigt steigen gestiegen stieg increased increases rose rises raised
 / gesenkt senkt senken sinkt sinken gesunken sank decreased decreases fell falls lowered reduced
mindestens least minimum / höchstens maximal most maximum
gültig valid / ungültig invalid
möglich possible / unmöglich impossible
befreit exempt / pflichtig verpflichtet obliged
gewann gewonnen won / verlor verloren lost
"""
_SIDES = [line.split(" / ") for line in _OPPOSITES.strip().replace("\n /", " /").splitlines()]
_SIGNS = {
    word: (axis, good) for axis, pair in enumerate(_SIDES) for good, side in enumerate(pair) for word in side.split()
}
"""For each word the pair of opposites it belongs to, and which of the two it is."""
_DENIES = re.compile(
    r"\b(?:nicht|kein\w{0,2}|nie|niemals|ohne|weder|nirgends|keinesfalls|keineswegs|not|no|none|never|without|cannot|neither"
    r"|nor)\b|n['’]t\b",
    re.IGNORECASE,
)
_DENIES_NOTHING = re.compile(r"\b(?:nicht nur|nicht zuletzt|not only|no\.)", re.IGNORECASE)
_UNTRUE = re.compile(r"\b(?:trifft nicht zu|stimmt nicht|falsch|unwahr|not true|untrue|false)\b", re.IGNORECASE)
"""Turns all that a sentence says round, whatever clause it stands in."""
_CLAUSE = re.compile(r"[,;:–—()]|\b(?:und|oder|aber|sondern|and|or|but)\b", re.IGNORECASE)


def agree(claim: str, held: Sequence[str], language: Language) -> bool:
    """Whether a claim says no where the sentences that carry it do, and yes where they do.

    Only their clauses are looked at that hold words of the claim: another one may deny something else.
    """
    if any(_UNTRUE.search(sentence) for sentence in held) != bool(_UNTRUE.search(claim)):
        return False
    words = frozenset(stem for stem in stems(claim, language) if len(stem) > 2)
    told = [clause for sentence in held for clause in _CLAUSE.split(sentence)]
    shared = [words & frozenset(stems(clause, language)) for clause in told]
    chosen: list[str] = []
    covered = frozenset[str]()
    for at in sorted(range(len(told)), key=lambda at: (-len(shared[at]), at)):
        takes_side = bool(shared[at]) and not _SIGNS.keys().isdisjoint(tokens(told[at]))
        if shared[at] - covered or takes_side:
            chosen.append(told[at])
            covered |= shared[at]
    theirs = " ".join(chosen)
    mine, others = _sides(claim), _sides(theirs)
    same = _denies(claim) == _denies(theirs)
    common = mine.keys() & others.keys()
    return all((mine[axis] == others[axis]) == same for axis in common) if common else same


def _sides(text: str) -> dict[int, int]:
    """The side a text takes of each pair of opposites; none where it names both."""
    found: dict[int, set[int]] = {}
    for token in tokens(text):
        if token in _SIGNS:
            axis, side = _SIGNS[token]
            found.setdefault(axis, set()).add(side)
    return {axis: next(iter(named)) for axis, named in found.items() if len(named) == 1}


def _denies(text: str) -> bool:
    return len(_DENIES.findall(_DENIES_NOTHING.sub(" ", text))) % 2 == 1
