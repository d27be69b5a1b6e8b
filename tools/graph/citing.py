"""Tells where nodes and edges were found: of the origins of a view, and no others."""

from collections.abc import Iterable, Iterator
from typing import Any, cast

from tools.graph import Found, GraphSource
from tools.graph.records import Records
from tools.graph.sources import Origin
from tools.graph.views import View

__all__ = ["Citing", "found_in"]

_MOST = 100
"""Nodes and edges of a result that are told where they were found."""


class Citing:
    """The origins of the nodes with these ids, and of the edges between them."""

    def __init__(self, view: View, ids: Iterable[str]) -> None:
        given = list(ids)
        joined = {view.joined[id]: id for id in given if id in view.joined}
        records = Records.open(view.records, joined=joined)
        try:
            self._nodes = records.node_origins(view.scopes, given)
            self._edges = records.edge_origins(view.scopes, given)
        finally:
            records.close()
        self._titles = {kind.label: kind.title for kind in view.schema.nodes} | {
            kind.type: kind.title for kind in view.schema.edges
        }

    def node(self, label: str, id: str) -> list[GraphSource]:
        """Where a node was found."""
        return [_source(origin) for origin in self._nodes.get((self._titles.get(label, ""), id), [])]

    def edge(self, source: str, type: str, target: str) -> list[GraphSource]:
        """Where an edge was found."""
        return [_source(origin) for origin in self._edges.get((source, self._titles.get(type, ""), target), [])]


def found_in(view: View, rows: Iterable[Any]) -> list[Found]:
    """The first nodes and edges in these rows, each once, with where they were found."""
    told: dict[tuple[str, ...], Found] = {}
    for part in _parts(rows):
        if len(told) == _MOST:
            break
        match part:
            case {"id": str(id), "label": str(label), "name": _}:
                told.setdefault((label, id), Found(node=id, label=label))
            case {"source": str(source), "type": str(type), "target": str(target)}:
                told.setdefault((source, type, target), Found(edge=(source, type, target)))
            case _:
                pass
    if not told:
        return []
    ids = {id for key in told for id in ((key[1],) if len(key) == 2 else (key[0], key[2]))}
    cite = Citing(view, ids)
    for key, one in told.items():
        one.sources = cite.node(key[0], key[1]) if len(key) == 2 else cite.edge(key[0], key[1], key[2])
    return [one for one in told.values() if one.sources]


def _parts(value: object) -> Iterator[dict[str, Any]]:
    """Every object within a value, the outer ones first."""
    if isinstance(value, dict):
        given = cast("dict[str, Any]", value)
        yield given
        for item in given.values():
            yield from _parts(item)
    elif isinstance(value, list):
        for item in cast("list[object]", value):
            yield from _parts(item)


def _source(origin: Origin) -> GraphSource:
    return GraphSource(
        document=origin.document,
        title=origin.title,
        heading=origin.heading,
        page=origin.page,
        start=origin.start,
        end=origin.end,
        quote=origin.quote,
        file=origin.file,
        line=origin.line,
    )
