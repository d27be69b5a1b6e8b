"""Finds statutes and their sections in German text: `§ 17 Abs. 1 des Bundesmeldegesetzes (BMG)`, `Art. 6 DSGVO`."""

import re
from collections.abc import Iterable, Iterator, Mapping

from tools.graph.mentions import CAPITAL, Mention, apart

__all__ = ["LAW", "abbreviations", "laws", "statute"]

LAW = "Law"

_PARTS = (
    r"(?:\s(?:Abs\.|Absatz)\s?\d+[a-z]?)?(?:\s(?:S\.|Satz)\s?\d+)?(?:\s(?:Hs\.|Halbsatz)\s?\d)?"
    r"(?:\s(?:Nr\.|Nummer)\s?\d+[a-z]?)?(?:\s(?:Buchst\.|Buchstabe|lit\.)\s?[a-z]\b)?"
)
_NEXT = r"(?:,\s|\s(?:und|oder|bis|sowie|i\.\s?V\.\s?m\.|in\sVerbindung\smit)\s)"
_SECTION = re.compile(
    rf"(?:§§?|Art\.|Artikel)\s?\d+[a-z]?\b{_PARTS}(?:\sff?\.)?"
    rf"(?:{_NEXT}(?:(?:§§?|Art\.)\s?)?(?:Abs\.\s?|Absatz\s|Satz\s|Nr\.\s?)?\d+[a-z]?\b(?!\.\s?[A-ZÄÖÜ0-9]){_PARTS})*(?:\sff?\.)?"
)
_LINK = re.compile(r"\s(?:(?:des|der|dem|vom)\s)?")
_SHORT = r"(?:SGB\s(?:XIV|XII|XI|IX|IV|VI{1,3}|V|I{1,3}|X)\b|[A-ZÄÖÜ][A-Za-zÄÖÜäöüß]*[A-ZÄÖÜ][A-Za-zÄÖÜäöüß]*(?:-[A-Z][a-z]*)?\b)"
_INTRODUCED = re.compile(rf"\s\(({_SHORT})(?:,[^()]{{1,60}})?\)")
_ENDING = r"(?:gesetzbuch(?:e?s)?|gesetz(?:e?s)?|satzung|verordnung|ordnung)"
_WORD = rf"[A-ZÄÖÜ](?:[A-Za-zäöüß]|-(?=[A-ZÄÖÜ])){{2,60}}?(?:{_ENDING}|-{_ENDING.replace('(?:', '(?i:', 1)})\b(?!-)"
_TOWN = rf"(?:\s(?:der|des)\s(?:Stadt|Gemeinde|Landkreises|Kreises|Marktes)\s{CAPITAL})"
_JOINED = rf"(?:\s(?:und|von|der|des|in\sder|im|für|zur|zum|über)\s(?:die\s|der\s|das\s|den\s)?{CAPITAL}|\s{CAPITAL})"
_NAMED = re.compile(
    rf"(?P<book>\b(?:Erst|Zweit|Dritt|Viert|Fünft|Sechst|Siebt|Acht|Neunt|Zehnt|Elft|Zwölft|Vierzehnt)e[snm]?\sBuch(?:e?s)?"
    rf"(?:\sdes)?\sSozialgesetzbuch(?:e?s)?\b)"
    rf"|(?P<civil>\bBürgerliche[sn]\sGesetzbuch(?:e?s)?\b)"
    rf"|(?P<title>\b(?:Satzung|Gesetz|Verordnung)(?:{_TOWN})?\s(?:über|zur|zum)\s(?:die\s|der\s|das\s|den\s)?{CAPITAL}{_JOINED}*)"
    rf"|(?P<word>\b{_WORD})(?P<rest>(?:\s(?:19|20)\d\d\b(?!\s\d))?{_TOWN}?)"
)
_ORDINALS = "Erst Zweit Dritt Viert Fünft Sechst Siebt Acht Neunt Zehnt Elft Zwölft Dreizehnt Vierzehnt".split()
_ROMAN = "I II III IV V VI VII VIII IX X XI XII XIII XIV".split()
_NO_LAW = frozenset(
    """anordnung anwesenheitsordnung besatzung betriebsordnung bundesgesetz einordnung friedensordnung gebührenordnung
    gesellschaftsordnung größenordnung grundordnung landesgesetz lebensordnung mustersatzung naturgesetz neuordnung
    rangordnung raumordnung rechtsordnung rechtsverordnung sitzordnung tagesordnung umordnung unordnung unterordnung
    verordnung wahlordnung weltordnung wirtschaftsordnung zuordnung überordnung""".split()
)
# Of the federation and the union alone: what the Länder call alike (LBO, KAG, GO) is not one statute.
_KNOWN = {
    "AO": "Abgabenordnung",
    "AufenthG": "Aufenthaltsgesetz",
    "BGB": "Bürgerliches Gesetzbuch",
    "BImSchG": "Bundes-Immissionsschutzgesetz",
    "BMG": "Bundesmeldegesetz",
    "BNatSchG": "Bundesnaturschutzgesetz",
    "BauGB": "Baugesetzbuch",
    "BauNVO": "Baunutzungsverordnung",
    "DSGVO": "Datenschutz-Grundverordnung",
    "FeV": "Fahrerlaubnis-Verordnung",
    "GG": "Grundgesetz",
    "GewO": "Gewerbeordnung",
    "IfSG": "Infektionsschutzgesetz",
    "KrWG": "Kreislaufwirtschaftsgesetz",
    "OZG": "Onlinezugangsgesetz",
    "PAuswG": "Personalausweisgesetz",
    "PStG": "Personenstandsgesetz",
    "StVG": "Straßenverkehrsgesetz",
    "StVO": "Straßenverkehrs-Ordnung",
    "TrinkwV": "Trinkwasserverordnung",
    "VwGO": "Verwaltungsgerichtsordnung",
    "VwVfG": "Verwaltungsverfahrensgesetz",
    "WHG": "Wasserhaushaltsgesetz",
    "WPG": "Wärmeplanungsgesetz",
}


def abbreviations(texts: Iterable[str]) -> dict[str, str]:
    """Short names of statutes that the texts introduce themselves, `Gewerbeordnung (GewO)`, beside the federal ones.

    One that stands for two names in these texts stands for none.
    """
    found: dict[str, set[str]] = {}
    for text in texts:
        for name, end in ((one.name, one.end) for one in _named(text)):
            if introduced := _INTRODUCED.match(text, end):
                found.setdefault(_spaced(introduced[1]), set()).add(name)
    own = {short: names.pop() for short, names in found.items() if len(names) == 1}
    return {short: name for short, name in _KNOWN.items() if short not in found} | own


def laws(text: str, short: Mapping[str, str]) -> list[Mention]:
    """The statutes of a text; with the section that is named before one as its property `provision`.

    `short` are the abbreviations of the document. An unknown one counts only behind a section.
    """
    named = {one.start: one for one in _named(text)}
    found: list[Mention] = list(named.values())
    for section in _SECTION.finditer(text):
        link = _LINK.match(text, section.end())
        if link is None:
            continue
        law = named.get(link.end()) or _shortened(text, link.end(), short)
        if law is not None:
            found.append(Mention(LAW, law.name, section.start(), law.end, {"provision": _spaced(section[0])}))
    for name, full in short.items():
        if len(name) < 3 or name not in text:  # "AO" and "GG" alone may be anything
            continue
        for place in re.finditer(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text):
            found.append(Mention(LAW, full, place.start(), place.end()))
    return apart(_with_short(text, one) for one in apart(found))


def statute(text: str) -> str | None:
    """The statute that a title names, where it is nothing but that and a remark: `Parkgebührenordnung 2027 (gültig ab …)`."""
    first = next(_named(text), None)
    if first is None or first.start or not re.match(r"\s*(?:$|[(–—:,])", text[first.end :]):
        return None
    return first.name


def _named(text: str) -> Iterator[Mention]:
    for found in _NAMED.finditer(text):
        if found["book"]:
            name = f"SGB {_ROMAN[next(at for at, word in enumerate(_ORDINALS) if found[0].startswith(word))]}"
        elif found["civil"]:
            name = "Bürgerliches Gesetzbuch"
        elif found["title"]:
            name = _spaced(found["title"])
        else:
            word = re.sub(r"(gesetz|buch)e?s$", r"\1", found["word"], flags=re.IGNORECASE)
            rest = found["rest"]
            if (word.lower() in _NO_LAW and not rest) or len(word) < 9:
                continue
            name = _spaced(word + rest)
        yield Mention(LAW, name, found.start(), found.end())


def _shortened(text: str, start: int, short: Mapping[str, str]) -> Mention | None:
    found = re.compile(_SHORT).match(text, start)
    if found is None:
        return None
    name = _spaced(found[0])
    return Mention(LAW, short.get(name, name), start, found.end())


def _with_short(text: str, law: Mention) -> Mention:
    """The mention with the abbreviation in brackets that follows it."""
    introduced = _INTRODUCED.match(text, law.end)
    if introduced is None or law.name == introduced[1]:
        return law
    properties = {**law.properties, "abbreviation": _spaced(introduced[1])}
    return Mention(LAW, law.name, law.start, introduced.end(), properties)


def _spaced(text: str) -> str:
    return " ".join(text.split())
