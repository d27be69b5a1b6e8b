"""What of a result is drawn, and how: bars for things, lines for time; with the words for those who cannot see it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import JsonValue

from tools.language import Language
from tools.tables import Column, TableResult
from tools.tables.catalog import kind_of
from tools.tables.formats import number, shown
from tools.tables.words import concept, parts

__all__ = ["Plot", "Series", "plotted"]

_BARS = 20
"""Bars that can still be told apart and read."""
_POINTS = 400
_SERIES = 4


@dataclass(frozen=True, slots=True)
class Series:
    """One line, or one bar of each group."""

    name: str
    values: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Plot:
    """A drawing without its looks."""

    kind: Literal["bar", "line"]
    title: str
    labels: tuple[str, ...]
    series: tuple[Series, ...]
    percent: bool
    unit: str | None
    language: Language
    left_out: int
    """Rows that are not drawn."""

    def written(self, value: float) -> str:
        """A figure of the drawing."""
        return (
            f"{number(round(value * 100, 1), self.language, places=1)} %"
            if self.percent
            else number(value, self.language)
        )

    def alt_text(self) -> str:
        """What a person who cannot see it needs to know: what is drawn, and the gist of it."""
        german = self.language == "de"
        kind = {"bar": ("Balkendiagramm", "Bar chart"), "line": ("Liniendiagramm", "Line chart")}[self.kind][not german]
        said = [f"{kind}: {self.title}{f' ({self.unit})' if self.unit else ''}."]
        said += [self._gist(series) for series in self.series]
        if self.left_out:
            rest = "weitere Zeilen sind nicht gezeichnet" if german else "more rows are not drawn"
            said.append(f"{self.left_out} {rest}.")
        return " ".join(said)

    def _gist(self, series: Series) -> str:
        known = [(label, value) for label, value in zip(self.labels, series.values, strict=True) if value is not None]
        name = f"{series.name}: " if len(self.series) > 1 else ""
        if self.kind == "line" and len(known) > 1:
            return name + self._change(*known[0], *known[-1])
        if len(known) <= 3:
            return name + "; ".join(f"{label} {self.written(value)}" for label, value in known) + "."
        high, low = max(known, key=lambda each: each[1]), min(known, key=lambda each: each[1])
        form = {
            "de": "{} Werte, am höchsten {} mit {}, am niedrigsten {} mit {}.",
            "en": "{} values, highest {} with {}, lowest {} with {}.",
        }[self.language]
        return name + form.format(len(known), high[0], self.written(high[1]), low[0], self.written(low[1]))

    def _change(self, first: str, start: float, last: str, end: float) -> str:
        change = end - start
        relative = number(round(100 * change / abs(start), 1), self.language, places=1) if start else ""
        form = {"de": "Von {} ({}) auf {} ({}), Veränderung {}{}.", "en": "From {} ({}) to {} ({}), a change of {}{}."}
        share = f" ({relative} %)" if relative and not self.percent else ""
        written = f"{'+' if change > 0 else ''}{self.written(change)}"
        return form[self.language].format(self.written(start), first, self.written(end), last, written, share)


def plotted(
    result: TableResult,
    *,
    title: str,
    language: Language,
    kind: Literal["auto", "bar", "line"] = "auto",
    unit: str | None = None,
) -> Plot | None:
    """What can be drawn of the rows; None where there is nothing to compare: no figures, nothing they are of, one row."""
    figures = [at for at, column in enumerate(result.columns) if _is_figure(column) and _numeric(result.rows, at)]
    times = [at for at, column in enumerate(result.columns) if at not in figures and _is_time(column, result.rows, at)]
    texts = [at for at in range(len(result.columns)) if at not in figures and at not in times]
    if not figures or not (times or texts) or len(result.rows) < 2:
        return None
    shares = [at for at in figures if result.columns[at].name == "share"]
    drawn = shares[:1] or [at for at in figures if result.columns[at].name != "change"][:_SERIES] or figures[:1]
    drawn = _alike(result.rows, drawn)
    table = (
        _over_time(result, times[0], texts, drawn, language) if times else _of_things(result, texts, drawn, language)
    )
    if table is None:
        return None
    labels, series, left_out = table
    several = len(labels) >= (3 if kind == "auto" else 2)
    chosen: Literal["bar", "line"] = "line" if kind == "line" or (kind == "auto" and times and several) else "bar"
    most = _BARS if chosen == "bar" else _POINTS
    if len(labels) > most:
        left_out += len(labels) - most
        cut = slice(len(labels) - most, None) if times else slice(0, most)
        labels, series = labels[cut], tuple(Series(each.name, each.values[cut]) for each in series)
    if len(labels) < 2 or not all(any(value is not None for value in each.values) for each in series):
        return None
    return Plot(chosen, title, labels, series, bool(shares), None if shares else unit, language, left_out)


def _is_figure(column: Column) -> bool:
    year = "year" in concept(parts(column.name)[-1])
    return (
        kind_of(column.type) == "number" and not year and parts(column.name)[-1] not in ("id", "nr", "month", "monat")
    )


def _numeric(rows: Sequence[Sequence[JsonValue]], at: int) -> bool:
    return any(_value(row[at]) is not None for row in rows)


def _is_time(column: Column, rows: Sequence[Sequence[JsonValue]], at: int) -> bool:
    if kind_of(column.type) in ("date", "moment"):
        return True
    meant = concept(parts(column.name)[-1])
    return bool(meant & {"year", "month"}) and all(str(row[at])[:4].isdigit() for row in rows if row[at] is not None)


def _value(value: JsonValue) -> float | None:
    if isinstance(value, bool) or value is None or isinstance(value, list | dict):
        return None
    try:
        found = float(value)
    except ValueError:
        return None
    return found if abs(found) < 1e300 else None  # no infinity, and nothing that is not a number


def _alike(rows: Sequence[Sequence[JsonValue]], columns: list[int]) -> list[int]:
    """Columns whose figures have a size that one axis can show."""
    sizes = {
        at: max((abs(value) for row in rows if (value := _value(row[at])) is not None), default=0.0) for at in columns
    }
    first = sizes[columns[0]] or 1.0
    return [at for at in columns if first / 30 <= sizes[at] <= first * 30] or columns[:1]


def _of_things(
    result: TableResult, texts: Sequence[int], drawn: Sequence[int], language: Language
) -> tuple[tuple[str, ...], tuple[Series, ...], int] | None:
    """One group of bars a row; its label is as many of its texts as tell the rows apart."""
    count = next(
        (
            n
            for n in range(1, len(texts) + 1)
            if len({tuple(map(str, (row[at] for at in texts[:n]))) for row in result.rows}) == len(result.rows)
        ),
        1,
    )
    rows = [row for row in result.rows if any(_value(row[at]) is not None for at in drawn)]
    labels = tuple(
        ", ".join(shown(row[at], language) for at in texts[:count] if row[at] is not None) or "–" for row in rows
    )
    series = tuple(Series(result.columns[at].name, tuple(_value(row[at]) for row in rows)) for at in drawn)
    return labels, series, len(result.rows) - len(rows)


def _over_time(
    result: TableResult, time: int, texts: Sequence[int], drawn: Sequence[int], language: Language
) -> tuple[tuple[str, ...], tuple[Series, ...], int] | None:
    """Points of time in their order; a column of few texts makes a line of each."""
    moments = sorted({str(row[time]) for row in result.rows if row[time] is not None})
    labels = tuple(_moment(moment, language) for moment in moments)
    single = len(moments) == len(result.rows)
    if single or not texts:
        if not single:
            return None  # several figures for one moment, and nothing that tells them apart
        found = {str(row[time]): row for row in result.rows}
        series = tuple(
            Series(result.columns[at].name, tuple(_value(found[each][at]) for each in moments)) for at in drawn
        )
        return labels, series, 0
    names = list(dict.fromkeys(str(row[texts[0]]) for row in result.rows))
    cells = {(str(row[texts[0]]), str(row[time])): _value(row[drawn[0]]) for row in result.rows}
    if len(cells) != len(result.rows):
        return None
    kept = names[:_SERIES]
    left_out = sum(str(row[texts[0]]) not in kept for row in result.rows)
    return labels, tuple(Series(name, tuple(cells.get((name, each)) for each in moments)) for name in kept), left_out


def _moment(text: str, language: Language) -> str:
    if len(text) == 7 and text[4] == "-":
        return f"{text[5:]}/{text[:4]}" if language == "de" else text
    return shown(text, language)
