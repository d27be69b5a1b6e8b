"""One use case on its way: who asked, where in the run it stands, and what its steps have brought so far."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal

from agents.kit.events import Listener
from agents.kit.gate import Act
from agents.kit.result import Result, Step, Support, Usage, join
from agents.kit.turns import Turn
from tools.base import Artifact, Caller, Citation

__all__ = ["Scope"]


@dataclass(kw_only=True)
class Scope:
    """Shared by the run: caller, trace, spending, listener. Its own: path, and what has been gathered here."""

    caller: Caller
    trace_id: str
    path: str
    spent: Usage
    listen: Listener
    random: Random
    cancelled: Callable[[], bool]
    history: tuple[Turn, ...] = ()
    """What was said before; a step has it only where it is handed on."""
    usage: Usage = field(default_factory=Usage)
    unpriced: bool = False
    """A part of it has no known price, so that neither has the whole."""
    cost: float = 0.0
    shortfalls: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])
    """Why it is only partly done, each with the ordinal of its step."""
    steps: dict[int, list[Step]] = field(default_factory=dict[int, list[Step]])
    """By ordinal, each with the steps below it."""
    engines: dict[int, str] = field(default_factory=dict[int, str])
    served: dict[str, None] = field(default_factory=dict[str, None])
    """The models that answered here, in order, each once."""
    makers: dict[int, str] = field(default_factory=dict[int, str])
    """What did the work of tools: it names the engine where no model took part."""
    quotes: dict[int, list[Citation]] = field(default_factory=dict[int, list[Citation]])
    supports: dict[int, tuple[Support, list[Citation]]] = field(
        default_factory=dict[int, "tuple[Support, list[Citation]]"]
    )
    """How well its sources carry each step, and the citations that its numbers mean."""
    made: dict[int, list[Artifact]] = field(default_factory=dict[int, list[Artifact]])
    _ordinal: int = 0

    @classmethod
    def alone(cls, path: str, caller: Caller) -> "Scope":
        """For one model request or tool call that belongs to no run."""
        return cls(
            caller=caller,
            trace_id=secrets.token_hex(16),
            path=path,
            spent=Usage(),
            listen=lambda event: None,
            random=Random(),
            cancelled=lambda: False,
        )

    def lacking(self) -> str:
        """Why it is only partly done, in the order of the steps; empty where nothing is missing."""
        return " ".join(message for _, message in sorted(self.shortfalls, key=lambda one: one[0]))

    @property
    def ordinal(self) -> int:
        """That of the last step called."""
        return self._ordinal

    def next(self) -> int:
        """The ordinal of the step that is being called now, from 1."""
        self._ordinal += 1
        return self._ordinal

    def below(self, name: str, ordinal: int, history: tuple[Turn, ...] = ()) -> "Scope":
        """The scope of a step."""
        return Scope(
            caller=self.caller,
            trace_id=self.trace_id,
            path=f"{self.path}/{ordinal}:{name}",
            spent=self.spent,
            listen=self.listen,
            random=Random(f"{self.trace_id}{self.path}/{ordinal}"),
            cancelled=self.cancelled,
            history=history,
        )

    def act(self, kind: Literal["use_case", "model", "tool"], name: str) -> Act:
        """What passes the gate for this scope."""
        return Act(
            kind=kind, name=name, caller=self.caller, trace_id=self.trace_id, spent=self.spent, cancelled=self.cancelled
        )

    def price(self, cost: float | None) -> None:
        """Adds a cost; an unknown one makes the whole unknown."""
        if cost is None:
            self.unpriced = True
        else:
            self.cost += cost

    def total(self) -> float | None:
        """What it cost so far; None = unknown."""
        return None if self.unpriced else round(self.cost, 9)

    def settle(self, below: "Scope") -> None:
        """Takes over what a step spent, whether it brought something or not."""
        self.usage.add(below.usage)
        self.price(below.total())

    def take(self, ordinal: int, result: Result[Any]) -> None:
        """Takes over what a step brought."""
        self.engines[ordinal] = result.engine
        self.quotes[ordinal] = result.citations
        if result.support:
            self.supports[ordinal] = result.support, result.citations
        self.made[ordinal] = result.artifacts
        if result.outcome == "partial" and result.message:
            self.shortfalls.append((ordinal, result.message))

    def ordered_steps(self) -> list[Step]:
        """All steps, in the order in which they were called."""
        return [step for ordinal in sorted(self.steps) for step in self.steps[ordinal]]

    def ordered_citations(self) -> list[Citation]:
        """All citations of the steps, each once, in the order of the steps."""
        found = [c for ordinal in sorted(self.quotes) for c in self.quotes[ordinal]]
        return list({(c.document, c.start, c.end): c for c in found}.values())

    def joined_support(self, citations: Sequence[Citation]) -> Support | None:
        """How well the sources carry the steps together; None where none has any. `citations` are those of the whole."""
        return join([self.supports[ordinal] for ordinal in sorted(self.supports)], citations)

    def ordered_artifacts(self) -> list[Artifact]:
        """All artifacts of the steps, each once, in the order of the steps."""
        found = [a for ordinal in sorted(self.made) for a in self.made[ordinal]]
        return list({a.id: a for a in found}.values())
