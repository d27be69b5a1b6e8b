"""What a run tells while it goes on: steps that begin and end, pieces of text, partial outputs, and the result."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel

from agents.kit.result import Result, Step

__all__ = ["Done", "Event", "Listener", "Partial", "Piece", "StepFinished", "StepStarted"]


@dataclass(frozen=True)
class StepStarted:
    id: str
    name: str
    kind: Literal["use_case", "tool"]


@dataclass(frozen=True)
class StepFinished:
    step: Step


@dataclass(frozen=True)
class Piece:
    """More of the readable text of the answer."""

    text: str


@dataclass(frozen=True)
class Partial:
    """The typed output as far as it has come; every field that is there fits its type."""

    output: BaseModel


@dataclass(frozen=True)
class Done:
    result: Result[Any]


Event = StepStarted | StepFinished | Piece | Partial | Done
Listener = Callable[[Event], None]
