"""The MCP interface: each use case is a tool with its schemas and progress; prompts and documents lie beside them."""

import asyncio
import contextvars
from typing import Any

import mcp_types
from fastmcp import FastMCP
from fastmcp.server.dependencies import get_access_token, get_context
from fastmcp.tools import Tool, ToolResult
from fastmcp.utilities.json_schema import dereference_refs
from opentelemetry.context import attach, get_current
from pydantic import BaseModel, PrivateAttr

from agents.kit import Event, Result, UseCase
from server.house import LOCAL, House, open_house
from server.mcp_call import Calls, progress
from server.mcp_library import Library
from server.openapi import version
from server.serving import run_on_pipe
from server.settings import Settings
from tools.base import Caller, Unauthenticated

__all__ = ["build_mcp", "mcp_caller", "run_stdio"]


def build_mcp(house: House, *, local: Caller | None = None) -> FastMCP:
    """The MCP server of the house.

    Args:
        house: what it serves.
        local: who calls where the transport is a private pipe (stdio); nobody else may be assumed.
    """
    server = FastMCP(
        "partitur",
        instructions="Typed AI use cases of this organisation. Each tool returns its output with sources, cost and steps.",
        version=version(),
        mask_error_details=True,
        dereference_schemas=False,  # done once, below, and not at every listing
    )
    for use_case in house.catalog:
        server.add_tool(_UseCaseTool.of(use_case, house, local))
    server.add_provider(Library(house, lambda: mcp_caller(local)))
    return server


def run_stdio(settings: Settings) -> None:
    """Serves the use cases over MCP on stdin and stdout, for the user whose machine it is.

    Raises:
        SetupError: the settings or a use case is wrong.
    """
    run_on_pipe(_stdio(settings))


async def _stdio(settings: Settings) -> None:
    async with open_house(settings) as house:
        await build_mcp(house, local=LOCAL).run_stdio_async(show_banner=False)


def mcp_caller(local: Caller | None) -> Caller:
    """The caller of the request at hand: behind its verified token, else who holds the private pipe.

    Raises:
        Unauthenticated: nobody verified one.
    """
    token = get_access_token()
    if token is not None and isinstance(found := token.claims.get("caller"), Caller):
        return found
    if local is None:
        raise Unauthenticated("The request carries no verified caller.")
    return local


class _UseCaseTool(Tool):
    """A use case as a tool of the MCP library."""

    _use_case: UseCase[Any, Any] = PrivateAttr()
    _house: House = PrivateAttr()
    _calls: Calls = PrivateAttr()
    _local: Caller | None = PrivateAttr(default=None)

    @classmethod
    def of(cls, use_case: UseCase[Any, Any], house: House, local: Caller | None) -> "_UseCaseTool":
        tool = cls(
            name=use_case.name,
            description=use_case.description,
            parameters=dereference_refs(use_case.input.model_json_schema()),
            output_schema=Result[use_case.output].model_json_schema(mode="serialization"),
            annotations=mcp_types.ToolAnnotations(
                read_only_hint=True,
                idempotent_hint=not use_case.generative,
                destructive_hint=False,
                open_world_hint=False,
            ),
        )
        tool._use_case, tool._house, tool._local = use_case, house, local
        tool._calls = Calls(house)
        return tool

    async def run(self, arguments: dict[str, Any]) -> ToolResult:
        called = await self._calls(self._use_case, arguments, caller=lambda: mcp_caller(self._local), ask=self._asked)
        return ToolResult(
            content=called.content, structured_content=called.structured, meta=called.meta, is_error=called.error
        )

    async def _asked(self, given: BaseModel, caller: Caller) -> Result[Any]:
        """Asks, and tells of each step as it begins and ends."""
        events: asyncio.Queue[Event | None] = asyncio.Queue()
        work = self._house.ask(self._use_case, given, caller=caller, listen=events.put_nowait)
        asked = asyncio.create_task(work, context=_own_context())
        asked.add_done_callback(lambda _: events.put_nowait(None))
        context, count = get_context(), 0
        try:
            while (event := await events.get()) is not None:
                if message := progress(event):
                    count += 1
                    await context.report_progress(count, message=message)
            return await asked
        finally:
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)


def _own_context() -> contextvars.Context:
    """A context that keeps the trace and leaves the MCP request behind: tools inside the run are not asked over its wire."""
    own = contextvars.Context()
    own.run(attach, get_current())
    return own
