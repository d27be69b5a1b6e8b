"""The tables tool server."""

from threading import Event

import anyio
from anyio.to_thread import run_sync
from fastmcp import Context, FastMCP
from fastmcp.server.auth import AuthProvider

from tools.base import Caller, caller_of
from tools.base.access import OpenReach, Reaches
from tools.server import bind, tool_server
from tools.tables import TableQuery, TableResult, TableSchema, TableSchemaQuery, TablesConfig, query, schema
from tools.tables.store import Tables

__all__ = ["build"]


def build(
    config: TablesConfig,
    *,
    auth: AuthProvider | None = None,
    local: Caller | None = None,
    tables: Tables | None = None,
    reaches: Reaches | None = None,
) -> FastMCP:
    """Serves `tables.query` and `tables.schema` over the store at `config.home`; loads beside it are followed."""
    store = tables or Tables(config)
    reaching = reaches or OpenReach()

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

    return tool_server(
        "tables",
        [bind(query, run_query), bind(schema, describe)],
        instructions="Figures of the organisation as tables. Ask 'schema' for names, types and sample values, then "
        "'query' with one SELECT in DuckDB's SQL. Nothing can be changed here.",
        auth=auth,
        local=local,
    )
