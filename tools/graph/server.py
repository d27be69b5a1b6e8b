"""The graph tool server."""

from collections.abc import Callable, Mapping
from threading import Event
from typing import Any, TypeVar

import anyio
from anyio.to_thread import run_sync
from fastmcp import Context, FastMCP
from fastmcp.server.auth import AuthProvider

from tools.base import ArtifactStore, Caller, Spending, caller_of
from tools.base.access import OpenReach, Reaches
from tools.endpoint import Endpoint
from tools.graph import (
    Answer,
    Ask,
    Depict,
    Depiction,
    GraphConfig,
    GraphQuery,
    GraphResult,
    GraphSchema,
    GraphSchemaQuery,
    Neighbourhood,
    NeighboursQuery,
    Templates,
    TemplatesQuery,
    ask,
    neighbours,
    picture,
    query,
    schema,
    templates,
)
from tools.graph.asking import answered, language_of, listed
from tools.graph.cypher import checked
from tools.graph.mermaid import mermaid
from tools.graph.store import Graph
from tools.graph.writing import written
from tools.models import Pool
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
    artifacts: ArtifactStore | None = None,
    pool: Pool | None = None,
) -> FastMCP:
    """Serves the graph at `config.home`; `reaches` says what a caller may read, `artifacts` keeps pictures, and `pool`
    is the chat model that writes Cypher for questions that no template fits; None = there is none."""
    store = graph or Graph(config)
    known = reaches or OpenReach()
    kept = artifacts or ArtifactStore(config.home / "pictures")

    async def run_query(asked: GraphQuery, ctx: Context) -> GraphResult:
        reach = await known.of(caller_of(ctx))
        return await _stoppable(lambda stop: store.query(asked, reach=reach, stop=stop))

    async def describe(_: GraphSchemaQuery, ctx: Context) -> GraphSchema:
        reach = await known.of(caller_of(ctx))
        return await run_sync(lambda: store.schema(reach=reach))

    async def look_around(asked: NeighboursQuery, ctx: Context) -> Neighbourhood:
        reach = await known.of(caller_of(ctx))
        return await _stoppable(lambda stop: store.neighbours(asked, reach=reach, stop=stop))

    async def list_templates(_: TemplatesQuery, ctx: Context) -> Templates:
        reach = await known.of(caller_of(ctx))
        return await run_sync(lambda: listed(store, reach=reach))

    async def answer(asked: Ask, ctx: Context) -> Answer:
        reach = await known.of(caller_of(ctx))
        by_template = await _stoppable(lambda stop: answered(store, asked, reach=reach, stop=stop))
        if pool is None or asked.question is None or by_template.outcome == "found":
            return by_template
        described = await run_sync(lambda: store.schema(reach=reach))

        async def rows(cypher: str, values: Mapping[str, Any]) -> GraphResult:
            good = checked(cypher, engine=config.engine)
            return await _stoppable(lambda stop: store.rows(good, values, limit=asked.limit, reach=reach, stop=stop))

        spending = Spending()
        endpoint = Endpoint(pool=pool, setting="PARTITUR_MODEL")
        language = language_of(asked)
        by_model = await written(endpoint, asked.question, described, rows=rows, language=language, spending=spending)
        # Where the model finds no more, the template's word on what the graph lacks is the surer one.
        best = by_template if by_model.outcome != "found" and by_template.outcome == "nothing" else by_model
        return best.model_copy(update={"spending": spending})

    async def depict(asked: Depict, ctx: Context) -> Depiction:
        caller = caller_of(ctx)
        reach = await known.of(caller)
        around = NeighboursQuery(name=asked.name, depth=asked.depth, limit=asked.limit)
        found = await _stoppable(lambda stop: store.neighbours(around, reach=reach, stop=stop))

        def drawn() -> Depiction:
            # Fonts and the layout are loaded by the first picture, not by the start.
            from tools.graph.drawing import draw

            made = draw(found.nodes, found.edges, language=asked.language, truncated=found.truncated)
            svg = kept.put(made.svg.encode(), media_type="image/svg+xml", alt_text=made.alt_text, caller=caller)
            return Depiction(
                svg=svg,
                mermaid=mermaid(found.nodes, found.edges),
                alt_text=made.alt_text,
                nodes=len(found.nodes),
                edges=len(found.edges),
                truncated=found.truncated,
            )

        return await run_sync(drawn)

    return tool_server(
        "graph",
        [
            bind(ask, answer),
            bind(templates, list_templates),
            bind(picture, depict),
            bind(query, run_query),
            bind(schema, describe),
            bind(neighbours, look_around),
        ],
        instructions="Who and what belongs together: offices, people, services, laws. Ask 'ask' a question or with one of "
        "'templates', 'neighbours' with a name, or 'schema' and then 'query' with one reading Cypher statement; "
        "'picture' draws. Nothing can be changed here.",
        auth=auth,
        local=local,
        artifacts=kept,
    )


async def _stoppable(work: Callable[[Event], T]) -> T:
    """Runs `work` in a thread; whoever goes away stops the engine, too."""
    stop = Event()
    try:
        return await run_sync(work, stop, abandon_on_cancel=True)
    except anyio.get_cancelled_exc_class():
        stop.set()
        raise
