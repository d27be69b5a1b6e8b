"""Turns what a caller may read into the engine's tables: a label is a node table, an edge type a relation table."""

import csv
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from shutil import rmtree
from typing import TextIO

from tools.base.errors import Failed, TooLarge
from tools.graph import EdgeKind, GraphConfig, GraphSchema, NodeKind
from tools.graph.joining import joined
from tools.graph.records import Records
from tools.worker import Workers

__all__ = ["JOINED", "build", "engines", "identifier"]

JOINED = "joined.json"
"""Name of the file that says which ids of documents were read as ids of lists."""

_NODE = ("id", "name", "description")
_EDGE = ("source", "target", "since")
_KINDS = 200
"""Most labels, edge types, pairs of labels that one type connects, and further properties."""
_STATEMENT = 3600.0
"""Seconds one statement of the build may take."""


def engines(config: GraphConfig, folder: Path, *, write: bool) -> Workers:
    """Children that open the graph in `folder`: one that writes, or several that read and are locked in."""
    settings = {
        "file": str(folder / "graph.db"),
        "engine": config.engine,
        "memory_mb": config.memory_mb,
        "depth": config.depth,
        "locked": not write,
        "write": write,
    }
    script = Path(__file__).with_name("engine.py")
    count = 1 if write else config.workers
    return Workers(script, package=config.engine, settings=settings, what="graph", count=count, cwd=folder)


def build(
    records: Records,
    scopes: Sequence[int],
    folder: Path,
    *,
    config: GraphConfig,
    tell: Callable[[float, str], None] = lambda done, message: None,
) -> GraphSchema:
    """Writes the engine's file of what these scopes hold into the empty `folder`; returns what there is to ask.

    Nothing else goes in, be it a name, a property or a number: whoever asks the file can find no more. `tell` gets the
    part done, 0 to 1, and a message.

    Raises:
        TooLarge: there are too many kinds of things.
        Failed: the engine does not take the data.
    """
    work = folder / "work"
    work.mkdir()
    tell(0.0, "Sorting nodes")
    same = joined(records, scopes)
    records.join(same)
    (folder / JOINED).write_text(json.dumps(same), encoding="utf-8")
    tables = _Tables(work, records, scopes)
    tables.take_nodes()
    tell(0.1, "Sorting edges")
    tables.take_edges()
    statements = list(tables.statements())
    workers = engines(config, folder, write=True)
    try:
        for number, (statement, message) in enumerate(statements):
            tell(0.2 + 0.8 * number / len(statements), message)
            reply = workers.ask({"cypher": statement, "limit": 1}, seconds=_STATEMENT)
            if "error" in reply:
                raise Failed(f"{message} failed: {reply['error']}. Expected data the engine can store.")
        workers.ask({"close": True}, seconds=_STATEMENT)
    finally:
        workers.close()
    rmtree(work)
    schema = tables.schema()
    (folder / "schema.json").write_text(schema.model_dump_json(), encoding="utf-8")
    return schema


@dataclass
class _Table:
    """A label or an edge type: its name in Cypher, as people write it, and how many rows go from where to where."""

    name: str
    title: str
    counts: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    samples: list[str] = field(default_factory=list[str])


class _Tables:
    """The rows of one build, sorted into a CSV file for each table."""

    def __init__(self, work: Path, records: Records, scopes: Sequence[int]) -> None:
        self._work = work
        self._records = records
        self._scopes = scopes
        self._names: set[str] = set()
        self._labels: list[_Table] = []
        self._types: list[_Table] = []
        self._node_columns = _columns(records.properties("nodes", scopes), taken=(*_NODE, "label"))
        self._edge_columns = _columns(records.properties("edges", scopes), taken=(*_EDGE, "type"))
        self._label_of: dict[str, str] = {}
        self._namesakes: dict[str, dict[str, str]] = {}
        """The ids that stand under several labels: for each label as people write it, its name."""

    def take_nodes(self) -> None:
        """One row for each node: what is said first holds."""
        label: _Table | None = None
        with ExitStack() as files:
            rows = None
            for title, id, said in self._records.nodes(self._scopes):
                if label is None or label.title != title:
                    label = self._table(self._labels, title)
                    files.close()
                    rows = csv.writer(self._file(f"node-{label.name}.csv", files), lineterminator="\n")
                assert rows is not None
                name = next((one[1] for one in said if one[1]), id)
                description = next((one[2] for one in said if one[2]), "")
                more = _first(self._node_columns, (one[3] for one in said))
                rows.writerow([id, name, description, *more])
                if self._label_of.setdefault(id, label.name) != label.name:
                    self._namesakes.setdefault(id, {})[title] = label.name
                label.counts[(label.name, label.name)] += 1
                if len(label.samples) < 5:
                    label.samples.append(name)

    def take_edges(self) -> None:
        """One row for each edge whose two ends are there; where several sources say the same, it is one."""
        kind: _Table | None = None
        with ExitStack() as files:
            open_files: dict[tuple[str, str], TextIO] = {}
            for title, source, target, said in self._records.edges(self._scopes):
                if source not in self._label_of or target not in self._label_of:
                    continue
                if kind is None or kind.title != title:
                    kind = self._table(self._types, title)
                    files.close()
                    open_files = {}
                for pair, since, properties in self._facts(source, target, said):
                    if pair not in open_files:
                        if len(open_files) == _KINDS:
                            raise _too_many(f"pairs of labels that {title!r} connects")
                        open_files[pair] = self._file(_edge_file(kind, pair), files)
                    more = _first(self._edge_columns, [properties])
                    row = [source, target, source, target, since, *more]
                    csv.writer(open_files[pair], lineterminator="\n").writerow(row)
                    kind.counts[pair] += 1

    def statements(self) -> Iterator[tuple[str, str]]:
        """The statements that make and fill the tables, each with the message that announces it."""
        options = "header=false, auto_detect=false, parallel=false, delim=',', quote='\"', escape='\"'"
        node = ", ".join(f"`{name}` STRING" for name in self._properties(_NODE, self._node_columns))
        edge = ", ".join(f"`{name}` STRING" for name in self._properties(_EDGE, self._edge_columns))
        for label in self._labels:
            yield f"CREATE NODE TABLE `{label.name}`({node}, PRIMARY KEY(id))", f"Making {label.name}"
            source = f"work/node-{label.name}.csv"
            yield f"COPY `{label.name}` FROM '{source}' ({options})", f"Storing {label.counts.total()} {label.name}"
        for kind in self._types:
            ends = ", ".join(f"FROM `{start}` TO `{end}`" for start, end in kind.counts)
            yield f"CREATE REL TABLE `{kind.name}`({ends}, {edge})", f"Making {kind.name}"
            for pair, count in kind.counts.items():
                source = f"work/{_edge_file(kind, pair)}"
                yield (
                    f"COPY `{kind.name}` FROM '{source}' ({options}, from='{pair[0]}', to='{pair[1]}')",
                    f"Storing {count} {kind.name}",
                )

    def schema(self) -> GraphSchema:
        """What there is to ask."""
        nodes = [
            NodeKind(
                label=label.name,
                title=label.title,
                count=label.counts.total(),
                properties=self._properties(_NODE, self._node_columns),
                samples=label.samples,
            )
            for label in sorted(self._labels, key=lambda label: label.name)
        ]
        edges = [
            EdgeKind(
                type=kind.name,
                title=kind.title,
                count=kind.counts.total(),
                connects=sorted(kind.counts),
                properties=self._properties(_EDGE, self._edge_columns),
            )
            for kind in sorted(self._types, key=lambda kind: kind.name)
        ]
        return GraphSchema(nodes=nodes, edges=edges)

    def _facts(
        self, source: str, target: str, said: Iterable[tuple[int, str, Mapping[str, str]]]
    ) -> Iterator[tuple[tuple[str, str], str, Mapping[str, str]]]:
        """What is said of one source and one target, without what another one says already and more."""
        kept: list[tuple[tuple[str, str], frozenset[tuple[str, str]], str, Mapping[str, str]]] = []
        # The longest first; they are few. Sorting keeps the order of what is equally long.
        for origin, since, properties in sorted(said, key=lambda one: -len(one[2]) - bool(one[1])):
            pair = (self._end(source, origin), self._end(target, origin))
            facts = frozenset([*properties.items(), *([("since", since)] if since else [])])
            if not any(pair == other[0] and facts <= other[1] for other in kept):
                kept.append((pair, facts, since, properties))
        return ((pair, since, properties) for pair, _, since, properties in kept)

    def _end(self, id: str, origin: int) -> str:
        """The label of the node that this source means by an id: its own, else the first."""
        own = self._records.label(origin, id) if id in self._namesakes else None
        return self._namesakes[id].get(own, self._label_of[id]) if own else self._label_of[id]

    def _table(self, tables: list[_Table], title: str) -> _Table:
        if len(tables) == _KINDS:
            raise _too_many("labels" if tables is self._labels else "edge types")
        # The engine keeps labels and types in one list of names, and minds no case.
        name = identifier(title)
        while name.lower() in self._names:
            name += "_"
        self._names.add(name.lower())
        tables.append(_Table(name, title))
        return tables[-1]

    def _file(self, name: str, files: ExitStack) -> TextIO:
        return files.enter_context((self._work / name).open("w", encoding="utf-8", newline=""))

    def _properties(self, known: Sequence[str], columns: Mapping[str, Sequence[str]]) -> list[str]:
        return [*known, *columns]


def _columns(names: Sequence[str], *, taken: Sequence[str]) -> dict[str, list[str]]:
    """The further columns, each with the properties that become it."""
    columns: dict[str, list[str]] = {}
    for name in names:
        column = identifier(name).lower()
        while column in taken:
            column += "_"
        columns.setdefault(column, []).append(name)
        if len(columns) > _KINDS:
            raise _too_many("properties")
    return columns


def _first(columns: Mapping[str, Sequence[str]], said: Iterable[Mapping[str, str]]) -> list[str]:
    """For each column the first that is said."""
    if not columns:
        return []
    given = list(said)
    return [next((one[name] for one in given for name in names if one.get(name)), "") for names in columns.values()]


def _edge_file(kind: _Table, pair: tuple[str, str]) -> str:
    return f"edge-{kind.name}-{pair[0]}-{pair[1]}.csv"


def _too_many(what: str) -> TooLarge:
    return TooLarge(f"There are more than {_KINDS} {what}. Expected fewer kinds.")


_UMLAUTS = {"Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"}


def identifier(text: str) -> str:
    """A name that needs no quotes in Cypher: ASCII letters, digits and '_'."""
    text = re.sub(
        r"(?<=[A-ZÄÖÜ])[ÄÖÜ]|[ÄÖÜ](?=[A-ZÄÖÜ])", lambda one: _UMLAUTS[one[0]].upper(), text
    )  # GEHÖRT, not Öffentlich
    text = text.translate(str.maketrans(_UMLAUTS))
    ascii_only = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii")
    name = re.sub(r"[^A-Za-z0-9]+", "_", ascii_only).strip("_")[:50] or "unnamed"
    return f"_{name}" if name[0].isdigit() else name
