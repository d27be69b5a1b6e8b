"""Finds what things cost in German text: rows of tables of fees, and sentences that say it."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tools.graph.dates import dates
from tools.graph.mentions import CAPITAL, Mention

__all__ = ["AMOUNT", "FEE", "Fee", "amounts", "rows", "said"]

FEE = "Fee"
AMOUNT = "Amount"

_NUMBER = r"\d{1,3}(?:\.\d{3})+(?:,\d{2}|,[–-])?|\d{1,6}(?:,\d{2}|,[–-])?"
_PER = r"(?:\s(?:im\s(?:Jahr|Monat|Quartal|Halbjahr)|(?:je|pro)\s(?:[a-zäöüß]{3,12}e\s)?[A-ZÄÖÜm][A-Za-zäöüß²³]*))"
_AMOUNT = re.compile(rf"(?<![\d.,])(?P<number>{_NUMBER})\s?(?:€|Euro\b|EUR\b)(?P<per>{_PER}{{0,2}})")
_FREE = re.compile(r"(?:gebühren|kosten)(?:frei|los)|frei|keine Gebühr")
_RULE = re.compile(r"\|[\s:|-]+\|?\s*")
_ABOUT = re.compile(r"gebühr|preis|kosten|kostet|entgelt|beitrag|beiträge|tarif|steuer|eintritt|miete", re.IGNORECASE)
_NO_FEE = re.compile(
    r"haushaltsplan|haushaltsjahr|haushalt\s\d|ertrag|erträge|aufwand|aufwendung|ausgaben|einnahmen|investition|förder|umsatz|zuschuss|"
    r"baukosten|gesamtkosten|finanzier|grundlohn|wert\b|schaden|bußgeld|geldbuße",
    re.IGNORECASE,
)
_ABOUT_ONLY = re.compile(r"\b(?:im Durchschnitt|durchschnittlich|rund|etwa|ca\.|insgesamt|die Stadt)\b")
_DAY = re.compile(r"(?P<which>ab|bis)\s(?:dem\s|zum\s)?(?P<day>[\d. ]*\d{4}|‹Date\d+›)")
_ARTICLE = re.compile(r"^(?:Der|Die|Das|Den|Ein|Eine|Einen|der|die|das|den|ein|eine|einen|für)\s")
_FILLER = re.compile(
    r"\b(?:noch|künftig|pauschal|unverändert|einmalig|nur|jeweils|zusätzlich|weiterhin|derzeit|dann|jetzt|nun|einen|eine|"
    r"(?:ab|bis|seit)\s(?:dem|zum)\s‹Date\d+›|(?:Gebühr|Gebühren|Beitrag|Preis)\svon)\s?"
)
_WHAT = r"(?P<what>[^‹›,;:.|]{3,80}?)"
_SAYS = (
    re.compile(rf"^{_WHAT}\s(?:kostet|kosten)\s(?P<more>(?:[^‹›,;:|]|‹Date\d+›){{0,60}})‹Amount(?P<amount>\d+)›"),
    re.compile(
        rf"\b[Dd]ie\sGebühr(?:\sfür\s{_WHAT})?\s(?:beträgt|liegt\sbei|steigt\s(?:von\s‹Amount\d+›\s)?auf)\s‹Amount(?P<amount>\d+)›"
    ),
    re.compile(
        rf"\bFür\s{_WHAT}\s(?:werden|wird|bleiben|fällt|fallen)\s(?P<more>[^‹›,;:|]{{0,30}})‹Amount(?P<amount>\d+)›"
    ),
)
_ALSO = re.compile(
    rf"(?:,\s(?:und\s)?|\sund\s)(?:der|die|das|für\sdie|für\sden|für\sdas)\s{_WHAT}\s(?:zusätzlich\s)?‹Amount(?P<amount>\d+)›"
)
_FOR = re.compile(rf"\sfür\s(?P<whom>{CAPITAL})(?:\sund\s‹Amount(?P<amount>\d+)›\sfür\s(?P<others>{CAPITAL}))?")
_CLAUSE = re.compile(
    r"\b(?:sind|ist|war|waren|wird|werden|hat|übernimmt|zahlt|zahlen|trägt|tragen|Zuschlag\svon|zwischen)\b"
)
_MOST = 10_000
"""Euros; what costs more is no fee but a budget."""
_REDUCED = re.compile(r",\sermäßigt\s‹Amount(?P<amount>\d+)›")
_IS_FREE = re.compile(r"^(?:Der|Die|Das)\s(?P<what>[^‹›,;:.|]{3,60})\sist\s(?:gebühren|kosten)frei\b")


@dataclass(frozen=True, slots=True)
class Fee:
    """What costs how much. `start` and `end` are the place of what says so."""

    what: str
    amount: str
    """In euros, with two decimals."""
    per: str
    start: int
    end: int
    valid_from: str = ""
    valid_to: str = ""

    @property
    def name(self) -> str:
        """As people read it: `Fällgenehmigung: 75,00 €`."""
        euros, _, cents = self.amount.partition(".")
        shown = (
            f"{int(euros):,},{cents} €".replace(",", ".", (len(euros) - 1) // 3)
            if float(self.amount)
            else "gebührenfrei"
        )
        days = f" ab {self.valid_from}" * bool(self.valid_from) + f" bis {self.valid_to}" * bool(self.valid_to)
        return f"{self.what}: {shown}{f' {self.per}' * bool(self.per)}{days}"


def amounts(text: str) -> Iterator[Mention]:
    """Sums of money in euros; not millions."""
    for found in _AMOUNT.finditer(text):
        per = " ".join(found["per"].split())
        yield Mention(AMOUNT, _decimal(found["number"]), found.start(), found.end(), {"per": per})


def rows(text: str, above: str) -> Iterator[Fee]:
    """The fees of the tables in a text, each at its row; `above` are headings and title, which say what they are of."""
    table: list[tuple[int, int, list[str]]] = []
    at = 0
    for line in [*text.splitlines(keepends=True), ""]:
        bare = line.rstrip()
        if not bare.startswith("|"):
            yield from _table(table, above)
            table = []
        elif not _RULE.fullmatch(bare):
            table.append((at, at + len(bare), [cell.strip() for cell in bare.strip("|").split("|")]))
        at += len(line)


def said(sentence: str, mentions: Sequence[Mention], start: int, end: int) -> Iterator[Fee]:
    """The fees that a masked sentence names; `mentions` are behind its marks."""
    if found := _IS_FREE.match(sentence):
        yield Fee(found["what"], "0.00", "", start, end)
        return
    for pattern in _SAYS:
        found = pattern.search(sentence)
        if found is None or _ABOUT_ONLY.search(found[0]):
            continue
        groups = found.groupdict()
        more = groups.get("more") or ""
        days = {day["which"]: mentions[int(day["day"][5:-1])].name for day in _DAY.finditer(more) if "‹" in day["day"]}
        what = _what(groups.get("what") or "Gebühr")
        kept = " ".join(_FILLER.sub("", more).split())
        if len(what.split()) > 9 or "‹" in kept or _CLAUSE.search(f"{what} {kept}") or re.search(r"\bund\b", kept):
            continue
        full = f"{what} {kept}".strip()
        priced = [(full, found["amount"])]
        rest = found.end()
        if of := _FOR.match(sentence, rest):
            priced = [(f"{full} für {of['whom']}", found["amount"])]
            priced += [(f"{full} für {of['others']}", of["amount"])] if of["amount"] else []
            rest = of.end()
        while (also := _ALSO.match(sentence, rest)) and not _CLAUSE.search(also["what"]):
            priced.append((_what(also["what"]), also["amount"]))
            rest = also.end()
        if reduced := _REDUCED.match(sentence, rest):
            priced.append((f"{what} ermäßigt", reduced["amount"]))
        for name, mark in priced:
            amount = mentions[int(mark)]
            if float(amount.name) < _MOST:
                limits = (days.get("ab", ""), days.get("bis", "")) if name == priced[0][0] else ("", "")
                yield Fee(name, amount.name, amount.properties.get("per", ""), start, end, *limits)
        return


def _table(table: Sequence[tuple[int, int, list[str]]], above: str) -> Iterator[Fee]:
    if len(table) < 2:
        return
    head = table[0][2]
    found = {
        (number, at): cell
        for number, (_, _, cells) in enumerate(table[1:], 1)
        for at in range(1, min(len(head), len(cells)))
        if (cell := _cell(cells[at])) is not None
    }
    columns = sorted({at for _, at in found})
    about = f"{above} {' '.join(head[at] for at in columns)}"
    if not _ABOUT.search(about) or _NO_FEE.search(f"{above} {' '.join(head)}"):
        return
    if any(float(amount) >= _MOST for amount, _ in found.values()):
        return
    for (number, at), (amount, per) in sorted(found.items()):
        start, end, cells = table[number]
        day = _DAY.fullmatch(head[at])
        limits = {day["which"]: next((one.name for one in dates(day["day"])), day["day"])} if day else {}
        what = cells[0] if len(columns) == 1 or day else f"{cells[0]}, {head[at]}"
        if cells[0]:
            yield Fee(what, amount, per, start, end, limits.get("ab", ""), limits.get("bis", ""))


def _cell(text: str) -> tuple[str, str] | None:
    """Amount and unit of a cell that holds nothing else."""
    found = _AMOUNT.match(text)
    if found is not None:
        rest = text[found.start("per") :].strip()
        return (_decimal(found["number"]), rest) if not rest or re.match(r"(?:im|je|pro)\s", rest) else None
    return ("0.00", "") if _FREE.fullmatch(text) else None


def _what(text: str) -> str:
    return " ".join(_ARTICLE.sub("", text.strip()).split())


def _decimal(number: str) -> str:
    whole, _, cents = number.replace(".", "").partition(",")
    return f"{whole}.{cents if cents.isdigit() else '00'}"
