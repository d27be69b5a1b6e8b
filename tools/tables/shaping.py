"""Makes a template of what was read: which figure is asked, of which rows, for which groups, in which order."""

from collections.abc import Sequence
from dataclasses import dataclass

from tools.tables import ColumnInfo
from tools.tables.catalog import kind_of
from tools.tables.cues import Cue, amount, superlative
from tools.tables.linking import Link
from tools.tables.reading import Reading, is_key, meanings
from tools.tables.templates import (
    Aggregate,
    Compare,
    Condition,
    Count,
    Development,
    Exists,
    Function,
    ListRows,
    Lookup,
    Measure,
    Share,
    Side,
    Template,
    Top,
)
from tools.tables.words import parts

__all__ = ["Shape", "shaped"]

_PLURAL = frozenset("are have were sind haben waren".split())
_FUNCTIONS: dict[str, Function] = {"average": "average", "median": "median", "sum": "sum"}


@dataclass(frozen=True, slots=True)
class Shape:
    """A template and, where a figure stands for one point of time and the question names none, that column."""

    template: Template
    latest: str | None = None


def shaped(reading: Reading) -> Shape | None:
    """The template the words ask for; None where they ask for none."""
    return _Shaping(reading).shape()


class _Shaping:
    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.table = reading.table
        self.by: tuple[str, ...] = ()
        self.where: list[Condition] = []
        self.values: list[Link] = []

    def shape(self) -> Shape | None:
        reading = self.reading
        reading.take(*[cue for cue in reading.cues if cue.kind == "filler"])
        order = self._order()
        self.by = self._groups()
        demanded = reading.conditions()
        if demanded is None:
            return None
        self.where = demanded
        self.values = reading.values()
        shape = self._form(order)
        if shape is not None:
            self._settle()
        return shape

    def _settle(self) -> None:
        """Tables that are named and used anyway, and groups that are named once more, leave nothing open."""
        reading = self.reading
        used = {link.table for link in reading.links if link.start in reading.used} | {self.table.name}
        for link in list(reading.free()):
            again = link.kind == "column" and reading.name(link.table, link.column or "") in self.by
            if (link.kind == "table" and link.table in used) or again:
                reading.take(link)

    def _form(self, order: tuple[str | None, bool] | None) -> Shape | None:
        reading = self.reading
        for kinds, make in (
            (("quotient", "difference", "compare"), self._compare),
            (("share",), self._share),
            (("development",), self._development),
        ):
            if cue := reading.cue(*kinds):
                return make(cue)
        if (cue := reading.cue("top", "extreme")) and order is None:
            return self._top(cue)
        if cue := reading.cue("top", "extreme"):
            return self._ranked(cue)
        if cue := reading.cue("average", "median", "count", "sum"):
            return self._figure(cue)
        if self.by:
            return None
        if cue := reading.cue("exists"):
            return self._exists(cue)
        return self._rows(order)

    # ------------------------------------------------------------------ figures

    def _figure(self, cue: Cue) -> Shape | None:
        measure = self._measure(cue)
        where = self._equal()
        if measure is None:
            return None
        if measure.function in ("count", "distinct"):
            distinct = measure.column if measure.function == "distinct" else None
            return Shape(Count(table=self.table.name, distinct=distinct, by=self.by, where=tuple(where)))
        function: Function = measure.function
        template = Aggregate(
            table=self.table.name, function=function, column=measure.column or "", by=self.by, where=tuple(where)
        )
        return Shape(template, latest=self._latest(measure, where))

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
        """The column of a table that holds figures of many kinds, told apart by its other columns."""
        figures = self.reading.figures()
        fits = len(figures) == 1 and "value" in meanings(figures[0]) and figures[0].name not in ("count", "anzahl")
        return figures[0] if fits else None

    def _latest(self, measure: Measure, where: Sequence[Condition]) -> str | None:
        """Figures of several years are not added up unless years are named: the newest is meant."""
        time, counting = self.reading.time, self._counting()
        if time is None or counting is None or measure.column != counting.name or time.name in self.by:
            return None
        return None if any(condition.column == time.name for condition in where) else time.name

    # ------------------------------------------------------------------ orders

    def _top(self, cue: Cue) -> Shape | None:
        reading = self.reading
        direction, meant = superlative(cue, reading.question)
        many = amount(cue, reading.question)
        for other in reading.cues:
            if other is not cue and other.kind == "extreme":
                direction, meant = superlative(other, reading.question)
                cue = other if cue.kind == "top" else cue
                reading.take(other)
        for other in reading.cues:
            if other.kind in ("top", "extreme"):
                reading.take(other)
        lowest = direction == "least"
        plural = any(word.folded in _PLURAL for word in reading.question[: cue.start])
        count = many or (1000 if plural else 1)
        inner = next((other for other in reading.cues if other.kind in ("count", "average", "sum", "median")), None)
        entity = self._entity(cue)
        measure, grouped = self._ranked_by(cue, inner, meant, entity)
        if measure is None:
            return None
        ties = many is None and not plural
        if grouped:
            by = self.by or (entity and self._groups_of(entity)) or ()
            if not by:
                return None
            if entity is not None:
                reading.take(entity)
            self._second_mention(cue)
            return Shape(
                Top(
                    table=self.table.name,
                    by=by,
                    measure=measure,
                    count=count,
                    lowest=lowest,
                    ties=ties,
                    where=tuple(self._equal()),
                )
            )
        if self.by:
            return None
        shown = self._shown(skip=measure.column)
        columns = shown or reading.label(self.table)
        return Shape(
            Top(table=self.table.name, columns=columns, measure=measure, count=count, lowest=lowest, ties=ties,
                where=tuple(self._equal()))
        )  # fmt: skip

    def _second_mention(self, cue: Cue) -> None:
        """ "… and how many are there" asks for the figure that is shown anyway."""
        for other in self.reading.cues:
            if other.kind in ("count", "group", "distinct") and other.start > cue.end:
                self.reading.take(other)
        for link in list(self.reading.free()):
            if link.kind != "value" and link.start > cue.end and self._mentioned(link):
                self.reading.take(link)

    def _mentioned(self, link: Link) -> bool:
        return any(
            other.start < link.start and other.start in self.reading.used
            and (other.table == link.table and (other.column == link.column or "table" in (other.kind, link.kind)))
            for other in self.reading.links
        )  # fmt: skip

    def _entity(self, cue: Cue) -> Link | None:
        """Whose place is asked for: what stands before the superlative, else right behind `top 5`."""
        reading = self.reading
        things = [
            link
            for link in reading.free()
            if link.kind == "table" or (link.kind == "column" and not reading.numeric(link))
        ]
        first = reading.cue("top")
        if first is not None and (link := reading.after(first.end, things)):
            return link
        return next((link for link in things if link.end <= cue.start), None)

    def _ranked_by(
        self, cue: Cue, inner: Cue | None, meant: tuple[str, ...], entity: Link | None
    ) -> tuple[Measure | None, bool]:
        """The figure that orders, and whether it is one of groups."""
        reading = self.reading
        if inner is not None:
            if entity is not None:
                reading.take(entity)
            measure = self._measure(inner)
            if measure and measure.function == "sum" and inner.kind == "count" and entity and self._own(entity):
                return Measure(function="maximum", column=measure.column), False  # a row's own number of something
            return measure, True
        columns = [link for link in reading.free("column") if reading.numeric(link)]
        most = {word.folded for word in reading.question[cue.start : cue.end]} & {
            "most",
            "meisten",
            "wenigsten",
            "fewest",
        }
        if columns and not (most and entity is not None and self._also_table(columns[0])):
            link = reading.after(cue.end, columns) or columns[0]
            if any(other.start == link.end for other in columns):
                return None, False  # "population density": two figures in one breath are a third one
            reading.take(link)
            return Measure(function="maximum", column=reading.name(link.table, link.column or "")), False
        counted = reading.after(cue.end, [link for link in reading.free() if link.kind == "table" or link in columns])
        if counted and counted is not entity and counted.table == self.table.name and entity and not meant:
            reading.take(counted)
            return Measure(), True
        found = self._meant(meant)
        return (Measure(function="maximum", column=found.name), False) if found else (None, False)

    def _also_table(self, link: Link) -> bool:
        """Whether the words name what the table is of, too: "die meisten Gebühren" are counted."""
        return any(
            other.kind == "table" and (other.start, other.end, other.table) == (link.start, link.end, self.table.name)
            for other in self.reading.candidates
        )

    def _own(self, entity: Link) -> bool:
        return entity.table == self.table.name and (entity.kind == "table" or not self.by)

    def _meant(self, meant: tuple[str, ...]) -> ColumnInfo | None:
        """The column a superlative speaks of by itself: the longest by length; the highest where there is one figure."""
        reading = self.reading
        if meant:
            found = reading.meaning(*meant)
            if found is not None:
                return found
        figures = reading.figures()
        dates = "date" in meant
        return reading.time if dates else figures[0] if len(figures) == 1 else None

    def _ranked(self, cue: Cue) -> Shape | None:
        """All rows in an order, where the question says so: from largest to smallest."""
        shape = self._top(cue)
        if shape is None or not isinstance(shape.template, Top):
            return shape
        number = amount(cue, self.reading.question)
        return Shape(shape.template.model_copy(update={"count": number or 1000, "ties": False}))

    # ------------------------------------------------------------------ parts, sides, years

    def _share(self, cue: Cue) -> Shape | None:
        reading = self.reading
        measure = self._measure(cue)
        whole: list[Condition] = []
        if counting := self._counting():
            first = reading.after(cue.end, self.values)
            if first is not None and (self.by or len(self.values) > 1):
                whole.append(reading.equal(first))
                self.values = [value for value in self.values if value is not first]
            measure = Measure(function="sum", column=counting.name)
        if measure is None:
            return None
        where = (*self.where, *whole)
        latest = self._latest(measure, where)
        if len(self.by) == 1 and not self.values:
            return Shape(Share(table=self.table.name, measure=measure, by=self.by[0], where=where), latest)
        if self.by or len(self.values) != 1:
            return None
        part = tuple(self._equal(conditions=False))
        return Shape(Share(table=self.table.name, measure=measure, part=part, where=where), latest)

    def _compare(self, cue: Cue) -> Shape | None:
        reading = self.reading
        for other in reading.cues:
            if other.kind in ("between", "average", "sum", "extreme") and other is not cue:
                return None
        reading.take(cue)
        reading.taken.update(
            at for at, word in enumerate(reading.question) if word.folded in ("between", "zwischen", "than", "als")
        )
        sides = self._sides()
        measure = self._compared(cue)
        if sides is None or measure is None or self.by:
            return None
        where = self._equal()
        latest = self._latest(measure, where)
        result = "beside" if cue.kind == "compare" else "difference" if cue.kind == "difference" else "quotient"
        return Shape(
            Compare(table=self.table.name, measure=measure, sides=sides, where=tuple(where), result=result), latest
        )

    def _compared(self, cue: Cue) -> Measure | None:
        reading = self.reading
        columns = [link for link in reading.free("column") if reading.numeric(link)]
        if columns:
            column = reading.name(columns[0].table, columns[0].column or "")
            for link in columns:
                if reading.name(link.table, link.column or "") == column:
                    reading.take(link)
            return Measure(function="sum", column=column)
        if counting := self._counting():
            return Measure(function="sum", column=counting.name)
        tables = [link for link in reading.free("table") if link.table == self.table.name]
        if not tables:
            return None
        inner = reading.cue("count")
        reading.take(*tables, *([inner] if inner else []))
        return Measure()

    def _sides(self) -> tuple[Side, ...] | None:
        """Two or more values of one column, or two years."""
        reading = self.reading
        columns: dict[tuple[str, str | None], list[Link]] = {}
        for value in self.values:
            columns.setdefault((value.table, value.column), []).append(value)
        for several in columns.values():
            if len(several) >= 2:
                self.values = [value for value in self.values if value not in several]
                return tuple(Side(label=value.values[0], where=(reading.equal(value),)) for value in several)
        years = [each for each in self.where if reading.time and each.column == reading.time.name and each.test == "is"]
        if len(years) >= 2:
            self.where = [each for each in self.where if each not in years]
            return tuple(Side(label=str(each.values[0]), where=(each,)) for each in years)
        return None

    def _development(self, cue: Cue) -> Shape | None:
        reading = self.reading
        if reading.time is None:
            return None
        inner = reading.cue("count", "average", "sum")
        reading.take(cue)
        for other in reading.cues:
            if other.kind == "development":
                reading.take(other)
        if inner:
            measure = self._measure(inner)
        else:
            column = self._figured(0)
            counting = self._counting()
            measure = Measure(function="sum", column=column) if column else None
            if measure is None and counting:
                measure = Measure(function="sum", column=counting.name)
            if measure is None:
                measure = self._rows_counted(0)
        for link in list(reading.free("column")):
            if link.table == self.table.name and link.column == reading.time.name:
                reading.take(link)
        if measure is None or (self.by and self.by != (reading.time.name,)):
            return None
        dated = kind_of(reading.time.type) != "number"
        return Shape(
            Development(table=self.table.name, measure=measure, time=reading.time.name, step="year" if dated else "as_is",
                        where=tuple(self._equal()))
        )  # fmt: skip

    # ------------------------------------------------------------------ rows

    def _exists(self, cue: Cue) -> Shape | None:
        reading = self.reading
        reading.take(cue, *[link for link in reading.free("table") if link.table == self.table.name])
        where = self._equal()
        return Shape(Exists(table=self.table.name, where=tuple(where))) if where else None

    def _rows(self, order: tuple[str | None, bool] | None) -> Shape | None:
        reading = self.reading
        distinct = reading.cue("distinct")
        if distinct:
            reading.take(distinct)
        tables = list(reading.free("table"))
        shown = self._shown()
        if (when := reading.cue("when")) and not shown:
            dates = [column for column in self.table.columns if kind_of(column.type) in ("date", "moment")]
            if len(dates) != 1:
                return None
            reading.take(when)
            shown = (dates[0].name,)
        elif when:
            reading.take(when)
        own = [link for link in tables if link.table == self.table.name]
        if not shown and not own:
            return None
        reading.take(*own)
        if not shown and self.values:
            # "the fee for …" asks for the figure that the table is named after.
            shown = self._namesake(own)
            own = [] if shown else own
        # "auf Deutsch: was kostet …" asks for a cell; "which restaurants …" for rows
        cell = bool(shown) and not own and all(each.test == "is" for each in self.where)
        where = self._equal()
        column, descending = order or (None, False)
        if cell and where and not order:
            return Shape(Lookup(table=self.table.name, columns=self._beside(shown, where), where=tuple(where)))
        columns = self._named(shown, own=bool(own))
        single = len(columns) == 1 and (distinct is not None or not own)
        ordering = column or (columns[0] if order else None)
        return Shape(
            ListRows(table=self.table.name, columns=columns, where=tuple(where), order_by=ordering, descending=descending,
                     distinct=single)
        )  # fmt: skip

    def _namesake(self, own: Sequence[Link]) -> tuple[str, ...]:
        reading = self.reading
        places = {(link.start, link.end) for link in own}
        found = {
            link.column
            for link in reading.candidates
            if (link.start, link.end) in places and link.table == self.table.name and link.kind == "column"
            and reading.numeric(link)
        }  # fmt: skip
        return tuple(column for column in found if column) if len(found) == 1 else ()

    def _named(self, shown: tuple[str, ...], *, own: bool) -> tuple[str, ...]:
        """What a list shows: figures and dates stand beside what they are of."""
        reading = self.reading
        if not shown:
            return reading.label(self.table)
        columns = [reading.catalog.column(name, self.table.name) for name in shown]
        telling = any(kind_of(column.type) == "text" and table == self.table.name for table, column in columns)
        label = reading.label(self.table)
        if (telling and (not own or len(label) > 1)) or shown[0] in label:
            return shown
        return (*(name for name in label if name not in shown), *shown)

    def _beside(self, shown: tuple[str, ...], where: Sequence[Condition]) -> tuple[str, ...]:
        """What is asked, with the columns that tell the rows apart."""
        fixed = {each.column for each in where if each.test == "is" and len(each.values) == 1}
        beside = [
            column.name
            for column in self.table.columns
            if column.name not in shown and column.name not in fixed and column.distinct != 1
            and (kind_of(column.type) == "text" or column is self.reading.time) and not is_key(column)
        ]  # fmt: skip
        return (*shown, *beside[:4])

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

    # ------------------------------------------------------------------ shared

    def _equal(self, *, conditions: bool = True) -> list[Condition]:
        """The demands on the rows, values of one column as alternatives."""
        found = list(self.where) if conditions else []
        columns: dict[str, list[str]] = {}
        for value in self.values:
            condition = self.reading.equal(value)
            columns.setdefault(condition.column, []).extend(str(each) for each in condition.values)
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
            links = [link for link in reading.free() if link.start >= ordered.end]
            for link in links:
                if link.kind == "column" and column is None:
                    column = reading.name(link.table, link.column or "")
                reading.take(link)
            reading.cues = [cue for cue in reading.cues if cue.start < ordered.end]
        return column, down
