"""Says in a sentence what was understood, what came out, and what stands in the way; German and English."""

from collections.abc import Sequence

from tools.language import Language
from tools.tables import Column, TableResult
from tools.tables.catalog import Catalog
from tools.tables.formats import shown
from tools.tables.matching import Doubt
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
from tools.tables.words import concept, parts

__all__ = ["answered", "cell", "doubted", "nothing", "title", "understood"]

_FUNCTIONS = {
    "de": {"count": "Anzahl der Zeilen", "distinct": "Anzahl verschiedener {}", "sum": "Summe von {}",
           "average": "Durchschnitt von {}", "median": "Median von {}", "minimum": "Minimum von {}", "maximum": "Maximum von {}"},
    "en": {"count": "number of rows", "distinct": "number of different {}", "sum": "sum of {}",
           "average": "average of {}", "median": "median of {}", "minimum": "minimum of {}", "maximum": "maximum of {}"},
}  # fmt: skip
_TESTS = {
    "de": {"is": "=", "is_not": "≠", "above": ">", "at_least": "≥", "below": "<", "at_most": "≤", "between": "zwischen",
           "contains": "enthält", "starts_with": "beginnt mit", "is_empty": "ist leer", "is_filled": "ist nicht leer"},
    "en": {"is": "=", "is_not": "≠", "above": ">", "at_least": "≥", "below": "<", "at_most": "≤", "between": "between",
           "contains": "contains", "starts_with": "starts with", "is_empty": "is empty", "is_filled": "is not empty"},
}  # fmt: skip


class _Say:
    def __init__(self, catalog: Catalog, table: str, language: Language) -> None:
        self._catalog = catalog
        self._table = table
        self.language: Language = language

    def column(self, name: str) -> str:
        """The column's heading, as readers know it."""
        _, column = self._catalog.column(name, self._table)
        return column.header or column.name

    def columns(self, names: Sequence[str]) -> str:
        return ", ".join(map(self.column, names))

    def measure(self, measure: Measure) -> str:
        column = self.column(measure.column) if measure.column else ""
        return _FUNCTIONS[self.language][measure.function].format(column)

    def where(self, conditions: Sequence[Condition]) -> str:
        if not conditions:
            return ""
        joint = {"de": " und ", "en": " and "}[self.language]
        said = joint.join(self._condition(condition) for condition in conditions)
        return {"de": f", wobei {said}", "en": f", where {said}"}[self.language]

    def _condition(self, condition: Condition) -> str:
        test = _TESTS[self.language][condition.test]
        joint = {"de": (" oder ", " und "), "en": (" or ", " and ")}[self.language]
        values = joint[condition.test == "between"].join(map(str, condition.values))
        return f"{self.column(condition.column)} {test} {values}".rstrip()

    def by(self, names: Sequence[str]) -> str:
        return (
            {"de": f" je {self.columns(names)}", "en": f" for each {self.columns(names)}"}[self.language]
            if names
            else ""
        )


def understood(template: Template, catalog: Catalog, language: Language) -> str:
    """The template as a sentence without a verb: Summe von value je district, wobei year = 2025 (Tabelle statistics)."""
    return f"{_core(template, catalog, language, whole=True)} ({_table(template, catalog, language)})."


def title(template: Template, catalog: Catalog, language: Language) -> str:
    """The template as a heading."""
    return _core(template, catalog, language, whole=False)


def _table(template: Template, catalog: Catalog, language: Language) -> str:
    table = catalog.table(template.table)
    return f"{'Tabelle' if language == 'de' else 'table'} {table.title or table.name}"


def _core(template: Template, catalog: Catalog, language: Language, *, whole: bool) -> str:
    say = _Say(catalog, template.table, language)
    german = language == "de"
    match template:
        case Lookup():
            said = say.columns(template.columns[:1] if not whole else template.columns)
        case ListRows():
            shown_columns = (
                say.columns(template.columns) if template.columns else ("alle Spalten" if german else "all columns")
            )
            said = f"{'Liste' if german else 'list'}: {shown_columns}"
            if template.order_by and whole:
                down = (
                    ("absteigend" if german else "descending")
                    if template.descending
                    else ("aufsteigend" if german else "ascending")
                )
                said += f", {'geordnet nach' if german else 'ordered by'} {say.column(template.order_by)} {down}"
        case Count():
            measure = Measure(function="distinct" if template.distinct else "count", column=template.distinct)
            said = say.measure(measure) + say.by(template.by)
        case Aggregate():
            said = say.measure(Measure(function=template.function, column=template.column)) + say.by(template.by)
        case Top():
            order = ("niedrigste" if german else "lowest") if template.lowest else ("höchste" if german else "highest")
            figure = say.column(template.measure.column or "") if not template.by else say.measure(template.measure)
            said = (
                f"{order} {figure}"
                + say.by(template.by)
                + (f" (Top {template.count})" if template.count < 1000 else "")
            )
        case Share():
            figure = say.measure(template.measure)
            part = say.where(template.part).removeprefix(", ") or say.by((template.by,) if template.by else ()).strip()
            said = f"{'Anteil an' if german else 'share of'} {figure} {part}"
        case Compare():
            names = " / ".join(side.label for side in template.sides)
            kinds = {
                "beside": ("Vergleich", "comparison"),
                "difference": ("Unterschied", "difference"),
                "quotient": ("Verhältnis", "ratio"),
            }
            said = f"{kinds[template.result][not german]} {names}: {say.measure(template.measure)}"
        case Development():
            said = f"{'Entwicklung' if german else 'development'}: {say.measure(template.measure)} {'nach' if german else 'by'} "
            said += say.column(template.time)
        case Exists():
            said = "Gibt es eine solche Zeile" if german else "is there such a row"
    where = say.where(template.where)
    return (said + where)[:1].upper() + (said + where)[1:]


def answered(result: TableResult, language: Language, *, unit: str | None = None) -> str:
    """The rows in a sentence: the value where there is one, else how many there are and the first of them."""
    german = language == "de"
    names = [column.name for column in result.columns]
    if result.row_count == 1:
        cells = [cell(value, column, language) for value, column in zip(result.rows[0], result.columns, strict=True)]
        if len(cells) == 1:
            return f"{cells[0]} {unit}." if unit else f"{cells[0]}."
        return "; ".join(f"{name}: {value}" for name, value in zip(names, cells, strict=True)) + "."
    shown_rows = [
        " – ".join(cell(value, column, language) for value, column in zip(row, result.columns, strict=True))
        for row in result.rows[:3]
    ]
    more = result.row_count - len(shown_rows)
    tail = (f" und {more} weitere" if german else f" and {more} more") if more > 0 else ""
    count = f"{result.row_count}{'+' if result.truncated else ''} {'Zeilen' if german else 'rows'}"
    return f"{count}: {'; '.join(shown_rows)}{tail}."


def cell(value: object, column: Column, language: Language) -> str:
    """A value of a result for readers."""
    if column.name == "share" and isinstance(value, int | float):
        return f"{shown(round(value * 100, 1), language)} %"
    return shown(value, language, year="year" in concept(parts(column.name)[-1]))


def doubted(doubt: Doubt, language: Language) -> str:
    """Why a question was not answered, and what would help."""
    words = ", ".join(f"„{word}“" if language == "de" else f"“{word}”" for word in doubt.words)
    german = language == "de"
    match doubt.reason:
        case "unknown_words":
            if not words:
                return (
                    "In den Tabellen passt nichts zu dieser Frage. Erwartet wird eine Frage zu ihren Spalten und Werten."
                    if german
                    else "Nothing in the tables matches this question. Expected one about their columns and values."
                )
            return (
                f"In den Tabellen passt nichts zu {words}. Erwartet werden Wörter ihrer Spalten und Werte."
                if german
                else f"Nothing in the tables matches {words}. Expected words of their columns and values."
            )
        case "ambiguous":
            return (
                f"Die Frage kann mehreres meinen: {words}. Nennen Sie die Tabelle oder Spalte dazu."
                if german
                else f"The question could mean several things: {words}. Name the table or column as well."
            )
        case "no_template":
            named = (f" Offen blieb: {words}." if german else f" Left over: {words}.") if words else ""
            return (
                f"Die Frage hat keine Form, die ohne Sprachmodell beantwortet wird.{named} Fragen Sie einfacher, oder mit SQL."
                if german
                else f"The question has no form that is answered without a language model.{named} Ask more simply, or in SQL."
            )


def nothing(language: Language) -> str:
    """Where the SELECT ran and found no row."""
    return (
        "Die Tabellen enthalten dazu keine Zeile." if language == "de" else "The tables hold no row that answers this."
    )
