"""Answers questions about tables: by a template that was given, by one the words lead to, or by SQL a model wrote."""

from collections.abc import Sequence
from threading import Event

from tools.base import Reach
from tools.language import Language, detect
from tools.tables import Binding, TableAnswer, TableQuery, TableQuestion, TableResult, TableSchemaQuery
from tools.tables.catalog import Catalog, kind_of
from tools.tables.linking import Link, keys
from tools.tables.markdown import markdown
from tools.tables.matching import Doubt, match
from tools.tables.settling import settled
from tools.tables.statement import statement
from tools.tables.store import Tables
from tools.tables.templates import Aggregate, Compare, Count, Measure, Share, Template
from tools.tables.wording import answered, doubted, nothing, title, understood

__all__ = ["Asking", "language_of"]


def language_of(asked: TableQuestion) -> Language:
    """The language of the answer."""
    return asked.language or detect(asked.question or "")


class Asking:
    """Questions of one caller, over what that caller sees now; safe from any thread."""

    def __init__(self, tables: Tables, reach: Reach, *, stop: Event | None = None) -> None:
        self._tables = tables
        self._reach = reach
        self._stop = stop
        schema = tables.schema(TableSchemaQuery(), reach=reach)
        self.catalog = Catalog(schema.tables, keys(schema.tables))

    def run(self, sql: str, *, limit: int = 1000) -> TableResult:
        """The rows of a SELECT, as the caller.

        Raises:
            PartiturError: see `Tables.query`.
        """
        return self._tables.query(TableQuery(sql=sql, limit=limit), reach=self._reach, stop=self._stop)

    def answer(self, asked: TableQuestion) -> TableAnswer:
        """The answer without a model.

        Raises:
            InvalidInput, NotFound: a template that was given does not fit the tables.
        """
        language = language_of(asked)
        if asked.template is not None:
            return self._filled(asked.template, asked, language)
        found = match(asked.question or "", self.catalog, self._rows)
        if isinstance(found, Doubt):
            outcome = "not_in_data" if found.reason == "unknown_words" else "unclear"
            return TableAnswer(outcome=outcome, text=doubted(found, language), engine="templates")
        template = settled(found.shape, self.catalog, self.run)
        bindings = [_binding(words, link) for words, link in found.links]
        answer = self._filled(template, asked, language)
        return answer.model_copy(update={"bindings": bindings, "confidence": found.score})

    def title(self, template: Template, language: Language) -> str:
        """What a drawing of a template's rows is called."""
        return title(template, self.catalog, language)

    def _rows(self, sql: str) -> Sequence[Sequence[object]]:
        return self.run(sql).rows

    def _filled(self, template: Template, asked: TableQuestion, language: Language) -> TableAnswer:
        sql = statement(template, self.catalog)
        result = self.run(sql, limit=asked.limit)
        told = understood(template, self.catalog, language)
        empty = not any(value is not None for row in result.rows for value in row)
        if isinstance(template, Count) and not template.by and result.rows == [[0]] and not self._within(template):
            empty = True
        if empty:
            text = nothing(language)
        elif mixed := self._mixed(template):
            return TableAnswer(
                outcome="unclear",
                text=_mixes(mixed, language),
                understood=told,
                template=template,
                sql=sql,
                engine="templates",
            )
        else:
            text = answered(result, language, unit=self._unit(template, result))
        return TableAnswer(
            outcome="not_in_data" if empty else "answered",
            text=text,
            understood=told,
            template=template,
            sql=sql,
            result=result,
            markdown=markdown(result.columns, result.rows) if result.rows else None,
            engine="templates",
        )

    def _within(self, template: Count) -> bool:
        """Whether years that were asked for lie where the table has any: none found outside says nothing."""
        for condition in template.where:
            _, column = self.catalog.column(condition.column, template.table)
            numbers = [value for value in condition.values if isinstance(value, int)]
            low, high = column.minimum, column.maximum
            if not (isinstance(low, int) and isinstance(high, int) and kind_of(column.type) == "number"):
                continue
            if numbers and condition.test == "is" and not any(low <= number <= high for number in numbers):
                return False
        return True

    def _measure(self, template: Template) -> Measure | None:
        if isinstance(template, Aggregate):
            return Measure(function=template.function, column=template.column)
        return template.measure if isinstance(template, Compare | Share) else None

    def _mixed(self, template: Template) -> list[str]:
        """Units that a figure would add up, where the table has a column for them; none where it is one."""
        measure = self._measure(template)
        if measure is None or measure.function in ("count", "distinct", "minimum", "maximum") or not measure.column:
            return []
        table, column = self.catalog.column(measure.column, template.table)
        if table != template.table or column.name not in (
            "value",
            "wert",
            "betrag",
            "amount",
            "menge",
            "anzahl",
            "quantity",
        ):
            return []
        units = [
            each
            for each in self.catalog.tables[table].columns
            if each.name in ("unit", "einheit", "currency", "waehrung")
        ]
        if len(units) != 1:
            return []
        counted = Count(table=table, by=(units[0].name,), where=template.where)
        grouped = template.by if isinstance(template, Aggregate) else ()
        if units[0].name in grouped:
            return []
        rows = self.run(statement(counted, self.catalog), limit=5).rows
        return [str(row[0]) for row in rows] if len(rows) > 1 else []

    def _unit(self, template: Template, result: TableResult) -> str | None:
        """What a single figure counts."""
        measure = self._measure(template)
        if measure is None or measure.column is None or result.row_count != 1 or isinstance(template, Share):
            return None
        if isinstance(template, Compare) and template.result == "quotient":
            return None
        table, column = self.catalog.column(measure.column, template.table)
        if column.unit:
            return column.unit
        unit = next(
            (each.name for each in self.catalog.tables[table].columns if each.name in ("unit", "einheit")), None
        )
        if unit is None or column.name not in ("value", "wert"):
            return None
        rows = self.run(statement(Count(table=table, by=(unit,), where=template.where), self.catalog), limit=2).rows
        return str(rows[0][0]) if len(rows) == 1 else None


def _mixes(units: Sequence[str], language: Language) -> str:
    listed = ", ".join(units[:5])
    if language == "de":
        return f"Das würde Zahlen verschiedener Einheiten zusammenrechnen ({listed}). Nennen Sie, welche gemeint sind."
    return f"That would put figures of different units together ({listed}). Say which are meant."


def _binding(words: str, link: Link) -> Binding:
    meaning = "value" if link.kind == "value" else "column" if link.kind == "column" else "table"
    return Binding(words=words, meaning=meaning, table=link.table, column=link.column, values=list(link.values))
