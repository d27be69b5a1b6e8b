"""The envelope every interface returns: the typed output and all that stands behind it."""

from collections.abc import Sequence
from typing import Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from tools.base import Artifact, Citation

__all__ = ["Outcome", "PromptRef", "Result", "Step", "Support", "SupportedSentence", "Usage", "join"]

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


class SupportedSentence(BaseModel):
    """A sentence of the output, and whether the sources carry it."""

    text: str
    status: Literal["verbatim", "supported", "unsupported"] = Field(
        description="verbatim: stands in a source word for word; supported: a source says it in other words."
    )
    citations: list[int] = Field(description="Where it stands: places in the result's citations, from 0.")


class Support(BaseModel):
    """How well the sources carry what is said."""

    score: float = Field(
        ge=0,
        le=1,
        description="Of a language model's claims the share that the sources carry; of the embedded engine, which only "
        "quotes, how likely the sources carry an answer.",
    )
    sentences: list[SupportedSentence] = Field(
        default_factory=list[SupportedSentence], description="The sentences that claim something, in their order."
    )
    removed: list[str] = Field(
        default_factory=list[str], description="What the model said and no source carries, and was left out therefore."
    )


def join(parts: Sequence[tuple[Support, Sequence[Citation]]], citations: Sequence[Citation]) -> Support | None:
    """The support of several answers as one; None where there is none.

    Args:
        parts: each with the citations its sentences name by number.
        citations: those of the whole, which the sentences name then.
    """
    if not parts:
        return None
    at = {(one.document, one.start, one.end): number for number, one in enumerate(citations)}
    sentences: list[SupportedSentence] = []
    for support, own in parts:
        for sentence in support.sentences:
            places = [(one.document, one.start, one.end) for one in (own[number] for number in sentence.citations)]
            sentences.append(sentence.model_copy(update={"citations": [at[place] for place in places if place in at]}))
    counts = [max(1, len(support.sentences) + len(support.removed)) for support, _ in parts]
    score = sum(support.score * count for (support, _), count in zip(parts, counts, strict=True)) / sum(counts)
    return Support(
        score=round(score, 4), sentences=sentences, removed=[one for support, _ in parts for one in support.removed]
    )


class Result(BaseModel, Generic[Out]):
    """The answer to a request, the same at every interface."""

    use_case: str
    output: Out | None = Field(description="Null where the outcome is no_source or needs_model.")
    outcome: Outcome
    message: str | None = Field(default=None, description="Why it is not done or only partly, and what to do.")
    citations: list[Citation] = Field(default_factory=list[Citation])
    support: Support | None = Field(default=None, description="Null where nothing is answered from sources.")
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
