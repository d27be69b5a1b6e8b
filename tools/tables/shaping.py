"""Makes a template of what was read: which figure is asked, of which rows, for which groups, in which order."""

from collections.abc import Sequence

from tools.tables.catalog import kind_of
from tools.tables.cues import Cue
from tools.tables.figuring import Shape
from tools.tables.linking import Link
from tools.tables.ranked import Ranked
from tools.tables.reading import Reading, is_key
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
)

__all__ = ["Shape", "shaped"]


def shaped(reading: Reading) -> Shape | None:
    """The template the words ask for; None where they ask for none."""
    return _Shaping(reading).shape()


class _Shaping(Ranked):
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
            name = reading.name(link.table, link.column or "")
            again = link.kind == "column" and (name in self.by or any(each.column == name for each in self.where))
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
        if cue := reading.cue("average", "median") or reading.cue("count", "sum"):
            return self._figure(cue)
        if self.by:
            return None
        if cue := reading.cue("amount"):
            reading.take(cue)
            if self._counting() and self.values and not any(map(reading.numeric, reading.free("column"))):
                return self._figure(cue)
        if cue := reading.cue("exists"):
            return self._exists(cue)
        return self._rows(order)

    def _figure(self, cue: Cue) -> Shape | None:
        measure = self._measure(cue)
        where = self._equal()
        if measure is None:
            return None
        time = reading.time.name if (reading := self.reading).time else ""
        if not self.by and any(each.column == time and each.test == "is" and len(each.values) > 1 for each in where):
            self.by = (time,)  # of several years, each has a figure of its own
        if measure.function in ("count", "distinct"):
            distinct = measure.column if measure.function == "distinct" else None
            return Shape(Count(table=self.table.name, distinct=distinct, by=self.by, where=tuple(where)))
        function: Function = measure.function
        template = Aggregate(
            table=self.table.name, function=function, column=measure.column or "", by=self.by, where=tuple(where)
        )
        return Shape(template, latest=self._latest(measure, where))

    def _share(self, cue: Cue) -> Shape | None:
        reading = self.reading
        measure = self._measure(cue)
        whole: list[Condition] = []
        if counting := self._counting():
            # "Welcher Anteil der Einwohner lebt in …", but "Welchen Anteil hat … an den Einwohnern"
            of = next(
                (at for at in range(cue.end, len(reading.question)) if reading.question[at].folded in ("an", "am")), 0
            )
            first = reading.after(max(of, cue.end), self.values)
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
            if other.kind in ("between", "average", "extreme"):
                return None
            if other.kind == "sum":
                reading.take(other)
        reading.take(cue)
        reading.taken.update(
            at for at, word in enumerate(reading.question) if word.folded in ("between", "zwischen", "than", "als")
        )
        sides = self._sides()
        measure = self._compared()
        if sides is None or measure is None or self.by:
            return None
        where = self._equal()
        timed = reading.time and any(each.column == reading.time.name for side in sides for each in side.where)
        latest = None if timed else self._latest(measure, where)
        result = "beside" if cue.kind == "compare" else "difference" if cue.kind == "difference" else "quotient"
        return Shape(
            Compare(table=self.table.name, measure=measure, sides=sides, where=tuple(where), result=result), latest
        )

    def _compared(self) -> Measure | None:
        reading = self.reading
        columns = [link for link in reading.free("column") if reading.numeric(link) and link.start not in reading.taken]
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
        limits = [each for each in self.where if each.test in ("above", "at_least", "below", "at_most")]
        if len(limits) == 2 and limits[0].column == limits[1].column and not self.values[1:]:
            self.where = [each for each in self.where if each not in limits]
            return tuple(Side(label=f"{each.test} {each.values[0]}", where=(each,)) for each in limits)
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

    def _exists(self, cue: Cue) -> Shape | None:
        reading = self.reading
        reading.take(cue, *[link for link in reading.free("table") if link.table == self.table.name])
        where = self._equal()
        for link in list(reading.free("column")):
            # "Has … a phone number?": there is a row, and it has one.
            reading.take(link)
            where.append(Condition(column=reading.name(link.table, link.column or ""), test="is_filled"))
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
        if not shown and not own and self.values and reading.cue("amount") and len(figures := reading.figures()) == 1:
            shown = (figures[0].name,)  # "wie hoch ist die Hundesteuer?"
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
