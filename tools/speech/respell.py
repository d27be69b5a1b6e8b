"""Respells words that espeak-ng says wrong as they are written."""

import re

__all__ = ["respell"]

_TENS = "zwanzig|dreißig|vierzig|fünfzig|sechzig|siebzig|achtzig|neunzig"
_TEENS = "zehn|elf|zwölf|dreizehn|vierzehn|fünfzehn|sechzehn|siebzehn|achtzehn|neunzehn"
_ONES = "null|eins|ein|zwei|drei|vier|fünf|sechs|sieben|acht|neun|erst|dritt|siebt"
_PIECE = re.compile(rf"{_TEENS}|{_TENS}|{_ONES}|hundert|tausend|und", re.IGNORECASE)
# Possessive: "dreizehn" is also "drei" and "zehn", and a long row of them would be cut in every way there is.
_NUMBER = re.compile(rf"\b(?:{_PIECE.pattern})++(?P<tail>jährig\w*|(?:s?t)?e?[rnsm]?)\b", re.IGNORECASE)


def respell(text: str, *, voice: str) -> str:
    """`text` as espeak-ng needs it to say it right; changed for German voices only.

    A number in one word is misread ('vierundvierzig' with an English v, 'tausendsieben' with a stressed -end-), in
    several it is not; and the i of 'vierzehn' and 'vierzig' is short.
    """
    if not voice.startswith("de"):
        return text
    return re.sub(r"\b([Vv])ier(?=zehn|zig)", "fir", _NUMBER.sub(_apart, text))


def _apart(match: re.Match[str]) -> str:
    tail = match["tail"]
    number = match[0][: len(match[0]) - len(tail)]
    return " ".join(_PIECE.findall(number)) + tail
