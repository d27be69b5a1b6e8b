"""What a question asks for (a date, a number, a person, a place, a sum) and whether a sentence holds one."""

import re
from typing import Literal

from tools.language import Language, tokens

__all__ = ["Kind", "asks_for", "holds", "is_question"]

Kind = Literal["date", "number", "money", "name", "place"]

_MONTHS = (
    "januar|jänner|februar|märz|april|mai|juni|juli|august|september|oktober|november|dezember|"
    "january|february|march|may|june|july|october|december"
)
_DATE = re.compile(
    rf"\b1[0-9]{{3}}\b|\b20[0-9]{{2}}\b|\b\d{{1,2}}\.\s?\d{{1,2}}\.|\b(?:{_MONTHS})\b|jahrhundert|centur(?:y|ies)"
    r"|\b\d{3,4}(?:er|s)\b|\b\d{1,2}(?::\d\d)? ?(?:uhr\b|[ap]\.?m\b)|\b(?:mon|diens|donners|frei|sams|sonn)tags?\b"
    r"|\bmittwochs?\b|\b(?:mon|tues|wednes|thurs|fri|satur|sun)days?\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(
    r"\d+|\b(?:zwei|drei|vier|fünf|sechs|sieben|acht|neun|zehn|elf|zwölf|hundert|tausend|million(?:en)?|milliarden?|hälfte|"
    r"drittel|viertel|dutzend|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|hundred|thousand|million|billion|"
    r"half|third|quarter|dozens?)\b",
    re.IGNORECASE,
)
_MONEY = re.compile(
    r"\d[.,]*\s?(?:(?:mio|mrd|million|milliarde|tausend)(?:en|n)?\.?\s)?(?:€|euro?\b|eur\b|cent\b|\$|£|dollars?\b)"
    r"|[€$£]\s?\d"
    r"|kostenlos|gebührenfrei|unentgeltlich|free of charge|no charge",
    re.IGNORECASE,
)
# A capital inside a sentence; in German every noun has one, so this says little, and weighs little.
_CAPITAL = re.compile(r"(?<=[\wäöüß,;] )[„\"»(]?([A-ZÄÖÜ][\w-]+)")

# Atomic groups: what follows is looked for after the first "was" alone, not after each.
_ASKS: dict[Language, dict[Kind, str]] = {
    "de": {
        "money": r"\A(?>.*?\b(?:was|wie ?viel|wie ?hoch)\b)"
        r".*\b(?:(?:ge)?kostete?n?|kosten|gebühr\w*|preis\w*|euro|zahlen|bezahlen|geld)\b"
        r"|\bwie teuer\b",
        "number": r"\bwie ?viele?\b|\bwie (?:hoch|lange?|groß|gross|alt|weit|oft|schwer|breit|tief|schnell)\b"
        r"|\bwelche[rn]? (?:prozent\w*|anteil|anzahl|menge|höhe|temperatur)\b",
        "date": r"\b(?:seit |bis |ab )?wann\b"
        r"|\b(?:welche[mnrs]?|um wie ?viel) (?:jahr\w*|tage?n?|monate?n?|datum|uhr\w*|zeit\w*)\b",
        "name": r"\b(?:wer|wem|wen|wessen)\b",
        "place": r"\b(?:wo|wohin|woher)\b"
        r"|\bwelche[mnrs]? (?:stadt|land|ort|region|staat|kontinent|straße|strasse|gebäude)\b",
    },
    "en": {
        "money": r"\A(?>.*?\bhow much\b).*\b(?:cost|costs|pay|fee|price|charge|money)\b|\A(?>.*?\bwhat\b).*\b(?:fee|price|cost)\b",
        "number": r"\bhow (?:many|much|long|old|large|far|often|big|high|tall|fast|deep)\b"
        r"|\b(?:what|which) (?:percent\w*|number|amount|temperature)\b",
        "date": r"\bwhen\b|\b(?:what|which) (?:year|day|month|date|century|decade|time)\b",
        "name": r"\b(?:who|whom|whose)\b",
        "place": r"\bwhere\b|\b(?:what|which) (?:city|country|state|place|region|continent|street|building)\b",
    },
}
_OPENERS: dict[Language, re.Pattern[str]] = {
    "de": re.compile(
        r"\b(?:wann|wer|wem|wen|wessen|wo|wohin|woher|wie|was|warum|wieso|weshalb|welche[mnrs]?|wof[üu]r|womit|worauf|wor[üu]ber|wozu|wodurch|wovon)\b|^(?:ist|sind|kann|muss|darf|gibt|hat|haben|soll|wird|werden|brauche)\b"
    ),
    "en": re.compile(
        r"\b(?:when|who|whom|whose|where|how|what|why|which)\b|^(?:is|are|can|must|may|does|do|did|has|have|should|will|was|were)\b"
    ),
}


def is_question(query: str, language: Language) -> bool:
    """Whether `query` asks something, rather than names a topic."""
    return "?" in query or _OPENERS[language].search(query.casefold()) is not None


def asks_for(query: str, language: Language) -> Kind | None:
    """The kind of thing asked for; None where any sentence on the topic may answer."""
    words = " ".join(query.casefold().split())
    return next((kind for kind, pattern in _ASKS[language].items() if re.search(pattern, words)), None)


def holds(kind: Kind, sentence: str, asked: frozenset[str]) -> bool:
    """Whether `sentence` holds something of `kind` that the question (its words in `asked`) did not name itself."""
    match kind:
        case "date":
            return _DATE.search(sentence) is not None
        case "money":
            return _MONEY.search(sentence) is not None
        case "number":
            return any(found.group().casefold() not in asked for found in _NUMBER.finditer(sentence))
        case "name" | "place":
            return any(not set(tokens(found.group(1))) <= asked for found in _CAPITAL.finditer(sentence))
