"""The SQLite file of a generation: everything the sources brought, from which each view is built."""

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import groupby
from pathlib import Path
from typing import Any, Literal, Self

from tools.graph.sources import Counts, Edge, Node, Origin, Source

__all__ = ["CITED", "Records"]

_SCHEMA = """
CREATE TABLE scopes(id INTEGER PRIMARY KEY, tenant TEXT NOT NULL, collection TEXT NOT NULL, readers TEXT NOT NULL,
    UNIQUE(tenant, collection, readers));
CREATE TABLE sources(id INTEGER PRIMARY KEY, scope INTEGER NOT NULL REFERENCES scopes(id), tenant TEXT NOT NULL,
    collection TEXT NOT NULL, name TEXT NOT NULL, document TEXT NOT NULL, title TEXT, version TEXT NOT NULL,
    UNIQUE(tenant, collection, document, name));
CREATE INDEX sources_by_scope ON sources(scope);
CREATE TABLE nodes(origin INTEGER NOT NULL REFERENCES sources(id), label TEXT NOT NULL, id TEXT NOT NULL,
    name TEXT NOT NULL, description TEXT NOT NULL, properties TEXT NOT NULL, heading TEXT, page INTEGER,
    start INTEGER, end INTEGER, quote TEXT, file TEXT, line INTEGER);
CREATE INDEX nodes_by_origin ON nodes(origin);
CREATE INDEX nodes_by_id ON nodes(id);
CREATE TABLE edges(origin INTEGER NOT NULL REFERENCES sources(id), source TEXT NOT NULL, type TEXT NOT NULL,
    target TEXT NOT NULL, since TEXT NOT NULL, properties TEXT NOT NULL, heading TEXT, page INTEGER,
    start INTEGER, end INTEGER, quote TEXT, file TEXT, line INTEGER);
CREATE INDEX edges_by_origin ON edges(origin);
CREATE INDEX edges_by_ends ON edges(source, target);
"""
_JOINED = "CREATE TEMP TABLE joined(id TEXT PRIMARY KEY, same TEXT NOT NULL) WITHOUT ROWID"
_PLACE = "heading, page, start, end, quote, file, line"
_ENDS = ("coalesce(starts.same, source)", "coalesce(ends.same, target)")
_JOIN_ENDS = "LEFT JOIN joined AS starts ON starts.id = source LEFT JOIN joined AS ends ON ends.id = target"
_FIRST = "(sources.document != ''), sources.id"
"""Lists say first what a thing is called, then documents, in the order they came."""
CITED = 5
"""Origins that are told of a node or an edge."""


class Records:
    """The file of a generation. Opened for reading it never changes; a writer works on a copy of its own."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection
        connection.execute("PRAGMA temp_store=MEMORY").fetchall()
        connection.execute(_JOINED)

    @classmethod
    def open(cls, path: Path, *, joined: Mapping[str, str] | None = None) -> Self:
        """Opens a finished file for reading; usable from any one thread at a time. See `join` for `joined`."""
        address = f"{path.resolve().as_uri()}?mode=ro&immutable=1"
        records = cls(path, sqlite3.connect(address, uri=True, check_same_thread=False))
        records.join(joined or {})
        return records

    @classmethod
    def start(cls, path: Path, *, after: Path | None) -> Self:
        """A new file that begins with what `after` holds, without anything that was deleted there."""
        if after is not None:
            with closing(cls.open(after)) as before:
                before._connection.execute("VACUUM INTO ?", [str(path)])
        connection = sqlite3.connect(path)
        # Until it is finished nobody reads it, and killed it is thrown away: no journal. What is deleted is overwritten.
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "secure_delete=ON", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}").fetchall()
        if after is None:
            connection.executescript(_SCHEMA)
        return cls(path, connection)

    def close(self) -> None:
        """Writes what was changed to the file."""
        self._connection.commit()
        self._connection.close()

    def join(self, pairs: Mapping[str, str]) -> None:
        """From now on each of these ids is read as the one it is paired with. The file stays as it is."""
        if pairs:
            self._connection.executemany("INSERT INTO joined VALUES (?, ?)", pairs.items())

    def replace(self, source: Source, nodes: Iterable[Node], edges: Iterable[Edge]) -> Counts:
        """What this source brings from now on. Each node and edge must have an origin in it."""
        scope = self._scope(source.tenant, source.collection, source.readers)
        key = (source.tenant, source.collection, source.document or "", source.name)
        title = source.title and _storable(source.title)
        row = self._one("SELECT id FROM sources WHERE (tenant, collection, document, name) = (?, ?, ?, ?)", *key)
        if row is None:
            row = self._one(
                "INSERT INTO sources(scope, tenant, collection, document, name, title, version) "
                "VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id",
                *(scope, *key, title, source.version),
            )
            assert row is not None
        else:
            # Its number stays: what it says first, it says first again.
            self._drop_records([row[0]])
            changed = [scope, title, source.version, row[0]]
            self._connection.execute("UPDATE sources SET scope = ?, title = ?, version = ? WHERE id = ?", changed)
        nodes_before = self._connection.total_changes
        self._insert("nodes", row[0], source, nodes, lambda node: (node.label, node.id, node.name, node.description))
        edges_before = self._connection.total_changes
        self._insert("edges", row[0], source, edges, lambda edge: (edge.source, edge.type, edge.target, edge.since))
        return Counts(1, edges_before - nodes_before, self._connection.total_changes - edges_before)

    def narrow(self, tenant: str, collection: str, document: str, readers: tuple[str, ...] | None) -> int:
        """Changes who may read what came from a document; how many sources that were."""
        scope = self._scope(tenant, collection, readers)
        where = "(tenant, collection, document) = (?, ?, ?)"
        return self._connection.execute(
            f"UPDATE sources SET scope = ? WHERE {where}", [scope, tenant, collection, document]
        ).rowcount

    def forget(self, tenant: str, collection: str, documents: Iterable[str] | None = None) -> Counts:
        """Takes out what came from these documents, or all that belongs to the collection."""
        rows = self._connection.execute(
            "SELECT id FROM sources WHERE tenant = ? AND collection = ? "
            "AND (?3 IS NULL OR (document != '' AND document IN (SELECT value FROM json_each(?3))))",
            (tenant, collection, None if documents is None else json.dumps(list(documents))),
        )
        gone = [int(row[0]) for row in rows]
        nodes, edges = self._drop_records(gone)
        self._connection.executemany("DELETE FROM sources WHERE id = ?", [(id,) for id in gone])
        self._connection.execute("DELETE FROM scopes WHERE id NOT IN (SELECT scope FROM sources)")
        return Counts(len(gone), nodes, edges)

    def versions(self, tenant: str, collection: str, name: str) -> dict[str, str]:
        """The documents that `name` was taken from, each with the version that was read."""
        where = "tenant = ? AND collection = ? AND name = ? AND document != ''"
        rows = self._connection.execute(
            f"SELECT document, version FROM sources WHERE {where}", [tenant, collection, name]
        )
        return dict(rows.fetchall())

    def tenants(self) -> list[str]:
        """Those that brought anything."""
        return [row[0] for row in self._connection.execute("SELECT DISTINCT tenant FROM sources ORDER BY tenant")]

    def scopes(self, tenant: str) -> list[tuple[int, str, tuple[str, ...] | None]]:
        """What is readable or hidden as one: a number, the collection, and the readers that narrow it."""
        rows = self._connection.execute(
            "SELECT id, collection, readers FROM scopes WHERE tenant = ? "
            "AND id IN (SELECT scope FROM sources) ORDER BY collection, readers",
            [tenant],
        )
        return [(id, collection, tuple(json.loads(readers)) if readers else None) for id, collection, readers in rows]

    def properties(self, table: Literal["nodes", "edges"], scopes: Sequence[int]) -> list[str]:
        """The names of further properties in these scopes, in the order they came."""
        rows = self._connection.execute(
            f"SELECT key FROM {table} AS records JOIN sources ON origin = sources.id, json_each(properties) "
            "WHERE scope IN (SELECT value FROM json_each(?)) AND properties != '{}' "
            f"GROUP BY key ORDER BY min({_FIRST.split(', ')[0]}), min(records.rowid), min(json_each.id)",
            [json.dumps(list(scopes))],
        )
        return [row[0] for row in rows]

    def counts(self, tenant: str) -> Counts:
        """How much the tenant's sources bring; what several name counts several times."""
        row = self._one(
            "SELECT (SELECT count(*) FROM sources WHERE tenant = ?1), "
            "(SELECT count(*) FROM nodes JOIN sources ON origin = sources.id WHERE tenant = ?1), "
            "(SELECT count(*) FROM edges JOIN sources ON origin = sources.id WHERE tenant = ?1)",
            tenant,
        )
        assert row is not None
        return Counts(*row)

    def has_node(self, tenant: str, id: str) -> bool:
        """Whether a source of the tenant names a node with this id."""
        return bool(
            self._one(
                "SELECT 1 FROM nodes JOIN sources ON origin = sources.id WHERE nodes.id = ? AND tenant = ?", id, tenant
            )
        )

    def names(self, scopes: Sequence[int], *, documents: bool) -> Iterator[tuple[str, str, str]]:
        """Label, id and name of each node that documents name in these scopes, or that lists do."""
        return self._connection.execute(
            "SELECT DISTINCT label, nodes.id, nodes.name FROM nodes JOIN sources ON origin = sources.id "
            "WHERE scope IN (SELECT value FROM json_each(?)) AND (document != '') = ?",
            [json.dumps(list(scopes)), documents],
        )

    def namesakes(self, scopes: Sequence[int], ids: Iterable[str]) -> set[str]:
        """Those of the ids that stand under several labels in these scopes."""
        rows = self._connection.execute(
            "SELECT nodes.id FROM nodes JOIN sources ON origin = sources.id "
            "WHERE scope IN (SELECT value FROM json_each(?)) AND nodes.id IN (SELECT value FROM json_each(?)) "
            "GROUP BY nodes.id HAVING count(DISTINCT label) > 1",
            [json.dumps(list(scopes)), json.dumps(list(ids))],
        )
        return {row[0] for row in rows}

    def label(self, origin: int, id: str) -> str | None:
        """The label under which one source names an id."""
        row = self._one("SELECT label FROM nodes WHERE id = ? AND origin = ?", id, origin)
        return row[0] if row else None

    def nodes(self, scopes: Sequence[int]) -> Iterator[tuple[str, str, list[tuple[int, str, str, Mapping[str, str]]]]]:
        """Label and id of each node of these scopes, by label; with what each source says: its number, name,
        description, properties."""
        rows = self._connection.execute(
            "SELECT label, coalesce(same, nodes.id) AS meant, origin, nodes.name, description, properties FROM nodes "
            "LEFT JOIN joined ON joined.id = nodes.id "
            "JOIN sources ON origin = sources.id WHERE scope IN (SELECT value FROM json_each(?)) "
            f"ORDER BY label, meant, {_FIRST}, nodes.rowid",
            [json.dumps(list(scopes))],
        )
        for (label, id), group in groupby(rows, key=lambda row: (row[0], row[1])):
            yield label, id, [(row[2], row[3], row[4], json.loads(row[5])) for row in group]

    def edges(self, scopes: Sequence[int]) -> Iterator[tuple[str, str, str, list[tuple[int, str, Mapping[str, str]]]]]:
        """Type, source and target of each edge of these scopes, by type; with what each source says: its number, since
        when, properties."""
        rows = self._connection.execute(
            f"SELECT type, {_ENDS[0]} AS start, {_ENDS[1]} AS finish, origin, since, properties FROM edges {_JOIN_ENDS} "
            "JOIN sources ON origin = sources.id WHERE scope IN (SELECT value FROM json_each(?)) "
            f"ORDER BY type, start, finish, {_FIRST}, edges.rowid",
            [json.dumps(list(scopes))],
        )
        for (type, source, target), group in groupby(rows, key=lambda row: (row[0], row[1], row[2])):
            yield type, source, target, [(row[3], row[4], json.loads(row[5])) for row in group]

    def node_origins(self, scopes: Sequence[int], ids: Iterable[str]) -> dict[tuple[str, str], list[Origin]]:
        """By label and id: where these scopes name the nodes with these ids, the first `CITED` places of each."""
        found: dict[tuple[str, str], list[Origin]] = {}
        table = "nodes AS records LEFT JOIN joined ON joined.id = records.id"
        where = "records.id IN (SELECT value FROM json_each(?2))"
        for row in self._places(table, ("label", "coalesce(same, records.id)"), where, scopes, ids):
            found.setdefault((row[0], row[1]), []).append(_origin(row[2:]))
        return found

    def edge_origins(self, scopes: Sequence[int], ids: Iterable[str]) -> dict[tuple[str, str, str], list[Origin]]:
        """By source, type and target: where these scopes name the edges between these nodes, as `node_origins`."""
        found: dict[tuple[str, str, str], list[Origin]] = {}
        where = "source IN (SELECT value FROM json_each(?2)) AND target IN (SELECT value FROM json_each(?2))"
        keys = (_ENDS[0], "type", _ENDS[1])
        for row in self._places(f"edges AS records {_JOIN_ENDS}", keys, where, scopes, ids):
            found.setdefault((row[0], row[1], row[2]), []).append(_origin(row[3:]))
        return found

    def _places(
        self, table: str, keys: tuple[str, ...], where: str, scopes: Sequence[int], ids: Iterable[str]
    ) -> Iterator[tuple[Any, ...]]:
        meant = set(ids)
        pairs = self._connection.execute("SELECT id, same FROM joined")
        asked = [*meant, *(id for id, same in pairs if same in meant)]
        place = ", ".join(f"records.{name}" for name in _PLACE.split(", "))
        named = ", ".join(f"{expression} AS key{at}" for at, expression in enumerate(keys))
        columns = f"{named}, scopes.tenant, scopes.collection, scopes.readers, document, title, {place}"
        found = self._connection.execute(
            f"SELECT * FROM (SELECT {columns}, row_number() OVER (PARTITION BY {', '.join(keys)} "
            f"ORDER BY {_FIRST}, records.rowid) AS place FROM {table} "
            "JOIN sources ON origin = sources.id JOIN scopes ON scope = scopes.id "
            f"WHERE scope IN (SELECT value FROM json_each(?1)) AND {where}) WHERE place <= {CITED} "
            f"ORDER BY {', '.join(f'key{at}' for at in range(len(keys)))}, place",
            [json.dumps(list(scopes)), json.dumps(asked)],
        )
        return (row[:-1] for row in found)

    def _scope(self, tenant: str, collection: str, readers: tuple[str, ...] | None) -> int:
        """The number of those who read the same."""
        key = (tenant, collection, "" if readers is None else json.dumps(sorted(set(readers))))
        self._connection.execute("INSERT OR IGNORE INTO scopes(tenant, collection, readers) VALUES (?, ?, ?)", key)
        row = self._one("SELECT id FROM scopes WHERE (tenant, collection, readers) = (?, ?, ?)", *key)
        assert row is not None
        return row[0]

    def _insert(
        self,
        table: str,
        number: int,
        source: Source,
        records: "Iterable[Node] | Iterable[Edge]",
        facts: Callable[[Any], tuple[str, ...]],
    ) -> None:
        marks = ", ".join("?" * 13)
        self._connection.executemany(
            f"INSERT INTO {table} VALUES ({marks})", (_row(number, source, record, facts(record)) for record in records)
        )

    def _drop_records(self, sources: Iterable[int]) -> tuple[int, int]:
        numbers = [(number,) for number in sources]
        dropped = [
            self._connection.executemany(f"DELETE FROM {table} WHERE origin = ?", numbers).rowcount
            for table in ("nodes", "edges")
        ]
        return max(dropped[0], 0), max(dropped[1], 0)

    def _one(self, statement: str, *values: object) -> tuple[Any, ...] | None:
        return self._connection.execute(statement, values).fetchone()


def _row(number: int, source: Source, record: Node | Edge, facts: tuple[str, ...]) -> tuple[object, ...]:
    origin = record.origin
    whose = (origin.tenant, origin.collection, origin.readers, origin.document)
    if whose != (source.tenant, source.collection, source.readers, source.document):
        raise ValueError(f"{facts} is of another source than {source.name!r}. Make its origin with 'source.origin'.")
    said = tuple(map(_clean, facts))
    if not all(said[: 3 if isinstance(record, Edge) else 2]):
        raise ValueError(f"{facts} of {source.name!r} has an empty id, label or type. Expected all of them.")
    properties = {_clean(name): _clean(value) for name, value in record.properties.items()}
    quote = origin.quote and _storable(origin.quote)
    place = (origin.heading and _storable(origin.heading), origin.page, origin.start, origin.end, quote, origin.file)
    return (number, *said, json.dumps(properties, ensure_ascii=False), *place, origin.line)


def _clean(text: str) -> str:
    """Without the mark that begins files: an engine would take it for one."""
    return _storable(text).replace("\ufeff", "")


def _storable(text: str) -> str:
    """Half of a surrogate pair is no text in UTF-8."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _origin(row: tuple[Any, ...]) -> Origin:
    tenant, collection, readers, document, *rest = row
    known = tuple(json.loads(readers)) if readers else None
    return Origin(tenant, collection, known, document or None, *rest)
