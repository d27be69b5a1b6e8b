"""The envelope every interface returns: the typed output and all that stands behind it."""

from typing import Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from tools.base import Artifact, Citation

__all__ = ["Outcome", "PromptRef", "Result", "Step", "Usage"]

Out = TypeVar("Out", bound=BaseModel)
Outcome = Literal["done", "partial", "no_source", "needs_model"]
"""`no_source`: the sources carry no answer. `needs_model`: it cannot be done honestly without a language model."""


class Usage(BaseModel):
    """What was spent. Tokens are the engine's own count."""

    input_tokens: int = 0
    output_tokens: int = 0
    requests: int = Field(default=0, description="Requests to models.")
    tool_calls: int = 0
    tokenizer: str | None = Field(
        default=None, description="Set where the tokens are not a language model's: whose they are."
    )

    def add(self, other: "Usage") -> None:
        """Adds `other` to this."""
        self.input_tokens += other.input_tokens
        self.output_tokens += other.output_tokens
        self.requests += other.requests
        self.tool_calls += other.tool_calls
        self.tokenizer = other.tokenizer or self.tokenizer


class PromptRef(BaseModel):
    """Which text made an answer."""

    model_config = ConfigDict(frozen=True)

    name: str
    path: str = Field(description="Path of the file in the prompt repository.")
    commit: str | None = Field(
        default=None, description="40 hex: the last commit that changed the file; null while it is dirty."
    )
    dirty: bool = Field(default=False, description="The file as it lies differs from the last commit.")


class Step(BaseModel):
    """One `ask` or `call` of a run."""

    id: str = Field(description="Path of the step, each part with the ordinal given when it was called.")
    name: str
    kind: Literal["use_case", "tool"]
    seconds: float = Field(ge=0, description="Wall-clock time.")
    outcome: Outcome | Literal["failed"] = "done"
    message: str | None = Field(default=None, description="Why it is not done, and what to do.")
    engine: str | None = None
    cost: float | None = Field(
        default=None, description="In the currency of the prices in the settings; null = unknown."
    )
    prompt: PromptRef | None = None


class Result(BaseModel, Generic[Out]):
    """The answer to a request, the same at every interface."""

    use_case: str
    output: Out | None = Field(description="Null where the outcome is no_source or needs_model.")
    outcome: Outcome
    message: str | None = Field(default=None, description="Why it is not done or only partly, and what to do.")
    citations: list[Citation] = Field(default_factory=list[Citation])
    engine: str = Field(description="'extractive', or the id of the model that answered.")
    artifacts: list[Artifact] = Field(default_factory=list[Artifact])
    usage: Usage = Field(default_factory=Usage)
    cost: float | None = Field(
        default=None, description="In the currency of the prices in the settings; null = unknown."
    )
    steps: list[Step] = Field(default_factory=list[Step])
    trace_id: str = Field(pattern=r"^[0-9a-f]{32}$")
    prompt: PromptRef | None = Field(default=None, description="Null for a composition: its steps have their own.")
    prompt_commit: str | None = Field(
        default=None, description="40 hex: the last commit that changed the prompt; null while dirty."
    )
    dirty: bool = Field(default=False, description="A prompt that made this was not committed.")
