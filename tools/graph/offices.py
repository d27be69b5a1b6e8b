"""Finds offices, councils and who leads them in German text: Bürgerbüro, Amt für Umwelt und Klima, Dezernat II."""

import re
from collections.abc import Iterator

from tools.graph.mentions import CAPITAL, Mention

__all__ = ["BODY", "OFFICE", "PERSON", "leaders", "offices"]

OFFICE = "Office"
BODY = "Body"
PERSON = "Person"

_FIELD = rf"(?!Abs\b|Nr\b){CAPITAL}(?:\s{CAPITAL})?"
_FIELDS = rf"{CAPITAL}(?:,\s{CAPITAL}(?=(?:,\s{CAPITAL})*\s(?:und|sowie)\s{CAPITAL}))*(?:\s(?:und|sowie)\s(?!Amts?\b){CAPITAL})?"
_NUMBER = r"(?:\d{1,3}(?:\.\d{1,2})?|[IVX]{1,5})\b"
_UNIT = r"Fachbereich|Fachdienst|Fachgebiet|Dezernat|Referat|Stabsstelle|Sachgebiet"
_BUREAU = (
    "Bürger|Ehrenamts|Wahl|Fund|Presse|Stadt|Rats|Kultur|Umwelt|Integrations|Gleichstellungs|Senioren|Jugend|Familien"
)
_BOARD = "Ausländer|Fahrerlaubnis|Naturschutz|Melde|Bauaufsichts|Straßenverkehrs|Zulassungs|Wasser|Denkmalschutz|Waffen"
_OFFICE = re.compile(
    rf"(?P<for>\bAmte?s?\sfür\s{_FIELDS})"
    rf"|(?P<unit>\b(?:{_UNIT})(?:e?s)?\s(?:für\s{_FIELDS}|{_NUMBER}|{CAPITAL}(?:\s(?:und|sowie)\s{CAPITAL})?))"
    rf"|(?P<bureau>\b(?:{_BUREAU})büros?\b)|(?P<site>\b(?:Projekt|Quartiers)büros?\s{CAPITAL})"
    rf"|(?P<board>\b(?:{_BOARD})behörde\b|\b(?:Kfz-|Kraftfahrzeug)?[Zz]ulassungsstelle\b|\b(?:Wohngeld|Elterngeld|Melde|Führerschein|Unterhaltsvorschuss)stelle\b)"
    rf"|(?P<works>\bStadtwerken?\b)"
    rf"|(?P<single>\b(?:Kämmerei|Stadtkämmerei|Stadtkasse|Jobcenter|(?:Stadt|Gemeinde|Kreis|Friedhofs|Bezirks)verwaltung)s?\b)"
    rf"|(?P<local>\b(?:Ortsverwaltung|Wirtschaftsförderung)\b)"
    rf"|(?P<amt>\b[A-ZÄÖÜ][a-zäöüß]{{2,40}}(?:-[A-ZÄÖÜ][a-zäöüß]+)*amt(?:e?s)?\b)"
)
_NO_AMT = frozenset(
    "beamt ehrenamt lehramt nebenamt pfarramt hauptamt schulamtsamt samt insgesamt gesamt wahlamt richteramt hochamt".split()
)
_BODY = re.compile(
    r"\b(Stadtrat|Gemeinderat|Kreistag|Stadtverordnetenversammlung|Hauptausschuss|Bauausschuss|Ortsbeirat|Landtag|Bundestag|Bundesrat)"
    r"(?:e?s)?\b"
)
_TITLES = r"(?:(?:Dr|Prof)\.\s(?:[a-z]+\.\s)?)*"
_NAME = (
    rf"{_TITLES}(?!Herrn?\b|Frau\b)[A-ZÄÖÜ][a-zäöüß]+(?:-[A-ZÄÖÜ][a-zäöüß]+)*"
    rf"(?:\s(?:von|van|zu|de)(?:\s(?:der|den))?)?\s{CAPITAL}(?:\s{CAPITAL})?"
)
_ROLE = (
    r"(?:kommissarischen?\s)?(?:Leiter|Leiterin|Amtsleiter|Amtsleiterin|Geschäftsführer|Geschäftsführerin|Betriebsleiter|"
    r"Betriebsleiterin|Direktor|Direktorin)"
)
_ADDRESS = r"(?:Herrn?\s|Frau\s)?"
_SINCE = r"(?:seit|ab)\s(?:dem\s)?(?:‹[A-Za-z]+\d+›|[^.,;‹]{1,40}?)\s"
_LEADS = re.compile(
    rf"(?P<name>{_NAME}),\s(?:der|die)\s{_ROLE}\s(?:des|der)\s(?=‹(?:Office|Facility)(?P<led>\d+)›)"
    rf"|\b{_ROLE}\s(?:des|der)\s‹(?:Office|Facility)(?P<of>\d+)›\s(?:ist|bleibt)\s{_ADDRESS}(?P<is>{_NAME})"
    rf"|\b{_ROLE}\s(?:des|der)\s‹(?:Office|Facility)(?P<her>\d+)›,?\s{_ADDRESS}(?P<apposed>{_NAME})"
    rf"|‹(?:Office|Facility)(?P<it>\d+)›\swird\s(?:{_SINCE})?von\s{_ADDRESS}(?P<by>{_NAME})\sgeleitet\b"
    rf"|(?P<who>{_NAME})\sleitet\s(?:{_SINCE})?(?:das|die|den)\s‹(?:Office|Facility)(?P<runs>\d+)›"
)


def offices(text: str, town: str | None) -> Iterator[Mention]:
    """The offices and councils of a text, each in the nominative; `town` behind a name says nothing new."""
    for found in _OFFICE.finditer(text):
        name = _nominative(found)
        if name is not None:
            yield _with_town(text, name, found.start(), found.end(), town)
    for found in _BODY.finditer(text):
        yield _with_town(text, found[1], found.start(), found.end(), town, label=BODY)


def leaders(sentence: str) -> Iterator[tuple[str, str, tuple[int, int]]]:
    """Person, number of the mark of what the person leads, and where the name stands, in a masked sentence."""
    for found in _LEADS.finditer(sentence):
        for person, led in (("name", "led"), ("is", "of"), ("apposed", "her"), ("by", "it"), ("who", "runs")):
            if found[person]:
                yield found[person], found[led], found.span(person)


def _nominative(found: re.Match[str]) -> str | None:
    name = " ".join(found[0].split())
    match found.lastgroup:
        case "for":
            return re.sub(r"^Amte?s?\b", "Amt", name)
        case "unit":
            return re.sub(rf"^({_UNIT})e?s\b", r"\1", name)
        case "bureau":
            return name.removesuffix("s")
        case "site":
            return name.replace("büros ", "büro ", 1)
        case "board":
            return f"{name[0].upper()}{name[1:]}"
        case "works":
            return "Stadtwerke"
        case "single":
            return name.removesuffix("s")
        case "amt":
            name = re.sub(r"e?s$", "", name)
            return None if name.lower() in _NO_AMT or name.lower().endswith(("ehrenamt", "gesamt")) else name
        case _:
            return name


def _with_town(text: str, name: str, start: int, end: int, town: str | None, *, label: str = OFFICE) -> Mention:
    """A town behind the name belongs to it: two towns have two Bürgerbüros. The own `town` is left out."""
    if town and (own := re.match(rf"\s(?:(?:der\sStadt|von|in)\s)?{re.escape(town)}\b", text[end : end + 80])):
        return Mention(label, name, start, end + own.end())
    if name in _PLACED and (other := re.match(rf"\s((?!‹){CAPITAL})", text[end : end + 80])):
        return Mention(label, f"{name} {other[1]}", start, end + other.end())
    if other := re.match(rf"\s(?:der\sStadt|der\sGemeinde|des\sLandkreises)\s{CAPITAL}", text[end : end + 80]):
        return Mention(label, f"{name}{' '.join(('', *other[0].split()))}", start, end + other.end())
    return Mention(label, name, start, end)


_PLACED = frozenset({"Ortsverwaltung", "Bürgerbüro", "Stadtwerke"})
