"""A collection of questions with their SQL: databases as PostgreSQL dumps, questions, and when two results are the same.

A folder with, for each database, NAME.sql (CREATE TABLE and INSERT) and NAME.json (descriptions of its columns), and
questions.csv (question, query, db_name, query_category, instructions). The convention is the collection's own: several
right queries stand behind each other with `;`; braces hold columns any of which may be selected; rows count once and in
no order; columns may be more than those of a right query.
"""

import csv
import itertools
import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb

__all__ = ["Database", "Question", "expanded", "holds", "questions"]

_ALIASES = (
    # What PostgreSQL has and DuckDB does not, as far as such collections use it.
    "CREATE MACRO to_char(moment, form) AS CASE form WHEN 'Month' THEN strftime(CAST(moment AS TIMESTAMP), '%B') "
    "WHEN 'YYYY' THEN strftime(CAST(moment AS TIMESTAMP), '%Y') WHEN 'YYYY-MM' THEN strftime(CAST(moment AS TIMESTAMP), "
    "'%Y-%m') ELSE strftime(CAST(moment AS TIMESTAMP), '%Y%m%d %H:%M:%S') END",
    "CREATE MACRO to_date(words, form) AS CAST(CASE form WHEN 'Month' THEN strptime(words, '%B') "
    "WHEN 'YYYY-MM' THEN strptime(words, '%Y-%m') WHEN 'YYYY-Month' THEN strptime(words, '%Y-%B') "
    "WHEN 'YYYY-MM-DD' THEN strptime(words, '%Y-%m-%d') WHEN 'Month YYYY' THEN strptime(words, '%B %Y') END AS DATE)",
)
_MOST = 64
"""Choices of columns that are tried for one right query."""

Row = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """A question, its right queries as they are written, and what kind it is."""

    text: str
    query: str
    database: str
    category: str
    instructions: str


def questions(folder: Path) -> list[Question]:
    """All of a collection."""
    with (folder / "questions.csv").open(encoding="utf-8", newline="") as file:
        return [
            Question(
                row["question"], row["query"], row["db_name"], row["query_category"], row.get("instructions") or ""
            )
            for row in csv.DictReader(file)
        ]


class Database:
    """One database of the collection, in memory; right queries run here, outside of what is measured."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self._folder = folder
        self._connection = duckdb.connect()
        for alias in _ALIASES:
            self._connection.execute(alias)
        script = (folder / f"{name}.sql").read_text(encoding="utf-8")
        self._connection.execute(re.sub(r"\bpublic\.", "", script))

    def export(self, target: Path) -> list[Path]:
        """Its tables as Parquet files in `target`, with the descriptions beside them as the product reads them."""
        target.mkdir(parents=True)
        found = self._connection.execute("SELECT table_name FROM duckdb_tables() ORDER BY 1").fetchall()
        paths = [target / f"{row[0]}.parquet" for row in found]
        for path in paths:
            self._connection.execute(f"COPY \"{path.stem}\" TO '{path}' (FORMAT parquet)")
        known: dict[str, list[dict[str, str]]] = json.loads((self._folder / f"{self.name}.json").read_text("utf-8"))[
            "table_metadata"
        ]
        for path in paths:
            described = {
                row["column_name"]: {"description": words}
                for name, rows in known.items()
                if name.lower() == path.stem.lower()
                for row in rows
                if (words := row["column_description"].strip())
            }
            if described:
                (target / f"{path.stem}.meta.yaml").write_text(json.dumps({"columns": described}), encoding="utf-8")
        return paths

    def right(self, query: str) -> list[list[Row]]:
        """The rows of every way to write the right query that runs here."""
        found: list[list[Row]] = []
        for sql in expanded(query):
            try:
                found.append(self._connection.execute(sql).fetchall())
            except duckdb.Error:
                continue
        return found

    def close(self) -> None:
        """Frees the memory."""
        self._connection.close()


def expanded(query: str) -> Iterator[str]:
    """Each right query, with each choice of the columns that stand in braces; `GROUP BY {}` takes the same choice."""
    for single in (part.strip() for part in query.split(";")):
        if not single:
            continue
        match = re.search(r"\{([^{}]+)\}", single)
        if match is None:
            yield single
            continue
        columns = [column.strip() for column in match[1].split(",")]
        choices = [choice for size in range(1, len(columns) + 1) for choice in itertools.combinations(columns, size)]
        for choice in choices[:_MOST]:
            plain = [re.split(r"\s+as\s+", column, flags=re.IGNORECASE)[0] for column in choice]
            yield single.replace(match[0], ", ".join(choice), 1).replace("{}", ", ".join(plain))


def holds(found: Sequence[Row], right: Sequence[Row]) -> bool:
    """Whether the found rows are the right ones: some choice of their columns, in some order, gives the same rows."""
    wanted = [[_plain(value) for value in row] for row in right]
    given = [[_plain(value) for value in row] for row in found]
    if not wanted or not given:
        return len(wanted) == len(given)
    width = len(wanted[0])
    # A column can stand for another one only where both hold the same values.
    fits = [
        [at for at in range(len(given[0])) if {row[at] for row in given} == {row[place] for row in wanted}]
        for place in range(width)
    ]
    target = {tuple(row) for row in wanted}
    tried = itertools.islice(itertools.product(*fits), 5_000)
    return any(
        len(set(choice)) == width and {tuple(row[at] for at in choice) for row in given} == target for choice in tried
    )


def _plain(value: object) -> object:
    """What a value is for the comparison: numbers to six digits that count, times as text."""
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, int | float | Decimal):
        number = float(value)
        return "nan" if math.isnan(number) else float(f"{number:.6g}")
    if isinstance(value, datetime):
        return (
            value.date().isoformat() if not (value.hour or value.minute or value.second) else value.isoformat(sep=" ")
        )
    if isinstance(value, date):
        return value.isoformat()
    if value is None:
        return None
    text = str(value).strip()
    return text.removesuffix(" 00:00:00").removesuffix("T00:00:00")
