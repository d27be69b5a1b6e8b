"""Where tables come from: each origin gives raw tables one after the other, which the load then types and stores."""

import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import duckdb

from tools.base.errors import TooLarge
from tools.csvfile import Dialect, utf8_copy
from tools.tables import TablesConfig
from tools.tables.columns import typed
from tools.tables.names import columns_of, quoted, text

__all__ = ["File", "Origin", "Raw", "Said", "Step", "create", "within"]

_COMMENT = re.compile(r"# *([^:;\t|]{1,200}): *(.+)")
_UNIT = re.compile(r"(.*?)\s*\[([^\[\]]{1,100})\]")
_LINE = 4_000
Step = Callable[[float, str], None]
"""Told which part of an origin is done, and what goes on."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a file's own comment lines say of a heading."""

    description: str
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class Raw:
    """A table that is not typed yet: a file in the work folder, CSV in UTF-8 with a header line, or Parquet."""

    words: str
    """What its name is made of."""
    file: str
    """What reports and readers call its source."""
    path: Path
    delimiter: str = ","
    headers: tuple[str, ...] = ()
    types: Mapping[int, str] | None = None
    """SQL types of columns by position, where the source knows them; the others are text. None: found in the values."""
    comments: Mapping[str, Said] = field(default_factory=dict[str, Said])


class Origin(Protocol):
    """A file, a workbook or a database."""

    @property
    def name(self) -> str:
        """For reports."""
        ...

    @property
    def size(self) -> int:
        """Bytes, as far as they are known before it is read."""
        ...

    def tables(self, work: Path, config: TablesConfig, step: Step) -> Iterator[Raw]:
        """Its tables, each in files below `work` that are read before the next one is asked for.

        Raises:
            PartiturError, OSError: it cannot be read; what it gave before stays.
        """
        ...


@dataclass(frozen=True, slots=True)
class File:
    """A CSV, TSV or Parquet file."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.is_file() else 0

    def tables(self, work: Path, config: TablesConfig, step: Step) -> Iterator[Raw]:
        """See `Origin`."""
        within(self.path, config)
        copy = work / f"source{self.path.suffix.lower()}"
        if copy.suffix == ".parquet":
            shutil.copyfile(self.path, copy)
            yield Raw(self.path.stem, self.name, copy)
            return
        utf8_copy(self.path, copy)
        step(0.2, "splitting into columns")
        comments = _comments(copy)
        dialect = Dialect.of(copy)
        yield Raw(self.path.stem, self.name, copy, dialect.delimiter, dialect.headers, comments=comments)


def within(path: Path, config: TablesConfig) -> None:
    """Says nothing of a file that is as small as the settings want it.

    Raises:
        TooLarge: it is larger.
    """
    size = path.stat().st_size
    if size > config.file_mb * 2**20:
        raise TooLarge(f"It has {size / 2**20:.0f} MiB. Expected at most {config.file_mb} MiB.")


def create(connection: duckdb.DuckDBPyConnection, id: str, raw: Raw, *, most: int, step: Step) -> dict[str, str]:
    """Makes the table `id` of `raw`; returns its columns' names in SQL with the headings they come from.

    Raises:
        TooLarge: it has more than `most` columns.
        duckdb.Error: its lines do not fit.
    """
    table = quoted(id)
    if raw.path.suffix == ".parquet":
        source = f"read_parquet({text(str(raw.path))})"
        found = connection.execute(f"DESCRIBE FROM {source}").fetchall()
        headers = columns_of([str(row[0]) for row in found], most)
        chosen = ", ".join(f"{quoted(header)} AS {quoted(column)}" for column, header in headers.items())
        connection.execute(f"CREATE TABLE {table} AS SELECT {chosen} FROM {source}")
        return headers
    headers = columns_of(list(raw.headers), most)
    as_text = ", ".join(f"{text(column)}: 'VARCHAR'" for column in headers)
    # Where the source knows types, an empty text is a value; in the files of offices it is none.
    quoted_nulls = "true" if raw.types is None else "false"
    connection.execute(
        f"CREATE TEMP TABLE raw AS FROM read_csv({text(str(raw.path))}, auto_detect=false, header=true, quote='\"', "
        f"escape='\"', delim={text(raw.delimiter)}, columns={{{as_text}}}, strict_mode=true, "
        f"allow_quoted_nulls={quoted_nulls})"
    )
    try:
        count = len(headers)
        if raw.types is None:
            chosen = typed(
                connection,
                list(headers),
                on_column=lambda done: step(0.4 + 0.4 * done / count, f"{done} of {count} columns understood"),
            )
        else:
            chosen = ", ".join(
                f"CAST({quoted(column)} AS {raw.types.get(position, 'VARCHAR')}) AS {quoted(column)}"
                for position, column in enumerate(headers)
            )
        connection.execute(f"CREATE TABLE {table} AS SELECT {chosen} FROM raw")
    finally:
        connection.execute("DROP TABLE IF EXISTS raw")
    return headers


def _comments(path: Path) -> dict[str, Said]:
    """What the lines `# heading: words [unit]` before the header line say; they are taken out of the file."""
    found: dict[str, Said] = {}
    with path.open(encoding="utf-8", newline="") as file:
        while (match := _COMMENT.fullmatch((line := file.readline(_LINE)).strip())) and line.endswith("\n"):
            words = _UNIT.fullmatch(match[2])
            found[match[1].strip()] = Said(words[1], words[2]) if words else Said(match[2])
        if not found:
            return found
        rest = path.with_suffix(".rest")
        with rest.open("w", encoding="utf-8", newline="") as copy:
            copy.write(line)
            shutil.copyfileobj(file, copy)
    rest.replace(path)
    return found
