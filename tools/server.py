"""Makes an MCP tool server of typed references: one declaration gives schema, validation, annotations and identity."""

import base64
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import anyio
import mcp_types
from fastmcp import Context, FastMCP
from fastmcp.exceptions import ToolError
from fastmcp.server.auth import AuthProvider
from fastmcp.server.dependencies import get_access_token, get_context
from fastmcp.server.middleware import CallNext, Middleware, MiddlewareContext
from fastmcp.tools import Tool, ToolResult
from pydantic import BaseModel, PrivateAttr, ValidationError

from tools.base import (
    SOURCE,
    Artifact,
    ArtifactStore,
    Caller,
    InvalidInput,
    PartiturError,
    TimedOut,
    ToolRef,
    Unauthenticated,
    acting_as,
    caller_of,
)

__all__ = ["Binding", "bind", "tool_server"]

In = TypeVar("In", bound=BaseModel)
Out = TypeVar("Out", bound=BaseModel)
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Binding:
    """A typed reference with the code that serves it."""

    ref: ToolRef[Any, Any]
    handler: Callable[[Any, Context], Awaitable[BaseModel]]


def bind(ref: ToolRef[In, Out], handler: Callable[[In, Context], Awaitable[Out]]) -> Binding:
    """Ties `handler` to `ref`; the type checker holds the two together."""
    return Binding(ref, handler)


def tool_server(
    name: str,
    bindings: Sequence[Binding],
    *,
    instructions: str,
    auth: AuthProvider | None = None,
    local: Caller | None = None,
    artifacts: ArtifactStore | None = None,
) -> FastMCP:
    """Builds the server.

    Args:
        name: the part of a tool's name before the dot.
        bindings: what it serves.
        instructions: what an agent should know before it uses these tools.
        auth: verifies tokens where the server is reached over HTTP.
        local: who calls where the transport is a private pipe (stdio); nobody else may be assumed.
        artifacts: where binaries lie, so that callers in other processes get their bytes.
    """
    server = FastMCP(name, instructions=instructions, auth=auth, middleware=[_Identity(local)], mask_error_details=True)
    for binding in bindings:
        server.add_tool(_TypedTool.of(binding, artifacts))
    return server


class _Identity(Middleware):
    """Binds the caller for the length of a call: the one already acting in this process, else a verified token's."""

    def __init__(self, local: Caller | None) -> None:
        self._local = local

    async def on_call_tool(
        self,
        context: MiddlewareContext[mcp_types.CallToolRequestParams],
        call_next: CallNext[mcp_types.CallToolRequestParams, ToolResult],
    ) -> ToolResult:
        caller = self._caller(context)
        with acting_as(caller) if caller else nullcontext():
            return await call_next(context)

    def _caller(self, context: MiddlewareContext[Any]) -> Caller | None:
        token = get_access_token()
        if token is not None and isinstance(found := token.claims.get("caller"), Caller):
            return found
        try:
            return caller_of(context)
        except Unauthenticated:
            return self._local


class _TypedTool(Tool):
    """A tool whose arguments and result are pydantic models, validated here and nowhere else."""

    _binding: Binding = PrivateAttr()
    _artifacts: ArtifactStore | None = PrivateAttr(default=None)

    @classmethod
    def of(cls, binding: Binding, artifacts: ArtifactStore | None) -> "_TypedTool":
        ref = binding.ref
        tool = cls(
            name=ref.tool,
            description=ref.description,
            parameters=ref.input.model_json_schema(),
            output_schema=ref.output.model_json_schema(mode="serialization"),
            annotations=mcp_types.ToolAnnotations(
                read_only_hint=ref.read_only,
                idempotent_hint=ref.idempotent,
                destructive_hint=ref.destructive,
                open_world_hint=ref.open_world,
            ),
            meta={SOURCE: True} if ref.source else None,
            timeout=ref.timeout,
        )
        tool._binding = binding
        tool._artifacts = artifacts
        return tool

    async def run(self, arguments: dict[str, Any]) -> ToolResult:
        ref = self._binding.ref
        ctx = get_context()
        try:
            caller_of(ctx)
            try:
                given = ref.input.model_validate(arguments)
            except ValidationError as error:
                raise InvalidInput.of(error, ref.input) from error
            try:
                with anyio.fail_after(ref.timeout):
                    result = await self._binding.handler(given, ctx)
            except TimeoutError as error:
                raise TimedOut(f"The tool {ref.name!r} ran longer than {ref.timeout:g} seconds.") from error
        except PartiturError as error:
            raise ToolError(str(error), log_level=logging.DEBUG) from error
        return ToolResult(content=self._content(result, ctx), structured_content=result.model_dump(mode="json"))

    def _content(self, result: BaseModel, ctx: Context) -> list[mcp_types.ContentBlock]:
        """The text for readers and, over the wire only, the bytes of what was made."""
        blocks: list[mcp_types.ContentBlock] = [mcp_types.TextContent(type="text", text=result.model_dump_json())]
        if self._artifacts is None or ctx.request_context is None:
            return blocks
        for value in dict(result).values():
            for artifact in cast("list[object]", value if isinstance(value, list) else [value]):
                if isinstance(artifact, Artifact):
                    data = self._artifacts.path(artifact.id, caller=caller_of(ctx)).read_bytes()
                    blocks.append(_binary(artifact, base64.b64encode(data).decode()))
        return blocks


def _binary(artifact: Artifact, data: str) -> mcp_types.ContentBlock:
    kind = artifact.media_type.partition("/")[0]
    if kind == "image":
        return mcp_types.ImageContent(type="image", data=data, mime_type=artifact.media_type)
    if kind == "audio":
        return mcp_types.AudioContent(type="audio", data=data, mime_type=artifact.media_type)
    blob = mcp_types.BlobResourceContents(uri=artifact.uri, mime_type=artifact.media_type, blob=data)
    return mcp_types.EmbeddedResource(type="resource", resource=blob)
