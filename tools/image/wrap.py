"""Sets a headline into a box: the largest size at which it fits, in even lines, with long German words divided."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

__all__ = ["Lines", "divide", "fit"]

_SOFT = "\u00ad"
_VOWELS = "aeiouyäöüAEIOUYÄÖÜ"
_KEPT = (
    "sch",
    "ch",
    "ck",
    "ph",
    "th",
    "sh",
    "qu",
    "fl",
    "fr",
    "gr",
    "br",
    "tr",
    "dr",
    "kr",
    "pl",
    "pr",
    "bl",
    "gl",
    "kl",
)
_JOINT = re.compile(r"(?:ungs|heits|keits|schafts|tions|täts|lings|ings|ions|amts|rats|stadt|tums)(?=[a-zäöü]{4})")


@dataclass(frozen=True)
class Lines:
    """A headline as it is set."""

    lines: tuple[str, ...]
    size: float
    """Pixels."""


def fit(
    text: str,
    *,
    measure: Callable[[str, float], float],
    width: float,
    height: float,
    sizes: Sequence[float],
    leading: float,
    most: int,
) -> Lines:
    """`text` at the first of `sizes` (largest first) at which it fits.

    Whole words first; then with long words divided; what does not fit the smallest size ends in an ellipsis.

    Args:
        measure: width of a text at a size, in pixels.
        width, height: the box, in pixels.
        leading: distance of the lines, in sizes.
        most: lines at most.
    """
    words = text.replace(_SOFT, "").split()
    divided = [divide(word) for word in text.split()]
    comfortable = [size for size in sizes if size >= sizes[0] * 0.55]
    for pieces, tried in (([[word] for word in words], comfortable), (divided, sizes)):
        for size in tried:
            room = min(most, int(height / (size * leading)))
            lines = _break(pieces, lambda line, size=size: measure(line, size), width)
            if lines is not None and len(lines) <= room:
                return Lines(tuple(_even(pieces, lambda line, size=size: measure(line, size), width, len(lines))), size)
    size = sizes[-1]
    lines = _break(
        [[*word] if measure(word, size) > width else [word] for word in words], lambda line: measure(line, size), width
    )
    kept = (lines or [text])[: max(1, min(most, int(height / (size * leading))))]
    last = kept[-1]
    while last and measure(f"{last}…", size) > width:
        last = last[:-1]
    return Lines((*kept[:-1], f"{last.rstrip(' ,.;:–-')}…"), size)


def _break(words: Sequence[Sequence[str]], measure: Callable[[str], float], width: float) -> list[str] | None:
    """Fills line after line; None where a piece is wider than a line."""
    lines: list[str] = []
    line = ""
    for pieces in words:
        joined = "".join(pieces)
        if measure(f"{line} {joined}".strip()) <= width:
            line = f"{line} {joined}".strip()
            continue
        if measure(joined) <= width:
            lines += [line] if line else []
            line = joined
            continue
        for index, piece in enumerate(pieces):
            start = f"{line} {piece}".strip() if index == 0 else line + piece
            hyphen = "" if index == len(pieces) - 1 or piece.endswith("-") else "-"
            if measure(start + hyphen) <= width:
                line = start
                continue
            if line:
                lines.append(line + ("-" if index and not line.endswith("-") else ""))
            line = piece
            if measure(line + hyphen) > width:
                return None
    return [*lines, line] if line else lines


def _even(words: Sequence[Sequence[str]], measure: Callable[[str], float], width: float, count: int) -> list[str]:
    """The same number of lines, set as narrow as that number allows, so that none is left short."""
    low, high = width * 0.4, width
    for _ in range(12):
        middle = (low + high) / 2
        lines = _break(words, measure, middle)
        if lines is not None and len(lines) <= count:
            high = middle
        else:
            low = middle
    return _break(words, measure, high) or []


def divide(word: str) -> list[str]:
    """Where a word may be divided: at its soft hyphens, else at hyphens and slashes, else between its parts."""
    if _SOFT in word:
        return [part for part in word.split(_SOFT) if part]
    if parts := re.findall(r"[^-/]+[-/]?|[-/]", word):
        return [piece for part in parts for piece in _parts(part)]
    return [word]


def _parts(word: str) -> list[str]:
    """Syllables by the shape of the word; joined where a linking -s- shows the seam of a compound."""
    if len(word) < 11:
        return [word]
    seams = [match.end() for match in _JOINT.finditer(word)]
    cuts = seams or [at for at in _syllables(word) if 4 <= at <= len(word) - 4]
    found = [word[start:end] for start, end in zip([0, *cuts], [*cuts, len(word)], strict=True)]
    return [piece for part in found for piece in (_parts(part) if seams and len(part) > 13 else [part])]


def _syllables(word: str) -> list[int]:
    """Where syllables begin: before the last sound of the consonants between two vowels."""
    cuts: list[int] = []
    for match in re.finditer(rf"(?<=[{_VOWELS}])([^\W\d_{_VOWELS}]+)(?=[{_VOWELS}])", word):
        between = match[1].lower()
        tail = next((sound for sound in _KEPT if between.endswith(sound)), between[-1])
        cuts.append(match.end() - len(tail))
    return cuts
