"""Reads a question over one of the tables: which words are which column, value, year or limit, and which are left over."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

from tools.base.errors import InvalidInput
from tools.tables import ColumnInfo, TableInfo
from tools.tables.catalog import Catalog, kind_of
from tools.tables.cues import Cue, numbers
from tools.tables.linking import Link, namesake
from tools.tables.templates import Condition
from tools.tables.words import HARD, Word, concept, empty, month, parts

__all__ = ["Reading", "is_key", "is_year", "meanings"]

_SCALE = {"thousand": 1e3, "tausend": 1e3, "million": 1e6, "millions": 1e6, "millionen": 1e6, "mio": 1e6}
_ADJECTIVES = {"longer": "length", "länger": "length", "teurer": "price", "cheaper": "price", "günstiger": "price",
               "older": "age", "älter": "age", "shorter": "length", "kürzer": "length"}  # fmt: skip
_UNITS = frozenset(
    "€ % euro euros eur km meters meter metern kilometers square people personen prozent percent".split()
)
_HOP = 0.12
"""What it costs a meaning to lie in another table, for each key on the way."""


@dataclass
class Reading:
    """The question over `table`; words are taken one by one by those who understand them."""

    question: Sequence[Word]
    catalog: Catalog
    table: TableInfo
    candidates: Sequence[Link]
    cues: Sequence[Cue]
    taken: set[int] = field(default_factory=set[int])
    """Words that are understood."""
    used: set[int] = field(default_factory=set[int])
    """Starts of the links that have their place."""

    # ------------------------------------------------------------------ which words mean what

    @cached_property
    def links(self) -> list[Link]:
        """The best meanings of the words that stand beside each other, in order."""
        best: list[tuple[float, tuple[Link, ...]]] = [(0.0, ())]
        near = [each for link in self.candidates if (each := self._near(link)) is not None]
        ending: dict[int, list[Link]] = {}
        for link in near:
            if not any(at in self._cued for at in range(link.start, link.end)):
                ending.setdefault(link.end, []).append(replace(link, score=link.score + self._bonus(link, near)))
        for end in range(1, len(self.question) + 1):
            options = [best[end - 1]]
            for link in ending.get(end, ()):
                before, chain = best[link.start]
                content = sum(not empty(word) for word in self.question[link.start : end])
                options.append((before + link.score * content + 0.01 * (link.table == self.table.name), (*chain, link)))
            best.append(max(options, key=lambda option: option[0]))
        return list(best[-1][1])

    @cached_property
    def _cued(self) -> set[int]:
        return {at for cue in self.cues for at in range(cue.start, cue.end)}

    @cached_property
    def _distances(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for name in {link.table for link in self.candidates}:
            try:
                found[name] = len(self.catalog.path(self.table.name, name))
            except InvalidInput:
                continue
        return found

    def _near(self, link: Link) -> Link | None:
        hops = self._distances.get(link.table)
        return None if hops is None or hops > 3 else replace(link, score=link.score - _HOP * hops)

    def _bonus(self, link: Link, links: Sequence[Link]) -> float:
        if link.kind != "value" and namesake(link, links, self.figures(self.catalog.table(link.table))):
            return 0.2 if link.kind == "column" else 0.0
        before = self._cue_before(link.start)
        if before == "group":
            return -0.3 if link.kind == "value" else 0.2
        if before == "count" and link.kind == "table":
            return 0.2
        if link.kind == "value":
            # "the city of Rome", "Thema Einwohner": the column is named beside its value.
            for other in links:
                named = other.kind == "column" and (other.table, other.column) == (link.table, link.column)
                named |= other.kind == "table" and other.table == link.table != self.table.name
                beside = (
                    0 <= link.start - other.end <= 2 and self._empty(other.end, link.start)
                ) or other.start == link.end
                if named and beside:
                    return 0.3
        return 0.0

    def _empty(self, start: int, end: int) -> bool:
        return all(empty(word) for word in self.question[start:end])

    def _cue_before(self, start: int) -> str | None:
        for cue in self.cues:
            if cue.end <= start and self._empty(cue.end, start):
                return cue.kind
        return None

    def rivals(self, link: Link) -> list[Link]:
        """Other columns that hold the same value and are as good a meaning, or that another table has which is named."""
        if link.kind == "column":
            named = {other.table for other in self.candidates if other.kind == "table" and other.score >= 0.95}
            return [
                other
                for other in self.candidates
                if other.kind == "column"
                and (other.start, other.end) == (link.start, link.end)
                and other.table != link.table
                and other.table in named
                and other.score >= link.score - 0.05
                and self.numeric(link)
            ]
        bonus = {id(other): other.score + self._bonus(other, self.candidates) for other in self.candidates}
        return [
            other
            for other in self.candidates
            if other.kind == link.kind == "value"
            and (other.start, other.end) == (link.start, link.end)
            and (other.table, other.column) != (link.table, link.column)
            and other.table == link.table
            and bonus[id(other)] >= link.score - 0.05
        ]

    # ------------------------------------------------------------------ taking words

    def cue(self, *kinds: str) -> Cue | None:
        """The first cue of one of the kinds."""
        return next((cue for cue in self.cues if cue.kind in kinds), None)

    def take(self, *places: Cue | Link) -> None:
        """These words are understood."""
        for place in places:
            self.taken.update(range(place.start, place.end))
            if isinstance(place, Link):
                self.used.add(place.start)

    def free(self, kind: str | None = None) -> Iterator[Link]:
        """Links that have no place yet."""
        return (link for link in self.links if link.start not in self.used and kind in (None, link.kind))

    def unread(self) -> list[str]:
        """What was not understood."""
        return [
            word.text
            for at, word in enumerate(self.question)
            if at not in self.taken and (word.kind != "word" or word.folded in HARD or not empty(word))
        ]

    def after(self, at: int, links: Sequence[Link] | None = None) -> Link | None:
        """The first link from here on."""
        return next((link for link in (self.links if links is None else links) if link.start >= at), None)

    # ------------------------------------------------------------------ what the columns are

    def info(self, link: Link) -> ColumnInfo:
        """The column of a link."""
        return self.catalog.column(link.column or "", link.table)[1]

    def name(self, table: str, column: str) -> str:
        """How the template calls a column."""
        return column if table == self.table.name else f"{table}.{column}"

    def numeric(self, link: Link) -> bool:
        """Whether the link is a column of figures."""
        if link.kind != "column":
            return False
        info = self.info(link)
        return kind_of(info.type) == "number" and not is_key(info) and not is_year(info)

    def figures(self, table: TableInfo | None = None) -> list[ColumnInfo]:
        """Columns of numbers that are no keys and no years."""
        return [
            column
            for column in (table or self.table).columns
            if kind_of(column.type) == "number" and not is_key(column) and not is_year(column)
        ]

    def meaning(self, *names: str) -> ColumnInfo | None:
        """The column of the table whose name means one of these, the first that means something."""
        for name in names:
            found = [column for column in self.table.columns if name in meanings(column) and not is_key(column)]
            if len(found) == 1:
                return found[0]
        return None

    @cached_property
    def time(self) -> ColumnInfo | None:
        """The table's one column of years, or else of dates; None where there are several and none is named."""
        years = [column for column in self.table.columns if is_year(column)]
        dates = [column for column in self.table.columns if kind_of(column.type) in ("date", "moment")]
        named = [self.info(link) for link in self.links if link.kind == "column" and link.table == self.table.name]
        for several in (years, dates):
            if len(several) == 1:
                return several[0]
            if several:
                return next((column for column in named if column in several), None)
        return None

    def label(self, table: TableInfo, *, key: bool = False) -> tuple[str, ...]:
        """The columns that name a row of a table to a reader; with its key, rows of one name stay apart."""
        texts = [column for column in table.columns if kind_of(column.type) == "text" and not is_key(column)]
        own = set(parts(table.name)) | {table.name.removesuffix("s")}
        names = [
            column
            for column in texts
            if any(part in ("name", "title", "titel", "bezeichnung") for part in parts(column.name))
            and all(part in ("name", "title", "titel", "bezeichnung") or part in own for part in parts(column.name))
        ]
        shown = names[:1] or [column for column in texts if column.distinct != 1][:3] or list(table.columns[:2])
        if key:
            shown = (
                shown[:1] + [column for column in table.columns if is_key(column) and column.distinct == table.rows][:1]
            )
        return tuple(self.name(table.name, column.name) for column in shown)

    # ------------------------------------------------------------------ conditions

    def conditions(self) -> list[Condition] | None:
        """What the question demands of the rows; None where a demand is understood but fits no column."""
        found: list[Condition] = []
        for cue in self.cues:
            if cue.kind in ("starts", "contains", "empty") and (made := self._of_text(cue)):
                found.append(made)
        for cue in self.cues:
            if cue.kind == "than" or (cue.kind == "between" and not self._years(cue)):
                made = self._than(cue)
                if made is None:
                    return None
                found.append(made)
        return [*found, *self._times()]

    def values(self) -> list[Link]:
        """Value links without a place; the columns named beside them are taken with them."""
        values = list(self.free("value"))
        for value in values:
            for other in list(self.free()):
                named = other.kind == "column" and (other.table, other.column) == (value.table, value.column)
                named |= other.kind == "table" and other.table == value.table != self.table.name
                near = 0 <= value.start - other.end <= 2 or other.start == value.end
                if named and near:
                    self.take(other)
        return values

    def equal(self, link: Link) -> Condition:
        """The condition of a value link."""
        self.take(link)
        column = self.name(link.table, link.column or "")
        return Condition(column=column, test="is", values=link.values)

    def _of_text(self, cue: Cue) -> Condition | None:
        links = list(self.free("column"))
        if cue.kind == "empty":
            link = self.after(cue.end, links)
            if link is None or not self._empty(cue.end, link.start):
                return None
            self.take(cue, link)
            return Condition(column=self.name(link.table, link.column or ""), test="is_empty")
        at = next((at for at in range(cue.end, len(self.question)) if self.question[at].kind == "quoted"), None)
        link = next((link for link in reversed(links) if link.end <= cue.start), None)
        if at is None or link is None or kind_of(self.info(link).type) != "text":
            return None
        for value in self.free("value"):
            if value.start <= at < value.end:
                self.used.add(value.start)
        self.taken.add(at)
        self.take(cue)
        self.taken.update(range(link.start, link.end))  # it may be shown, too: it keeps its place free
        test: Literal["starts_with", "contains"] = "starts_with" if cue.kind == "starts" else "contains"
        return Condition(column=self.name(link.table, link.column or ""), test=test, values=(self.question[at].text,))

    def _than(self, cue: Cue) -> Condition | None:
        limits = list(numbers(cue, self.question))
        after = cue.end
        if after < len(self.question) and (scale := _SCALE.get(self.question[after].folded)):
            limits = [limit * scale for limit in limits]
            self.taken.add(after)
            after += 1
        unit = self.question[after] if after < len(self.question) else None
        column = self._limited(cue, unit)
        if column is None:
            return None
        if unit and (
            unit.folded in _UNITS or concept(unit.folded) & meanings(self.catalog.column(column, self.table.name)[1])
        ):
            self.taken.add(after)
            if unit.folded == "square" and after + 1 < len(self.question):
                self.taken.add(after + 1)
        self.take(cue)
        values = tuple(int(limit) if limit == int(limit) else limit for limit in limits)
        tests: dict[str, Literal["above", "at_least", "below", "at_most"]] = {
            "above": "above", "at_least": "at_least", "below": "below", "at_most": "at_most"
        }  # fmt: skip
        if cue.kind == "between":
            return Condition(column=column, test="between", values=values)
        return Condition(column=column, test=tests[cue.detail], values=values)

    def _limited(self, cue: Cue, unit: Word | None) -> str | None:
        """The column that a limit is set to."""
        columns = [link for link in self.links if self.numeric(link)]
        before = [link for link in columns if link.end <= cue.start and cue.start - link.end <= 3]
        if before:
            self.taken.update(range(before[-1].start, before[-1].end))
            return self.name(before[-1].table, before[-1].column or "")
        said = {_ADJECTIVES[word.folded] for word in self.question[cue.start : cue.end] if word.folded in _ADJECTIVES}
        said |= concept(unit.folded) if unit else frozenset()
        if said and (meant := self.meaning(*sorted(said))) and kind_of(meant.type) == "number":
            return meant.name
        figures = self.figures()
        plain = (
            unit is None or unit.folded in _UNITS or unit.kind == "sign" or (empty(unit) and unit.folded not in HARD)
        )
        return figures[0].name if len(figures) == 1 and plain else None

    # ------------------------------------------------------------------ time

    def _years(self, cue: Cue) -> bool:
        found = list(numbers(cue, self.question))
        return bool(found) and all(1000 <= year <= 2999 and year == int(year) for year in found)

    def _times(self) -> Iterator[Condition]:
        if self.time is None:
            return
        column, dated = self.time.name, kind_of(self.time.type) != "number"
        between = next((cue for cue in self.cues if cue.kind == "between" and self._years(cue)), None)
        if between:
            self.take(between)
            first, last = (int(number) for number in numbers(between, self.question))
            yield Condition(column=column, test="between", values=(first, last))
        since = {cue.end: cue for cue in self.cues if cue.kind == "since"}
        for at, word in enumerate(self.question):
            if at in self.taken or at in self._cued or any(link.start <= at < link.end for link in self.links):
                continue
            value = self._moment(at, word, dated)
            if value is None:
                continue
            test: Literal["is", "above", "at_least", "below", "at_most"] = "is"
            if cue := since.get(at):
                self.take(cue)
                tests: dict[str, Literal["above", "at_least", "below", "at_most"]] = {
                    "above": "above", "at_least": "at_least", "below": "below", "at_most": "at_most"
                }  # fmt: skip
                test = tests[cue.detail]
            yield Condition(column=column, test=test, values=(value,))

    def _moment(self, at: int, word: Word, dated: bool) -> str | int | None:
        """The year, month or day that begins at this word; its words are taken."""
        following = self.question[at + 1] if at + 1 < len(self.question) else None
        named = month(word.folded)
        if dated and named and following and following.number is not None and 1000 <= following.number <= 2999:
            self.taken.update((at, at + 1))
            return f"{int(following.number)}-{named:02}"
        day = int(word.number) if word.number is not None and 1 <= word.number <= 31 else None
        if dated and day and at + 2 < len(self.question) and (number := month(self.question[at + 1].folded)):
            year = self.question[at + 2].number
            if year is not None and 1000 <= year <= 2999:
                self.taken.update((at, at + 1, at + 2))
                return f"{int(year)}-{number:02}-{day:02}"
        if word.kind == "date" and dated:
            self.taken.add(at)
            return word.folded
        if word.kind == "number" and word.text.isdigit() and len(word.text) == 4 and 1000 <= int(word.text) <= 2999:
            self.taken.add(at)
            if at and self.question[at - 1].folded in ("jahr", "jahre", "year", "jahres"):
                self.taken.add(at - 1)
                self.used.update(link.start for link in self.links if link.start == at - 1)
            return word.text if dated else int(word.text)
        return None


def is_key(column: ColumnInfo) -> bool:
    """Whether a column only tells rows apart."""
    last = parts(column.name)[-1]
    return last in ("id", "nr", "key", "uuid") or (
        len(parts(column.name)) == 1 and len(last) <= 4 and last.endswith("id")
    )


def is_year(column: ColumnInfo) -> bool:
    """Whether a column holds years."""
    return kind_of(column.type) == "number" and "year" in concept(parts(column.name)[-1])


def meanings(column: ColumnInfo) -> frozenset[str]:
    """What the words of a column's name and heading mean."""
    names = (*parts(column.name), *parts(column.header), *(parts(column.unit) if column.unit else ()))
    return frozenset(meaning for name in names for meaning in concept(name))
