"""Summarises a text in a few of its own sentences.

Deutsch: Macht eine Zusammenfassung: fasst einen Text kurz in wenigen seiner eigenen Sätze zusammen.
"""

from pydantic import BaseModel, ConfigDict, Field

from agents.kit import Language, UseCase
from tools.base import Words

__all__ = ["Summary", "Text", "summary"]


class Text(BaseModel):
    """What to summarise."""

    model_config = ConfigDict(extra="forbid")

    text: Words = Field(min_length=1, max_length=500_000, description="The text.")
    sentences: int = Field(default=4, ge=1, le=30, description="How long the summary may be.")
    language: Language | None = Field(
        default=None, description="Language of the text; recognised where it is not given."
    )


class Summary(BaseModel):
    """The summary."""

    text: str = Field(description="The summary.")


summary = UseCase(Text, Summary)
