"""Answers a question from your documents, with the places it rests on.

Deutsch: Beantwortet eine Frage aus Ihren Dokumenten und nennt die Stellen, auf denen die Antwort beruht.
"""

from pydantic import BaseModel, ConfigDict, Field

from agents.kit import Language, UseCase
from tools.base import Citation, Words
from tools.language import detect

__all__ = ["Answer", "Question", "answer"]


class Question(BaseModel):
    """What somebody wants to know."""

    model_config = ConfigDict(extra="forbid")

    question: Words = Field(min_length=1, max_length=4_000, description="The question, in German or English.")
    language: Language | None = Field(
        default=None, description="Language of the answer; that of the question if not given."
    )


class Answer(BaseModel):
    """What the documents say."""

    text: str = Field(description="The answer.")
    sources: list[Citation] = Field(
        default_factory=list[Citation],
        description="Where it stands. Filled from the documents that were read; leave it empty.",
    )

    def markdown(self) -> str:
        """The answer, and below it the places."""
        page = "p." if detect(self.text) == "en" else "S."
        places = [
            " · ".join(part for part in (one.title, one.heading, f"{page} {one.page}" if one.page else None) if part)
            for one in self.sources
        ]
        listed = "\n".join(f"{number}. {place}" for number, place in enumerate(dict.fromkeys(places), 1))
        return f"{self.text}\n\n{listed}" if listed else self.text


answer = UseCase(Question, Answer, tools=["knowledge.search"], unsupported="remove")
