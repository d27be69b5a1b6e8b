"""Makes documents for benchmarks/knowledge.py: text with the statistics of German, the same with each run."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import accumulate
from pathlib import Path

__all__ = ["CHUNKS_EACH", "OFFICES", "Corpus"]

CHUNKS_EACH = 5
"""Sections of a document; each becomes one chunk."""
OFFICES = ("bauamt", "standesamt", "ordnungsamt", "kämmerei", "jugendamt")
"""Values of the documents' `amt`."""
_SECTION = 1_080  # code points on average, short enough to stay one chunk
_FUNCTION = """der die und in den von zu das mit sich des auf für ist im dem nicht ein eine als auch es an werden aus er hat dass
sie nach wird bei einer um am sind noch wie einem über einen so zum haben nur oder aber vor zur bis mehr durch
man sein wurde""".split()
_ONSETS = "b br d dr f fl fr g gl gr h k kl kn kr l m n p pf r s sch schl schr schw sp st str t tr v w z".split()
_VOWELS = "a e i o u ä ö ü au ei eu ie".split()
_CODAS = "b ch ck d f ft g gs k l lb ld lt m mm n nd ng nk nn nt p r rd rf rg rk rn rt s ss st t tz".split()
_ENDINGS = ("", "", "e", "en", "er", "ung", "ungen", "keit", "lich", "es")
_JOINTS = ("", "s", "en")
_FIRST_DAY = date(2015, 1, 1)


@dataclass(frozen=True, slots=True)
class _Words:
    """Words with the sums of their weights: the n-th is as frequent as 1/n, as in every language."""

    words: Sequence[str]
    sums: Sequence[float]

    def take(self, chance: random.Random, count: int) -> list[str]:
        return chance.choices(self.words, cum_weights=self.sums, k=count)


class Corpus:
    """Documents of a town that never was. A third of its rarer words are compounds of the more frequent ones."""

    def __init__(self, *, words: int = 60_000, seed: int = 4) -> None:
        self._seed = seed
        chance = random.Random(seed)
        roots = list(dict.fromkeys(_root(chance) for _ in range(words)))
        half = len(roots) // 3
        for at in range(half, len(roots), 3):
            first, second = chance.choice(roots[:half]), chance.choice(roots[:half])
            roots[at] = f"{first}{chance.choice(_JOINTS)}{second}"
        spoken = [root + chance.choice(_ENDINGS) for root in roots]
        nouns = [word.capitalize() if chance.random() < 0.5 else word for word in spoken]
        everything = [*_FUNCTION, *dict.fromkeys(nouns)]
        self._all = _Words(everything, list(accumulate(1 / (at + 3) for at in range(len(everything)))))
        # A query holds words that mean something: neither the most frequent, nor such as stand in one document alone.
        telling = nouns[40 : len(nouns) // 4]
        self._telling = _Words(telling, list(accumulate(1 / (at + 20) for at in range(len(telling)))))

    def document(self, number: int) -> str:
        """One document in Markdown: its date and office as front matter, then its sections."""
        chance = random.Random(self._seed * 1_000_003 + number)
        day = _FIRST_DAY + timedelta(days=chance.randrange(4_000))
        head = f"---\ndate: {day.isoformat()}\namt: {chance.choice(OFFICES)}\n---\n"
        title = " ".join(self._telling.take(chance, 3))
        sections = [f"# {title}\n"]
        for at in range(CHUNKS_EACH):
            body = self._prose(chance, chance.randrange(_SECTION - 250, _SECTION + 250))
            sections.append(f"## § {at + 1} {' '.join(self._telling.take(chance, 2))}\n\n{body}\n")
        return head + "\n".join(sections)

    def _prose(self, chance: random.Random, length: int) -> str:
        sentences: list[str] = []
        while length > 0:
            said = " ".join(self._all.take(chance, chance.randrange(8, 19)))
            sentences.append(said[0].upper() + said[1:] + ".")
            length -= len(sentences[-1]) + 1
        return " ".join(sentences)

    def write(self, folder: Path, numbers: range) -> None:
        """One file each."""
        folder.mkdir(parents=True, exist_ok=True)
        for number in numbers:
            (folder / f"{number:06}.md").write_text(self.document(number), encoding="utf-8")

    def questions(self, count: int) -> Iterator[str]:
        """Of three to six telling words, as people ask."""
        chance = random.Random(self._seed + 1)
        for _ in range(count):
            words = self._telling.take(chance, chance.randrange(3, 7))
            yield f"Was gilt für {' '.join(words[:2])} und wie wird {' '.join(words[2:])} geregelt?"


def _root(chance: random.Random) -> str:
    return "".join(
        chance.choice(_ONSETS) + chance.choice(_VOWELS) + chance.choice(_CODAS)
        for _ in range(chance.choice((1, 1, 2, 2, 3)))
    )
