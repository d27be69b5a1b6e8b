"""Tools as a pydantic-ai toolset: ours over the server object's validated call path, those of others over a held session."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pydantic_ai import ModelRetry, RunContext
from pydantic_ai.tools import ToolDefinition
from pydantic_ai.toolsets import AbstractToolset, ToolsetTool
from pydantic_core import SchemaValidator, core_schema

from agents.kit.scope import Scope
from tools.base import SOURCE, InvalidInput, NotFound, ToolFailed

if TYPE_CHECKING:
    from agents.kit.toolbox import Toolbox

__all__ = ["Toolset", "tool_name"]

_ANY_OBJECT = SchemaValidator(core_schema.dict_schema(core_schema.str_schema()))


def tool_name(name: str) -> str:
    """A tool's name as models see it: without the dot, which many of them refuse."""
    return name.replace(".", "_")


class Toolset(AbstractToolset[Scope]):
    """Defines the named tools, once, and calls them through the toolbox."""

    def __init__(self, toolbox: "Toolbox", names: Sequence[str]) -> None:
        self._toolbox = toolbox
        self._names = {tool_name(name): name for name in names}
        self._tools: dict[str, ToolsetTool[Scope]] = {}

    @property
    def id(self) -> str:
        return "partitur:" + ",".join(self._names)

    async def get_tools(self, ctx: RunContext[Scope]) -> dict[str, ToolsetTool[Scope]]:
        for shown, name in self._names.items():
            if shown not in self._tools:
                definition = await self._defined(shown, name)
                self._tools[shown] = ToolsetTool[Scope](
                    toolset=self, tool_def=definition, max_retries=2, args_validator=_ANY_OBJECT
                )
        return self._tools

    async def call_tool(
        self, name: str, tool_args: dict[str, Any], ctx: RunContext[Scope], tool: ToolsetTool[Scope]
    ) -> dict[str, Any]:
        """What the model got wrong it may mend; everything else ends the run."""
        full = self._names[name]
        try:
            return await self._toolbox.run(full, tool_args, ctx.deps)
        except (InvalidInput, NotFound) as error:
            raise ModelRetry(str(error)) from error
        except ToolFailed as error:
            if full in self._toolbox.refs:
                raise
            raise ModelRetry(str(error)) from error  # others tell wrong arguments and failures alike

    async def _defined(self, shown: str, name: str) -> ToolDefinition:
        source = self._toolbox.is_source(name)
        if ref := self._toolbox.refs.get(name):
            schema, description = ref.input.model_json_schema(), ref.description
        else:
            server, _, tool = name.partition(".")
            told = await self._toolbox.outside[server].tool(tool)
            schema, description = told.input_schema, told.description
            source = source or (told.meta or {}).get(SOURCE) is True
        return ToolDefinition(
            name=shown,
            description=description,
            parameters_json_schema=schema,
            metadata={SOURCE: source},
            toolset_id=self.id,  # set here once; pydantic-ai would copy the definition at each request to set it
        )
