"""Reads XLSX workbooks: each visible sheet is a table, its header line found, headings over several columns taken along."""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from tools.base.errors import InvalidInput, PartiturError, TimedOut, TooLarge, Unavailable
from tools.tables import TablesConfig
from tools.tables.origins import Raw, Step, within
from tools.worker import Workers

__all__ = ["Heading", "Workbook", "heading"]

_LOOKED = 30
"""Rows at the top among which the header line is looked for."""
_MEMORY = 2
"""Times the memory of a query: the parser keeps a whole sheet."""
_SECONDS = 120.0
"""Time that one sheet may take."""
_VALUE = re.compile(r"true|false|[+-]?[\d.,]+([eE][+-]?\d+)?|\d{4}-\d\d-\d\d(T[\d:.]+)?")


@dataclass(frozen=True, slots=True)
class Workbook:
    """An XLSX file; each of its sheets becomes a table named after file and sheet, after the file where it is alone."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.is_file() else 0

    def tables(self, work: Path, config: TablesConfig, step: Step) -> Iterator[Raw]:
        """See `Origin`.

        Raises:
            InvalidInput: it is no workbook, or is locked.
            TooLarge: it unpacks to more than the memory it may take.
        """
        within(self.path, config)
        # Read from a copy with a plain name: the child's messages name its file.
        copy = work / "source.xlsx"
        copy.write_bytes(self.path.read_bytes())
        child = Workers(
            Path(__file__).with_name("sheets.py"),
            package="python_calamine",
            settings={"file": str(copy), "memory_mb": config.memory_mb * _MEMORY, "locked": True},
            what="workbook",
            count=1,
            cwd=work,
        )
        try:
            yield from self._sheets(child, work, config, step)
        finally:
            child.close()

    def _sheets(self, child: Workers, work: Path, config: TablesConfig, step: Step) -> Iterator[Raw]:
        names: list[str] = self._ask(child, {}, config)["sheets"]
        found = 0
        for position, name in enumerate(names):
            step(position / len(names), f"sheet {name}")
            first = self._ask(child, {"sheet": name, "row": 0}, config)
            if not any(any(row) for row in first["rows"]):
                continue
            found += 1
            words = self.path.stem if len(names) == 1 else f"{self.path.stem} {name}"
            path = work / f"sheet{position}.csv"
            head = heading(first["rows"][:_LOOKED], first["merged"])
            used: list[int] = first["used"]
            headers = tuple(head.names[column] for column in used)
            with path.open("w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file)
                writer.writerow(headers)
                rows: Iterable[list[str]] = chain(first["rows"][head.rows :], self._rest(child, name, first, config))
                writer.writerows([row[column] for column in used] for row in rows if any(row))
            yield Raw(words, f"{self.name}: {name}", path, headers=headers)
        if not found:
            raise InvalidInput("None of its sheets holds a value. Expected at least one table.")

    def _rest(self, child: Workers, name: str, piece: dict[str, Any], config: TablesConfig) -> Iterator[list[str]]:
        row = len(piece["rows"])
        while piece["more"]:
            piece = self._ask(child, {"sheet": name, "row": row}, config)
            yield from piece["rows"]
            row += len(piece["rows"])

    def _ask(self, child: Workers, request: dict[str, object], config: TablesConfig) -> dict[str, Any]:
        try:
            reply = child.ask(request, seconds=_SECONDS)
        except TimedOut as late:
            raise TooLarge(f"One of its sheets took longer than {_SECONDS:g} seconds. Expected smaller ones.") from late
        except Unavailable as death:
            raise self._full(config) from death
        if "error" not in reply:
            return reply
        if reply["kind"] == "file":
            raise InvalidInput(str(reply["error"]))
        raise self._full(config)

    def _full(self, config: TablesConfig) -> PartiturError:
        return TooLarge(
            f"It unpacks to more than {config.memory_mb * _MEMORY} MiB, or spans more cells than fit there. "
            "Expected sheets without values far outside."
        )


@dataclass(frozen=True, slots=True)
class Heading:
    """The first rows of a sheet, understood."""

    names: tuple[str, ...]
    rows: int
    """Rows above the first row of values."""


def heading(rows: Sequence[Sequence[str]], merged: Sequence[Sequence[int]]) -> Heading:
    """Finds the header line: the first row that has words for more than half as many columns as the fullest row has
    values. Cells above it, or in it, that are merged over some of the columns go before the names of these.

    Args:
        rows: the first rows, all of one length.
        merged: first row, first column, last row and last column of merged cells.
    """
    grid = [list(row) for row in rows]
    groups: set[int] = set()
    for top, left, bottom, right in merged:
        if not (0 <= top < len(grid) and 0 <= left < len(grid[0])):
            continue
        last = min(bottom, len(grid) - 1)
        # A title over the whole table names none of its columns.
        if 0 < right - left < len(grid[0]) - 1:
            groups.update(range(top, last + 1))
        for row in range(top, last + 1):
            for column in range(left, min(right + 1, len(grid[0]))):
                grid[row][column] = grid[top][left] if right - left < len(grid[0]) - 1 else rows[row][column]
    enough = max(sum(map(bool, row)) for row in rows) // 2 + 1
    filled = (at for at, row in enumerate(grid) if sum(map(bool, row)) >= enough)
    at = next((at for at, row in enumerate(grid) if _words(row) >= enough), None)
    at = next(filled) if at is None else at
    while at in groups and at + 1 < len(grid) and _words(grid[at + 1]) >= enough:
        at += 1
    first = at
    while first - 1 in groups:
        first -= 1
    names = (
        dict.fromkeys(" ".join(line[column].split()) for line in grid[first : at + 1]) for column in range(len(grid[0]))
    )
    return Heading(tuple(" ".join(filter(None, parts)) for parts in names), at + 1)


def _words(row: Sequence[str]) -> int:
    """Cells that are neither empty nor a number or date."""
    return sum(1 for cell in row if any(map(str.isalpha, cell)) and not _VALUE.fullmatch(cell))
