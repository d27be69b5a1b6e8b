"""Writes out for a German voice what is written short: dates, times, prices, laws, abbreviations, numbers."""

import re

from tools.speech.german_words import (
    ABBREVIATIONS,
    CURRENCIES,
    DASH,
    DATIVE,
    DAYS,
    FRACTIONS,
    MONTH,
    MONTHS,
    NUMBER,
    SCALES,
    SHORT_DAY,
    SHORT_DAYS,
    SHORT_MONTHS,
    SIGNS,
    UNIT,
    UNITS,
    WEAK,
    WEAK_N,
)
from tools.speech.numbers import digits_de, number_de, ordinal_de, year_de
from tools.speech.rule import apply, at_end, rule

__all__ = ["german"]

_ABBREVIATION = re.compile(r"(?<![\w.])(?:" + "|".join(f"({short})" for short in ABBREVIATIONS) + r")(?!\w)")
_LONG = list(ABBREVIATIONS.values())


def german(text: str) -> str:
    """One paragraph, written as it is said."""
    return apply(_RULES, text)


def _ending(match: re.Match[str]) -> str:
    """How an ordinal ends here, by the word before it."""
    before = re.findall(r"[\w-]+", match.string[max(0, match.start() - 60) : match.start()])
    word = before[-1].lower() if before else ""
    if (
        re.fullmatch(DAYS.lower(), word)
        and len(before) > 1
        and before[-2].lower() in {"am", "vom", "bis", "zum", "ab", "den", "dem"}
    ):
        return "en"
    return "en" if word in WEAK_N else "e" if word in WEAK else "er"


def _second_day(match: re.Match[str]) -> str:
    return f"{' bis ' if match['to'].strip() in '–-' else match['to']}{SHORT_DAYS[match['day']]}"


def _month(name: str) -> str:
    name = name.rstrip(".")
    return SHORT_MONTHS.get(name, name) if len(name) <= 4 and name != "Mai" else name


def _value(text: str, *, one: str = "eins") -> str:
    """A number as written in German: 1.250,50."""
    whole, _, decimals = re.sub(r"[.\u202f ]", "", text).partition(",")
    said = (
        digits_de(whole)
        if len(whole) > 1 and whole.startswith("0")
        else number_de(int(whole), one=one if not decimals else "eins")
    )
    return f"{said} Komma {digits_de(decimals)}" if decimals else said


def _date(match: re.Match[str]) -> str:
    day, month = int(match["day"]), int(match["month"])
    if not (1 <= day <= 31 and 1 <= month <= 12):
        return match[0]
    year = match.groupdict().get("year")
    said = f"{ordinal_de(day, _ending(match))} {MONTHS[month - 1]}"
    if not year:
        return f"{said}." if at_end(match) else said
    value = int(year)
    return f"{said} {year_de(value if len(year) == 4 else value + (2000 if value < 70 else 1900))}"


def _named_date(match: re.Match[str]) -> str:
    year = f" {year_de(int(match['year']))}" if match["year"] else ""
    return f"{ordinal_de(int(match['day']), _ending(match))} {_month(match['month'])}{year}"


def _day_range(match: re.Match[str]) -> str:
    ending = _ending(match)
    return f"{ordinal_de(int(match['first']), ending)} bis {ordinal_de(int(match['last']), ending)} {match['rest']}"


def _clock(hour: str, minute: str | None) -> str:
    said = f"{number_de(int(hour), one='ein')} Uhr"
    return f"{said} {number_de(int(minute))}" if minute and int(minute) else said


def _time(match: re.Match[str]) -> str:
    return _clock(match["hour"], match["minute"])


def _time_range(match: re.Match[str]) -> str:
    end = _clock(match["hour2"], match["minute2"])
    bare = not (match["minute"] and int(match["minute"])) and not (match["minute2"] and int(match["minute2"]))
    start = number_de(int(match["hour"]), one="eins") if bare else _clock(match["hour"], match["minute"])
    return f"{start} bis {end}"


def _money(match: re.Match[str]) -> str:
    one, cents = CURRENCIES[match["currency"].strip()]
    amount = match["amount"]
    if scale := match.groupdict().get("scale"):
        name = SCALES[scale][0 if amount == "1" else 1]
        return f"{_value(amount, one='eine')} {name} {one}"
    whole, _, decimals = re.sub(r"[.\u202f ]", "", amount).partition(",")
    if len(decimals) > 2:
        return f"{_value(amount)} {one}"
    part = int(decimals.ljust(2, "0")) if decimals else 0
    if int(whole) == 0 and part:
        return f"{number_de(part, one='ein')} {cents}"
    said = f"{number_de(int(whole), one='ein')} {one}"
    return f"{said} {number_de(part)}" if part else said


def _section(match: re.Match[str]) -> str:
    return "Paragrafen " if len(match[1]) > 1 else "Paragraf "


def _floor(match: re.Match[str]) -> str:
    ending = _ending(match)
    floor = "Obergeschoss" if match["floor"] == "OG" else "Untergeschoss"
    return f"{ordinal_de(int(match['day']), 'es' if ending == 'er' else ending)} {floor}"


def _phone(match: re.Match[str]) -> str:
    digits = re.sub(r"\D", "", match[0])
    if not 6 <= len(digits) <= 16:
        return match[0]
    groups = [group for group in re.split(r"[^\d+]+", match[0]) if group.strip("+")]
    said = [("plus " if group.startswith("+") else "") + digits_de(group) for group in groups]
    return ", ".join(said)


def _address(match: re.Match[str]) -> str:
    text = re.sub(r"^(?:https?://|mailto:)", "", match[0]).rstrip("/")
    host, slash, path = text.partition("/")
    path = re.split(r"[?#]", path)[0]
    said = host.replace("@", " ät ").replace(".", " Punkt ").replace("_", " Unterstrich ").replace("-", " Bindestrich ")
    if slash and path and len(path) <= 40:
        said += " Schrägstrich " + re.sub(r"[-_.]", " ", path.replace("/", " Schrägstrich "))
    return said


def _abbreviation(match: re.Match[str]) -> str:
    long = _LONG[(match.lastindex or 1) - 1]
    # The abbreviation's full stop also ended the sentence where nothing follows.
    return f"{long}." if at_end(match) and match[0].endswith(".") else long


def _ordinal(match: re.Match[str]) -> str:
    before = match["before"].lower()
    earlier = re.findall(r"\w+", match.string[max(0, match.start() - 20) : match.start()])
    dative = before == "der" and bool(earlier) and earlier[-1].lower() in DATIVE
    ending = "en" if before in WEAK_N or dative else "e"
    return f"{match['before']} {ordinal_de(int(match['day']), ending)} "


def _unit(match: re.Match[str]) -> str:
    unit = UNITS[match["unit"]]
    unit = unit[:-1] if match["amount"] == "1" and unit in {"Stunden", "Minuten", "Kilowattstunden"} else unit
    one = "eine" if unit.endswith(("tunde", "inute")) else "ein"
    return f"{_value(match['amount'], one=one)} {unit}"


def _plain(match: re.Match[str]) -> str:
    text = match[0]
    rest = match.string[match.end() : match.end() + 12]
    if (
        len(text) == 4
        and text.isdecimal()
        and 1100 <= int(text) <= 1999
        and not re.match(r"\s?(?:Euro|Einwohner|Meter|Stück|Personen|Menschen)", rest)
    ):
        return year_de(int(text))
    if text == "1" and re.match(r"\s(?:Tag|Jahr|Monat|Euro|Mal|Kind|Meter)\b", rest):
        return "ein"
    if text == "1" and re.match(r"\s(?:Stunde|Woche|Minute|Person|Seite|Million|Milliarde)\b", rest):
        return "eine"
    return _value(text)


def _house(match: re.Match[str]) -> str:
    return f"{number_de(int(match[1]))} {match[2]}"


def _version(match: re.Match[str]) -> str:
    return " Punkt ".join(_value(part) for part in match[0].split("."))


def _year(name: str) -> str:
    return rf"(?P<{name}>\d{{4}}|\d{{2}}(?!\d))"


_AMOUNT = rf"(?P<amount>{NUMBER})"
_MONEY = r"(?P<currency>€|EUR\b|Euro\b|\$|£|CHF\b)"
_CLOCK = r"(?<![\d.,:])(?P<hour>[01]?\d|2[0-4])"
_BEFORE = "|".join(sorted(WEAK | WEAK_N)) + "|Die|Der|Das|Am|Im|Zum|Zur|Vom|Bis|Den"
_PHONE = r"(?:\+\d{1,3}[\s/-]?)?(?:\(0\)\s?)?\(?0?\d{1,5}\)?(?:[ /–-]{1,3}\d{1,8}){1,5}"
_RULES = [
    rule(r"(?:https?://|www\.)[^\s<>\"“”„,;)]*[^\s<>\"“”„,;).:!?]|[\w.+-]+@[\w-]+(?:\.[\w-]+)+", _address),
    rule(
        r"(?<![\w.@/-])(?:[a-zA-Z0-9-]+\.)+(?:de|com|org|net|eu|at|ch|info)(?:/[\w./-]*\w)?(?![\w-])",
        _address,
    ),
    rule(r"(?<=[a-zäöüß])(?:[*:_]|/-?)(?=innen\b|in\b)", " "),
    rule(r"(?<=[a-zäöüß])(?=Innen\b)", " "),
    rule(
        rf"\b(?P<day>{SHORT_DAY})\.?(?=\s?(?:[–-]|,|und|bis|/)\s?(?:{SHORT_DAY})\b|[.:]?,?\s?\d{{1,2}}(?:[:.]\d\d)?\s?(?:[–-]|bis|Uhr))",
        lambda m: SHORT_DAYS[m["day"]],
    ),
    rule(rf"(?:(?<=tag)|(?<=och))(?P<to>\s?[–-]\s?|, | und | bis )(?P<day>{SHORT_DAY})\b\.?", _second_day),
    rule(r"\b(\d{4})-(\d{2})-(\d{2})\b(?!-)", lambda m: f"{m[3]}.{m[2]}.{m[1]}"),
    rule(rf"(?<=\d\.)({DASH})(?=\d{{1,2}}\.\s?\d{{1,2}}\.)", " bis "),
    rule(rf"(?<=\d\.\d{{4}})({DASH})(?=\d{{1,2}}\.\s?\d{{1,2}}\.)", " bis "),
    rule(rf"(?<![\d.,])(?P<day>\d{{1,2}})\.\s?(?P<month>\d{{1,2}})\.\s?{_year('year')}(?![.,]?\d)", _date),
    rule(
        rf"(?<![\d.,])(?P<first>\d{{1,2}})\.(?:{DASH})(?P<last>\d{{1,2}})\.\s(?P<rest>{MONTH})",
        _day_range,
    ),
    rule(
        rf"(?<![\d.,])(?P<day>\d{{1,2}})\.\s?(?P<month>{MONTH})(?:\s(?P<year>\d{{4}})(?!\d))?",
        _named_date,
    ),
    rule(r"(?<![\d.,])(?P<day>0?[1-9]|[12]\d|3[01])\.\s?(?P<month>0[1-9]|1[0-2]|[1-9])\.(?!\s?\d|\w)", _date),
    rule(
        rf"{_CLOCK}(?:[:.](?P<minute>[0-5]\d))?(?:\sUhr)?(?:{DASH})(?P<hour2>[01]?\d|2[0-4])(?:[:.](?P<minute2>[0-5]\d))?\s?(?:Uhr|h)\b",
        _time_range,
    ),
    rule(
        rf"{_CLOCK}:(?P<minute>[0-5]\d)(?:{DASH})(?P<hour2>[01]?\d|2[0-4]):(?P<minute2>[0-5]\d)(?![\d:])",
        _time_range,
    ),
    rule(rf"{_CLOCK}(?:[:.](?P<minute>[0-5]\d))?\s?(?:Uhr)\b", _time),
    rule(rf"{_CLOCK}:(?P<minute>[0-5]\d)(?::\d\d)?(?![\d:]|\sStimmen)(?:\s?h\b)?", _time),
    rule(rf"(?<=[a-zäöü])\s?[–-]\s?(?=(?:{DAYS}|{MONTH})\b)", " bis "),
    rule(
        rf"(?<![\w,.]){_PHONE}(?![\w,.]\d|\w|\s?[€%])",
        lambda m: _phone(m) if m[0].lstrip("(").startswith(("0", "+")) else m[0],
    ),
    rule(r"(?<![\w,.])0\d{5,12}\b", _phone),
    rule(
        r"(?:(?<=Notruf )|(?<=Notruf: )|(?<=ummer )|(?<=Telefon ))1\d\d(?: ?\d{3})?(?!\w|[.,]\d)",
        lambda m: digits_de(m[0]),
    ),
    rule(r"(?<![\w.,])(?P<day>\d{1,2})\.\s?(?P<floor>OG|UG)\b", _floor),
    rule(r"(§{1,2})\s?", _section),
    rule(r"(?<=\d)\s?ff\.?(?!\w)", " fortfolgende"),
    rule(r"(?<=\d)\sf\.(?=\s|$|[,;)])", " folgende"),
    rule(
        rf"({NUMBER})\s?[–-]\s?(?=(?:{NUMBER})\s?(?:€|EUR|Euro|%|(?:Jahr|Tag|Woche|Monat|Stunde|Minute|Person|Kind|Seite)\w*|{UNIT})(?!\w))",
        lambda m: f"{m[1]} bis ",
    ),
    rule(r"(?<![\d-])(\d{4})\s?[/-]\s?(?=\d{4}(?![\d-]))", lambda m: f"{m[1]} bis "),
    rule(r"(?<=\d)\s?[–—]\s?(?=\d)", " bis "),
    rule(rf"(?<![\w.,]){_AMOUNT}\s?(?P<scale>Mio\.|Mrd\.|Tsd\.)\s?{_MONEY}", _money),
    rule(rf"(?<![\w.,]){_AMOUNT}\s?{_MONEY}", _money),
    rule(rf"(?<!\w)(?P<currency>€|EUR|\$|£|CHF)\s?{_AMOUNT}", _money),
    rule(rf"(?<![\w.,]){_AMOUNT}\s?(?P<unit>{UNIT})(?![\w²³])", _unit),
    rule(_ABBREVIATION, _abbreviation),
    rule(r"(?<=[a-zäöü])str\.(?=\s|$|,)", "straße"),
    rule(r"(?<=[a-zäöü]-)Str\.(?=\s|$|,)", "Straße"),
    rule(r"(?<=[a-zäöü])pl\.(?=\s\d)", "platz"),
    rule(
        rf"\b(?P<before>{_BEFORE})\s(?P<day>\d{{1,3}})\.\s(?=[a-zäöüA-ZÄÖÜ])",
        _ordinal,
    ),
    rule(r"(?<=\d)\s?[x*]\s?(?=\d)", " mal "),
    rule(r"(?<=\d)\s?:\s?(?=\d)", " zu "),
    rule(r"(?<!\w)(\d{2,4})er\b", lambda m: f"{year_de(int(m[1]))}er"),
    rule(r"(?<=\d)\s?%ig", "prozentig"),
    rule(r"(?<=\d)/(?=\d)", " Strich "),
    rule(r"(?<=[^\W\d])/(?=[^\W\d])", " "),
    rule(r"(?<!\w)(\d{1,4})\s?([a-zA-Z])(?![\w.])(?<!\d [A-Z])", _house),
    rule(
        r"(?<![\w.])\d+(?:\.\d+){2,}(?![\w.]\d)",
        lambda m: m[0].replace(".", "") if re.fullmatch(r"\d{1,3}(?:\.\d{3})+", m[0]) else _version(m),
    ),
    rule(r"(?<![\w,.])[−-](?=\d)", "minus "),
    rule(r"\+(?=\s?\d)", "plus "),
    rule(rf"(?<![\w]){NUMBER}(?!\w)", _plain),
    rule(r"\d+", lambda m: f" {_value(m[0])} "),
    rule("[" + "".join(FRACTIONS) + "]", lambda m: f" {FRACTIONS[m[0]]}"),
    rule("[" + re.escape("".join(SIGNS)) + "]", lambda m: SIGNS[m[0]]),
]
