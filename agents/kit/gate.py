"""The one gate that every use case, model request, tool call and streamed piece passes; guards hang here."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from agents.kit.result import Usage
from tools.base import Caller, PartiturError, Refused

__all__ = ["Act", "Gate", "Guard", "Pieces"]

log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class Act:
    """Something about to happen for a caller: what passes the gate."""

    kind: Literal["use_case", "model", "tool"]
    name: str
    caller: Caller
    trace_id: str
    spent: Usage = field(default_factory=Usage)
    """What the whole run has spent so far, counted here and nowhere else."""
    cancelled: Callable[[], bool] = lambda: False
    """True once nobody waits for the run any more."""


class Guard(Protocol):
    """One rule. It raises to refuse; it may not change what passes."""

    def before(self, act: Act, text: str) -> None:
        """Asked with what goes in."""
        ...

    def piece(self, act: Act, text: str) -> None:
        """Asked with a window of streamed text, before its end is let out."""
        ...

    def after(self, act: Act, text: str) -> None:
        """Asked with what came out."""
        ...


class Gate:
    """Asks every guard, in order; one that breaks refuses (fail closed)."""

    def __init__(self, guards: Sequence[Guard]) -> None:
        self._guards = tuple(guards)

    def before(self, act: Act, text: str) -> None:
        """Lets `act` begin with `text` as its input, or raises."""
        for guard in self._guards:
            self._ask(guard, "before", act, text)

    def after(self, act: Act, text: str, *, spent: Usage | None = None) -> None:
        """Lets `text` out as the result of `act`, or raises; what was spent is counted even then."""
        if spent is not None:
            act.spent.add(spent)
        for guard in self._guards:
            self._ask(guard, "after", act, text)

    def pieces(self, act: Act) -> "Pieces":
        """A filter for the streamed text of `act`."""
        return Pieces(self, act)

    def piece(self, act: Act, text: str) -> None:
        """Lets a window of streamed text pass, or raises."""
        for guard in self._guards:
            self._ask(guard, "piece", act, text)

    def _ask(self, guard: Guard, point: Literal["before", "piece", "after"], act: Act, text: str) -> None:
        try:
            getattr(guard, point)(act, text)
        except PartiturError:
            raise
        except Exception as error:  # a broken guard must refuse, whatever broke it
            name = type(guard).__name__
            log.exception("Guard failed")
            raise Refused(
                f"The guard {name!r} could not judge {act.kind} {act.name!r}. What no guard has judged is refused.",
                hint="See the log for the reason and mend the guard.",
            ) from error


class Pieces:
    """Streamed text on its way out: a word is held until it is whole, so that no secret leaves in halves."""

    _WINDOW = 512
    _LONGEST_WORD = 8192

    def __init__(self, gate: Gate, act: Act) -> None:
        self._gate, self._act = gate, act
        self._out, self._held = "", ""

    def add(self, text: str) -> str:
        """Takes new text and gives what may be sent now."""
        self._held += text
        cut = max(self._held.rfind(" "), self._held.rfind("\n")) + 1
        if cut == 0 and len(self._held) > self._LONGEST_WORD:
            cut = len(self._held)
        return self._release(cut)

    def end(self) -> str:
        """Gives what was still held."""
        return self._release(len(self._held))

    def _release(self, cut: int) -> str:
        free, self._held = self._held[:cut], self._held[cut:]
        if free:
            self._gate.piece(self._act, self._out + free)
            self._out = (self._out + free)[-self._WINDOW :]
        return free
