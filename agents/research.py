"""Collects what several of your documents say on a topic, each finding with its source.

Deutsch: Recherchiert: sammelt, was mehrere Ihrer Dokumente zu einem Thema sagen, jede Feststellung mit ihrer Quelle.
"""

from pydantic import BaseModel, ConfigDict, Field

from agents.kit import Language, UseCase
from tools.base import Citation, Words

__all__ = ["Finding", "Findings", "Topic", "research"]


class Topic(BaseModel):
    """What to look into."""

    model_config = ConfigDict(extra="forbid")

    topic: Words = Field(min_length=1, max_length=1_000, description="A topic in some words, or a question.")
    language: Language | None = Field(
        default=None, description="Language of the findings; that of the topic if not given."
    )


class Finding(BaseModel):
    """What one document says."""

    statement: str = Field(description="What it says, in whole sentences.")
    sources: list[Citation] = Field(
        default_factory=list[Citation],
        description="Where it stands. Filled from the documents that were read; leave it empty.",
    )


class Findings(BaseModel):
    """What was found, the most telling first."""

    findings: list[Finding] = Field(min_length=1, max_length=10)

    def markdown(self) -> str:
        """A list, each with its document."""
        return "\n".join(
            f"- {one.statement} ({', '.join(dict.fromkeys(source.title for source in one.sources)) or '–'})"
            for one in self.findings
        )


research = UseCase(Topic, Findings, tools=["knowledge.search"], unsupported="remove")
