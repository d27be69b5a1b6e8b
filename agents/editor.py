"""Writes an article in sections from findings, for the readers you name.

Deutsch: Schreibt aus Feststellungen einen Artikel in Abschnitten, für die Leserinnen und Leser, die Sie nennen.
"""

from pydantic import BaseModel, ConfigDict, Field

from agents.kit import Language, UseCase
from agents.research import Finding
from tools.base import Citation, Words

__all__ = ["Article", "Draft", "Section", "editor"]


class Draft(BaseModel):
    """What to write on, and from what."""

    model_config = ConfigDict(extra="forbid")

    topic: Words = Field(min_length=1, max_length=1_000, description="What the article is on.")
    findings: list[Finding] = Field(max_length=20, description="What is known.")
    audience: str = Field(default="", max_length=300, description="Whom it is for.")
    language: Language | None = Field(
        default=None, description="Language of the article; that of the topic if not given."
    )


class Section(BaseModel):
    """A part of the article on one aspect."""

    heading: str = Field(max_length=120, description="What it is on.")
    text: str = Field(description="Its text.")
    sources: list[Citation] = Field(
        default_factory=list[Citation],
        description="Where it stands. Filled from the documents that were read; leave it empty.",
    )


class Article(BaseModel):
    """The article."""

    title: str = Field(max_length=120, description="What it is on, in one line.")
    lead: str = Field(max_length=320, description="The most important, in one or two sentences.")
    sections: list[Section] = Field(
        min_length=1, max_length=6, description="Its parts, in the order a reader would choose."
    )

    def markdown(self) -> str:
        """The article with its headings."""
        parts = [f"## {section.heading}\n\n{section.text}" for section in self.sections]
        return "\n\n".join([f"# {self.title}", f"**{self.lead}**", *parts])


editor = UseCase(Draft, Article, tools=["knowledge.search"])
