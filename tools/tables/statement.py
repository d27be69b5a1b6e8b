"""Makes one SELECT of a template: every name is looked up in the caller's view, every value is written as a literal."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tools.base.errors import InvalidInput
from tools.tables.catalog import Catalog, checked, kind_of, literal, quoted
from tools.tables.templates import (
    Aggregate,
    Compare,
    Condition,
    Count,
    Development,
    Exists,
    ListRows,
    Lookup,
    Measure,
    Share,
    Template,
    Top,
)

__all__ = ["statement"]

_FUNCTIONS = {"sum": "sum", "average": "avg", "median": "median", "minimum": "min", "maximum": "max"}
_SIGNS = {"above": ">", "at_least": ">=", "below": "<", "at_most": "<="}
_YEAR, _MONTH = re.compile(r"[12]\d{3}"), re.compile(r"[12]\d{3}-(0[1-9]|1[0-2])")


def statement(template: Template, catalog: Catalog) -> str:
    """The template as SQL.

    Raises:
        NotFound: a table or column that the caller's view does not have.
        InvalidInput: a value that its column cannot hold, a figure its column does not give, tables that share no key.
    """
    source = _From(catalog, catalog.table(template.table).name)
    match template:
        case Lookup():
            shown = source.columns(template.columns)
            return f"SELECT DISTINCT {shown} {source.rows(template.where)}"
        case ListRows():
            return _list(template, source)
        case Count():
            measure = Measure(function="distinct" if template.distinct else "count", column=template.distinct)
            return _grouped(source, measure, template.by, template.where)
        case Aggregate():
            measure = Measure(function=template.function, column=template.column)
            return _grouped(source, measure, template.by, template.where)
        case Top():
            return _top(template, source)
        case Share():
            return _share(template, source)
        case Compare():
            return _compare(template, source)
        case Development():
            return _development(template, source)
        case Exists():
            return f"SELECT count(*) > 0 AS found {source.rows(template.where)}"


def _list(template: ListRows, source: "_From") -> str:
    shown = source.columns(template.columns) if template.columns else f"{quoted(source.table)}.*"
    order = source.column(template.order_by) if template.order_by else ""
    direction = "DESC" if template.descending else "ASC"
    rows = source.rows(template.where)
    if not template.distinct:
        return f"SELECT {shown} {rows}" + (f" ORDER BY {order} {direction} NULLS LAST" if order else "")
    ordered = f" ORDER BY min({order}) {direction} NULLS LAST" if order else ""
    return (
        f"SELECT {shown} {rows} GROUP BY {source.columns(template.columns, named=False)}{ordered}"
        if order
        else (f"SELECT DISTINCT {shown} {rows}")
    )


def _grouped(source: "_From", measure: Measure, by: Sequence[str], where: Sequence[Condition]) -> str:
    figure, name = source.figure(measure)
    if not by:
        return f"SELECT {figure} AS {quoted(name)} {source.rows(where)}"
    groups = source.columns(by)
    rows = source.rows(where)
    keys = source.columns(by, named=False)
    return (
        f"SELECT {groups}, {figure} AS {quoted(name)} {rows} GROUP BY {keys} ORDER BY {figure} DESC NULLS LAST, {keys}"
    )


def _top(template: Top, source: "_From") -> str:
    direction = "ASC" if template.lowest else "DESC"
    if template.by:
        figure, name = source.figure(template.measure)
        shown = source.columns(template.by)
        if template.show_measure:
            shown += f", {figure} AS {quoted(name)}"
        tail = f"GROUP BY {source.columns(template.by, named=False)}"
    else:
        if template.measure.column is None or template.measure.function in ("count", "distinct"):
            raise InvalidInput(
                "The template 'top' has neither groups nor a column to order rows by. Expected 'by', or a measure with a "
                "column.",
                hint="Give 'by' for the groups that are counted.",
            )
        figure = source.column(template.measure.column)
        columns = template.columns
        if columns and template.show_measure and template.measure.column not in columns:
            columns = (*columns, template.measure.column)
        shown = source.columns(columns) if columns else f"{quoted(source.table)}.*"
        tail = ""
    rows = source.rows(template.where)
    if not template.by:
        rows = f"{rows}{' AND ' if template.where else ' WHERE '}{figure} IS NOT NULL"
    order = f"ORDER BY {figure} {direction} NULLS LAST"
    if template.ties:
        return f"SELECT {shown} {rows} {tail} QUALIFY rank() OVER ({order}) <= {template.count} {order}".replace(
            "  ", " "
        )
    return f"SELECT {shown} {rows} {tail} {order} LIMIT {template.count}".replace("  ", " ")


def _share(template: Share, source: "_From") -> str:
    figure, name = source.figure(template.measure)
    if template.by:
        groups, keys = source.columns((template.by,)), source.columns((template.by,), named=False)
        rows = source.rows(template.where)
        share = f"{figure} / nullif(sum({figure}) OVER (), 0)::DOUBLE"
        return f"SELECT {groups}, {figure} AS {quoted(name)}, {share} AS share {rows} GROUP BY {keys} ORDER BY share DESC, {keys}"
    part = source.all_of(template.part)
    rows = source.rows(template.where)
    filtered = f"{figure} FILTER (WHERE {part})"
    return (
        f"SELECT coalesce({filtered}, 0) / nullif({figure}, 0)::DOUBLE AS share, coalesce({filtered}, 0) AS part, "
        f"{figure} AS whole {rows}"
    )


def _compare(template: Compare, source: "_From") -> str:
    figure, name = source.figure(template.measure)
    sides = [f"({figure} FILTER (WHERE {source.all_of(side.where)}))" for side in template.sides]
    rows = source.rows(template.where)
    if template.result == "difference":
        return f"SELECT {sides[0]} - {sides[1]} AS difference {rows}"
    if template.result == "quotient":
        return f"SELECT {sides[0]} / nullif({sides[1]}, 0)::DOUBLE AS quotient {rows}"
    each = [
        f"SELECT {literal(side.label)} AS side, {filtered} AS {quoted(name)} {rows}"
        for side, filtered in zip(template.sides, sides, strict=True)
    ]
    return " UNION ALL ".join(each)


def _development(template: Development, source: "_From") -> str:
    figure, name = source.figure(template.measure)
    _, column = source.catalog.column(template.time, source.table)
    time = source.column(template.time)
    if template.step != "as_is":
        if kind_of(column.type) not in ("date", "moment"):
            raise InvalidInput(
                f"The column {column.name!r} holds no dates, it is {column.type}. Expected 'as_is' as step.",
                hint="Leave 'step' out.",
            )
        point = {"year": f"year({time})", "month": f"strftime({time}, '%Y-%m')", "day": f"CAST({time} AS DATE)"}[
            template.step
        ]
    else:
        point = time
    where = list(template.where)
    if template.start is not None:
        where.append(Condition(column=template.time, test="at_least", values=(template.start,)))
    if template.end is not None:
        where.append(Condition(column=template.time, test="at_most", values=(template.end,)))
    label = quoted(template.step if template.step in ("year", "month") else column.name)
    return (
        f"SELECT {point} AS {label}, {figure} AS {quoted(name)}, "
        f"{figure} - first_value({figure}) OVER (ORDER BY {point}) AS change {source.rows(where)} "
        f"GROUP BY {point} ORDER BY {point}"
    )


@dataclass
class _From:
    """The table of a template, and those joined for what it shows; conditions elsewhere become sub-queries."""

    catalog: Catalog
    table: str
    _joined: list[str] = field(default_factory=list[str])
    _joins: list[str] = field(default_factory=list[str])

    def column(self, name: str) -> str:
        """A column to show, group or measure by, its table joined."""
        table, column = self.catalog.column(name, self.table)
        if table != self.table and table not in self._joined:
            for key in self.catalog.path(self.table, table):
                if key.other in self._joined:
                    continue
                self._joined.append(key.other)
                on = f"{quoted(key.table, key.column)} = {quoted(key.other, key.other_column)}"
                self._joins.append(f"JOIN {quoted(key.other)} ON {on}")
        return quoted(table, column.name)

    def columns(self, names: Iterable[str], *, named: bool = True) -> str:
        """Several of them, as they are shown or, not `named`, as rows are grouped; two of one name tell their table."""
        found = [(self.catalog.column(name, self.table), self.column(name)) for name in names]
        labels = [column.name for (_, column), _ in found]
        return ", ".join(
            f"{sql} AS {quoted(f'{table}_{column.name}')}" if named and labels.count(column.name) > 1 else sql
            for (table, column), sql in found
        )

    def figure(self, measure: Measure) -> tuple[str, str]:
        """The figure's SQL and what its column is called."""
        if measure.column is None:
            return "count(*)", "count"
        table, column = self.catalog.column(measure.column, self.table)
        sql = self.column(measure.column)
        if measure.function in ("count", "distinct"):
            return f"count({'DISTINCT ' if measure.function == 'distinct' else ''}{sql})", "count"
        kind = kind_of(column.type)
        if kind != "number" and (measure.function not in ("minimum", "maximum") or kind == "other"):
            raise InvalidInput(
                f"The column {column.name!r} of the table {table!r} holds no numbers, it is {column.type}. "
                f"Expected numbers for the function {measure.function!r}.",
                hint="Count its values instead, or take another column.",
            )
        return f"{_FUNCTIONS[measure.function]}({sql})", f"{measure.function}_{column.name}"

    def rows(self, where: Sequence[Condition]) -> str:
        """FROM, its joins and WHERE."""
        conditions = self.all_of(where)
        joins = "".join(f" {join}" for join in self._joins)
        return f"FROM {quoted(self.table)}{joins}" + (f" WHERE {conditions}" if conditions else "")

    def all_of(self, where: Sequence[Condition]) -> str:
        """The conditions, those of one other table in one sub-query."""
        parts: list[str] = []
        elsewhere: dict[str, list[str]] = {}
        for condition in where:
            table, column = self.catalog.column(condition.column, self.table)
            sql = _condition(condition, quoted(table, column.name), self.catalog, self.table)
            if table == self.table or table in self._joined:
                parts.append(sql)
            else:
                elsewhere.setdefault(table, []).append(sql)
        for table, conditions in elsewhere.items():
            first, *rest = self.catalog.path(self.table, table)
            joins = "".join(
                f" JOIN {quoted(key.other)} ON {quoted(key.table, key.column)} = {quoted(key.other, key.other_column)}"
                for key in rest
            )
            parts.append(
                f"{quoted(first.table, first.column)} IN (SELECT {quoted(first.other, first.other_column)} "
                f"FROM {quoted(first.other)}{joins} WHERE {' AND '.join(conditions)})"
            )
        return " AND ".join(parts)


def _condition(condition: Condition, sql: str, catalog: Catalog, table: str) -> str:
    _, column = catalog.column(condition.column, table)
    kind, test, values = kind_of(column.type), condition.test, condition.values
    if test in ("is_empty", "is_filled"):
        return f"{sql} IS {'NOT ' if test == 'is_filled' else ''}NULL"
    if test in ("contains", "starts_with"):
        text = f"lower(CAST({sql} AS VARCHAR))"
        function = "contains" if test == "contains" else "starts_with"
        return f"{function}({text}, {literal(str(values[0]).lower())})"
    texts = [str(value) for value in values]
    if kind in ("date", "moment") and all(_YEAR.fullmatch(text) for text in texts):
        sql, written = f"year({sql})", texts
    elif kind in ("date", "moment") and all(_MONTH.fullmatch(text) for text in texts):
        sql, written = f"strftime({sql}, '%Y-%m')", [literal(text) for text in texts]
    elif kind == "text" and test in ("is", "is_not"):
        sql, written = f"lower({sql})", [literal(text.lower()) for text in texts]
    else:
        written = [checked(value, column) for value in values]
    if test == "between":
        return f"{sql} BETWEEN {written[0]} AND {written[1]}"
    if test in _SIGNS:
        return f"{sql} {_SIGNS[test]} {written[0]}"
    negated = "NOT " if test == "is_not" else ""
    if len(written) > 1:
        return f"{sql} {negated}IN ({', '.join(written)})"
    return f"{sql} {'<>' if negated else '='} {written[0]}"
