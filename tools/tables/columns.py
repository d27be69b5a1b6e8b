"""The types that the text of a CSV file's columns means."""

from collections.abc import Callable

import duckdb

__all__ = ["typed"]

_SAMPLE = 1000
"""Rows that rule types out before every row is looked at."""
# Each is true where a value fits; the first that is true of all values of a column decides.
_TESTS = {
    "boolean": "lower(v) IN ('true', 'false')",
    "whole": "regexp_full_match(v, '[+-]?(0|[1-9][0-9]{0,17})')",
    "point": "regexp_full_match(v, '[+-]?(0|[1-9][0-9]{0,11})([.][0-9]{1,6})?')",
    "comma": "regexp_full_match(v, '[+-]?(0|[1-9][0-9]{0,2}([.][0-9]{3})+|[1-9][0-9]{0,11})(,[0-9]{1,6})?')",
    "number": "regexp_full_match(v, '[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?')"
    " AND NOT regexp_matches(v, '^[+-]?0[0-9]') AND try_cast(v AS DOUBLE) IS NOT NULL",
    "iso": "try_strptime(v, '%Y-%m-%d') IS NOT NULL",
    "german": "try_strptime(v, '%d.%m.%Y') IS NOT NULL",
    "clock": "regexp_full_match(v, '[0-2]?[0-9]:[0-5][0-9](:[0-5][0-9])?') AND try_cast(v AS TIME) IS NOT NULL",
    "moment": "length(v) > 10 AND try_cast(v AS TIMESTAMP) IS NOT NULL",
}
_PLACES = {
    "point": "coalesce(max(length(regexp_extract(v, '[.]([0-9]+)$', 1))), 0)",
    "comma": "coalesce(max(length(regexp_extract(v, ',([0-9]+)$', 1))), 0)",
}


def typed(connection: duckdb.DuckDBPyConnection, columns: list[str], *, on_column: Callable[[int], None]) -> str:
    """The SELECT list that turns the text columns of the temporary table `raw` into what all their values are.

    A column with one value that does not fit stays text, and so does one whose numbers start with zeros (postal codes).
    German numbers (1.234,50) and dates (31.12.2026) are understood; 1.234 alone is read as a decimal point.
    `on_column` is called with the number of columns done.
    """
    chosen: list[str] = []
    for column in columns:
        chosen.append(f'{_expression(connection, column)} AS "{column}"')
        on_column(len(chosen))
    return ", ".join(chosen)


def _expression(connection: duckdb.DuckDBPyConnection, column: str) -> str:
    values = f'SELECT trim("{column}") AS v FROM raw WHERE trim("{column}") <> \'\''
    possible = _fitting(connection, f"{values} LIMIT {_SAMPLE}", list(_TESTS))
    kind = next(iter(_fitting(connection, values, possible)), None)
    text = f"nullif(trim(\"{column}\"), '')"
    places = _number(connection, f"SELECT {_PLACES[kind]} FROM ({values})") if kind in _PLACES else 0
    match kind:
        case "boolean":
            return f"CAST({text} AS BOOLEAN)"
        case "whole":
            return f"CAST({text} AS BIGINT)"
        case "point":
            return f"CAST({text} AS DECIMAL(18, {places}))"
        case "comma":
            number = f"replace(replace({text}, '.', ''), ',', '.')"
            return f"CAST({number} AS DECIMAL(18, {places}))" if places else f"CAST({number} AS BIGINT)"
        case "number":
            return f"CAST({text} AS DOUBLE)"
        case "iso":
            return f"CAST(strptime({text}, '%Y-%m-%d') AS DATE)"
        case "german":
            return f"CAST(strptime({text}, '%d.%m.%Y') AS DATE)"
        case "clock":
            return f"CAST({text} AS TIME)"
        case "moment":
            return f"CAST({text} AS TIMESTAMP)"
        case _:
            return f'"{column}"'


def _fitting(connection: duckdb.DuckDBPyConnection, values: str, kinds: list[str]) -> list[str]:
    """Those of `kinds` that all `values` are; none where there is no value."""
    if not kinds:
        return []
    tests = ", ".join(f"bool_and({_TESTS[kind]})" for kind in kinds)
    row = connection.execute(f"SELECT {tests} FROM ({values})").fetchone() or ()
    return [kind for kind, fits in zip(kinds, row, strict=True) if fits]


def _number(connection: duckdb.DuckDBPyConnection, sql: str) -> int:
    row = connection.execute(sql).fetchone()
    return int(row[0]) if row else 0
