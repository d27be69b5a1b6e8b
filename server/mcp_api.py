"""The MCP interface: each use case is a tool with its schemas and progress; prompts and documents lie beside them."""

import asyncio
import base64
import contextvars
import logging
from collections.abc import Mapping
from typing import Any

import anyio
import mcp_types
from fastmcp import FastMCP
from fastmcp.server.dependencies import get_access_token, get_context
from fastmcp.tools import Tool, ToolResult
from fastmcp.utilities.json_schema import dereference_refs
from opentelemetry.context import attach, get_current
from pydantic import PrivateAttr

from agents.kit import Event, Result, StepFinished, StepStarted, UseCase, validated
from server.errors import Broken, told
from server.house import LOCAL, House, open_house
from server.mcp_library import Library
from server.openapi import version
from server.serving import run_on_pipe
from server.settings import Settings
from server.words import words
from tools.base import Artifact, Caller, PartiturError, Unauthenticated

__all__ = ["build_mcp", "mcp_caller", "run_stdio"]

log = logging.getLogger(__name__)
_INLINE = 480_000
"""Bytes of pictures and sound sent along with one answer; what is more is linked. Common clients end a connection at an
event of one mebibyte, and base64 makes four bytes of three."""


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
    """A use case as a tool. Its input is validated by its own model, so that errors read as everywhere."""

    _use_case: UseCase[Any, Any] = PrivateAttr()
    _house: House = PrivateAttr()
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
        return tool

    async def run(self, arguments: dict[str, Any]) -> ToolResult:
        try:
            caller = mcp_caller(self._local)
            result = await self._asked(arguments, caller)
            blocks = await anyio.to_thread.run_sync(self._blocks, result, caller)
        except PartiturError as error:
            if error.code == "setup":
                log.exception("Tool %r met a fault of the installation", self.name)
            return _failure(error)
        except Exception:
            log.exception("Tool %r failed", self.name)
            return _failure(Broken(f"The use case {self.name!r} failed inside the server."))
        return ToolResult(content=blocks, structured_content=result.model_dump(mode="json"))

    async def _asked(self, arguments: Mapping[str, Any], caller: Caller) -> Result[Any]:
        """Asks, and tells of each step as it begins and ends."""
        given = validated(self._use_case.input, arguments)
        events: asyncio.Queue[Event | None] = asyncio.Queue()
        work = self._house.ask(self._use_case, given, caller=caller, listen=events.put_nowait)
        asked = asyncio.create_task(work, context=_own_context())
        asked.add_done_callback(lambda _: events.put_nowait(None))
        context, count = get_context(), 0
        try:
            while (event := await events.get()) is not None:
                if message := _progress(event):
                    count += 1
                    await context.report_progress(count, message=message)
            return await asked
        finally:
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)

    def _blocks(self, result: Result[Any], caller: Caller) -> list[mcp_types.ContentBlock]:
        """The readable text, then what was made: pictures and sound as such."""
        blocks: list[mcp_types.ContentBlock] = [mcp_types.TextContent(type="text", text=words(result))]
        room = _INLINE
        for artifact in result.artifacts:
            inline = artifact.size <= room
            room -= artifact.size if inline else 0
            blocks.append(self._block(artifact, caller, inline=inline))
        return blocks

    def _block(self, artifact: Artifact, caller: Caller, *, inline: bool) -> mcp_types.ContentBlock:
        kind = artifact.media_type.partition("/")[0]
        if inline and kind in ("image", "audio"):
            data = base64.b64encode(self._house.artifacts.path(artifact.id, caller=caller).read_bytes()).decode()
            if kind == "image":
                return mcp_types.ImageContent(type="image", data=data, mime_type=artifact.media_type)
            return mcp_types.AudioContent(type="audio", data=data, mime_type=artifact.media_type)
        return mcp_types.ResourceLink(
            type="resource_link",
            uri=f"artifact://{artifact.id}",
            name=artifact.id,
            description=artifact.alt_text,
            mime_type=artifact.media_type,
            size=artifact.size,
        )


def _own_context() -> contextvars.Context:
    """A context that keeps the trace and leaves the MCP request behind: tools inside the run are not asked over its wire."""
    own = contextvars.Context()
    own.run(attach, get_current())
    return own


def _failure(error: PartiturError) -> ToolResult:
    """An error as a tool tells it: message and hint to read, the code for programs."""
    about = {"code": error.code, "status": error.status, "hint": error.hint}
    return ToolResult(content=told(error), is_error=True, meta={"partitur/error": about})


def _progress(event: Event) -> str | None:
    match event:
        case StepStarted(name=name):
            return f"{name} …"
        case StepFinished(step):
            return f"{step.name}: {step.outcome}, {step.seconds:.1f} s"
        case _:
            return None
