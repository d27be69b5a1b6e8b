"""Settles what only the rows can tell: which point of time is meant, which rows are the totals of others, what has no average."""

from collections.abc import Callable, Iterator

from tools.tables import TableResult
from tools.tables.catalog import Catalog, kind_of
from tools.tables.figuring import Shape
from tools.tables.reading import is_key, is_year
from tools.tables.statement import statement
from tools.tables.templates import Aggregate, Compare, Condition, Count, Development, Share, Template, Top

__all__ = ["settled"]

Run = Callable[[str], TableResult]

_TOTALS = ("gesamt", "Gesamt", "insgesamt", "Insgesamt", "Summe", "total", "Total")
"""What stands in place of a district, a month or the like in a row that is the sum of others."""


def settled(shape: Shape, catalog: Catalog, run: Run) -> Template:
    """The template of a question as its rows want it; `run` runs a SELECT as the caller."""
    return _Settling(catalog, run).template(shape)


class _Settling:
    def __init__(self, catalog: Catalog, run: Run) -> None:
        self._catalog = catalog
        self._run = run

    def template(self, shape: Shape) -> Template:
        template = shape.template
        newest = self._newest(template, shape.latest) if shape.latest else template
        if isinstance(newest, Aggregate) and newest.function in ("average", "median"):
            newest = self._several(newest, template)
        return self._without_totals(newest)

    def _newest(self, template: Template, column: str) -> Template:
        """For the newest point of time, where it must be of one and the question names none."""
        # What the figure is of may reach less far than the table: the newest point is that of the same rows.
        parts = tuple(template.sides[0].where) if isinstance(template, Compare) else ()
        parts = template.part if isinstance(template, Share) else parts
        newest = Aggregate(table=template.table, function="maximum", column=column, where=(*template.where, *parts))
        value = self._run(statement(newest, self._catalog)).rows[0][0]
        if not isinstance(value, int | float | str):
            return template
        return template.model_copy(update={"where": (*template.where, Condition(column=column, values=(value,)))})

    def _several(self, template: Aggregate, timeless: Template) -> Template:
        """One figure has no average: "im Schnitt" of one a year is that of the years, and so is "im Schnitt pro Jahr"."""
        if not all(self._timely(name, template.table) for name in template.by):
            return template
        counted = Count(table=template.table, by=template.by, where=template.where)
        rows = self._run(statement(counted, self._catalog)).rows
        if any(row[-1] != 1 for row in rows):
            return template
        return timeless.model_copy(update={"by": ()}) if isinstance(timeless, Aggregate) else template

    def _timely(self, name: str, table: str) -> bool:
        _, column = self._catalog.column(name, table)
        return is_year(column) or kind_of(column.type) in ("date", "moment")

    def _without_totals(self, template: Template) -> Template:
        """Rows of totals are not added to what they are the totals of: a sum takes them alone, all else leaves them out."""
        function = (
            template.function
            if isinstance(template, Aggregate)
            else template.measure.function
            if isinstance(template, Compare | Development | Share | Top)
            else "count"
        )
        if function in ("count", "distinct"):
            return template
        for column in self._open(template):
            total = Condition(column=column, values=_TOTALS)
            alone = template.model_copy(update={"where": (*template.where, total)})
            beside = template.model_copy(
                update={"where": (*template.where, total.model_copy(update={"test": "is_not"}))}
            )
            if not self._rows(alone) or not self._rows(beside):
                continue
            whole = function == "sum" and column not in _shown(template)
            template = alone if whole and self._groups(alone) == self._groups(template) else beside
        return template

    def _open(self, template: Template) -> Iterator[str]:
        """Columns of words that the question sets nothing for."""
        sides = template.sides if isinstance(template, Compare) else ()
        parts = template.part if isinstance(template, Share) else ()
        conditions = (*template.where, *parts, *(each for side in sides for each in side.where))
        fixed = {condition.column for condition in conditions}
        for column in self._catalog.tables[template.table].columns:
            if kind_of(column.type) == "text" and not is_key(column) and column.name not in fixed:
                yield column.name

    def _rows(self, template: Template) -> int:
        parts = template.part if isinstance(template, Share) else ()
        counted = Count(table=template.table, where=(*template.where, *parts))
        found = self._run(statement(counted, self._catalog)).rows[0][0]
        return found if isinstance(found, int) else 0

    def _groups(self, template: Template) -> int:
        return sum(
            any(value is not None for value in row) for row in self._run(statement(template, self._catalog)).rows
        )


def _shown(template: Template) -> tuple[str, ...]:
    match template:
        case Aggregate():
            return template.by
        case Top():
            return (*template.by, *template.columns)
        case Share():
            return (template.by,) if template.by else ()
        case _:
            return ()
