"""The graph tool server."""

from collections.abc import Callable
from threading import Event
from typing import TypeVar

import anyio
from anyio.to_thread import run_sync
from fastmcp import Context, FastMCP
from fastmcp.server.auth import AuthProvider

from tools.base import Caller, caller_of
from tools.base.access import OpenReach, Reaches
from tools.graph import (
    GraphConfig,
    GraphQuery,
    GraphResult,
    GraphSchema,
    GraphSchemaQuery,
    Neighbourhood,
    NeighboursQuery,
    neighbours,
    query,
    schema,
)
from tools.graph.store import Graph
from tools.server import bind, tool_server

__all__ = ["build"]

T = TypeVar("T")


def build(
    config: GraphConfig,
    *,
    auth: AuthProvider | None = None,
    local: Caller | None = None,
    graph: Graph | None = None,
    reaches: Reaches | None = None,
) -> FastMCP:
    """Serves `graph.query`, `graph.schema` and `graph.neighbours` over the store at `config.home`; `reaches` says what
    a caller may read."""
    store = graph or Graph(config)
    known = reaches or OpenReach()

    async def run_query(asked: GraphQuery, ctx: Context) -> GraphResult:
        reach = await known.of(caller_of(ctx))
        return await _stoppable(lambda stop: store.query(asked, reach=reach, stop=stop))

    async def describe(_: GraphSchemaQuery, ctx: Context) -> GraphSchema:
        reach = await known.of(caller_of(ctx))
        return await run_sync(lambda: store.schema(reach=reach))

    async def look_around(asked: NeighboursQuery, ctx: Context) -> Neighbourhood:
        reach = await known.of(caller_of(ctx))
        return await _stoppable(lambda stop: store.neighbours(asked, reach=reach, stop=stop))

    return tool_server(
        "graph",
        [bind(query, run_query), bind(schema, describe), bind(neighbours, look_around)],
        instructions="Who and what belongs together: offices, people, services, laws. Ask 'neighbours' with a name, or "
        "'schema' and then 'query' with one reading Cypher statement. Nothing can be changed here.",
        auth=auth,
        local=local,
    )


async def _stoppable(work: Callable[[Event], T]) -> T:
    """Runs `work` in a thread; whoever goes away stops the engine, too."""
    stop = Event()
    try:
        return await run_sync(work, stop, abandon_on_cancel=True)
    except anyio.get_cancelled_exc_class():
        stop.set()
        raise
