"""From written text to the words a voice says, paragraph by paragraph."""

import re
import unicodedata
from typing import Literal

from tools.speech.english import english
from tools.speech.german import german
from tools.speech.markup import paragraphs

__all__ = ["speakable"]

_QUOTES = re.compile("[\"“”„‟«»‹›‚‘]|(?<!\\w)'|'(?!\\w)")
_ENDLESS = re.compile(r"\S{200}")
_LEFT_OVER = re.compile(r"[*_#|\\^~`<>{}\[\]]+")
_DASH = re.compile(r"\s+[–—-]+\s+|—")
_EMOJI = re.compile("[\U0001f000-\U0001faff\u2190-\u21ff\u2300-\u27bf\u2b00-\u2bff\ufffc\ufffd]")


def speakable(text: str, language: Literal["de", "en"]) -> list[str]:
    """The words of `text`, one string a paragraph; empty where there is nothing to say."""
    # No word is that long; without its breaks, hostile text would keep the patterns busy for minutes.
    text = _ENDLESS.sub(r"\g<0> ", text)
    # Composed letters (NFC), so that 'ü' is one letter to the voice and to the rules.
    found = paragraphs(unicodedata.normalize("NFC", text))
    said = (_tidy((german if language == "de" else english)(_prepare(part))) for part in found)
    return [part for part in said if any(char.isalnum() for char in part)]


def _prepare(text: str) -> str:
    return _QUOTES.sub("", text.replace("’", "'"))


def _tidy(text: str) -> str:
    text = re.sub(r"\s+", " ", _LEFT_OVER.sub(" ", _EMOJI.sub(" ", text)))
    text = _DASH.sub(", ", text).replace("–", " ").replace("…", "...")
    text = re.sub(r"\s+", " ", text)
    text = re.sub(r"\s+([,.;:!?)])", r"\1", text)
    return re.sub(r"([,;:])(?:\s*[,;:])+", r"\1", text).strip()
