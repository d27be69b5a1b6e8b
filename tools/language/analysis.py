"""Turns German and English text into the terms that search and quoting count: words, stems and character 4-grams."""

import re
import threading
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Literal, Protocol, cast

__all__ = ["Language", "detect", "grams", "is_function_word", "stems", "tokens"]

Language = Literal["de", "en"]

_WORD = re.compile(r"[^\W_]+")
_ACCENTS = re.compile(r"[^\w\s]{32}")
_GRAM = 4
_LONGEST = 100
"""Letters; no word is longer, so that what is longer has no stem and is not worth keeping."""
_SNOWBALL: dict[Language, str] = {"de": "german", "en": "english"}

# Short words that are frequent in one language and rare or absent in the other ("in", "so", "was", "die" say nothing).
_GERMAN = """beim ans aufs fürs diese dieser dieses diesem diesen jede jeder jedes jedem jeden alle allen mich dich mir dir
uns euch ihnen ihm ihn ihre ihren ihrem ihrer unser unsere unseren eure sowie sondern denn doch etwas jemand dabei damit
dazu davon darf dürfen will wollen möchte soll sollen würde hatte hatten worden
der das den dem des ein eine einen einem einer eines und oder aber nicht ist sind war waren wird werden
wurde wurden ich du er sie es wir ihr mein sein auf aus bei mit nach von vom zu zum zur im ins für über unter
durch gegen ohne um als wie wer wo wann warum wieso welche welcher welches welchen wem wen dass daß weil wenn
auch nur noch schon sehr kann können muss müssen soll hat haben gibt sich bis pro am zwischen worüber wofür
womit woher wohin wieviel wieviele viele mehr"""
_ENGLISH = """the a and or but not is are were be been being i you he she it we they my your their our of to at by with
from for about under through against without as how who whom where when why which what that because if also
only still very can could must should has have had do does did there this these those on its much many more"""
# Of both languages, or of a use that says nothing about which it is.
_BOTH = "in was die so am es an war will hier da man ab etwa dort dann also all him me us no"
_SHARED = frozenset(_BOTH.split())
_FUNCTION_WORDS: dict[str, Language] = {**dict.fromkeys(_GERMAN.split(), "de"), **dict.fromkeys(_ENGLISH.split(), "en")}


class _Stemmer(Protocol):
    def stemWord(self, word: str) -> str: ...


class _Stemmers(threading.local):
    """One stemmer a thread and language: a stemmer keeps the word it works on as state."""

    def __init__(self) -> None:
        self._made: dict[Language, _Stemmer] = {}

    def get(self, language: Language) -> _Stemmer:
        found = self._made.get(language)
        if found is None:
            import snowballstemmer  # a few hundred tables that most commands never need

            found = cast(_Stemmer, snowballstemmer.stemmer(_SNOWBALL[language]))
            self._made[language] = found
        return found


_stemmers = _Stemmers()


def tokens(text: str) -> list[str]:
    """The words and numbers of `text` in order: NFC, case folded (ß becomes ss), umlauts kept."""
    folded = text.casefold()
    if not unicodedata.is_normalized("NFC", folded):
        # A run of accents is sorted in quadratic time; a blank in it parts no word.
        folded = unicodedata.normalize("NFC", _ACCENTS.sub(r"\g<0> ", folded))
    return _WORD.findall(folded)


def stems(text: str, language: Language) -> list[str]:
    """The Snowball stems of all words of `text` in order; stop words stay, or short questions would become empty."""
    return [_stem(word, language) if len(word) <= _LONGEST else word for word in tokens(text)]


def grams(text: str) -> list[str]:
    """The character 4-grams of each word with its edges marked (`_wort_`); a shorter word is one gram."""
    found: list[str] = []
    for word in tokens(text):
        found.extend(_grams(word) if len(word) <= _LONGEST else _cut(word))
    return found


def detect(text: str) -> Language:
    """The language whose function words are more frequent in the first 4,000 code points; German where that is even."""
    balance = 0
    for word in tokens(text[:4000]):
        language = _FUNCTION_WORDS.get(word)
        if language is not None:
            balance += 1 if language == "en" else -1
    return "en" if balance > 0 else "de"


def is_function_word(word: str, language: Language) -> bool:
    """Whether a word, as `tokens` gives it, only holds a sentence of this language together."""
    return word in _SHARED or _FUNCTION_WORDS.get(word) == language


@lru_cache(maxsize=1 << 16)
def _stem(word: str, language: Language) -> str:
    return _stemmers.get(language).stemWord(word)


@lru_cache(maxsize=1 << 16)
def _grams(word: str) -> tuple[str, ...]:
    return tuple(_cut(word))


def _cut(word: str) -> Iterator[str]:
    marked = f"_{word}_"
    return (marked[at : at + _GRAM] for at in range(max(1, len(marked) - _GRAM + 1)))
