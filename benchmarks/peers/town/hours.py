"""Says when an office opens, after a look at an MCP server of others."""

from pydantic import BaseModel

from agents.kit import UseCase

__all__ = ["Answer", "Question", "hours"]


class Question(BaseModel):
    """What to find out."""

    text: str


class Answer(BaseModel):
    """What the agent says."""

    text: str


hours = UseCase(Question, Answer, tools=["town.hours"])
