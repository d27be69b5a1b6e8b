"""Our own tool servers as a pydantic-ai toolset, over the server object's validated call path."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pydantic_ai import ModelRetry, RunContext
from pydantic_ai.tools import ToolDefinition
from pydantic_ai.toolsets import AbstractToolset, ToolsetTool
from pydantic_core import SchemaValidator, core_schema

from agents.kit.scope import Scope
from tools.base import SOURCE, InvalidInput, NotFound, ToolRef

if TYPE_CHECKING:
    from agents.kit.toolbox import Toolbox

__all__ = ["HouseToolset"]

_ANY_OBJECT = SchemaValidator(core_schema.dict_schema(core_schema.str_schema()))


class HouseToolset(AbstractToolset[Scope]):
    """Lists tools from their declarations and calls them through the toolbox; their definitions are made once."""

    def __init__(self, toolbox: "Toolbox", refs: Sequence[ToolRef[Any, Any]]) -> None:
        self._toolbox = toolbox
        self._refs = {ref.name.replace(".", "_"): ref for ref in refs}
        self._tools = {
            name: ToolsetTool[Scope](
                toolset=self,
                tool_def=ToolDefinition(
                    name=name,
                    description=ref.description,
                    parameters_json_schema=ref.input.model_json_schema(),
                    metadata={SOURCE: ref.source},
                ),
                max_retries=2,
                args_validator=_ANY_OBJECT,
            )
            for name, ref in self._refs.items()
        }

    @property
    def id(self) -> str:
        return "partitur:" + ",".join(self._refs)

    async def get_tools(self, ctx: RunContext[Scope]) -> dict[str, ToolsetTool[Scope]]:
        return self._tools

    async def call_tool(
        self, name: str, tool_args: dict[str, Any], ctx: RunContext[Scope], tool: ToolsetTool[Scope]
    ) -> dict[str, Any]:
        """What the model got wrong it may mend; everything else ends the run."""
        try:
            return await self._toolbox.run(self._refs[name], tool_args, ctx.deps)
        except (InvalidInput, NotFound) as error:
            raise ModelRetry(str(error)) from error
