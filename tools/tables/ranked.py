"""Questions for the first and the last: the dearest service, the office with the most fees, all from long to short."""

from tools.tables import ColumnInfo
from tools.tables.cues import Cue, amount, superlative
from tools.tables.figuring import Figuring, Shape
from tools.tables.linking import Link
from tools.tables.templates import (
    Measure,
    Top,
)

__all__ = ["Ranked"]

_PLURAL = frozenset("are have were sind haben waren".split())


class Ranked(Figuring):
    """A question that may be one for a place in an order."""

    def _top(self, cue: Cue) -> Shape | None:
        reading = self.reading
        direction, meant = superlative(cue, reading.question)
        many = amount(cue, reading.question)
        if many is None and (spoken := reading.cue("many")):
            many = amount(spoken, reading.question)  # "die drei Stadtteile mit den meisten …"
            reading.take(spoken)
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
        where = tuple(self._equal())
        latest = self._latest(measure, where) if measure.column == self.table.name else None
        return Shape(
            Top(table=self.table.name, columns=columns, measure=measure, count=count, lowest=lowest, ties=ties, where=where),
            None if latest in columns else latest,
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
        return link.column != self.table.name and any(
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
