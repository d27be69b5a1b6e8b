"""Reads lists of nodes and edges: what each file holds, by its headings, and what each row says, or why it does not fit."""

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tools.base.errors import InvalidInput, TooLarge
from tools.csvfile import Dialect, utf8_copy
from tools.graph import FileReport
from tools.graph.building import identifier
from tools.graph.sources import Edge, Node, Source

__all__ = ["Lists"]

_NODES = ("id", "label", "name", "description")
_EDGES = ("source", "type", "target", "since")
_REASONS = 20


@dataclass
class _List:
    path: Path
    kind: Literal["nodes", "edges"]
    dialect: Dialect
    report: FileReport


class Lists:
    """The files of one load. Call `look`, then go through `nodes` and then `edges`; `reports` says what came of them.

    Args:
        source: what the rows belong to.
        work: a folder for copies of the files.
        file_mb: the largest file that is read, in MiB.
        tell: gets bytes done, bytes in all, and a message.
    """

    def __init__(self, source: Source, work: Path, *, file_mb: int, tell: Callable[[float, float, str], None]) -> None:
        self._source = source
        self._work = work
        self._file_mb = file_mb
        self._tell = tell
        self._lists: list[_List] = []
        self._ids: set[str] = set()
        self._done = 0.0
        self.total = 0.0
        self.reports: list[FileReport] = []

    def look(self, files: Sequence[Path], *, named: bool) -> None:
        """Finds out what each file is; where they were not `named` one by one, others are passed by."""
        self._lists = [found for number, path in enumerate(files) if (found := self._of(path, number, named))]
        self.total = float(sum(one.path.stat().st_size for one in self._lists))

    def nodes(self) -> Iterator[Node]:
        """The nodes of all lists. An id stands once in them."""
        for one in self._of_kind("nodes"):
            for line, row in self._rows(one):
                reason = row.get("=") or next((f"it has no {name}" for name in ("id", "label") if not row[name]), None)
                if reason is None and row["id"] in self._ids:
                    reason = f"the id {row['id']!r} is there already"
                if reason is not None:
                    _left_out(one.report, line, reason)
                    continue
                self._ids.add(row["id"])
                one.report.rows += 1
                yield Node(
                    id=row["id"],
                    label=row["label"],
                    name=row["name"] or row["id"],
                    description=row.get("description", ""),
                    properties=_further(row, _NODES),
                    origin=self._source.origin(file=one.report.file, line=line),
                )

    def edges(self, *, known: Callable[[str], bool]) -> Iterator[Edge]:
        """The edges of all lists between the nodes of `nodes`, and those with an id that is `known` elsewhere."""
        for one in self._of_kind("edges"):
            for line, row in self._rows(one):
                reason = row.get("=") or next((f"it has no {name}" for name in _EDGES[:3] if not row[name]), None)
                if reason is None:
                    ends = (row["source"], row["target"])
                    missing = next((id for id in ends if id not in self._ids and not known(id)), None)
                    reason = f"no node has the id {missing!r}" if missing is not None else None
                if reason is not None:
                    _left_out(one.report, line, reason)
                    continue
                one.report.rows += 1
                yield Edge(
                    source=row["source"],
                    type=row["type"],
                    target=row["target"],
                    since=row.get("since", ""),
                    properties=_further(row, _EDGES),
                    origin=self._source.origin(file=one.report.file, line=line),
                )

    def _of(self, path: Path, number: int, named: bool) -> _List | None:
        """What the file is, by its headings; None, with a report, where it is neither."""
        report = FileReport(file=path.name)
        copy = self._work / f"in-{number}.csv"
        try:
            size = path.stat().st_size
            if size > self._file_mb * 2**20:
                raise TooLarge(f"It has {size / 2**20:.0f} MiB. Expected at most {self._file_mb} MiB.")
            utf8_copy(path, copy)
            dialect = Dialect.of(copy)
            headers = [header.lower() for header in dialect.headers]
            kinds = {"nodes": _NODES, "edges": _EDGES}
            kind = next((kind for kind, known in kinds.items() if set(known[:3]) <= set(headers)), None)
            if kind is None:
                raise InvalidInput(
                    f"It has the headings {', '.join(dialect.headers[:20])}. "
                    "Expected id, label, name (nodes) or source, type, target (edges)."
                )
        except (InvalidInput, OSError) as error:
            if named:
                said = error.message if isinstance(error, InvalidInput) else f"It cannot be read: {error.strerror}."
                self.reports.append(
                    report.model_copy(update={"failure": f"{said} Correct the file and load it again."})
                )
            return None
        report.kind = "nodes" if kind == "nodes" else "edges"
        self.reports.append(report)
        return _List(copy, report.kind, dialect, report)

    def _of_kind(self, kind: Literal["nodes", "edges"]) -> Iterator[_List]:
        for one in self._lists:
            if one.kind == kind:
                self._tell(self._done, self.total, f"Reading {one.report.file}")
                yield one
                self._done += one.path.stat().st_size

    def _rows(self, one: _List) -> Iterator[tuple[int, dict[str, str]]]:
        """Line and values of each row; under '=' what is wrong with it. A file that breaks off is reported as failed."""
        headers = [identifier(header).lower() for header in one.dialect.headers]
        with one.path.open(encoding="utf-8", newline="") as file:
            reader = csv.reader(file, delimiter=one.dialect.delimiter, strict=True)
            try:
                next(reader, None)
                for count, values in enumerate(reader, 1):
                    if not values:
                        continue
                    row = {name: value.strip() for name, value in zip(headers, values, strict=False)}
                    if len(values) != len(headers):
                        row["="] = f"it has {len(values)} values, the header has {len(headers)}"
                    yield reader.line_num, row
                    if count % 50_000 == 0:
                        self._tell(self._done, self.total, f"Reading {one.report.file}: {count} rows")
            except csv.Error as error:
                one.report.failure = f"It cannot be read further: {error}. Correct the file and load it again."


def _further(row: dict[str, str], known: Sequence[str]) -> dict[str, str]:
    return {name: value for name, value in row.items() if name not in known and value}


def _left_out(report: FileReport, line: int, reason: str) -> None:
    report.skipped += 1
    if len(report.reasons) < _REASONS:
        report.reasons.append(f"line {line}: {reason}")
