"""The graph's store: queries go to sandboxed engines on the newest generation, errors come back with a way out."""

import difflib
import json
import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from threading import Event
from typing import Any

from tools.base.access import Reach
from tools.base.caller import Caller
from tools.base.errors import Failed, Forbidden, InvalidInput, NotFound, PartiturError, TimedOut, TooLarge
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
from tools.graph.citing import Citing, found_in
from tools.graph.cypher import checked
from tools.graph.views import View, Views, empty

__all__ = ["Graph", "generations", "permit_cypher"]

_PARAMETERS = 20_000
"""Characters of a query's parameters as JSON."""
_EDGES = 1000
"""Most edges of a neighbourhood."""
_NAMES = 20_000
"""Names that are compared when none fits."""
_MISSING = re.compile(r"Table (\S+) does not exist|Cannot find property (\S+) for", re.IGNORECASE)


def generations(config: GraphConfig) -> Generations:
    """The store's folder."""
    return Generations(
        config.home, what="graph store", fill="Load nodes.csv and edges.csv with 'partitur load graph FOLDER'"
    )


def permit_cypher(config: GraphConfig, caller: Caller) -> None:
    """Returns where the caller may write Cypher.

    Raises:
        Forbidden: the settings name no role or scope of the caller.
    """
    if config.cypher_roles.isdisjoint(caller.roles | caller.scopes):
        named = " or ".join(map(repr, sorted(config.cypher_roles))) or "no role at all"
        raise Forbidden(
            f"{caller.subject!r} may not write Cypher. Expected a caller with the role {named}.",
            hint="Ask 'graph.ask' with a template, or 'graph.neighbours' with a name: these are for everyone.",
        )


class Graph:
    """What the tool server asks; safe from any thread.

    Every question is put to the view of what `reach` may see (see `tools.graph.views`). It follows the store: a
    generation that is loaded beside it is seen by the next question.
    """

    def __init__(self, config: GraphConfig) -> None:
        self._config = config
        self._generations = generations(config)
        self._following = Following(self._generations, opens=lambda folder: Views(config, folder), closes=Views.close)

    def query(self, asked: GraphQuery, *, reach: Reach, stop: Event | None = None) -> GraphResult:
        """The rows of a caller's own statement; `stop` ends it early.

        Raises:
            Forbidden: the caller may not write Cypher.
            Refused: the statement is more than plain reading.
            InvalidInput: the Cypher is wrong; the message names the nearest label, type or property.
            TimedOut, TooLarge: over the limits of the settings.
        """
        permit_cypher(self._config, reach.caller)
        return self.rows(
            checked(asked.cypher, engine=self._config.engine),
            asked.parameters,
            limit=asked.limit,
            reach=reach,
            stop=stop,
        )

    def rows(
        self,
        cypher: str,
        parameters: Mapping[str, Any],
        *,
        limit: int,
        reach: Reach,
        stop: Event | None = None,
    ) -> GraphResult:
        """The rows of a statement that is known to be good; nodes and edges in them are told where they come from.

        For statements of the house. Both engines must carry them: no IN but within any(), see `tools.graph.cypher`.
        """
        size = len(json.dumps(dict(parameters)))
        if size > _PARAMETERS:
            raise TooLarge(f"The parameters have {size} characters as JSON. Expected at most {_PARAMETERS}.")
        with self._view(reach) as view:
            reply = self._ask(view, cypher, parameters, min(limit, self._config.rows), stop)
            rows = reply["rows"]
            return GraphResult(
                columns=reply["columns"],
                rows=rows,
                truncated=reply["truncated"],
                row_count=len(rows),
                found=found_in(view, rows),
            )

    def schema(self, *, reach: Reach) -> GraphSchema:
        """Labels and edge types with their properties, counts and sample names."""
        with self._view(reach) as view:
            return view.schema

    def neighbours(self, asked: NeighboursQuery, *, reach: Reach, stop: Event | None = None) -> Neighbourhood:
        """The nodes of that name or id, and what is up to `depth` edges away from them.

        Raises:
            NotFound: no such node; the message names the nearest names.
        """
        with self._view(reach) as view:
            rows = self._ask(view, _BY_NAME, {"name": asked.name}, asked.limit, stop)["rows"]
            if not rows:
                raise self._no_node(view, asked.name, stop)
            nodes = {_key(row[0]): _node(row[0], 0) for row in rows}
            border, truncated = list(nodes), False
            for distance in range(1, asked.depth + 1):
                if not (border and view.schema.edges):
                    break
                around = self._ask(view, _AROUND, _named(border), asked.limit + len(nodes), stop)
                fresh = {_key(row[0]): _node(row[0], distance) for row in around["rows"] if _key(row[0]) not in nodes}
                room = asked.limit - len(nodes)
                truncated = truncated or bool(around["truncated"]) or len(fresh) > room
                border = list(fresh)[:room]
                nodes |= {key: fresh[key] for key in border}
            edges: list[GraphEdge] = []
            if view.schema.edges:
                between = self._ask(view, _BETWEEN, _named(list(nodes)), _EDGES, stop)
                edges = [_edge(row[0]) for row in between["rows"]]
                truncated = truncated or bool(between["truncated"])
            cite = Citing(view, [key[1] for key in nodes])
        return Neighbourhood(
            nodes=[node.model_copy(update={"sources": cite.node(*key)}) for key, node in nodes.items()],
            edges=[
                edge.model_copy(update={"sources": cite.edge(edge.source, edge.type, edge.target)}) for edge in edges
            ],
            truncated=truncated,
        )

    def refresh(self) -> None:
        """Lets go of a generation that is outdated, so that what was forgotten leaves the disk now."""
        self._following.refresh()

    def close(self) -> None:
        """Ends the engines."""
        self._following.close()

    @contextmanager
    def _view(self, reach: Reach) -> Generator[View]:
        if self._generations.current() is None:
            raise empty()
        with self._following.use() as views, views.use(reach) as view:
            yield view

    def _ask(
        self, view: View, cypher: str, parameters: Mapping[str, Any], limit: int, stop: Event | None
    ) -> dict[str, Any]:
        request = {"cypher": cypher, "parameters": dict(parameters), "limit": limit}
        reply = view.workers.ask(request, seconds=self._config.seconds, stop=stop)
        if "error" in reply:
            raise self._explain(reply, view.schema)
        return reply

    def _no_node(self, view: View, name: str, stop: Event | None) -> NotFound:
        names = [str(row[0]) for row in self._ask(view, _ALL_NAMES, {"most": _NAMES}, _NAMES, stop)["rows"]]
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


_BY_NAME = (
    "MATCH (n) WHERE lower(n.name) = lower($name) OR n.id = $name RETURN n, n.id AS i, label(n) AS l ORDER BY i, l"
)
# Kuzu finds wrong rows where IN is the condition itself (see `tools.graph.cypher`).
_IS = "({0}.id IN $ids) = true AND (concat(label({0}), ' ', {0}.id) IN $keys) = true"
_AROUND = f"MATCH (a)--(b) WHERE {_IS.format('a')} RETURN DISTINCT b, label(b) AS l, b.id AS i ORDER BY i, l"
_BETWEEN = (
    f"MATCH (a)-[r]->(b) WHERE {_IS.format('a')} AND {_IS.format('b')} "
    "RETURN r ORDER BY r.source, label(r), r.target, r.since"
)
_ALL_NAMES = "MATCH (n) RETURN n.name LIMIT $most"


def _key(row: Mapping[str, Any]) -> tuple[str, str]:
    """Says which node: an id may stand under several labels."""
    return row["label"], row["id"]


def _named(keys: list[tuple[str, str]]) -> dict[str, Any]:
    return {"ids": [id for _, id in keys], "keys": [f"{label} {id}" for label, id in keys]}


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
