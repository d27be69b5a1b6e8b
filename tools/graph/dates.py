"""Finds dates and deadlines in German text: `21. April 2026`, `innerhalb von zwei Wochen nach dem Einzug`."""

import re
from collections.abc import Iterator
from datetime import date

from tools.graph.mentions import CAPITAL, Mention, numbered
from tools.language.calendar import MONTHS

__all__ = ["DATE", "DEADLINE", "dates", "deadlines"]

DATE = "Date"
DEADLINE = "Deadline"

_DATE = re.compile(
    rf"(?<![\d.,])(?P<day>[0-3]?\d)\.\s?(?:(?P<name>{'|'.join(MONTHS['de'])})\s|(?P<month>[01]?\d)\.\s?)(?P<year>(?:19|20)\d\d)(?!\d)"
)
_TIME = r"(?:Tage[ns]?|Wochen?|Monate[ns]?|Monats|Jahre[ns]?|Jahres|Stunden?|Arbeitstagen?|Werktagen?|Kalendertagen?)"
_FROM = (
    rf"(?:\s(?:nach|vor|ab|seit)\s(?:(?:dem|der|den|des|Ihrem|Ihrer)\s)?(?:[a-zäöüß]{{3,20}}(?:en|er)\s)?{CAPITAL}"
    rf"(?:\s(?:in|an|bei)\s(?:den|das|die|der|dem)\s{CAPITAL}|\s(?:des|der)\s{CAPITAL})?)"
)
_WITHIN = re.compile(
    rf"\b(?:[Ii]nnerhalb|[Bb]innen)\s(?:von\s)?(?:{numbered})\s(?:[a-zäöüß]{{3,12}}(?:en|er)\s)?{_TIME}\b{_FROM}?"
    rf"|\b(?:[Ss]pätestens|[Ff]rühestens)\s(?:{numbered})\s{_TIME}\s(?:vor|nach)\s(?:(?:dem|der|den)\s)?{CAPITAL}"
)
_UNTIL = re.compile(rf"\b[Bb]is\s(?:spätestens\s)?(?:zum\s|am\s)?(?={_DATE.pattern.replace('?P<', '?P<until_')})")
_DUE = re.compile(
    r"\b(?:muss|müssen|Frist|Fristen|spätestens|anmelden|anzumelden|beantragen|beantragt|einreichen|einzureichen|eingereicht|"
    r"umtauschen|bewerben|Bewerbung(?:en)?|Anträge|Antrag|Anmeldeschluss|Anmeldung(?:en)?)\b|\b(?:merken|melden)\s.*\s(?:vor|an)\b"
)
_ADVICE = re.compile(r"\b(?:sollte|sollten|empfiehlt|empfehlen|empfohlen|rät)\b")
_VALID = re.compile(r"\b(?:gelten|gilt|gültig|befristet|kostet|kosten|Gebühr|Preis|gesperrt)\b")


def dates(text: str) -> Iterator[Mention]:
    """Days, named as ISO 8601 writes them; one that no calendar has is none."""
    for found in _DATE.finditer(text):
        month = MONTHS["de"].index(found["name"]) + 1 if found["name"] else int(found["month"])
        try:
            day = date(int(found["year"]), month, int(found["day"]))
        except ValueError:
            continue
        yield Mention(DATE, day.isoformat(), found.start(), found.end())


def deadlines(text: str, start: int, end: int) -> Iterator[Mention]:
    """The deadlines of the sentence `text[start:end]`: how long something may take, or a day by which it must be done."""
    if _ADVICE.search(text, start, end):
        return
    for found in _WITHIN.finditer(text, start, end):
        name = " ".join(found[0].split())
        yield Mention(DEADLINE, name[0].lower() + name[1:], found.start(), found.end())
    sentence = text[start:end]
    if not _DUE.search(sentence) or _VALID.search(sentence):
        return
    for found in _UNTIL.finditer(text, start, end):
        day = next(dates(text[found.end() : end]), None)
        if day is not None:
            stop = found.end() + day.end
            name = " ".join(text[found.start() : stop].split())
            yield Mention(DEADLINE, name[0].lower() + name[1:], found.start(), stop, {"date": day.name})
