"""What rules find in a text: a thing of one kind at its place, and the names that mean the same."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

__all__ = ["CAPITAL", "Masked", "Mention", "apart", "key", "masked", "numbered"]

CAPITAL = r"[A-ZÄÖÜ][a-zäöüß]+(?:-[A-ZÄÖÜ]?[a-zäöüß]+){0,4}"
"""A capitalised word, compounds with hyphens as one."""
_NUMBERS = (
    "null ein zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn siebzehn "
    "achtzehn neunzehn zwanzig dreißig"
)
numbered = "|".join((r"\d{1,4}", *_NUMBERS.split()[2:], "eine[smr]?"))
"""A count as German writes it, in a pattern."""


@dataclass(frozen=True, slots=True)
class Mention:
    """`text[start:end]` means the thing `name` of the kind `label`."""

    label: str
    name: str
    start: int
    end: int
    properties: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Masked:
    """A sentence in which each mention is one mark, `‹Office0›`, so that patterns speak of kinds and not of names."""

    text: str
    mentions: tuple[Mention, ...]
    start: int
    """Where the sentence stands in the text the mentions count from."""
    end: int

    def get(self, mark: str) -> Mention:
        """The mention behind a mark's number."""
        return self.mentions[int(mark)]


def key(name: str) -> str:
    """What two spellings of one name have in common: no case, no white space but one dash, composed letters."""
    folded = unicodedata.normalize("NFC", name).casefold()
    return re.sub(r"[\W_]+", "-", folded).strip("-")


def apart(mentions: Iterable[Mention]) -> list[Mention]:
    """The mentions in order of the text without those that lie inside, or run into, a longer one."""
    kept: list[Mention] = []
    for mention in sorted(mentions, key=lambda one: (one.start - one.end, one.start)):
        if all(mention.end <= other.start or mention.start >= other.end for other in kept):
            kept.append(mention)
    return sorted(kept, key=lambda one: one.start)


def masked(text: str, start: int, end: int, mentions: Iterable[Mention]) -> Masked:
    """`text[start:end]` with marks in place of the `mentions` that lie in it, which are apart and in order."""
    inside = tuple(one for one in mentions if start <= one.start and one.end <= end)
    return Masked("".join(_pieces(text, start, end, inside)), inside, start, end)


def _pieces(text: str, start: int, end: int, inside: tuple[Mention, ...]) -> Iterator[str]:
    at = start
    for number, mention in enumerate(inside):
        yield text[at : mention.start]
        yield f"‹{mention.label}{number}›"
        at = mention.end
    yield text[at:end]
