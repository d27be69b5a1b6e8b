"""Every tool the house has, called through the gate; ours for the caller and with no wire in between."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

from pydantic import BaseModel, ValidationError

from agents.kit.gate import Gate
from agents.kit.outside import Outside, OutsideServer
from agents.kit.result import Usage
from agents.kit.scope import Scope
from tools.base import Artifact, NotFound, PartiturError, SetupError, Spending, ToolFailed, ToolRef, acting_as

if TYPE_CHECKING:
    from fastmcp import FastMCP

    from agents.kit.toolset import Toolset

__all__ = ["HouseServer", "Toolbox", "artifacts_in"]

In = TypeVar("In", bound=BaseModel)
Out = TypeVar("Out", bound=BaseModel)


@dataclass(frozen=True)
class HouseServer:
    """One of our own tool servers: built at its first use, because some are dear to build."""

    refs: Sequence[ToolRef[Any, Any]]
    build: "Callable[[], FastMCP]"
    priced: bool = True
    """False where a remote endpoint does the work and its price is not known."""


class Toolbox:
    """The tools by name (`server.tool`)."""

    def __init__(
        self, servers: Mapping[str, HouseServer], gate: Gate, outside: Mapping[str, OutsideServer] | None = None
    ) -> None:
        self._servers = dict(servers)
        self.outside = {name: Outside(name, server) for name, server in (outside or {}).items()}
        if taken := self._servers.keys() & self.outside.keys():
            raise SetupError(
                f"The MCP server {min(taken)!r} is named like one of our own tool servers. Expected another name.",
                hint="Rename it in mcp_servers of the settings.",
            )
        self._gate = gate
        self._built: dict[str, FastMCP] = {}
        self.refs: dict[str, ToolRef[Any, Any]] = {ref.name: ref for server in servers.values() for ref in server.refs}
        self.names = frozenset((*self.refs, *(name for server in self.outside.values() for name in server.names)))
        """Every tool there is, ours and the allowed ones of others."""

    def server(self, name: str) -> "FastMCP":
        """The server itself, built once."""
        if name not in self._built:
            self._built[name] = self._servers[name].build()
        return self._built[name]

    def is_source(self, name: str) -> bool:
        """Whether a tool's result is material to quote."""
        if name in self.refs:
            return self.refs[name].source
        server, _, tool = name.partition(".")
        return self.outside[server].is_source(tool)

    def toolset(self, names: Sequence[str]) -> "Toolset":
        """The named tools for an agent."""
        from agents.kit.toolset import Toolset

        return Toolset(self, names)

    async def close(self) -> None:
        """Ends the sessions with servers of others."""
        for server in self.outside.values():
            await server.close()

    async def call(self, ref: ToolRef[In, Out], given: In, scope: Scope) -> Out:
        """Calls a tool with typed data, for a step of a composition."""
        content = await self.run(ref.name, given.model_dump(mode="json"), scope)
        try:
            return ref.output.model_validate(content)
        except ValidationError as error:
            raise ToolFailed(
                f"The tool {ref.name!r} gave something else than {ref.output.__name__}.",
                hint="Compare its output schema with the reference.",
            ) from error

    async def run(self, name: str, arguments: dict[str, Any], scope: Scope) -> dict[str, Any]:
        """Calls a tool with plain data, for an agent; the result is the tool's structured content.

        Raises:
            PartiturError: whatever the tool raised of its own; ToolFailed for everything else.
        """
        if name not in self.names:
            raise NotFound(f"The tool {name!r} is unknown. Known are {', '.join(map(repr, sorted(self.names)))}.")
        server, _, tool = name.partition(".")
        act = scope.act("tool", name)
        self._gate.before(act, json.dumps(arguments, ensure_ascii=False))
        if server in self.outside:
            content, priced = await self.outside[server].call(tool, arguments), False
        else:
            content, priced = await self._ours(name, tool, arguments, scope), self._servers[server].priced
        spent = Usage(tool_calls=1)
        if isinstance(own := content.get("spending"), dict):  # a model that the tool asked itself
            spent.add(Usage(**Spending.model_validate(own).model_dump()))
        scope.usage.add(spent)
        scope.price(0.0 if priced else None)
        self._gate.after(act, json.dumps(content, ensure_ascii=False), spent=spent)
        return content

    async def _ours(self, name: str, tool: str, arguments: dict[str, Any], scope: Scope) -> dict[str, Any]:
        from fastmcp.exceptions import FastMCPError

        # The servers' one middleware binds the caller of a request that came over the wire.
        try:
            with acting_as(scope.caller):
                server = self.server(name.partition(".")[0])
                result = await server.call_tool(tool, arguments, run_middleware=False)
        except (FastMCPError, ValidationError) as error:
            cause = error.__cause__
            if isinstance(cause, PartiturError):
                raise cause from None
            raise ToolFailed(
                f"The tool {name!r} failed: {error}.",
                hint="See the log for the reason; 'partitur doctor' checks the tools.",
            ) from error
        if result.structured_content is None:
            raise ToolFailed(f"The tool {name!r} gave no structured content. Expected its typed result.")
        return result.structured_content


def artifacts_in(value: object) -> list[Artifact]:
    """Every artifact in an output, in the order of its fields."""
    match value:
        case Artifact():
            return [value]
        case BaseModel():
            return [found for item in dict(value).values() for found in artifacts_in(item)]
        case list() | tuple():
            return [found for item in cast("Sequence[object]", value) for found in artifacts_in(item)]
        case _:
            return []
