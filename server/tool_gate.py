"""The gate before the tools of a server that runs alone: in the house the toolbox asks it, here a middleware does."""

import json
import secrets

import mcp_types
from fastmcp.exceptions import ToolError
from fastmcp.server.middleware import CallNext, Middleware, MiddlewareContext
from fastmcp.tools import ToolResult

from agents.kit import Act, Gate
from tools.base import PartiturError, caller_of

__all__ = ["ToolGate"]


class ToolGate(Middleware):
    """Asks the gate before and after every call of `server`'s tools."""

    def __init__(self, gate: Gate, server: str) -> None:
        self._gate, self._server = gate, server

    async def on_call_tool(
        self,
        context: MiddlewareContext[mcp_types.CallToolRequestParams],
        call_next: CallNext[mcp_types.CallToolRequestParams, ToolResult],
    ) -> ToolResult:
        name = f"{self._server}.{context.message.name}"
        try:
            act = Act(kind="tool", name=name, caller=caller_of(context), trace_id=secrets.token_hex(16))
            self._gate.before(act, json.dumps(context.message.arguments or {}, ensure_ascii=False, default=str))
            result = await call_next(context)
            self._gate.after(act, json.dumps(result.structured_content, ensure_ascii=False, default=str))
        except PartiturError as error:
            raise ToolError(str(error)) from error
        return result
