"""Rewrites a text in plain language (Einfache Sprache).

Deutsch: Schreibt einen Text in Einfache Sprache um.
"""

from pydantic import BaseModel, ConfigDict, Field

from agents.kit import Language, UseCase
from tools.base import Words

__all__ = ["Difficult", "Plain", "plain_language"]


class Difficult(BaseModel):
    """What is hard to read."""

    model_config = ConfigDict(extra="forbid")

    text: Words = Field(min_length=1, max_length=100_000, description="The text.")
    language: Language | None = Field(
        default=None, description="Language of the text; recognised where it is not given."
    )


class Plain(BaseModel):
    """The same in plain language."""

    text: str = Field(description="The text in plain language.")


plain_language = UseCase(Difficult, Plain, generative=True)
