"""What a prompt is: a template with declared variables and typed parameters, and the commit it came from."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints

__all__ = ["FrontMatter", "Language", "Prompt", "Role", "Variable", "VariableType"]

Language = Literal["de", "en"]
Role = Literal["query", "source", "setting"]
"""What a variable is for: what is asked, material to quote from, or anything else."""
VariableType = Literal["string", "integer", "number", "boolean", "date", "array", "object"]
Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]


class Variable(BaseModel):
    """Declares one value that enters the template."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: VariableType = "string"
    role: Role = "setting"
    required: bool = True
    description: str = Field(default="", max_length=500)


class FrontMatter(BaseModel):
    """The YAML between the two `---` lines of a prompt file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    description: str = Field(min_length=1, max_length=500, description="One sentence on what the prompt is for.")
    language: Language | None = Field(default=None, description="By default what the file name says: 'de', or 'en'.")
    variables: dict[Identifier, Variable] = Field(default_factory=dict)
    parameters: dict[Identifier, JsonValue] = Field(
        default_factory=dict,
        description="Typed parameters for the engine, for example sentences; the default of a variable of that name.",
    )


class Prompt(BaseModel):
    """A prompt as it is served; the same object for everyone until its file or its commit changes."""

    model_config = ConfigDict(frozen=True)

    name: str
    language: Language
    description: str
    variables: dict[str, Variable]
    parameters: dict[str, JsonValue]
    body: str = Field(description="The Jinja2 template below the front matter.")
    line: int = Field(default=1, ge=1, description="Line of the file on which the body starts; errors count from it.")
    path: str = Field(description="The file, within its repository where it lies in one.")
    commit: str | None = Field(default=None, description="The last commit that changed the file, 40 hex digits.")
    dirty: bool = Field(default=True, description="The file differs from what is committed; then commit is null.")
    problem: str | None = Field(default=None, description="Why no commit, or not the exact one, can be named.")
