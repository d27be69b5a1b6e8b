"""What a question asks for, by its turns of phrase in German and English: a number, an average, a share, a development."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from tools.tables.words import Word

__all__ = ["SUPERLATIVES", "Cue", "amount", "cues", "numbers", "superlative"]


@dataclass(frozen=True, slots=True)
class Cue:
    """The words `start` to `end` (exclusive) and what they ask for; `detail` tells which of several."""

    kind: str
    start: int
    end: int
    detail: str = ""


_NUMBERS: Final = {
    word: at
    for words in (
        "one two three four five six seven eight nine ten",
        "ein zwei drei vier fünf sechs sieben acht neun zehn",
    )
    for at, word in enumerate(words.split(), 1)
}
SUPERLATIVES: Final = {
    # what is said: direction, and the meaning of the column where the word tells it
    **dict.fromkeys(("highest", "greatest", "maximum", "most", "best", "top", "maximal", "maximale"), ("most", "")),
    **dict.fromkeys(("höchste", "meiste", "beste", "am meisten", "am höchsten"), ("most", "")),
    **dict.fromkeys(("largest", "biggest", "größte", "am größten"), ("most", "area population height length value")),
    **dict.fromkeys(("longest", "längste", "am längsten"), ("most", "length")),
    **dict.fromkeys(("tallest",), ("most", "height")),
    **dict.fromkeys(("most expensive", "teuerste", "am teuersten"), ("most", "price")),
    **dict.fromkeys(("heaviest", "schwerste"), ("most", "weight")),
    **dict.fromkeys(("newest", "latest", "neueste", "neuste", "jüngste", "most recent"), ("most", "date year valid")),
    **dict.fromkeys(("lowest", "minimum", "least", "worst", "fewest"), ("least", "")),
    **dict.fromkeys(
        ("niedrigste", "geringste", "wenigste", "minimale", "am wenigsten", "am niedrigsten"), ("least", "")
    ),
    **dict.fromkeys(("smallest", "kleinste", "am kleinsten"), ("least", "area population height length value")),
    **dict.fromkeys(("shortest", "kürzeste", "am kürzesten"), ("least", "length")),
    **dict.fromkeys(("cheapest", "least expensive", "günstigste", "billigste", "am günstigsten"), ("least", "price")),
    **dict.fromkeys(("oldest", "earliest", "älteste", "früheste", "frühste"), ("least", "date year valid")),
    **dict.fromkeys(("highest rated", "highestrated", "best rated"), ("most", "rating")),
}
_EXTREME = "|".join(
    f"{re.escape(word)}{'[nrsm]?' if word.endswith('te') else ''}"
    for word in sorted(SUPERLATIVES, key=len, reverse=True)
)
_WORDS = "(?:" + "|".join(word for word in _NUMBERS if word not in ("one", "ein")) + ")"
_MANY = rf"(?:#|{_WORDS})"
_THAN = {
    "above": r"(?:(?:more|greater|higher|larger|bigger|longer|older|better) than|above|over|exceeding|> |"
    r"(?:mehr|höher|größer|länger|teurer|älter) als|über)",
    "at_least": r"(?:at least|no less than|mindestens|wenigstens|>=)",
    "below": r"(?:(?:less|fewer|lower|smaller|shorter|younger|cheaper) than|below|under|< |"
    r"(?:weniger|niedriger|kleiner|kürzer|günstiger|geringer) als|unter)",
    "at_most": r"(?:at most|no more than|höchstens|maximal|bis zu|<=)",
}

# In the order in which they take words; `#` stands for a number, `"` for quoted words, `@` for a date.
_PATTERNS: Final[tuple[tuple[str, str, str], ...]] = (
    (
        "filler",
        "",
        r"of the week|in the (?:database|data|tables?)|in terms of|(?:in )?(?:people|persons|inhabitants) per square \w+|"
        r"in (?:square )?(?:meters|metres|kilometers|kilometres|km|miles|euros?)",
    ),
    ("when", "", r"(?:um|ab|bis) wie ?viel uhr"),
    (
        "order",
        "down",
        r"(?:from )?(?:highest|largest|longest|most|biggest) to (?:lowest|smallest|shortest|least)(?: \w+)?",
    ),
    ("order", "up", r"(?:from )?(?:lowest|smallest|shortest|least) to (?:highest|largest|longest|most)(?: \w+)?"),
    ("order", "down", r"with the (?:highest|largest|best) (?:\w+ )?(?:\w+ )?first"),
    ("order", "up", r"(?:ordered |sorted |sortiert |geordnet )?(?:alphabetically|alphabetisch|in alphabetical order)"),
    ("order", "down", r"in descending order|in absteigender reihenfolge|descending|absteigend"),
    ("order", "up", r"in ascending order|in aufsteigender reihenfolge|ascending|aufsteigend"),
    (
        "ordered",
        "",
        r"(?:ordered|sorted|ranked|order(?: the)? results?|order|sort) (?:by|from)(?: the)?|(?:sortiert|geordnet) nach",
    ),
    ("ordered", "", r"ordered|sorted|ranked|sortiert|geordnet"),
    *(("than", test, rf"{pattern}\s*#") for test, pattern in _THAN.items()),
    ("between", "", r"(?:zwischen|between) # (?:und|and) #|(?:(?:von|from) )?# (?:bis|to|until) #"),
    (
        "starts",
        "",
        r"(?:starts?|begins?|starting|beginning) with(?: the letter)?|beginn(?:t|en) mit(?: dem buchstaben)?",
    ),
    ("contains", "", r"contains?|containing|enthält|enthalten"),
    (
        "share",
        "",
        r"(?:what |which )?(?:share|percentage|proportion|fraction|percent) of|how many percent of|wie ?viel prozent|"
        r"(?:prozentuale[rn]? )?anteil|prozentsatz",
    ),
    ("quotient", "", r"ratio(?: of| between)?|quotient(?: aus| von)?|verhältnis(?: von| zwischen)?"),
    (
        "difference",
        "",
        r"difference(?: between| in)?|unterschied|unterscheide[nt]|differenz|"
        r"um wie ?viel|how much (?:more|less|higher|lower|larger|smaller)",
    ),
    (
        "compare",
        "",
        r"vergleiche?n?|im vergleich(?: zu| mit)?|gegenüber|verglichen mit|compared?(?: to| with)?|versus|vs",
    ),
    (
        "development",
        "",
        r"(?:over|through|across) (?:the years|time)|im laufe? der (?:jahre|zeit)|über die jahre|"
        r"entwicklung|entwickelt(?:en|e)?|verändert(?:e|en)?|veränderung|verlauf|zeitverlauf|develop(?:ed|ment)?|evolved?|"
        r"changed?|changes|trend|gestiegen|gesunken|zugenommen|abgenommen|gewachsen|increased?|decreased?|grown?",
    ),
    (
        "average",
        "",
        r"(?:im )?durchschnitt|durchschnittlich(?:e[nrsm]?)?|durchschnittswert|mittelwert|im (?:schnitt|mittel)|"
        r"mittlere[nrs]?|average|mean",
    ),
    ("median", "", r"median(?:wert)?"),
    ("top", "", rf"(?:the |die )?top {_MANY}(?: (?:{_EXTREME}))?|(?:the |die |den )?{_MANY} (?:{_EXTREME})"),
    ("extreme", "", rf"\b(?:the |der |die |das |den |dem )?(?:{_EXTREME})"),
    ("many", "", rf"(?:die|den|der|the|welchen?|which) {_WORDS}"),
    (
        "count",
        "",
        r"wie ?viele|(?:die )?(?:gesamt)?anzahl(?: der| von| an)?|(?:die )?zahl der|how many|"
        r"(?:total |overall )?(?:number|numbers|count) of",
    ),
    (
        "sum",
        "",
        r"(?:die )?(?:gesamt)?summe(?: der| von)?|gesamt(?:betrag|wert|menge|zahl)?|insgesamt|zusammen|"
        r"(?:the )?sum of|total|in total|altogether|overall|combined",
    ),
    (
        "group",
        "",
        r"(?:for|in|of|per|at|on|to|by) each|each|for every|every|per|pro|je|jede[rmns]?|je nach|"
        r"(?:aufgeschlüsselt|gruppiert|aufgeteilt|gegliedert) nach|(?:grouped|broken down|split) by",
    ),
    ("amount", "", r"wie ?viel|wie hoch|how much"),
    ("distinct", "", r"different|distinct|unique|verschiedene[nr]?|unterschiedliche[nr]?"),
    ("when", "", r"seit wann|ab wann|bis wann|wann|since when|when"),
    (
        "empty",
        "",
        r"not (?:part of|assigned to|in) any|(?:has|have|with) no|without an?y?|without|ohne|kein(?:e[nrm]?)?",
    ),
    ("exists", "", r"^gibt es|^is there|^are there|^existier(?:t|en)|^does|^hat|^has|^liegt|^steht"),
    ("since", "at_least", r"(?:seit|since|ab|from|starting)(?: dem jahr| dem| the year| the)?(?= [#@])"),
    ("since", "at_most", r"(?:bis|until|up to)(?: zum jahr| zum| the year| the)?(?= [#@])"),
    ("since", "above", r"(?:nach|after)(?: dem jahr| dem| the year| the)?(?= [#@])"),
    ("since", "below", r"(?:vor|before)(?: dem jahr| dem| the year| the)?(?= [#@])"),
)
_COMPILED: Final = tuple(
    (
        kind,
        detail,
        re.compile(rf"(?<!\S)(?:{pattern})(?!\S)" if not pattern.startswith("^") else rf"(?:{pattern})(?!\S)"),
    )
    for kind, detail, pattern in _PATTERNS
)


def cues(question: Sequence[Word]) -> list[Cue]:
    """The turns of phrase, no word in two of them."""
    written = [_written(word) for word in question]
    text = " ".join(written)
    starts = [0]
    for piece in written:
        starts.append(starts[-1] + len(piece) + 1)
    taken: set[int] = set()
    found: list[Cue] = []
    for kind, detail, pattern in _COMPILED:
        for match in pattern.finditer(text):
            covered = [
                at for at in range(len(written)) if starts[at] < match.end() and starts[at + 1] - 1 > match.start()
            ]
            if covered and not taken.intersection(covered):
                taken.update(covered)
                found.append(Cue(kind, covered[0], covered[-1] + 1, detail or match[0]))
    return sorted(found, key=lambda cue: cue.start)


def _written(word: Word) -> str:
    return {"number": "#", "quoted": '"', "date": "@"}.get(word.kind, word.folded.replace(" ", "_"))


def amount(cue: Cue, question: Sequence[Word]) -> int | None:
    """How many a cue speaks of: `top 5`, `die drei größten`."""
    for word in question[cue.start : cue.end]:
        if word.number is not None:
            return int(word.number)
        if word.folded in _NUMBERS:
            return _NUMBERS[word.folded]
    return None


def superlative(cue: Cue, question: Sequence[Word]) -> tuple[str, tuple[str, ...]]:
    """Which end of an order a cue speaks of, and what the words say of the column."""
    spoken = " ".join(word.folded for word in question[cue.start : cue.end])
    for word in sorted(SUPERLATIVES, key=len, reverse=True):
        if re.search(rf"(?<!\w){re.escape(word)}", spoken):
            direction, meanings = SUPERLATIVES[word]
            return direction, tuple(meanings.split())
    return "most", ()


def numbers(cue: Cue, question: Sequence[Word]) -> Iterator[float]:
    """The figures a cue holds."""
    return (word.number for word in question[cue.start : cue.end] if word.number is not None)
