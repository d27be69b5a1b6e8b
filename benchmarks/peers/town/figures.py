"""Says what there is in the tables, after a look with one of our own tools."""

from pydantic import BaseModel

from agents.kit import UseCase

__all__ = ["Answer", "Question", "figures"]


class Question(BaseModel):
    """What to find out."""

    text: str


class Answer(BaseModel):
    """What the agent says."""

    text: str


figures = UseCase(Question, Answer, tools=["tables.schema"])
