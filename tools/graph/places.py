"""Finds addresses, public buildings, opening hours, telephone numbers and e-mail addresses in German text."""

import re
from collections.abc import Iterator

from tools.graph.mentions import CAPITAL, Mention
from tools.language.calendar import WEEKDAYS

__all__ = ["CONTACT", "FACILITY", "HOURS", "PLACE", "contacts", "facilities", "hours", "places"]

PLACE = "Place"
FACILITY = "Facility"
CONTACT = "Contact"
HOURS = "OpeningHours"

_STREET = (
    r"(?:[A-ZÄÖÜ][a-zäöüß]+(?:-[A-ZÄÖÜ][a-zäöüß]+)*(?:-(?:Straße|Platz|Weg|Allee|Ring|Ufer)|"
    r"straße|str\.|platz|weg|gasse|allee|ufer|ring|damm|steig|promenade|markt)|"
    r"(?:Alte|Alter|Neue|Neuer|Große|Großer|Kleine|Kleiner|Lange|Obere|Untere)n?\s(?:Straße|Platz|Weg|Gasse|Allee|Markt)|"
    r"[A-ZÄÖÜ][a-zäöüß]+er\s(?:Straße|Platz|Weg|Allee|Ring|Damm|Ufer))"
)
_TOWN = rf"\d{{5}}\s{CAPITAL}(?:\s(?:am|an\sder|im|in)\s{CAPITAL})?"
_ADDRESS = re.compile(
    rf"\b(?P<street>{_STREET})\s(?P<number>\d{{1,3}}(?:\s?[a-h]\b)?(?:[-–/]\d{{1,3}}[a-h]?)?)"
    rf"(?!\s?(?:Uhr|Prozent|%|€|Euro|Meter|Kilometer|bis|\.\d)|\d|[.,]\d|\.\s(?:Januar|Februar|März|April|Mai|Ju|Aug|Sep|Okt|Nov|Dez))"
    rf"(?:,\s(?P<town>{_TOWN}))?"
    rf"|\b(?P<odd>(?:Am|An\sder|Im|In\sder|Auf\sdem|Auf\sder|Zum|Zur)\s{CAPITAL})\s(?P<odd_number>\d{{1,4}}[a-h]?),\s(?P<odd_town>{_TOWN})"
)
_HOUSE: dict[str, tuple[str, ...]] = {
    "n": ("Rathaus", "Bürgerhaus", "Stadtarchiv", "Hallenbad", "Freibad", "Kulturhaus", "Gemeindehaus", "Stadtmuseum")
}
_HOUSE["m"] = ("Wertstoffhof", "Recyclinghof", "Bauhof", "Waldfriedhof", "Hauptfriedhof", "Stadtgarten")
_HOUSE["f"] = (
    "Stadtbibliothek",
    "Stadtbücherei",
    "Stadthalle",
    "Volkshochschule",
    "Musikschule",
    "Feuerwache",
    "Wassermühle",
)
_GENDER = {name: gender for gender, names in _HOUSE.items() for name in names}
_END = {"n": "es", "m": "er", "f": "e"}
_FACILITY = re.compile(
    rf"\b(?:(?P<which>Alte|Neue)[nsmr]?\s)?(?P<kind>{'|'.join(_GENDER)})(?:e?s)?\b"
    rf"(?:\s(?P<name>(?!(?:{'|'.join(WEEKDAYS['de'])}|Uhr)\b){CAPITAL}))?(?!-)"
)
_NAMED = frozenset(
    {"Bürgerhaus", "Hallenbad", "Freibad", "Kulturhaus", "Gemeindehaus", "Feuerwache", "Stadtbibliothek"}
)
# Each town has several: one without a name may be any of them.
_ANY = frozenset({"Bürgerhaus", "Hallenbad", "Freibad", "Kulturhaus", "Gemeindehaus", "Feuerwache", "Wassermühle"})
_BATH = re.compile(r"\b(?P<name>[A-ZÄÖÜ][a-zäöüß]{2,20}bad)(?:e?s)?\b(?!-)")
_NO_BATH = frozenset(
    "schwimmbad hallenbad freibad thermalbad blutbad bad dampfbad schaumbad sonnenbad wannenbad".split()
)
_DAY = (
    rf"(?:{'|'.join(day + 's?' for day in WEEKDAYS['de'])}|{'|'.join(day.lower() + 's' for day in WEEKDAYS['de'])}|"
    r"täglich|werktags|Mo|Di|Mi|Do|Fr|Sa|So)\b\.?"
)
_DAYS = rf"(?:{_DAY}|am\sWochenende)(?:(?:,\s|\sund\s|\sbis\s|[-–]\s?|\sbis\s)(?:{_DAY}|am\sWochenende))*"
_CLOCK = r"\d{1,2}(?:[.:]\d{2})?(?:\sUhr)?"
_SPAN = rf"(?:von\s|zwischen\s)?{_CLOCK}\s?(?:bis|und|[-–])\s?{_CLOCK}"
_SLOT = rf"{_DAYS}:?\s{_SPAN}(?:\s(?:und|sowie)\s(?:von\s)?{_CLOCK}\s?(?:bis|[-–])\s?{_CLOCK})?"
_HOURS = re.compile(rf"\b{_SLOT}(?:(?:,\s(?:und\s)?|;\s|\sund\s|\ssowie\s)(?:am\s)?{_SLOT})*(?<=Uhr)")
_MAIL = re.compile(r"(?<![\w.+-])[A-Za-z0-9][A-Za-z0-9._+-]{0,63}@(?:[A-Za-z0-9-]{1,63}\.){1,5}[A-Za-z]{2,24}(?![\w-])")
_PHONE = re.compile(
    r"(?P<said>(?:Tel(?:efon)?\.?|Rufnummer|Telefonnummer|Hotline|Fax|Nummer)(?:\sunter)?:?\s(?:der\s)?)"
    r"(?P<number>\+?\(?\d[\d()/ –-]{1,22}\d)(?!\d)"
    r"|(?<![\d.,/€])(?P<plain>(?:\+49[ (0-9]|0[1-9]\d{1,4}[ /-])[\d/ –-]{4,18}\d)(?![\d.,]\d)"
)


def places(text: str) -> Iterator[Mention]:
    """The addresses of a text: a street with its number, and the town where it is said."""
    for found in _ADDRESS.finditer(text):
        street = found["street"] or found["odd"]
        number = found["number"] or found["odd_number"]
        town = found["town"] or found["odd_town"]
        street = re.sub(r"(?<=[a-zäöüß])str\.$", "straße", " ".join(street.split()))
        street = re.sub(r"^(Alte|Neue|Große|Kleine)n\s(?=Straße|Gasse|Allee)", r"\1 ", street)
        street = re.sub(r"^(Alte|Neue|Große|Kleine)n\s(?=Platz|Weg|Markt)", r"\1r ", street)
        name = f"{street} {number.replace(' ', '')}"
        yield Mention(PLACE, f"{name}, {town}" if town else name, found.start(), found.end())


def facilities(text: str, town: str | None) -> Iterator[Mention]:
    """Public buildings, in the nominative: `im Alten Rathaus` is the `Altes Rathaus`. A bare Rathaus is one too."""
    for found in _FACILITY.finditer(text):
        kind, named, end = found["kind"], found["name"], found.end()
        if named and kind not in _NAMED:
            named, end = None, found.start("name") - 1
        if town and named == town:
            named = None
        if kind in _ANY and not named and not found["which"]:
            continue
        name = f"{kind} {named}" if named else kind
        if named and _BATH.fullmatch(named):  # "Freibad Waldbad" is the Waldbad
            name = named
        if found["which"]:
            name = f"{found['which']}{_END[_GENDER[kind]][1:]} {name}"
        yield Mention(FACILITY, name, found.start(), end)
    for found in _BATH.finditer(text):
        if found["name"].lower() not in _NO_BATH:
            yield Mention(FACILITY, found["name"], found.start(), found.end())


def hours(text: str) -> Iterator[Mention]:
    """Stretches such as `montags und dienstags von 8 bis 16 Uhr, freitags von 8 bis 12 Uhr`."""
    for found in _HOURS.finditer(text):
        yield Mention(HOURS, " ".join(found[0].split()), found.start(), found.end())


def contacts(text: str) -> Iterator[Mention]:
    """Telephone numbers that are called so or look like nothing else, and e-mail addresses."""
    for found in _MAIL.finditer(text):
        yield Mention(CONTACT, found[0], found.start(), found.end(), {"kind": "email"})
    for found in _PHONE.finditer(text):
        group = "number" if found["number"] else "plain"
        kind = "fax" if (found["said"] or "").startswith("Fax") else "telephone"
        number = " ".join(found[group].split())
        yield Mention(CONTACT, number, found.start(group), found.end(group), {"kind": kind})
