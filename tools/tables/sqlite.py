"""Copies tables out of a SQLite file: opened read-only, in one transaction, with a limit of time for each."""

import sqlite3
from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Self
from urllib.parse import quote

from tools.base.errors import InvalidInput, NotFound, TimedOut, TooLarge

__all__ = ["Source"]

_BATCH = 1_000
_STEPS = 100_000
"""Instructions of SQLite's machine between two looks at the clock."""
_TYPES = {frozenset({"integer"}): "BIGINT", frozenset({"real"}): "DOUBLE", frozenset({"integer", "real"}): "DOUBLE"}
"""What a column is by the values it has: SQLite's own types bind nobody. Everything else is text."""


class Source:
    """A SQLite file; its tables and views are of one moment."""

    def __init__(self, path: Path, seconds: float, most_mb: int) -> None:
        self._path = path
        self._seconds = seconds
        self._most_mb = most_mb
        if not path.is_file():
            raise NotFound(f"The SQLite file {path.name!r} is not there. Expected it at the address in the settings.")
        # Not 'immutable': others may write to it, and what they do must not tear our reading apart.
        self._connection = sqlite3.connect(
            f"file:{quote(str(path.absolute()))}?mode=ro", uri=True, isolation_level=None
        )

    def __enter__(self) -> Self:
        with self._told():
            # Views and triggers that the file brings along call nothing that reaches outside.
            self._connection.execute("PRAGMA trusted_schema = OFF")
            self._connection.execute("PRAGMA query_only = ON")
            self._connection.execute("BEGIN")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def tables(self) -> list[str]:
        """Tables and views by name."""
        with self._told():
            found = self._connection.execute(
                "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND substr(name, 1, 7) <> 'sqlite_' "
                "ORDER BY name"
            )
            return [str(row[0]) for row in found]

    def copy(self, table: str, target: Path) -> tuple[list[str], dict[int, str]]:
        """Writes the table as CSV; returns its headings and the types of those columns that are not text."""
        name = '"' + table.replace('"', '""') + '"'
        with (
            self._told(),
            closing(self._connection.execute(f"SELECT * FROM {name}")) as cursor,
            target.open("w", encoding="utf-8", newline="") as file,
        ):
            headers = [str(column[0]) for column in cursor.description]
            kinds: list[set[str]] = [set() for _ in headers]
            file.write(_line(headers))
            while rows := cursor.fetchmany(_BATCH):
                for row in rows:
                    for kind, value in zip(kinds, row, strict=True):
                        if value is not None:
                            kind.add(_kind(value))
                    file.write(_line([_plain(value) for value in row]))
                if file.tell() > self._most_mb * 2**20:
                    raise TooLarge(
                        f"The table {table!r} has more than {self._most_mb} MiB. Expected at most that.",
                        hint="Make a view with less, and name it in the settings.",
                    )
        return headers, {at: _TYPES[frozenset(kind)] for at, kind in enumerate(kinds) if frozenset(kind) in _TYPES}

    @contextmanager
    def _told(self) -> Generator[None]:
        """Within it, SQLite works for as long as the settings allow, and its errors are ours."""
        end = monotonic() + self._seconds
        self._connection.set_progress_handler(lambda: monotonic() > end, _STEPS)
        try:
            yield
        except sqlite3.Error as error:
            if monotonic() > end:
                raise TimedOut(
                    f"Reading from {self._path.name!r} took longer than {self._seconds:g} seconds. Expected less.",
                    hint="Give it more 'seconds' in the settings, or make a view with less.",
                ) from error
            raise InvalidInput(f"{self._path.name!r} cannot be read: {error}. Expected a SQLite file.") from error


def _kind(value: object) -> str:
    if isinstance(value, int):
        return "integer"
    return "real" if isinstance(value, float) else "text"


def _plain(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, bytes):
        return value.hex()
    return repr(value) if isinstance(value, float) else str(value).replace("\x00", "")


def _line(values: Sequence[str | None]) -> str:
    """A line of CSV in which NULL is not the empty text."""
    return ",".join("" if value is None else '"' + value.replace('"', '""') + '"' for value in values) + "\n"
