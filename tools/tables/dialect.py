"""What a CSV file from an office looks like: its encoding, its delimiter, and the types its columns mean."""

import codecs
import csv
from dataclasses import dataclass
from pathlib import Path

import duckdb

from tools.base.errors import InvalidInput

__all__ = ["Dialect", "typed", "utf8_copy"]

_PIECE = 2**20
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


@dataclass(frozen=True)
class Dialect:
    """How the file separates values, and the headings of its first line."""

    delimiter: str
    headers: tuple[str, ...]

    @classmethod
    def of(cls, path: Path) -> "Dialect":
        """Read from the header line, which every file must have: guessing from the rows goes wrong on free text.

        Raises:
            InvalidInput: there is no header line.
        """
        with path.open(encoding="utf-8", newline="") as file:
            start = file.read(_PIECE)
        line = start.partition("\n")[0]
        if not line.strip():
            raise InvalidInput("It has no header line. Expected the columns' names in the first line.")
        outside = "".join(line.split('"')[::2])
        delimiter = max(",;\t|", key=outside.count)
        try:
            headers = next(csv.reader(start.splitlines(keepends=True), delimiter=delimiter, strict=True))
        except csv.Error as error:
            raise InvalidInput(f"Its header line cannot be read: {error}. Expected names with a delimiter.") from error
        return cls(delimiter, tuple(header.strip() for header in headers))


def utf8_copy(source: Path, target: Path) -> None:
    """Copies `source` as UTF-8 in small pieces; a file that is neither UTF-8 nor UTF-16 is read as Windows-1252.

    Raises:
        InvalidInput: the file is binary.
    """
    for encoding in (_marked(source) or "utf-8", "cp1252"):
        try:
            _copy(source, target, encoding)
        except UnicodeDecodeError:
            continue
        return
    raise InvalidInput("It is not text in UTF-8, UTF-16 or Windows-1252. Expected a CSV file.")


def typed(connection: duckdb.DuckDBPyConnection, columns: list[str]) -> str:
    """The SELECT list that turns the text columns of the temporary table `raw` into what all their values are.

    A column with one value that does not fit stays text, and so does one whose numbers start with zeros (postal codes).
    German numbers (1.234,50) and dates (31.12.2026) are understood.
    """
    chosen: list[str] = []
    for column in columns:
        value = f'trim("{column}")'
        row = connection.execute(
            f"""SELECT count({value}),
                bool_and(lower({value}) IN ('true', 'false')),
                bool_and(regexp_full_match({value}, '[+-]?(0|[1-9][0-9]{{0,17}})')),
                bool_and(regexp_full_match({value}, '[+-]?(0|[1-9][0-9]{{0,11}})([.][0-9]{{1,6}})?')),
                max(length(regexp_extract({value}, '[.]([0-9]+)$', 1))),
                bool_and(regexp_full_match({value}, '[+-]?(0|[1-9][0-9]{{0,2}}([.][0-9]{{3}})+|[1-9][0-9]{{0,11}})(,[0-9]{{1,6}})?')),
                max(length(regexp_extract({value}, ',([0-9]+)$', 1))),
                bool_and(regexp_full_match({value}, '[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?') AND NOT regexp_matches({value}, '^[+-]?0[0-9]')),
                bool_and(try_strptime({value}, '%Y-%m-%d') IS NOT NULL),
                bool_and(try_strptime({value}, '%d.%m.%Y') IS NOT NULL),
                bool_and(regexp_full_match({value}, '[0-2]?[0-9]:[0-5][0-9](:[0-5][0-9])?') AND try_cast({value} AS TIME) IS NOT NULL),
                bool_and(length({value}) > 10 AND try_cast({value} AS TIMESTAMP) IS NOT NULL)
            FROM raw WHERE {value} <> ''"""
        ).fetchone()
        assert row is not None
        count, boolean, whole, point, places, comma, comma_places, number, iso, german, clock, moment = row
        text = f"nullif({value}, '')"
        if not count:
            expression = f'"{column}"'
        elif boolean:
            expression = f"CAST({text} AS BOOLEAN)"
        elif whole:
            expression = f"CAST({text} AS BIGINT)"
        elif point and places:
            expression = f"CAST({text} AS DECIMAL(18, {places}))"
        elif comma and comma_places:
            expression = f"CAST(replace(replace({text}, '.', ''), ',', '.') AS DECIMAL(18, {comma_places}))"
        elif comma:
            expression = f"CAST(replace({text}, '.', '') AS BIGINT)"
        elif number:
            expression = f"CAST({text} AS DOUBLE)"
        elif iso:
            expression = f"CAST(strptime({text}, '%Y-%m-%d') AS DATE)"
        elif german:
            expression = f"CAST(strptime({text}, '%d.%m.%Y') AS DATE)"
        elif clock:
            expression = f"CAST({text} AS TIME)"
        elif moment:
            expression = f"CAST({text} AS TIMESTAMP)"
        else:
            expression = f'"{column}"'
        chosen.append(f'{expression} AS "{column}"')
    return ", ".join(chosen)


def _marked(source: Path) -> str | None:
    with source.open("rb") as file:
        start = file.read(4)
    return next((encoding for mark, encoding in _MARKS if start.startswith(mark)), None)


def _copy(source: Path, target: Path, encoding: str) -> None:
    with source.open(encoding=encoding, newline="") as text, target.open("w", encoding="utf-8", newline="") as copy:
        while piece := text.read(_PIECE):
            if "\x00" in piece:
                raise InvalidInput("It holds NUL bytes, so it is not text. Expected a CSV file.")
            copy.write(piece)
