"""Every tool the house has, called through the gate and for the caller; our own servers with no wire in between."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

from pydantic import BaseModel, ValidationError

from agents.kit.gate import Gate
from agents.kit.result import Usage
from agents.kit.scope import Scope
from tools.base import Artifact, Failed, NotFound, PartiturError, ToolFailed, ToolRef, acting_as

if TYPE_CHECKING:
    from fastmcp import FastMCP

    from agents.kit.toolset import HouseToolset

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

    def __init__(self, servers: Mapping[str, HouseServer], gate: Gate) -> None:
        self._servers = dict(servers)
        self._gate = gate
        self._built: dict[str, FastMCP] = {}
        self.refs: dict[str, ToolRef[Any, Any]] = {ref.name: ref for server in servers.values() for ref in server.refs}

    def server(self, name: str) -> "FastMCP":
        """The server itself, built once."""
        if name not in self._built:
            self._built[name] = self._servers[name].build()
        return self._built[name]

    def toolset(self, names: Sequence[str]) -> "HouseToolset":
        """The named tools for an agent."""
        from agents.kit.toolset import HouseToolset

        return HouseToolset(self, [self.refs[name] for name in names])

    async def call(self, ref: ToolRef[In, Out], given: In, scope: Scope) -> Out:
        """Calls a tool with typed data, for a step of a composition."""
        return ref.output.model_validate(await self.run(ref, given.model_dump(mode="json"), scope))

    async def run(self, ref: ToolRef[Any, Any], arguments: dict[str, Any], scope: Scope) -> dict[str, Any]:
        """Calls a tool with plain data, for an agent; the result is the tool's structured content.

        Raises:
            PartiturError: whatever the tool raised of its own; ToolFailed for everything else.
        """
        from fastmcp.exceptions import FastMCPError
        from fastmcp.exceptions import NotFoundError as NoSuchTool

        if ref.name not in self.refs:
            raise NotFound(f"The tool {ref.name!r} is unknown. Known are {', '.join(map(repr, sorted(self.refs)))}.")
        act = scope.act("tool", ref.name)
        self._gate.before(act, json.dumps(arguments, ensure_ascii=False))
        try:
            with acting_as(scope.caller):
                result = await self.server(ref.server).call_tool(ref.tool, arguments)
        except (FastMCPError, ValidationError, NoSuchTool) as error:
            cause = error.__cause__
            if isinstance(cause, PartiturError):
                raise cause from None
            raise ToolFailed(
                f"The tool {ref.name!r} failed: {error}.",
                hint="See the log for the reason; 'partitur doctor' checks the tools.",
            ) from error
        content = result.structured_content
        if content is None:
            raise Failed(f"The tool {ref.name!r} gave no structured content. Expected {ref.output.__name__}.")
        spent = Usage(tool_calls=1)
        scope.usage.add(spent)
        scope.price(0.0 if self._servers[ref.server].priced else None)
        self._gate.after(act, json.dumps(content, ensure_ascii=False), spent=spent)
        return content


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
