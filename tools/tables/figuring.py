"""What every question has, whatever its form: a figure, groups, conditions, an order, columns to show."""

from collections.abc import Sequence
from dataclasses import dataclass

from tools.tables import ColumnInfo
from tools.tables.catalog import kind_of
from tools.tables.cues import Cue
from tools.tables.linking import Link
from tools.tables.reading import Reading, is_key, meanings
from tools.tables.templates import (
    Condition,
    Function,
    Measure,
    Scalar,
    Template,
)
from tools.tables.words import parts

__all__ = ["Figuring", "Shape"]

_FUNCTIONS: dict[str, Function] = {"average": "average", "median": "median", "sum": "sum"}


@dataclass(frozen=True, slots=True)
class Shape:
    """A template and, where a figure stands for one point of time and the question names none, that column."""

    template: Template
    latest: str | None = None


class Figuring:
    """A question over one table, while its parts are found."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.table = reading.table
        self.by: tuple[str, ...] = ()
        self.where: list[Condition] = []
        self.values: list[Link] = []

    def _measure(self, cue: Cue | None) -> Measure | None:
        """The figure a cue speaks of: of the column after it, of rows, of a column that counts what the table is about."""
        reading = self.reading
        after = cue.end if cue else 0
        if cue:
            reading.take(cue)
        for other in reading.cues:
            # "the average number of", "the total number of" and the like ask for one figure.
            if (
                cue
                and other is not cue
                and other.kind in ("count", "sum", "average", "distinct")
                and other.start <= after + 1
            ):
                reading.take(other)
                after = max(after, other.end)
            elif cue and cue.kind in ("count", "sum") and other.kind == "sum":
                reading.take(other)  # "… insgesamt"
        kind = cue.kind if cue else "count"
        if kind in _FUNCTIONS:
            column = self._figured(after)
            if column is not None:
                return Measure(function=_FUNCTIONS[kind], column=column)
            return self._rows_counted(after) if kind == "sum" else None
        return self._rows_counted(after)

    def _figured(self, after: int) -> str | None:
        """The column of figures that the words name, best the one behind the cue."""
        reading = self.reading
        columns = [link for link in reading.free("column") if reading.numeric(link)]
        link = reading.after(after, columns) or (columns[0] if columns else None)
        if link is not None:
            reading.take(link)
            return reading.name(link.table, link.column or "")
        focus = reading.after(after, list(reading.free()) + self.values)
        if (focus is not None and focus.kind == "value") or focus is None:
            figures = reading.figures()
            return figures[0].name if len(figures) == 1 else None
        return None

    def _rows_counted(self, after: int) -> Measure | None:
        reading = self.reading
        free = sorted([*reading.free("table"), *reading.free("column"), *self.values], key=lambda link: link.start)
        focus = reading.after(after, free)
        tables = [link for link in free if link.kind == "table" and link.table == self.table.name]
        if focus is None:
            focus = next(iter(tables), None)
        if focus is not None and focus.kind == "value" and tables and not self._counting():
            focus = tables[0]  # "Italian restaurants"
        if focus is None:
            return None
        if focus.kind == "table":
            if focus.table != self.table.name:
                return None
            reading.take(focus)
            counting = [
                column for column in reading.figures() if set(parts(column.name)) & {"count", "anzahl", "menge"}
            ]
            if len(counting) == 1 and parts(counting[0].name) in (("count",), ("anzahl",), ("menge",)):
                return Measure(function="sum", column=counting[0].name)
            return Measure()
        if focus.kind == "column":
            info = reading.info(focus)
            reading.take(focus)
            name = reading.name(focus.table, focus.column or "")
            if kind_of(info.type) == "number" and not is_key(info):
                return Measure(function="sum", column=name)
            return Measure(function="distinct", column=name)
        column = self._counting()
        return Measure(function="sum", column=column.name) if column else None

    def _counting(self) -> ColumnInfo | None:
        """The column of a table that holds figures of many kinds, told apart by its other columns, or has its name."""
        figures = self.reading.figures()
        if len(figures) != 1 or figures[0].name in ("count", "anzahl"):
            return None
        return figures[0] if "value" in meanings(figures[0]) or figures[0].name == self.table.name else None

    def _latest(self, measure: Measure, where: Sequence[Condition]) -> str | None:
        """Figures of several years are not added up unless years are named: the newest is meant."""
        time, counting = self.reading.time, self._counting()
        if time is None or counting is None or measure.column != counting.name or time.name in self.by:
            return None
        return None if any(condition.column == time.name for condition in where) else time.name

    def _equal(self, *, conditions: bool = True) -> list[Condition]:
        """The demands on the rows, values of one column as alternatives."""
        found = [each for each in self.where if each.test != "is"] if conditions else []
        columns: dict[str, list[Scalar]] = {}
        for each in self.where if conditions else ():
            if each.test == "is":
                columns.setdefault(each.column, []).extend(each.values)
        for value in self.values:
            condition = self.reading.equal(value)
            columns.setdefault(condition.column, []).extend(condition.values)
        for column, values in columns.items():
            found.append(Condition(column=column, values=tuple(dict.fromkeys(values))))
        self.values = []
        return found

    def _groups(self) -> tuple[str, ...]:
        reading = self.reading
        found: list[str] = []
        for cue in reading.cues:
            if cue.kind == "group":
                link = reading.after(cue.end, [link for link in reading.free() if link.kind != "value"])
                if link is None or link.start - cue.end > 1:
                    continue
                reading.take(cue, link)
                found.extend(self._groups_of(link))
        if found:
            return tuple(dict.fromkeys(found))
        # "by country", "nach Stadtteil": a preposition alone says so where a figure is asked.
        if reading.cue("count", "average", "sum", "median", "share"):
            for link in list(reading.free()):
                before = reading.question[link.start - 1].folded if link.start else ""
                if before in ("by", "nach") and link.kind != "value":
                    reading.taken.add(link.start - 1)
                    reading.take(link)
                    return self._groups_of(link)
        return ()

    def _groups_of(self, link: Link) -> tuple[str, ...]:
        reading = self.reading
        if link.kind == "table":
            return reading.label(reading.catalog.table(link.table), key=True)
        return (reading.name(link.table, link.column or ""),)

    def _order(self) -> tuple[str | None, bool] | None:
        """The column and direction of an order the question asks for."""
        reading = self.reading
        ordered, direction = reading.cue("ordered"), reading.cue("order")
        if ordered is None and direction is None:
            return None
        down = direction is not None and direction.detail == "down"
        column: str | None = None
        if direction:
            reading.take(direction)
        if ordered:
            reading.take(ordered)
            for cue in reading.cues:
                if cue.kind in ("count", "average", "sum") and cue.start >= ordered.end:
                    reading.take(cue)
            before = [link for link in reading.free("column") if link.end == ordered.start]
            if before and reading.question[before[0].start - 1].folded == "nach":
                reading.taken.add(before[0].start - 1)
                reading.take(before[0])
                column = reading.name(before[0].table, before[0].column or "")
            links = [link for link in reading.free() if link.start >= ordered.end]
            for link in links:
                if link.kind == "column" and column is None:
                    column = reading.name(link.table, link.column or "")
                reading.take(link)
            reading.cues = [cue for cue in reading.cues if cue.start < ordered.end]
        return column, down

    def _shown(self, *, skip: str | None = None) -> tuple[str, ...]:
        """Columns that are named and have no other part in the question."""
        reading = self.reading
        found: list[str] = []
        for link in list(reading.free("column")):
            name = reading.name(link.table, link.column or "")
            reading.take(link)
            for twin in self._twins(link):
                if twin not in found and twin != skip:
                    found.append(twin)
            if name != skip and name not in found:
                found.append(name)
        return tuple(found)

    def _twins(self, link: Link) -> list[str]:
        """Columns that the same words name as well: opening hours are from and to."""
        reading = self.reading
        same = [
            reading.name(other.table, other.column or "")
            for other in reading.candidates
            if other.kind == "column" and (other.start, other.end, other.table) == (link.start, link.end, link.table)
            and abs(other.score - link.score) < 0.01 and link.score < 0.9
        ]  # fmt: skip
        return same if len(same) <= 3 else []
