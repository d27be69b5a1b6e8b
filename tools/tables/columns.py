"""The types that the text of a CSV file's columns means."""

import duckdb

__all__ = ["typed"]

# Each is true where every value of the column fits.
_BOOLEAN = "lower(v) IN ('true', 'false')"
_WHOLE = "regexp_full_match(v, '[+-]?(0|[1-9][0-9]{0,17})')"
_POINT = "regexp_full_match(v, '[+-]?(0|[1-9][0-9]{0,11})([.][0-9]{1,6})?')"
_COMMA = "regexp_full_match(v, '[+-]?(0|[1-9][0-9]{0,2}([.][0-9]{3})+|[1-9][0-9]{0,11})(,[0-9]{1,6})?')"
_NUMBER = (
    "regexp_full_match(v, '[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?')"
    " AND NOT regexp_matches(v, '^[+-]?0[0-9]') AND try_cast(v AS DOUBLE) IS NOT NULL"
)
_ISO = "try_strptime(v, '%Y-%m-%d') IS NOT NULL"
_GERMAN = "try_strptime(v, '%d.%m.%Y') IS NOT NULL"
_CLOCK = "regexp_full_match(v, '[0-2]?[0-9]:[0-5][0-9](:[0-5][0-9])?') AND try_cast(v AS TIME) IS NOT NULL"
_MOMENT = "length(v) > 10 AND try_cast(v AS TIMESTAMP) IS NOT NULL"
_TESTS = (_BOOLEAN, _WHOLE, _POINT, _COMMA, _NUMBER, _ISO, _GERMAN, _CLOCK, _MOMENT)


def typed(connection: duckdb.DuckDBPyConnection, columns: list[str]) -> str:
    """The SELECT list that turns the text columns of the temporary table `raw` into what all their values are.

    A column with one value that does not fit stays text, and so does one whose numbers start with zeros (postal codes).
    German numbers (1.234,50) and dates (31.12.2026) are understood; 1.234 alone is read as a decimal point.
    """
    return ", ".join(f'{_expression(connection, column)} AS "{column}"' for column in columns)


def _expression(connection: duckdb.DuckDBPyConnection, column: str) -> str:
    tests = ", ".join(f"bool_and({test})" for test in _TESTS)
    row = connection.execute(
        f"SELECT count(*), max(length(regexp_extract(v, '[.]([0-9]+)$', 1))), "
        f"max(length(regexp_extract(v, ',([0-9]+)$', 1))), {tests} "
        f"FROM (SELECT trim(\"{column}\") AS v FROM raw) WHERE v <> ''"
    ).fetchone()
    assert row is not None
    count, places, comma_places, boolean, whole, point, comma, number, iso, german, clock, moment = row
    text = f"nullif(trim(\"{column}\"), '')"
    if not count:
        return f'"{column}"'
    if boolean:
        return f"CAST({text} AS BOOLEAN)"
    if whole:
        return f"CAST({text} AS BIGINT)"
    if point:
        return f"CAST({text} AS DECIMAL(18, {places}))"
    if comma and comma_places:
        return f"CAST(replace(replace({text}, '.', ''), ',', '.') AS DECIMAL(18, {comma_places}))"
    if comma:
        return f"CAST(replace({text}, '.', '') AS BIGINT)"
    if number:
        return f"CAST({text} AS DOUBLE)"
    if iso or german:
        return f"CAST(strptime({text}, '{'%Y-%m-%d' if iso else '%d.%m.%Y'}') AS DATE)"
    if clock:
        return f"CAST({text} AS TIME)"
    if moment:
        return f"CAST({text} AS TIMESTAMP)"
    return f'"{column}"'
