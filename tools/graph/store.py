"""The graph's store: queries go to sandboxed engines on the newest generation, errors come back with a way out."""

import difflib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from threading import Event
from typing import Any, Literal

from pydantic import BaseModel, ValidationError

from tools.base.errors import Failed, InvalidInput, NotFound, PartiturError, TimedOut, TooLarge
from tools.generations import Following, Generations
from tools.graph import (
    GraphConfig,
    GraphEdge,
    GraphNode,
    GraphQuery,
    GraphResult,
    GraphSchema,
    Neighbourhood,
    NeighboursQuery,
)
from tools.graph.cypher import checked
from tools.worker import Workers

__all__ = ["Catalog", "Graph", "engines", "generations"]

_PARAMETERS = 20_000
"""Characters of a query's parameters as JSON."""
_EDGES = 1000
"""Most edges of a neighbourhood."""
_NAMES = 20_000
"""Names that are compared when none fits."""
_MISSING = re.compile(r"Table (\S+) does not exist|Cannot find property (\S+) for", re.IGNORECASE)


class Catalog(BaseModel):
    """What lies beside the engine's file: which engine wrote it, and what it holds."""

    engine: Literal["ladybug", "kuzu"]
    schema_: GraphSchema


def generations(config: GraphConfig) -> Generations:
    """The store's folder."""
    return Generations(
        config.home, what="graph store", fill="Load nodes.csv and edges.csv with 'partitur load graph FOLDER'"
    )


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


class Graph:
    """What the tool server asks; safe from any thread.

    It follows the store: a generation that is loaded beside it is seen by the next query.
    """

    def __init__(self, config: GraphConfig) -> None:
        self._config = config
        self._following = Following(generations(config), opens=self._open, closes=_Opened.close)

    def query(self, asked: GraphQuery, *, stop: Event | None = None) -> GraphResult:
        """The rows of one statement; `stop` ends it early.

        Raises:
            Refused: the statement is more than plain reading.
            InvalidInput: the Cypher is wrong; the message names the nearest label, type or property.
            TimedOut, TooLarge: over the limits of the settings.
        """
        cypher = checked(asked.cypher)
        size = len(json.dumps(asked.parameters))
        if size > _PARAMETERS:
            raise TooLarge(f"The parameters have {size} characters as JSON. Expected at most {_PARAMETERS}.")
        limit = min(asked.limit, self._config.rows)
        with self._following.use() as opened:
            reply = self._ask(opened, cypher, asked.parameters, limit, stop)
        rows = reply["rows"]
        return GraphResult(columns=reply["columns"], rows=rows, truncated=reply["truncated"], row_count=len(rows))

    def schema(self) -> GraphSchema:
        """Labels and edge types with their properties, counts and sample names."""
        with self._following.use() as opened:
            return opened.schema

    def neighbours(self, asked: NeighboursQuery, *, stop: Event | None = None) -> Neighbourhood:
        """The nodes of that name or id, and what is up to `depth` edges away from them.

        Raises:
            NotFound: no such node; the message names the nearest names.
        """
        with self._following.use() as opened:
            found = self._ask(opened, _BY_NAME, {"name": asked.name}, asked.limit, stop)["rows"]
            if not found:
                raise self._no_node(opened, asked.name, stop)
            nodes = {row[0]["id"]: _node(row[0], 0) for row in found}
            border, truncated = list(nodes), False
            for distance in range(1, asked.depth + 1):
                around = self._ask(opened, _AROUND, {"ids": border}, asked.limit + len(nodes), stop)
                fresh = [_node(row[0], distance) for row in around["rows"] if row[0]["id"] not in nodes]
                room = asked.limit - len(nodes)
                truncated = truncated or bool(around["truncated"]) or len(fresh) > room
                border = [node.id for node in fresh[:room]]
                nodes |= {node.id: node for node in fresh[:room]}
            between = self._ask(opened, _BETWEEN, {"ids": list(nodes)}, _EDGES, stop)
            edges = [_edge(row[0]) for row in between["rows"]]
            truncated = truncated or bool(between["truncated"])
        return Neighbourhood(nodes=list(nodes.values()), edges=edges, truncated=truncated)

    def close(self) -> None:
        """Ends the engines."""
        self._following.close()

    def _open(self, folder: Path) -> "_Opened":
        try:
            catalog = Catalog.model_validate_json((folder / "schema.json").read_bytes())
        except (OSError, ValidationError) as error:
            raise Failed(f"The graph in {str(folder)!r} cannot be read: {error}. Load it again.") from error
        if catalog.engine != self._config.engine:
            raise InvalidInput(
                f"The graph was written by {catalog.engine!r}. Expected {self._config.engine!r}, as the settings say.",
                hint="Load the graph again, or name the other engine in the settings.",
            )
        return _Opened(catalog.schema_, engines(self._config, folder, write=False))

    def _ask(
        self, opened: "_Opened", cypher: str, parameters: Mapping[str, Any], limit: int, stop: Event | None
    ) -> dict[str, Any]:
        request = {"cypher": cypher, "parameters": dict(parameters), "limit": limit}
        reply = opened.workers.ask(request, seconds=self._config.seconds, stop=stop)
        if "error" in reply:
            raise self._explain(reply, opened.schema)
        return reply

    def _no_node(self, opened: "_Opened", name: str, stop: Event | None) -> NotFound:
        names = [str(row[0]) for row in self._ask(opened, _ALL_NAMES, {"most": _NAMES}, _NAMES, stop)["rows"]]
        lower = {found.lower(): found for found in names}
        near = [found for key, found in lower.items() if name.lower() in key][:3]
        near = near or [lower[key] for key in difflib.get_close_matches(name.lower(), lower, n=3, cutoff=0.5)]
        hint = f"Did you mean {' or '.join(map(repr, near))}?" if near else "Ask 'graph.schema' for sample names."
        return NotFound(f"No node is named {name!r}. Expected one of the graph's {len(names)} names or ids.", hint=hint)

    def _explain(self, reply: Mapping[str, Any], schema: GraphSchema) -> PartiturError:
        said = " ".join(str(reply["error"]).split())
        match reply["kind"]:
            case "time":
                return TimedOut(
                    f"The graph query ran longer than {self._config.seconds:g} seconds and was stopped. "
                    "Expected a query that needs less work.",
                    hint="Start from a named node, shorten '*' paths, or ask for less.",
                )
            case "size":
                return TooLarge(
                    "One row of the result has more than 2,000,000 characters. Expected smaller rows.",
                    hint="Return fewer or shorter values at once.",
                )
            case "memory":
                return TooLarge(
                    f"The graph query needs more memory than its {self._config.memory_mb} MiB. "
                    "Expected a query that needs less.",
                    hint="Return fewer columns or rows, or aggregate first.",
                )
            case "cypher":
                return _wrong(said, schema)
            case kind:
                return Failed(f"The graph engine failed ({kind}): {said[:300]}. Expected rows.")


_BY_NAME = "MATCH (n) WHERE lower(n.name) = lower($name) OR n.id = $name RETURN n ORDER BY n.id"
_AROUND = "MATCH (a)--(b) WHERE a.id IN $ids RETURN DISTINCT b ORDER BY b.id"
_BETWEEN = (
    "MATCH (a)-[r]->(b) WHERE a.id IN $ids AND b.id IN $ids RETURN r ORDER BY r.source, label(r), r.target, r.since"
)
_ALL_NAMES = "MATCH (n) RETURN n.name LIMIT $most"


class _Opened:
    def __init__(self, schema: GraphSchema, workers: Workers) -> None:
        self.schema = schema
        self.workers = workers

    def close(self) -> None:
        self.workers.close()


def _node(row: Mapping[str, Any], distance: int) -> GraphNode:
    return GraphNode(
        id=row["id"], label=row["label"], name=row["name"], description=row.get("description"), distance=distance
    )


def _edge(row: Mapping[str, Any]) -> GraphEdge:
    return GraphEdge(source=row["source"], type=row["type"], target=row["target"], since=row.get("since"))


def _wrong(said: str, schema: GraphSchema) -> InvalidInput:
    labels = [kind.label for kind in schema.nodes]
    types = [kind.type for kind in schema.edges]
    match = _MISSING.search(said)
    if match is None:
        return InvalidInput(
            f"The Cypher is wrong: {said[:500]}. Expected one statement of MATCH … RETURN.",
            hint="Correct it and send it again; 'graph.schema' lists labels, edge types and properties.",
        )
    if name := match[1]:
        name = name.rstrip(".")
        expected = f"The graph has the labels {_listed(labels)} and the edge types {_listed(types)}"
        return InvalidInput(
            f"The label or edge type {name!r} is not there. {expected}.", hint=_nearest(name, labels + types)
        )
    name = match[2]
    properties = sorted({name for kind in [*schema.nodes, *schema.edges] for name in kind.properties})
    return InvalidInput(
        f"The property {name!r} is not there. Expected one of {_listed(properties)}.", hint=_nearest(name, properties)
    )


def _listed(names: list[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:30])
    return (f"{shown} and {len(names) - 30} more" if len(names) > 30 else shown) or "none"


def _nearest(name: str, names: list[str]) -> str:
    by_case = {found.lower(): found for found in names}
    found = difflib.get_close_matches(name.lower(), by_case, n=1, cutoff=0.5)
    return f"Did you mean {by_case[found[0]]!r}?" if found else "Ask 'graph.schema' for what there is."
