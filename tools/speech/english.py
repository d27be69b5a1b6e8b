"""Writes out for an English voice what is written short: dates, times, prices, laws, abbreviations, numbers."""

import re

from tools.language.calendar import MONTHS, WEEKDAYS
from tools.speech.numbers import digits_en, number_en, ordinal_en, year_en
from tools.speech.rule import apply, at_end, rule

__all__ = ["english"]

_MONTHS = MONTHS["en"]
_MONTH = rf"(?:(?:{'|'.join(_MONTHS)})\b|(?:Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept|Sep|Oct|Nov|Dec)\b\.?)"
_SHORT = {month[:3]: month for month in _MONTHS} | {"Sept": "September"}
_DAYS = {day[:3]: day for day in WEEKDAYS["en"]} | {"Tues": "Tuesday", "Thurs": "Thursday"}
_DAY = "|".join(sorted(_DAYS, key=len, reverse=True))
_ABBREVIATIONS = {
    r"e\.\s?g\.": "for example",
    r"i\.\s?e\.": "that is",
    r"etc\.": "et cetera",
    r"approx\.": "approximately",
    r"incl\.": "including",
    r"excl\.": "excluding",
    r"vs\.": "versus",
    r"cf\.": "compare",
    r"Dr\.": "Doctor",
    r"Prof\.": "Professor",
    r"Mr\.": "Mister",
    r"Mrs\.": "Missus",
    r"Ms\.": "Miz",
    r"St\.(?=\s[A-Z])": "Saint",
    r"Nos\.(?=\s?\d)": "numbers",
    r"No\.(?=\s?\d)": "number",
    r"no\.(?=\s?\d)": "number",
    r"Art\.": "Article",
    r"para\.(?=\s?\d)": "paragraph",
    r"Sec\.(?=\s?\d)": "Section",
    r"Tel\.": "telephone",
    r"tel\.": "telephone",
    r"Ave\.": "Avenue",
    r"Rd\.": "Road",
    r"dept\.": "department",
    r"min\.": "minutes",
    r"hrs\.": "hours",
    r"p\.\s?(?=\d)": "page ",
    r"pp\.\s?(?=\d)": "pages ",
    r"Ltd\.": "Limited",
    r"a\.\s?m\.": "a m",
    r"p\.\s?m\.": "p m",
}
_ABBREVIATION = re.compile(r"(?<![\w.])(?:" + "|".join(f"({short})" for short in _ABBREVIATIONS) + r")(?!\w)")
_LONG = list(_ABBREVIATIONS.values())
_SENTENCE = re.compile(r"\s+[A-Z]")
_UNITS = {
    "km/h": ("kilometre per hour", "kilometres per hour"),
    "mph": ("mile per hour", "miles per hour"),
    "kWh": ("kilowatt hour", "kilowatt hours"),
    "km²": ("square kilometre", "square kilometres"),
    "km": ("kilometre", "kilometres"),
    "m²": ("square metre", "square metres"),
    "m³": ("cubic metre", "cubic metres"),
    "cm": ("centimetre", "centimetres"),
    "mm": ("millimetre", "millimetres"),
    "m": ("metre", "metres"),
    "kg": ("kilogram", "kilograms"),
    "ha": ("hectare", "hectares"),
    "°C": ("degree Celsius", "degrees Celsius"),
    "°F": ("degree Fahrenheit", "degrees Fahrenheit"),
    "°": ("degree", "degrees"),
    "%": ("percent", "percent"),
    "GB": ("gigabyte", "gigabytes"),
    "MB": ("megabyte", "megabytes"),
    "min": ("minute", "minutes"),
}
_UNIT = "|".join(re.escape(unit) for unit in sorted(_UNITS, key=len, reverse=True))
_NUMBER = r"(?:\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?|\d+(?:\.\d+)?)"
_CURRENCY = {
    "€": ("euro", "euros", "cent", "cents"),
    "EUR": ("euro", "euros", "cent", "cents"),
    "euros": ("euro", "euros", "cent", "cents"),
    "$": ("dollar", "dollars", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
}
_SCALES = {"m": "million", "bn": "billion", "k": "thousand", "million": "million", "billion": "billion"}
_FRACTIONS = {"½": "one half", "¼": "one quarter", "¾": "three quarters", "⅓": "one third", "⅔": "two thirds"}
_SIGNS = {
    "&": " and ",
    "×": " times ",
    "→": " ",
    "≈": " approximately ",
    "≥": " at least ",
    "≤": " at most ",
    "±": " plus or minus ",
    "=": " equals ",
    "·": ", ",
}


def english(text: str) -> str:
    """One paragraph, written as it is said."""
    return apply(_RULES, text)


def _value(text: str) -> str:
    """A number as written in English: 1,250.50."""
    whole, _, decimals = text.replace(",", "").partition(".")
    said = digits_en(whole) if len(whole) > 1 and whole.startswith("0") else number_en(int(whole))
    return f"{said} point {digits_en(decimals)}" if decimals else said


def _month(name: str) -> str:
    return _SHORT.get(name.rstrip("."), name)


def _date(day: str, month: str, year: str | None, match: re.Match[str]) -> str:
    if not 1 <= int(day) <= 31:
        return match[0]
    article = "" if match.string[max(0, match.start() - 4) : match.start()].lower().endswith("the ") else "the "
    return f"{article}{ordinal_en(int(day))} of {month}" + (f" {year_en(int(year))}" if year else "")


def _numeric_date(match: re.Match[str]) -> str:
    month = int(match["month"])
    return _date(match["day"], _MONTHS[month - 1], match["year"], match) if 1 <= month <= 12 else match[0]


def _month_first(match: re.Match[str]) -> str:
    year = f", {year_en(int(match['year']))}" if match["year"] else ""
    return f"{_month(match['month'])} {ordinal_en(int(match['day']))}{year}"


def _clock(match: re.Match[str]) -> str:
    minute = int(match["minute"] or 0)
    hour = number_en(int(match["hour"]))
    half = " ".join((match["half"] or "").replace(".", "").lower().strip())
    if half:
        stop = "." if match[0].endswith(".") and (at_end(match) or _SENTENCE.match(match.string, match.end())) else ""
        return f"{hour}{f' {_minutes(minute)}' if minute else ''} {half}{stop}"
    return (
        f"{hour} {_minutes(minute)}"
        if minute
        else f"{hour} o'clock"
        if int(match["hour"]) <= 12
        else f"{hour} hundred hours"
    )


def _minutes(minute: int) -> str:
    return f"oh {number_en(minute)}" if minute < 10 else number_en(minute)


def _money(match: re.Match[str]) -> str:
    one, many, cent, cents = _CURRENCY[match["currency"]]
    amount = match["amount"]
    if scale := match.groupdict().get("scale"):
        return f"{_value(amount)} {_SCALES[scale]} {many}"
    whole, _, decimals = amount.replace(",", "").partition(".")
    if len(decimals) > 2:
        return f"{_value(amount)} {many}"
    part = int(decimals.ljust(2, "0")) if decimals else 0
    if int(whole) == 0 and part:
        return f"{number_en(part)} {cent if part == 1 else cents}"
    said = f"{number_en(int(whole))} {one if int(whole) == 1 else many}"
    return f"{said} {number_en(part)}" if part else said


def _phone(match: re.Match[str]) -> str:
    digits = re.sub(r"\D", "", match[0])
    if not match[0].lstrip("(").startswith(("0", "+")) or not 6 <= len(digits) <= 16:
        return match[0]
    groups = [group for group in re.split(r"[^\d+]+", match[0]) if group.strip("+")]
    return ", ".join(("plus " if group.startswith("+") else "") + digits_en(group) for group in groups)


def _address(match: re.Match[str]) -> str:
    text = re.sub(r"^(?:https?://|mailto:)", "", match[0]).rstrip("/")
    host, slash, path = text.partition("/")
    path = re.split(r"[?#]", path)[0]
    said = host.replace("@", " at ").replace(".", " dot ").replace("_", " underscore ").replace("-", " dash ")
    if slash and path and len(path) <= 40:
        said += " slash " + re.sub(r"[-_.]", " ", path.replace("/", " slash "))
    return said


def _abbreviation(match: re.Match[str]) -> str:
    long = _LONG[(match.lastindex or 1) - 1]
    return f"{long}." if at_end(match) and match[0].endswith(".") else long


def _unit(match: re.Match[str]) -> str:
    one, many = _UNITS[match["unit"]]
    return f"{_value(match['amount'])} {one if match['amount'] == '1' else many}"


def _plain(match: re.Match[str]) -> str:
    text = match[0]
    before = match.string[max(0, match.start() - 24) : match.start()].rstrip().lower()
    yearly = before.endswith(
        (" in", "since", "until", "from", "by", "year", "of", "to", "and", *map(str.lower, _MONTHS))
    )
    if len(text) == 4 and text.isdecimal() and (1100 <= int(text) <= 1999 or (2000 <= int(text) <= 2099 and yearly)):
        return year_en(int(text))
    return _value(text)


_AMOUNT = rf"(?P<amount>{_NUMBER})"
_HALF = r"(?P<half>\s?(?:[ap]\.\s?m\.|[ap]m\b|[AP]M\b))"
_CLOCK = r"(?<![\d.,:])(?P<hour>[01]?\d|2[0-4])"
_RULES = [
    rule(r"(?:https?://|www\.)[^\s<>\"“”„,;)]*[^\s<>\"“”„,;).:!?]|[\w.+-]+@[\w-]+(?:\.[\w-]+)+", _address),
    rule(r"(?<![\w.@/-])(?:[a-zA-Z0-9-]+\.)+(?:de|com|org|net|eu|uk|info)(?:/[\w./-]*\w)?(?![\w-])", _address),
    rule(
        r"\b(?P<year>\d{4})-(?P<month>\d{2})-(?P<day>\d{2})\b(?!-)",
        _numeric_date,
    ),
    rule(r"(?<![\d.,/])(?P<day>\d{1,2})[./](?P<month>\d{1,2})[./](?P<year>\d{4})(?![\d/])", _numeric_date),
    rule(
        rf"(?<![\d.,])(\d{{1,2}})(?:st|nd|rd|th)?\s?(?:[–-]|\bto\b)\s?(?=\d{{1,2}}(?:st|nd|rd|th)?\s(?:{_MONTH})\b)",
        lambda m: f"the {ordinal_en(int(m[1]))} to ",
    ),
    rule(
        rf"(?<![\d.,])(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\s(?:of\s)?(?P<month>{_MONTH})(?:,?\s(?P<year>\d{{4}})(?!\d))?",
        lambda m: _date(m["day"], _month(m["month"]), m["year"], m),
    ),
    rule(
        rf"\b(?P<month>{_MONTH})\s(?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?!\d|[:.]\d)(?:,?\s(?P<year>\d{{4}})(?!\d))?",
        _month_first,
    ),
    rule(
        rf"\b(?P<day>{_DAY})\b\.?(?=\s?[–,-]\s?(?:{_DAY})\b|[:,]?\s\d{{1,2}}(?:[:.]\d\d|\s?[ap]\.?m))",
        lambda m: _DAYS[m["day"]],
    ),
    rule(rf"(?<=day)\s?[–-]\s?(?P<day>{_DAY})\b\.?", lambda m: f" to {_DAYS[m['day']]}"),
    rule(rf"(?<=[a-z])\s?[–-]\s?(?=(?:{'|'.join(_DAYS.values())}|{_MONTH})\b)", " to "),
    rule(r"(?<=\d)\s?(?:[–—]|-(?=\d{1,2}(?::|\s?[ap]\.?m)))\s?(?=\d)", " to "),
    rule(rf"{_CLOCK}(?:[:.](?P<minute>[0-5]\d))?{_HALF}", _clock),
    rule(rf"{_CLOCK}:(?P<minute>[0-5]\d)(?P<half>)(?![\d:])(?:\s?(?:hrs|h)\b)?", _clock),
    rule(
        r"(?<![\w,.])(?:\+\d{1,3}[\s/-]?)?(?:\(0\)\s?)?\(?0?\d{1,5}\)?(?:[ /–-]{1,3}\d{1,8}){1,5}(?![\w,.]\d|\w)",
        _phone,
    ),
    rule(r"(?<![\w,.])0\d{5,12}\b", _phone),
    rule(
        r"(?:(?<=emergency )|(?<=call )|(?<=number )|(?<=dial ))11\d(?!\w|[.,]\d)",
        lambda m: digits_en(m[0]),
    ),
    rule(r"(§{1,2})\s?", lambda m: "sections " if len(m[1]) > 1 else "section "),
    rule(r"(?<!\d)(\d{4})\s?[/-]\s?(?=\d{4}(?!\d))", lambda m: f"{m[1]} to "),
    rule(
        rf"(?P<currency>[€$£]|EUR)\s?{_AMOUNT}\s?(?P<scale>bn|m|k|million|billion)\b",
        _money,
    ),
    rule(rf"(?P<currency>[€$£]|(?<!\w)EUR)\s?{_AMOUNT}", _money),
    rule(rf"(?<![\w.,]){_AMOUNT}\s?(?P<currency>[€$£]|EUR\b|euros\b)", _money),
    rule(rf"(?<![\w.,]){_AMOUNT}\s?(?P<unit>{_UNIT})(?![\w²³])", _unit),
    rule(_ABBREVIATION, _abbreviation),
    rule(r"(?<!\w)(\d+)(?:st|nd|rd|th)\b", lambda m: ordinal_en(int(m[1]))),
    rule(r"(?<!\w)(\d{2,4})s\b", lambda m: f"{year_en(int(m[1]))}s".replace("ys", "ies")),
    rule(r"(?<=\d)\s?[x*]\s?(?=\d)", " times "),
    rule(r"(?<=\d)\s?:\s?(?=\d)", " to "),
    rule(r"(?<=\d)/(?=\d)", " slash "),
    rule(r"(?<=[^\W\d])/(?=[^\W\d])", " "),
    rule(r"(?<![\w.])\d+(?:\.\d+){2,}(?![\w.]\d)", lambda m: " point ".join(map(_value, m[0].split(".")))),
    rule(r"(?<!\w)(\d{1,4})([a-zA-Z])(?!\w)", lambda m: f"{number_en(int(m[1]))} {m[2]}"),
    rule(r"(?<![\w,.])[−-](?=\d)", "minus "),
    rule(r"\+(?=\s?\d)", "plus "),
    rule(rf"(?<!\w){_NUMBER}(?!\w)", _plain),
    rule(r"\d+", lambda m: f" {_value(m[0])} "),
    rule("[" + "".join(_FRACTIONS) + "]", lambda m: f" {_FRACTIONS[m[0]]}"),
    rule("[" + re.escape("".join(_SIGNS)) + "]", lambda m: _SIGNS[m[0]]),
]
