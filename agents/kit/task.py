"""What a prompt asks, as data beside its text: an engine without a language model works from this alone."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from tools.base import Citation
from tools.language import Language

__all__ = ["SAMPLING", "Evidence", "Language", "Role", "Task", "Variable"]

Role = Literal["query", "source", "setting"]
"""What a prompt's variable is for: what is asked, material to quote from, or anything else."""


SAMPLING = ("temperature", "top_p", "max_tokens", "seed", "presence_penalty", "frequency_penalty")
"""Settings of a language model that a prompt's parameters or a request may name."""


class Variable(BaseModel):
    """One declared variable of a prompt, with the value of this request."""

    model_config = ConfigDict(frozen=True)

    name: str
    role: Role
    value: JsonValue


class Task(BaseModel):
    """Rides as metadata on the user message (`TextContent.metadata`); never sent to a language model."""

    model_config = ConfigDict(frozen=True)

    language: Language
    variables: tuple[Variable, ...] = ()
    parameters: dict[str, JsonValue] = Field(default_factory=dict, description="From the prompt's front matter.")


class Evidence(BaseModel):
    """What an engine's answer rests on; rides in `ModelResponse.provider_details['partitur']`."""

    model_config = ConfigDict(frozen=True)

    citations: tuple[Citation, ...] = ()
    support: float | None = Field(default=None, description="How well the sources carry the answer, 0 to 1.")
