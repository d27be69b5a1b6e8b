"""The tools of a request as a model is told of them: functions of the client, and tools that run here."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from server.errors import InvalidParameter
from server.responses.request import Asked, FileSearchTool, FunctionTool, McpTool, ToolFilter
from server.responses.servers import ToolInfo

__all__ = ["SEARCH", "Hosted", "Offer"]

SEARCH = "file_search"
"""The name that a model knows the search in documents by."""
_SEARCH_TOOL = {
    "type": "function",
    "function": {
        "name": SEARCH,
        "description": "Searches the stored documents and returns the passages that fit best, each with a number. "
        "Cite what you use by that number in brackets.",
        "parameters": {
            "type": "object",
            "properties": {"query": {"type": "string", "description": "A question or some words."}},
            "required": ["query"],
            "additionalProperties": False,
        },
    },
}


@dataclass(frozen=True)
class Hosted:
    """A tool of an MCP server."""

    label: str
    tool: ToolInfo
    approval: bool
    """Each call needs the user's word."""


@dataclass
class Offer:
    """What a model may call, and how often."""

    asked: Asked
    names: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    hosted: dict[str, Hosted] = field(default_factory=dict[str, Hosted])
    """By the name that the model knows."""
    used: int = 0
    """Calls of tools that run here, so far."""

    @property
    def functions(self) -> list[FunctionTool]:
        return [tool for tool in self.asked.tools or () if isinstance(tool, FunctionTool)]

    @property
    def search(self) -> FileSearchTool | None:
        return next((tool for tool in self.asked.tools or () if isinstance(tool, FileSearchTool)), None)

    @property
    def servers(self) -> list[McpTool]:
        return [tool for tool in self.asked.tools or () if isinstance(tool, McpTool)]

    def add(self, server: McpTool, listed: Sequence[ToolInfo]) -> list[ToolInfo]:
        """Takes up the tools of a server that the request allows; gives those."""
        allowed = [tool for tool in listed if _allows(server.allowed_tools, tool)]
        taken = {tool.name for tool in self.functions} | set([SEARCH] if self.search else []) | set(self.hosted)
        for tool in allowed:
            name = self.name(server.server_label, tool.name)
            while name in taken:
                name += "_"
            self.names[server.server_label, tool.name] = name
            self.hosted[name] = Hosted(server.server_label, tool, _asks(server, tool))
        return allowed

    def name(self, label: str, tool: str) -> str:
        """How a model knows a tool of a server; one that is not there any more keeps the name it had."""
        plain = "".join(letter if letter.isalnum() and letter.isascii() else "_" for letter in f"{label}_{tool}")
        return self.names.get((label, tool), plain[:60])

    def check_choice(self) -> None:
        """That what must be called is there.

        Raises:
            InvalidParameter: it is not.
        """
        choice = self.asked.tool_choice
        known = {tool["function"]["name"] for tool in self._all(hosted=True)}
        if isinstance(choice, str) or choice is None:
            if choice == "required" and not known:
                raise InvalidParameter("A tool must be called, and there is none.", param="tool_choice")
            return
        if missing := self._chosen(choice) - known or (not self._chosen(choice) and {choice.name or choice.type}):
            raise InvalidParameter(
                f"The tool {min(missing)!r} is not among the tools of the request.",
                param="tool_choice",
                hint="Send it in 'tools', or let 'tool_choice' be 'auto'.",
            )

    def chat(self, *, first: bool) -> dict[str, Any]:
        """The parameters of a chat completion; who must call a tool must do so once."""
        tools = self._all(hosted=self.asked.max_tool_calls is None or self.used < self.asked.max_tool_calls)
        choice = self.asked.tool_choice
        told: Any = choice if isinstance(choice, str) else None
        if choice is not None and not isinstance(choice, str):
            chosen = self._chosen(choice)
            if choice.type == "allowed_tools":
                tools = [tool for tool in tools if tool["function"]["name"] in chosen]
                told = choice.mode or "auto"
            elif choice.type == "mcp" and choice.name is None:
                tools = [tool for tool in tools if tool["function"]["name"] in chosen] if first else tools
                told = "required"
            else:
                told = {"type": "function", "function": {"name": min(chosen)}}
        if not tools:
            return {}
        if not first and told not in (None, "none"):
            told = "auto"
        more = {"tool_choice": told, "parallel_tool_calls": self.asked.parallel_tool_calls}
        return {"tools": tools, **{name: value for name, value in more.items() if value is not None}}

    def kind(self, name: str) -> Literal["function", "mcp", "approval", "search", "over"]:
        """How a call of a tool is to be told; a call of what runs here is counted."""
        hosted = self.hosted.get(name)
        if hosted is None and not (name == SEARCH and self.search is not None):
            return "function"
        if hosted is not None and hosted.approval:
            return "approval"
        if self.asked.max_tool_calls is not None and self.used >= self.asked.max_tool_calls:
            return "over"
        self.used += 1
        return "search" if hosted is None else "mcp"

    def about(self, name: str) -> dict[str, Any]:
        """What the item of an MCP call says of the tool."""
        return {"server_label": self.hosted[name].label, "name": self.hosted[name].tool.name}

    def _all(self, *, hosted: bool) -> list[dict[str, Any]]:
        tools = [_function(tool) for tool in self.functions]
        if not hosted:
            return tools
        if self.search is not None:
            tools.append(_SEARCH_TOOL)
        for name, one in self.hosted.items():
            function = {"name": name, "description": one.tool.description or "", "parameters": one.tool.schema}
            tools.append({"type": "function", "function": function})
        return tools

    def _chosen(self, choice: Any) -> set[str]:
        """The names, as the model knows them, of what a choice is about."""
        if choice.type == "allowed_tools":
            return set[str]().union(*(self._named(tool) for tool in choice.tools or ()))
        return self._named({"type": choice.type, "name": choice.name, "server_label": choice.server_label})

    def _named(self, tool: dict[str, Any]) -> set[str]:
        if tool.get("type") == SEARCH:
            return {SEARCH}
        if tool.get("type") == "mcp":
            return {
                name
                for name, one in self.hosted.items()
                if one.label == tool.get("server_label") and tool.get("name") in (None, one.tool.name)
            }
        return {str(tool["name"])} if tool.get("name") else set()


def _function(tool: FunctionTool) -> dict[str, Any]:
    about = {"description": tool.description, "parameters": tool.parameters, "strict": tool.strict}
    given = {name: value for name, value in about.items() if value is not None}
    return {"type": "function", "function": {"name": tool.name, **given}}


def _allows(allowed: list[str] | ToolFilter | None, tool: ToolInfo) -> bool:
    if allowed is None:
        return True
    return tool.name in allowed if isinstance(allowed, list) else _fits(allowed, tool)


def _fits(given: ToolFilter, tool: ToolInfo) -> bool:
    named = given.tool_names is None or tool.name in given.tool_names
    return named and (given.read_only is None or given.read_only == tool.read_only)


def _asks(server: McpTool, tool: ToolInfo) -> bool:
    """Whether a call needs the user's word: always, unless the request says otherwise."""
    rule = server.require_approval
    if rule is None or isinstance(rule, str):
        return rule != "never"
    if rule.always is not None and _fits(rule.always, tool):
        return True
    return rule.never is None or not _fits(rule.never, tool)
