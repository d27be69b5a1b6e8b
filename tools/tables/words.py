"""The words of a question: tokens with numbers and dates, what words mean alike in German and English, and which say nothing."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Final

from tools.language.analysis import grams, is_function_word, stems
from tools.language.calendar import MONTHS

__all__ = ["HARD", "SOFT", "Word", "alike", "concept", "empty", "likeness", "month", "parts", "said", "words"]

_TOKEN = re.compile(
    r"[\"“”„‚‘’'`«»](?P<quoted>[^\"“”„‚‘’`«»]{1,80}?)[\"“”‘’'`«»](?!\w)"
    r"|(?P<date>\d{4}-\d\d-\d\d|\d{1,2}\.\d{1,2}\.\d{4})"
    r"|(?P<number>\d{1,3}(?:[.,]\d{3})+(?!\d)(?:[.,]\d+)?|\d+(?:[.,]\d+)?)(?!\w)"
    r"|(?P<word>[^\W_]+(?:[-’'][^\W_]+)*)|(?P<sign>[<>]=?|€|%)"
)
_CAMEL = re.compile(r"[A-ZÄÖÜ]+(?=[A-ZÄÖÜ][a-zäöü])|[A-ZÄÖÜ]?[a-zäöüß]+|[A-ZÄÖÜ]+|\d+")
_MONTHS = {name.lower(): at for names in MONTHS.values() for at, name in enumerate(names, 1)}

# Words that mean the same of a column, whatever the language of either; the first names the group.
_CONCEPTS: Final = """
price preis preise kosten kostet kostete cost costs amount betrag gebühr gebühren fee fees tarif entgelt beitrag eur euro
year jahr jahre jahres jahren years annual jährlich jährliche
date datum tag tage day days
month monat monate months monatlich monthly
weekday wochentag wochentage weekdays tag tage tagen day days
price teuer expensive charge zahlen zahle zahlt bezahlen bezahlt
open öffnet öffnen geöffnet offen opens opened opening öffnungszeit öffnungszeiten
close schließt schließen closes closing geschlossen geöffnet offen open öffnungszeit öffnungszeiten
birth geburt geburten births geborene
death sterbefall sterbefälle deaths
waste abfall abfälle müll
visit besuch besuche visits besucher visitors
district stadtteil stadtteile stadtteilen ortsteil bezirk bezirke stadtbezirk quarter neighbourhood neighborhood viertel
city cities stadt städte town towns ort orte gemeinde gemeinden
country countries land länder staat staaten nation
state bundesland bundesländer province
population einwohner einwohnerzahl bevölkerung inhabitants people residents
office amt ämter behörde dienststelle stelle department abteilung zuständig zuständige
service leistung leistungen dienstleistung dienstleistungen services
topic thema themen topics kennzahl kennzahlen indicator
value wert werte values figure zahl anzahl count quantity menge
unit einheit einheiten units
name namen names bezeichnung titel title heißt heißen heisst called named
group gruppe gruppen groups kategorie kategorien category categories art arten type types
area fläche flächen areas size größe
length länge längen long lang
height höhe höhen altitude elevation high hoch
age alter old alt
weight gewicht heavy schwer
rating bewertung bewertungen ratings rated note
street straße straßen streets address adresse adressen
phone telefon telefonnummer telephone
legal rechtsgrundlage gesetz law laws grundlage basis satzung
valid gültig gilt gelten gültigkeit
revenue umsatz umsätze erlös sales einnahmen income
salary gehalt gehälter lohn wage
employee mitarbeiter mitarbeitende beschäftigte personal staff employees
customer kunde kunden customers
product produkt produkte products artikel
order bestellung bestellungen auftrag aufträge orders
stock bestand lager inventory
start beginn anfang begin begins beginnt
end ende schluss ends endet
share anteil quote rate prozent percent percentage
temperature temperatur temperaturen
school schule schulen schools
person personen leute
child kind kinder children
budget haushalt etat
project projekt projekte vorhaben projects
status stand zustand
version versionen versions
author autor autorin autoren authors verfasser
book buch bücher books
vehicle fahrzeug fahrzeuge auto car vehicles cars
"""

# Words that hold a question together and bind to nothing.
SOFT: Final = frozenset(
    """
was wie wer wo welche welcher welches welchen welchem hoch viel groß lang ist sind war waren wird werden wurde wurden
hat haben hatte hatten gibt gab es beträgt betrug betragen liegt liegen lag bitte zeige zeig mir uns nenne nenn liste
alle allen aller stehen steht findet finden kann muss man ich wir daten tabelle tabellen eintrag einträge einträgen
zeile zeilen database data table tables record records entry entries rows row what which who whom whose where how is
are was were be been being has have had do does did the a an of in on at to for with by from that this these those
there their its it and me us show list give return get find please tell provide display located together corresponding
all also as well und der die das den dem des ein eine einen einem einer eines im am an auf bei mit von vom zum zur für
aus jeweils jeweilige jeweiligen davon dort many much i you he she they them s lebten leben lebt wohnen wohnt wohnten
live lives living received receive receives published presented posted written wrote serving serve serves served made
make makes occurred occur happened happen offered offer offers provided provides associated belong belongs belonging
having held bieten bietet angeboten verlangt verlangen erhebt erheben erhoben erhalten erhielt stattgefunden
veröffentlicht geschrieben gemacht registriert verzeichnet gezählt
zählt zählte zählten fällt fiel fielen kommt kam kamen counted recorded registered existing
""".split()
)
HARD: Final = frozenset(
    """
not nicht kein keine keinen keiner keinem no non ohne without nur only except außer both beide beiden neither weder
noch nor than als ab before vor after nach since seit until bis between zwischen more mehr less weniger fewer same
gleiche gleichen if wenn last letzte letzten first erste ersten never nie über unter above below over under through
durch against gegen still schon ratio pro je per each every either warum why wieso weil because or oder
""".split()
)
"""Words that change what is asked: a question in which one of them was not understood is not answered."""


@dataclass(frozen=True, slots=True)
class Word:
    """One token: as it stands, folded, and what it is when it is no word."""

    text: str
    folded: str
    kind: str
    """word, quoted, number, date, sign."""
    number: float | None = None


def words(question: str) -> list[Word]:
    """The tokens in order; a word's hyphens are gone."""
    found: list[Word] = []
    for match in _TOKEN.finditer(question):
        kind = match.lastgroup or "word"
        text = match[kind]
        folded = text.lower().replace("-", "").replace("’", "'")
        if kind == "word":
            folded = re.sub(r"'s$", "", folded)
        number = _number(text) if kind == "number" else None
        if kind == "date" and "." in text:
            day, month, year = text.split(".")
            folded = f"{year}-{int(month):02}-{int(day):02}"
        elif kind == "date":
            folded = text
        found.append(Word(text, folded, kind, number))
    return found


def _number(text: str) -> float:
    """German and English figures: the last separator is the decimal one unless three digits follow it."""
    if re.fullmatch(r"\d{1,3}([.,]\d{3})+", text):
        return float(re.sub(r"[.,]", "", text))
    head, point, tail = text.rpartition("." if text.rfind(".") > text.rfind(",") else ",")
    return float(f"{re.sub(r'[.,]', '', head)}.{tail}") if point else float(text)


def month(word: str) -> int | None:
    """1 to 12 where the word names a month."""
    return _MONTHS.get(word)


@cache
def _groups() -> dict[str, frozenset[str]]:
    groups: dict[str, set[str]] = {}
    for line in _CONCEPTS.strip().splitlines():
        first, *rest = line.split()
        for word in (first, *rest):
            for form in {word, *_stems(word)}:
                groups.setdefault(form, set()).add(first)
    return {word: frozenset(names) for word, names in groups.items()}


def concept(word: str) -> frozenset[str]:
    """The groups of meaning a word belongs to."""
    groups = _groups()
    nothing = frozenset[str]()
    return groups.get(word) or next((groups[form] for form in _stems(word) if form in groups), nothing)


def alike(word: str) -> frozenset[str]:
    """The words that mean the same as this one."""
    meant = concept(word)
    return frozenset(other for other, names in _groups().items() if names & meant) if meant else frozenset()


@lru_cache(maxsize=1 << 14)
def _stems(word: str) -> tuple[str, str]:
    return (" ".join(stems(word, "de")), " ".join(stems(word, "en")))


@lru_cache(maxsize=1 << 14)
def _plain(word: str) -> str:
    return word.translate({228: "ae", 246: "oe", 252: "ue", 223: "ss"})


@lru_cache(maxsize=1 << 16)
def likeness(word: str, term: str) -> float:
    """From 0 to 1: the same word, another form of it, a misspelling; meaning is not looked at."""
    if word == term or _plain(word) == _plain(term):
        return 1.0
    if len(word) < 3 or len(term) < 3:
        return 0.0
    if set(_stems(word)) & set(_stems(term)):
        return 0.97
    if len(word) < 6 or len(term) < 6:
        return 0.0
    one, other = set(grams(word)), set(grams(term))
    dice = 2 * len(one & other) / (len(one) + len(other))
    return dice if dice >= 0.7 else 0.0


@lru_cache(maxsize=1 << 12)
def parts(name: str) -> tuple[str, ...]:
    """The words of a column's or table's name: `food_type`, `sbTxStatus` and `Gebühr (€)` alike."""
    found = [piece.lower() for word in re.findall(r"[^\W_]+", name) for piece in _CAMEL.findall(word)]
    return tuple(found or [name.lower()])


def said(tokens: Sequence[Word]) -> str:
    """The words as they stand in the question."""
    return " ".join(token.text for token in tokens)


def empty(word: Word) -> bool:
    """Whether a word only holds the question together."""
    if word.folded in HARD:
        return False
    return word.kind == "word" and (
        word.folded in SOFT or is_function_word(word.folded, "de") or is_function_word(word.folded, "en")
    )
