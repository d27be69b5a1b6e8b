"""Turns lists of nodes and edges into the engine's tables: a label is a node table, an edge type a relation table."""

import csv
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TextIO

from tools.base.errors import Failed, InvalidInput, TooLarge
from tools.csvfile import Dialect, utf8_copy
from tools.graph import EdgeKind, FileReport, GraphConfig, GraphSchema, NodeKind
from tools.graph.store import Catalog, engines

__all__ = ["Building"]

_NODES = ("id", "label", "name", "description")
_EDGES = ("source", "type", "target", "since")
_REASONS = 20
_KINDS = 200
"""Most labels, and most pairs of labels that edges connect."""
_STATEMENT = 3600.0
"""Seconds one statement of the build may take."""


@dataclass
class _Source:
    path: Path
    kind: Literal["nodes", "edges"]
    dialect: Dialect
    report: FileReport


@dataclass
class _Table:
    """A label or an edge type, with the files its rows were sorted into."""

    name: str
    title: str
    counts: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    samples: list[str] = field(default_factory=list[str])


class Building:
    """One build in `folder`. Call `read`, then `write`; `tell` gets bytes done, bytes in all, and a message."""

    def __init__(self, config: GraphConfig, folder: Path, tell: Callable[[float, float, str], None]) -> None:
        self._config = config
        self._folder = folder
        self._work = folder / "work"
        self._work.mkdir()
        self._tell = tell
        self._total = self._done = 0.0
        self._extras: dict[str, list[str]] = {"nodes": [], "edges": []}
        self._tables: dict[str, dict[str, _Table]] = {"nodes": {}, "edges": {}}
        self._label_of: dict[str, str] = {}
        self._open: dict[str, TextIO] = {}
        self.reports: list[FileReport] = []

    @property
    def nodes(self) -> int:
        return len(self._label_of)

    @property
    def edges(self) -> int:
        return sum(table.counts.total() for table in self._tables["edges"].values())

    def read(self, files: Sequence[Path], *, named: bool) -> None:
        """Sorts the rows of `files` by label and type; where they were not `named` one by one, others are passed by."""
        # Reading and writing count half each.
        self._total = 2.0 * sum(path.stat().st_size for path in files if path.is_file()) or 1.0
        sources = [found for number, path in enumerate(files) if (found := self._look(path, number, named))]
        sources.sort(key=lambda source: source.kind == "edges")
        for source in sources:
            extras = self._extras[source.kind]
            known = _NODES if source.kind == "nodes" else _EDGES
            extras += [name for name in self._headers(source) if name not in (*known, *extras)]
        with ExitStack() as writers:
            for source in sources:
                self._sort(source, writers)

    def write(self) -> None:
        """Builds the engine's file and the catalog beside it.

        Raises:
            Failed: the engine does not take the data.
        """
        statements = list(self._statements())
        share = (self._total - self._done) / (len(statements) + 1)
        workers = engines(self._config, self._folder, write=True)
        try:
            for statement, message in statements:
                self._tell(self._done, self._total, message)
                reply = workers.ask({"cypher": statement, "limit": 1}, seconds=_STATEMENT)
                if "error" in reply:
                    raise Failed(f"{message} failed: {reply['error']}. Expected data the engine can store.")
                self._done += share
            workers.ask({"close": True}, seconds=_STATEMENT)
        finally:
            workers.close()
        catalog = Catalog(engine=self._config.engine, schema_=self._schema())
        (self._folder / "schema.json").write_text(catalog.model_dump_json(indent=1), encoding="utf-8")
        self._tell(self._total, self._total, f"{self.nodes} nodes, {self.edges} edges")

    def _look(self, path: Path, number: int, named: bool) -> _Source | None:
        """What the file is, by its headings; None, with a report, where it is neither."""
        report = FileReport(file=path.name)
        copy = self._work / f"in-{number}.csv"
        try:
            size = path.stat().st_size
            if size > self._config.file_mb * 2**20:
                raise TooLarge(f"It has {size / 2**20:.0f} MiB. Expected at most {self._config.file_mb} MiB.")
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
        return _Source(copy, report.kind, dialect, report)

    def _headers(self, source: _Source) -> list[str]:
        return [identifier(header).lower() for header in source.dialect.headers]

    def _sort(self, source: _Source, writers: ExitStack) -> None:
        """Writes each row to the file of its table, or says why not."""
        report, before = source.report, self._done
        self._tell(self._done, self._total, f"Reading {report.file}")
        try:
            for line, row in self._rows(source):
                reason = self._node(row, writers) if source.kind == "nodes" else self._edge(row, writers)
                if reason is None:
                    report.rows += 1
                    continue
                report.skipped += 1
                if len(report.reasons) < _REASONS:
                    report.reasons.append(f"line {line}: {reason}")
        except csv.Error as error:
            report.failure = f"It cannot be read further: {error}. Correct the file and load it again."
        self._done = before + source.path.stat().st_size

    def _rows(self, source: _Source) -> Iterator[tuple[int, dict[str, str]]]:
        headers = self._headers(source)
        with source.path.open(encoding="utf-8", newline="") as file:
            reader = csv.reader(file, delimiter=source.dialect.delimiter, strict=True)
            next(reader, None)
            for count, values in enumerate(reader, 1):
                if not values:
                    continue
                row = {name: value.strip() for name, value in zip(headers, values, strict=False)}
                if len(values) != len(headers):
                    row["="] = f"it has {len(values)} values, the header has {len(headers)}"
                yield reader.line_num, row
                if count % 50_000 == 0:
                    self._tell(self._done, self._total, f"Reading {source.report.file}: {count} rows")

    def _node(self, row: dict[str, str], writers: ExitStack) -> str | None:
        if reason := row.get("="):
            return reason
        if missing := [name for name in ("id", "label") if not row[name]]:
            return f"it has no {missing[0]}"
        if row["id"] in self._label_of:
            return f"the id {row['id']!r} is there already"
        label = self._table("nodes", row["label"])
        row["name"] = row["name"] or row["id"]
        self._label_of[row["id"]] = label.name
        label.counts[(label.name, label.name)] += 1
        if len(label.samples) < 5:
            label.samples.append(row["name"])
        columns = ["id", "name", "description", *self._extras["nodes"]]
        self._append(f"node-{label.name}.csv", [row.get(name, "") for name in columns], writers)
        return None

    def _edge(self, row: dict[str, str], writers: ExitStack) -> str | None:
        if reason := row.get("="):
            return reason
        if missing := [name for name in ("source", "type", "target") if not row[name]]:
            return f"it has no {missing[0]}"
        ends = (self._label_of.get(row["source"]), self._label_of.get(row["target"]))
        if ends[0] is None or ends[1] is None:
            return f"no node has the id {row['source' if ends[0] is None else 'target']!r}"
        kind = self._table("edges", row["type"])
        pair = (ends[0], ends[1])
        kind.counts[pair] += 1
        columns = ["source", "target", "source", "target", "since", *self._extras["edges"]]
        self._append(_edge_file(kind, pair), [row.get(name, "") for name in columns], writers)
        return None

    def _table(self, kind: Literal["nodes", "edges"], title: str) -> _Table:
        tables = self._tables[kind]
        if title not in tables:
            # The engine keeps labels and types in one list of names, and minds no case.
            taken = {table.name.lower() for group in self._tables.values() for table in group.values()}
            name = identifier(title)
            while name.lower() in taken:
                name += "_"
            tables[title] = _Table(name, title)
        return tables[title]

    def _append(self, name: str, values: list[str], writers: ExitStack) -> None:
        file = self._open.get(name)
        if file is None:
            if len(self._open) >= _KINDS:
                raise TooLarge(f"There are more than {_KINDS} labels and pairs of them. Expected fewer kinds.")
            file = self._open[name] = writers.enter_context((self._work / name).open("w", encoding="utf-8", newline=""))
        csv.writer(file, lineterminator="\n").writerow(values)

    def _statements(self) -> Iterator[tuple[str, str]]:
        """The statements that make and fill the tables, each with the message that announces it."""
        options = "header=false, auto_detect=false, parallel=false, delim=',', quote='\"', escape='\"'"
        for label in self._tables["nodes"].values():
            columns = ", ".join(f"`{name}` STRING" for name in self._properties("nodes"))
            yield f"CREATE NODE TABLE `{label.name}`({columns}, PRIMARY KEY(id))", f"Making {label.name}"
            source = f"work/node-{label.name}.csv"
            yield f"COPY `{label.name}` FROM '{source}' ({options})", f"Storing {label.counts.total()} {label.name}"
        for kind in self._tables["edges"].values():
            ends = ", ".join(f"FROM `{start}` TO `{end}`" for start, end in kind.counts)
            columns = ", ".join(f"`{name}` STRING" for name in self._properties("edges"))
            yield f"CREATE REL TABLE `{kind.name}`({ends}, {columns})", f"Making {kind.name}"
            for pair, count in kind.counts.items():
                source = f"work/{_edge_file(kind, pair)}"
                yield (
                    f"COPY `{kind.name}` FROM '{source}' ({options}, from='{pair[0]}', to='{pair[1]}')",
                    f"Storing {count} {kind.name}",
                )

    def _properties(self, kind: Literal["nodes", "edges"]) -> list[str]:
        known = ["id", "name", "description"] if kind == "nodes" else ["source", "target", "since"]
        return known + self._extras[kind]

    def _schema(self) -> GraphSchema:
        nodes = [
            NodeKind(
                label=label.name,
                title=label.title,
                count=label.counts.total(),
                properties=self._properties("nodes"),
                samples=label.samples,
            )
            for label in sorted(self._tables["nodes"].values(), key=lambda label: label.name)
        ]
        edges = [
            EdgeKind(
                type=kind.name,
                title=kind.title,
                count=kind.counts.total(),
                connects=sorted(kind.counts),
                properties=self._properties("edges"),
            )
            for kind in sorted(self._tables["edges"].values(), key=lambda kind: kind.name)
        ]
        return GraphSchema(nodes=nodes, edges=edges)


def _edge_file(kind: _Table, pair: tuple[str, str]) -> str:
    return f"edge-{kind.name}-{pair[0]}-{pair[1]}.csv"


def identifier(text: str) -> str:
    """A name that needs no quotes in Cypher: ASCII letters, digits and '_'."""
    text = text.translate({196: "Ae", 214: "Oe", 220: "Ue", 228: "ae", 246: "oe", 252: "ue", 223: "ss"})
    ascii_only = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii")
    name = re.sub(r"[^A-Za-z0-9]+", "_", ascii_only).strip("_")[:50] or "unnamed"
    return f"_{name}" if name[0].isdigit() else name
