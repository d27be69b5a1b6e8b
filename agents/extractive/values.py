"""Reads numbers, dates, times, addresses and yes or no out of a quoted sentence, as German and English write them."""

import math
import re
from bisect import bisect_left
from collections.abc import Iterator
from datetime import date
from itertools import accumulate
from typing import NamedTuple

from tools.language import Language, tokens

__all__ = ["Value", "denies", "is_month", "read"]


class Value(NamedTuple):
    """A value and the code points of the sentence it was read from, half-open."""

    value: str | float
    start: int
    end: int


_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "januar january jan jänner",
            "februar february feb",
            "märz march mar",
            "april apr",
            "mai may",
            "juni june jun",
            "juli july jul",
            "august aug",
            "september sept sep",
            "oktober october oct okt",
            "november nov",
            "dezember december dec dez",
        ),
        start=1,
    )
    for name in names.split()
}
_MONTH = "|".join(sorted(_MONTHS, key=len, reverse=True))
_DATES = (
    re.compile(r"\b(?P<year>\d{4})-(?P<month>\d{2})-(?P<day>\d{2})\b"),
    re.compile(r"\b(?P<day>\d{1,2})\.\s?(?P<month>\d{1,2})\.\s?(?P<year>\d{4})\b"),
    re.compile(
        rf"\b(?P<day>\d{{1,2}})(?:\.|st|nd|rd|th)?\s(?:of\s)?(?P<month>{_MONTH})\.?,?\s(?P<year>\d{{4}})\b",
        re.IGNORECASE,
    ),
    re.compile(rf"\b(?P<month>{_MONTH})\.?\s(?P<day>\d{{1,2}})(?:st|nd|rd|th)?,?\s(?P<year>\d{{4}})\b", re.IGNORECASE),
)
_TIME = re.compile(
    r"\b(?P<hour>[01]?\d|2[0-4])(?:[:.](?P<minute>[0-5]\d))?\s?(?P<mark>uhr\b|[ap]\.?m\b\.?)|\b(?P<hour2>[01]?\d|2[0-3]):(?P<minute2>[0-5]\d)\b",
    re.IGNORECASE,
)
_NUMBERS: dict[Language, re.Pattern[str]] = {
    "de": re.compile(r"(?<![\w.,])[-−]?(?:\d{1,3}(?:[.  ]\d{3})+|\d+)(?:,\d+)?(?![\w]|[.,]\d)"),
    "en": re.compile(r"(?<![\w.,])[-−]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?![\w]|[.,]\d)"),
}
_WORDS = {
    word: number
    for number, words in {
        2: "zwei two", 3: "drei three", 4: "vier four", 5: "fünf five", 6: "sechs six", 7: "sieben seven", 8: "acht eight",
        9: "neun nine", 10: "zehn ten", 11: "elf eleven", 12: "zwölf twelve",
    }.items()
    for word in words.split()
}  # fmt: skip
_WORD_NUMBER = re.compile(rf"\b(?:{'|'.join(_WORDS)})\b", re.IGNORECASE)
_TIMES_TEN = {
    "tausend": 1e3,
    "thousand": 1e3,
    "mio": 1e6,
    "million": 1e6,
    "millionen": 1e6,
    "mrd": 1e9,
    "milliarde": 1e9,
    "milliarden": 1e9,
    "billion": 1e9,
}
_SCALE = re.compile(r"\s(tausend|thousand|mio|million(?:en)?|mrd|milliarden?|billion)\b", re.IGNORECASE)
# Numbers that name a place in a law or a document are no amounts.
_REFERENCE = re.compile(
    r"(?:§{1,2}|\b(?:abs(?:atz)?|nr|nummer|art(?:ikel)?|satz|seite|section|article|page|no|zimmer|raum|room)\b\.?)\s?$",
    re.IGNORECASE,
)
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_LINK = re.compile(r"https?://[^\s<>()\[\]\"']+[^\s<>()\[\]\"'.,;:!?]")
_DENIAL = frozenset(
    [
        "nicht",
        "kein",
        "keine",
        "keinen",
        "keinem",
        "keiner",
        "keines",
        "nie",
        "niemals",
        "ohne",
        "weder",
        "not",
        "no",
        "never",
        "without",
        "cannot",
        "neither",
        "nor",
    ]
)


def read(form: str, sentence: str, language: Language) -> Iterator[Value]:
    """The values of a form in the order they stand in `sentence`.

    `form` is `number`, `date`, `time`, `date-time`, `email` or `uri`; of any other there are none.
    """
    match form:
        case "number":
            yield from sorted(_numbers(sentence, language), key=_start)
        case "date":
            yield from sorted(_dates(sentence), key=_start)
        case "time":
            yield from _times(sentence)
        case "date-time":
            hours = list(_times(sentence))
            for day in _dates(sentence):
                at = bisect_left(hours, day.end, key=_start)
                if at < len(hours):
                    yield Value(f"{day.value}T{hours[at].value}", day.start, hours[at].end)
        case "email" | "uri":
            pattern = _EMAIL if form == "email" else _LINK
            for found in pattern.finditer(sentence):
                yield Value(found.group(), found.start(), found.end())
        case _:
            return


def denies(sentence: str) -> bool:
    """Whether the sentence says no."""
    return not _DENIAL.isdisjoint(tokens(sentence))


def is_month(word: str) -> bool:
    """Whether a word, case folded, names a month in German or English."""
    return word in _MONTHS


def _start(value: Value) -> int:
    return value.start


def _dates(sentence: str) -> Iterator[Value]:
    for pattern in _DATES:
        for found in pattern.finditer(sentence):
            month = found["month"]
            number = int(month) if month.isdigit() else _MONTHS[month.casefold()]
            try:
                day = date(int(found["year"]), number, int(found["day"]))
            except ValueError:  # the 31st of February
                continue
            yield Value(day.isoformat(), found.start(), found.end())


def _times(sentence: str) -> Iterator[Value]:
    for found in _TIME.finditer(sentence):
        hour, minute = int(found["hour"] or found["hour2"]), int(found["minute"] or found["minute2"] or 0)
        mark = (found["mark"] or "").casefold()
        if mark.startswith(("a", "p")):
            if not 1 <= hour <= 12:
                continue
            hour = hour % 12 + (12 if mark.startswith("p") else 0)
        if hour < 24:
            yield Value(f"{hour:02}:{minute:02}:00", found.start(), found.end())


def _numbers(sentence: str, language: Language) -> Iterator[Value]:
    busy = sorted((found.start, found.end) for found in (*_dates(sentence), *_times(sentence)))
    reached = list(accumulate((end for _, end in busy), max))
    for found in _NUMBERS[language].finditer(sentence):
        start, end = found.span()
        before = bisect_left(busy, (end, 0))
        if before and reached[before - 1] > start:
            continue  # a part of a date or a time
        if _REFERENCE.search(sentence, max(0, start - 12), start):
            continue
        digits = re.sub(r"[\s  ]", "", found.group()).replace("−", "-")
        digits = digits.replace(".", "").replace(",", ".") if language == "de" else digits.replace(",", "")
        scale = _SCALE.match(sentence, end)
        factor = _TIMES_TEN[scale.group(1).casefold()] if scale else 1
        value = float(digits) * factor
        if math.isfinite(value):
            yield Value(round(value, 9), start, scale.end() if scale else end)
    for found in _WORD_NUMBER.finditer(sentence):
        yield Value(float(_WORDS[found.group().casefold()]), found.start(), found.end())
