"""The tables tool server."""

from threading import Event

import anyio
from anyio.to_thread import run_sync
from fastmcp import Context, FastMCP
from fastmcp.server.auth import AuthProvider

from tools.base import ArtifactStore, Caller, caller_of
from tools.base.access import OpenReach, Reaches
from tools.models import Pool
from tools.server import bind, tool_server
from tools.tables import (
    Chart,
    ChartQuery,
    TableAnswer,
    TableQuery,
    TableQuestion,
    TableResult,
    TableSchema,
    TableSchemaQuery,
    TablesConfig,
    ask,
    chart,
    query,
    schema,
)
from tools.tables.answering import Answering
from tools.tables.store import Tables

__all__ = ["build"]


def build(
    config: TablesConfig,
    *,
    auth: AuthProvider | None = None,
    local: Caller | None = None,
    tables: Tables | None = None,
    reaches: Reaches | None = None,
    artifacts: ArtifactStore | None = None,
    pool: Pool | None = None,
) -> FastMCP:
    """Serves the four tools over the store at `config.home`; loads beside it are followed. `pool` is the model that
    writes SQL where the house has one, else `config.url` leads to it; drawings go to `artifacts`."""
    store = tables or Tables(config)
    reaching = reaches or OpenReach()
    kept = artifacts or ArtifactStore(config.home.with_name("artifacts"))
    answering = Answering(config, store, artifacts=kept, pool=pool)

    async def run_query(asked: TableQuery, ctx: Context) -> TableResult:
        reach = await reaching.of(caller_of(ctx))
        stop = Event()
        try:
            return await run_sync(lambda: store.query(asked, reach=reach, stop=stop), abandon_on_cancel=True)
        except anyio.get_cancelled_exc_class():
            stop.set()
            raise

    async def describe(asked: TableSchemaQuery, ctx: Context) -> TableSchema:
        reach = await reaching.of(caller_of(ctx))
        return await run_sync(lambda: store.schema(asked, reach=reach))

    async def answer(asked: TableQuestion, ctx: Context) -> TableAnswer:
        return await answering.ask(asked, await reaching.of(caller_of(ctx)))

    async def draw(asked: ChartQuery, ctx: Context) -> Chart:
        return await answering.chart(asked, await reaching.of(caller_of(ctx)))

    return tool_server(
        "tables",
        [bind(ask, answer), bind(chart, draw), bind(query, run_query), bind(schema, describe)],
        instructions="Figures of the organisation as tables. Put a question to 'ask'; or ask 'schema' for names, types and "
        "sample values, then 'query' with one SELECT in DuckDB's SQL. 'chart' draws rows. Nothing can be changed here.",
        auth=auth,
        local=local,
        artifacts=kept,
    )
