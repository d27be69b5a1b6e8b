"""The MCP servers that a response may name: our tool servers, the use cases, and those of others in the settings."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agents.kit import Toolbox, validated
from agents.kit.scope import Scope
from server.errors import InvalidParameter
from server.house import House
from server.responses.request import McpTool
from server.words import words
from tools.base import InvalidInput

__all__ = ["USE_CASES", "McpServers", "ToolInfo"]

USE_CASES = "partitur"
"""The label under which the use cases are tools, as they are at /mcp; a server of that name in the settings goes before."""


@dataclass(frozen=True)
class ToolInfo:
    """A tool as its server lists it."""

    name: str
    description: str | None
    schema: dict[str, Any]
    read_only: bool

    def shown(self) -> dict[str, Any]:
        """As an item `mcp_list_tools` has it."""
        about = {"name": self.name, "description": self.description, "input_schema": self.schema}
        return {**about, "annotations": {"readOnlyHint": self.read_only}}


class McpServers:
    """Lists and calls tools, each call for the caller and through the gate."""

    def __init__(self, house: House) -> None:
        self._house = house

    @property
    def toolbox(self) -> Toolbox:
        return self._house.runtime.toolbox

    def check(self, tool: McpTool, where: str) -> None:
        """That a request names a server which this installation has, and nothing that only a stranger's would need.

        Raises:
            InvalidParameter: it does not.
        """
        label, outside = tool.server_label, self._house.settings.mcp_servers
        if label not in self.labels():
            raise InvalidParameter(
                f"The MCP server {label!r} is not one of this installation. It has "
                f"{', '.join(map(repr, self.labels()))}.",
                param=f"{where}.server_label",
                hint="Name one of these, or ask the platform team to add yours to mcp_servers of the settings.",
            )
        for name in ("connector_id", "authorization", "headers"):
            if getattr(tool, name) is not None:
                raise InvalidParameter(
                    f"{name!r} is not taken from a request: servers and their keys stand in the settings.",
                    param=f"{where}.{name}",
                    hint=f"Leave {name!r} out.",
                )
        known = outside[label].url if label in outside else None
        if tool.server_url is not None and tool.server_url.rstrip("/") != (known or "").rstrip("/"):
            raise InvalidParameter(
                f"The MCP server {label!r} is not at {tool.server_url[:200]!r}. Servers are reached where the settings "
                "say, and nowhere else.",
                param=f"{where}.server_url",
                hint="Leave 'server_url' out.",
            )

    def labels(self) -> Sequence[str]:
        """The names of all servers."""
        ours = {ref.server for ref in self.toolbox.refs.values()}
        return sorted({USE_CASES, *ours, *self.toolbox.outside})

    async def tools(self, label: str) -> list[ToolInfo]:
        """What a server has.

        Raises:
            Unavailable: it cannot be reached.
        """
        if self._is_ours(label):
            return [
                ToolInfo(one.name, one.description, one.input.model_json_schema(), True) for one in self._house.catalog
            ]
        if label in self.toolbox.outside:
            server = self.toolbox.outside[label]
            listed = [await server.tool(name) for name in server.server.tools]
            return [
                ToolInfo(
                    one.name,
                    one.description,
                    dict(one.input_schema),
                    bool(one.annotations and one.annotations.read_only_hint),
                )
                for one in listed
            ]
        return [
            ToolInfo(ref.tool, ref.description, ref.input.model_json_schema(), ref.read_only)
            for ref in self.toolbox.refs.values()
            if ref.server == label
        ]

    async def call(self, label: str, name: str, arguments: str, scope: Scope) -> str:
        """What a tool gives, as text for a model.

        Raises:
            PartiturError: the arguments do not fit, the caller may not, or the tool failed.
        """
        given = _object(arguments)
        if not self._is_ours(label):
            content = await self.toolbox.run(f"{label}.{name}", given, scope)
            return json.dumps(content, ensure_ascii=False)
        use_case = self._house.catalog[name]
        gate, act = self._house.runtime.gate, scope.act("tool", f"{label}.{name}")
        gate.before(act, arguments)
        result = await self._house.ask(
            use_case, validated(use_case.input, given), caller=scope.caller, cancelled=scope.cancelled
        )
        text = words(result)
        gate.after(act, text, spent=result.usage.model_copy(update={"tool_calls": 1}))
        return text

    def _is_ours(self, label: str) -> bool:
        return label == USE_CASES and label not in self.toolbox.outside


def _object(arguments: str) -> dict[str, Any]:
    try:
        given: object = json.loads(arguments or "{}")
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise InvalidInput(f"The arguments are {arguments!r:.80}. Expected a JSON object.")
    return given  # pyright: ignore[reportUnknownVariableType]  # what JSON holds is checked by the tool
