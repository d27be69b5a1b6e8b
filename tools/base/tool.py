"""A typed reference to a tool: how compositions and agents name one, never by bare string."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import BaseModel

__all__ = ["SOURCE", "ToolRef"]

SOURCE = "partitur/source"
"""Key in a tool's metadata: true where its result is a `Passages`, material that may be quoted."""

In = TypeVar("In", bound=BaseModel)
Out = TypeVar("Out", bound=BaseModel)


@dataclass(frozen=True, kw_only=True)
class ToolRef(Generic[In, Out]):
    """Declares a tool of a tool server once: its name and types here, its code in the server's folder."""

    name: str
    """`server.tool`, for example `speech.say`."""
    input: type[In]
    output: type[Out]
    description: str
    source: bool = False
    """Its result is a `Passages`: material that may be quoted. Told to others as `partitur/source`."""
    read_only: bool = True
    idempotent: bool = True
    destructive: bool = False
    open_world: bool = False
    timeout: float = 120.0
    """Seconds."""

    @property
    def server(self) -> str:
        return self.name.partition(".")[0]

    @property
    def tool(self) -> str:
        return self.name.partition(".")[2]
