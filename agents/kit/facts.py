"""What a sentence must not get wrong: its numbers with their units, dates, times, laws and names; German and English."""

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal

from tools.language import Language, tokens
from tools.language.analysis import is_function_word
from tools.language.calendar import MONTHS, WEEKDAYS

__all__ = ["Facts", "carried", "facts", "names", "same_name"]

Facts = Mapping[str, frozenset[str]]
"""Each number, day, month, weekday and paragraph of a text, in one writing, with the units it stands with ("" = none)."""

_MONTH = {name.casefold(): number for names in MONTHS.values() for number, name in enumerate(names, 1)} | {"jänner": 1}
_DAY = {name.casefold(): number for names in WEEKDAYS.values() for number, name in enumerate(names, 1)} | {
    "sonnabend": 6
}
_MONTHS = "|".join(sorted(_MONTH, key=len, reverse=True))
_NUMBER = r"\d{1,3}(?:[.,’  ]\d{3})+(?:[.,]\d+)?|\d+(?:[.,]\d+)?"
_SCALES = {"tausend": 3, "thousand": 3, "mio": 6, "million": 6, "mrd": 9, "milliarde": 9, "billion": 9}
_UNITS = {
    "€": r"€|euro?s?\b|eur\b",
    "$": r"\$|(?:us-)?dollars?\b",
    "£": r"£|pounds?\b",
    "%": r"%|prozent\w*|per ?cent\b",
    "day": r"tage?n?\b|days?\b",
    "week": r"wochen?\b|weeks?\b",
    "month": r"monate?n?\b|months?\b",
    "year": r"jahre?n?\b|years?\b",
    "hour": r"stunden?\b|hours?\b",
    "minute": r"minuten?\b|minutes?\b",
}
_UNIT = "|".join(f"(?P<u{at}>{unit})" for at, unit in enumerate(_UNITS.values()))
_SCALE = r"tausend|thousand|mio|million(?:en)?|mrd|milliarden?|billion"
_FOUND = re.compile(
    rf"""(?P<year>\b\d{{4}})-(?P<month>\d\d)-(?P<day>\d\d)\b
    | \b(?P<day2>\d{{1,2}})\.\s?(?P<month2>\d{{1,2}})\.(?:\s?(?P<year2>\d{{4}}|\d\d)\b)?
    | \b(?P<day3>\d{{1,2}})(?:\.|st|nd|rd|th)?\s(?:of\s)?(?P<month3>{_MONTHS})\b
    | \b(?P<month4>{_MONTHS})\s(?P<day4>\d{{1,2}})(?:st|nd|rd|th)?\b(?![.,:]?\d)
    | \b(?P<month5>{_MONTHS})\b
    | \b(?P<weekday>{"|".join(_DAY)})\w*
    | (?:§{{1,2}}|\bparagraph|\bsection)\s?(?P<law>\d{{1,5}}[a-z]?)\b
    | \bart(?:ikel|icle|\.)?\s(?P<article>\d{{1,4}}[a-z]?)\b
    | \b(?P<hour>[01]?\d|2[0-4])[:.](?P<minute>[0-5]\d)
      (?:\s?(?P<mark>uhr\b|[ap]\.?m\b)|(?!\d|[.,]\d|\s?(?:[€%]|euro|eur\b|prozent|{_SCALE})))
    | \b(?P<hour2>1?\d)\s?(?P<mark2>[ap])\.?m\b
    | (?P<before>[€$£]\s?)?(?<![\w.,])(?P<number>{_NUMBER})(?!\w|[.,]\d)
      (?:[\s-](?P<scale>{_SCALE})\b\.?)?(?:[\s-]?(?:{_UNIT}))?
    """,
    re.VERBOSE | re.IGNORECASE,
)
_SMALL = {
    word: at
    for words in (
        "ein zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn siebzehn achtzehn",
        "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen",
    )
    for at, word in enumerate(words.split(), 1)
} | {"neunzehn": 19, "nineteen": 19}
_TEN = {
    word: 10 * at
    for words in (
        "zwanzig dreissig vierzig fünfzig sechzig siebzig achtzig neunzig",
        "twenty thirty forty fifty sixty seventy eighty ninety",
    )
    for at, word in enumerate(words.split(), 2)
}
_SAID = _SMALL | _TEN | {"hundert": 100, "tausend": 1000, "hundred": 100, "thousand": 1000}
_ANY_ONE = frozenset(("ein", "one"))
"""Words that count nothing, most often."""
_JOINED = re.compile(rf"({'|'.join(_SMALL)})und({'|'.join(_TEN)})|({'|'.join(_TEN)})-({'|'.join(_SMALL)})")
_WORD = re.compile(r"[^\W\d_]{3,40}(?:-[^\W\d_]{3,5})?")
_YEAR = re.compile(r",?\s\d{4}\b")
_NEXT = re.compile(r"[\s-]([^\W\d_]{4,})")
_LONGEST = 40
"""Digits; a longer one is no number that anybody reads."""

_TITLES = frozenset("herr herrn frau dr prof professor bürgermeister bürgermeisterin mr mrs ms sir lord".split())
_MEASURES = frozenset(
    """euro prozent meter kilometer gramm kilogramm tonnen liter stück ende anfang mitte uhr millionen
milliarden tausend hundert nummer nr seite absatz satz teil stufe klasse jahr jahre""".split()
)
_CAPITAL = re.compile(r"[^\W\d_][\w]*(?:[-’'][^\W_][\w]*)*")
_BARE = {"de": frozenset("in aus nach bei von".split()), "en": frozenset[str]()}
_CODE = re.compile(r"\b(?=\w*\d)(?=\w*[A-Za-zÄÖÜ])\w{2,20}\b")


def facts(text: str) -> Facts:
    """The hard facts of `text`: "1.870", "2 500 €" or "3. Mai" and "03.05." are the same however they are written."""
    found: dict[str, set[str]] = {}
    for fact, unit in _read(text):
        found.setdefault(fact, set()).add(unit)
    return {fact: frozenset(units) for fact, units in found.items()}


def carried(said: Facts, *held: Facts) -> bool:
    """Whether every fact of a claim stands in one of some texts, with the same unit where both name one."""
    return all(any(fact in one and _same_unit(fact, units, one) for one in held) for fact, units in said.items())


def _same_unit(fact: str, units: frozenset[str], held: Facts) -> bool:
    """Whether a number counts the same thing: what is counted may be left out, but not be what another number counts."""
    theirs = held[fact]
    if "" in units or not units.isdisjoint(theirs):
        return True
    if all(unit.startswith("_") for unit in units):
        return not any(units & others for other, others in held.items() if other != fact)
    return any(not unit or unit.startswith("_") for unit in theirs)


def _read(text: str) -> Iterator[tuple[str, str]]:
    for found in _FOUND.finditer(text):
        part = found.groupdict()
        day = next((part[name] for name in ("day", "day2", "day3", "day4") if part[name]), None)
        month = next((part[f"month{at}"] for at in ("", "2", "3", "4", "5") if part[f"month{at}"]), None)
        if month:
            number = int(month) if month.isdigit() else _MONTH[month.casefold()]
            year = part["year"] or part["year2"] or (_YEAR.match(text, found.end()) or [""])[0].strip(" ,")
            year = f"20{year}" if len(year) == 2 else year
            yield f"month {number}", year
            if day:
                yield f"day {int(day)}.{number}", year
            if part["year"] or part["year2"]:
                yield year, ""
        elif part["weekday"]:
            yield f"weekday {_DAY[part['weekday'].casefold()]}", ""
        elif part["law"] or part["article"]:
            yield (f"§ {part['law']}" if part["law"] else f"art {part['article']}").casefold(), ""
        elif part["hour"] or part["hour2"]:
            mark = (part["mark"] or part["mark2"] or "").casefold()
            hour = int(part["hour"] or part["hour2"]) % (12 if mark[:1] in ("a", "p") else 25)
            hour += 12 if mark.startswith("p") else 0
            yield f"{hour}:{part['minute']}" if int(part["minute"] or 0) else f"{hour}", ""
        elif part["number"]:
            yield _value(part["number"], part["scale"]), _unit(part) or _counted(text, found.end())
    folded = text.casefold()
    for word in _WORD.findall(folded):
        if joined := _JOINED.fullmatch(word):
            one, ten, ten2, one2 = joined.groups()
            yield str(_SMALL[one or one2] + _TEN[ten or ten2]), ""
        elif word in _SAID and word not in _ANY_ONE:
            yield str(_SAID[word]), ""


def _unit(part: Mapping[str, str | None]) -> str:
    if before := part["before"]:
        return before.strip()
    return next((unit for at, unit in enumerate(_UNITS) if part[f"u{at}"]), "")


def _counted(text: str, at: int) -> str:
    """What a number without a unit counts: the word after it, as far as its forms agree."""
    word = _NEXT.match(text, at)
    return f"_{word[1][:5].casefold()}" if word else ""


def _value(written: str, scale: str | None) -> str:
    """A number in one writing: groups of three digits are thousands, whatever parts them; another mark is a decimal one."""
    bare = re.sub(r"[’  ]", "", written)
    marks = [mark for mark in bare if mark in ".,"]
    if marks:
        whole, _, rest = bare.rpartition(marks[-1])
        thousands = len(rest) == 3 and (len(set(marks)) == 1) and not whole.startswith("0")
        bare = re.sub(r"[.,]", "", bare) if thousands else f"{re.sub(r'[.,]', '', whole)}.{rest}"
    if len(bare) > _LONGEST:
        return bare
    power = next((power for name, power in _SCALES.items() if (scale or "").casefold().startswith(name)), 0)
    value = Decimal(bare).scaleb(power)
    return str(int(value)) if value == int(value) else str(value.normalize())


def names(text: str, language: Language) -> frozenset[str]:
    """The words of a sentence that surely name somebody or something, case folded.

    In English a capital within a sentence tells them; in German, where every noun has one, a title before it, a
    capitalised neighbour, a bare preposition, or capitals throughout.
    """
    words = list(_CAPITAL.finditer(text))
    found = {code.casefold() for code in _CODE.findall(text)}
    for at, word in enumerate(words):
        written = word.group()
        if not written[0].isupper() or is_function_word(written.casefold(), language) or written.casefold() in _MONTH:
            continue
        before = words[at - 1].group() if at else ""
        gap = text[words[at - 1].end() : word.start()] if at else ""
        beside = gap == " " or (gap == ". " and before.casefold() in _TITLES)
        capital = len(written) > 1 and written.isupper()
        titled = beside and before.casefold() in _TITLES
        if language == "en":
            named = at > 0 and gap.strip(" \"'“„(,;:-–") == ""
        else:
            noun = before[:1].isupper() and at > 1 and before.casefold() not in _MEASURES and before.isalpha()
            named = beside and (noun or before in _BARE["de"])
        if (capital or titled or named) and written.casefold() not in _MEASURES | _TITLES | _DAY.keys():
            found.add(written.casefold())
    return frozenset(found)


def same_name(name: str, words: frozenset[str]) -> bool:
    """Whether a name stands among the words of a text, in some case or number."""
    parts = tokens(name)
    return all(
        any(part == word or (min(len(part), len(word)) >= 3 and _inflected(part, word)) for word in words)
        for part in parts
    )


def _inflected(one: str, other: str) -> bool:
    short, long = sorted((one, other), key=len)
    return long.startswith(short) and long[len(short) :] in ("s", "es", "n", "en", "er", "ern", "e")
