"""The one gate that every use case, model request, tool call and streamed piece passes; guards hang here."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

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
    """One rule. It raises to refuse; it may not change what passes.

    One that also has `begins(text) -> int`, the number of characters at the end of a streamed text that may be the
    beginning of what it refuses, lets the others go at once. Where one has not, words are held until they are whole.
    """

    def before(self, act: Act, text: str) -> None:
        """Asked with what goes in."""
        ...

    def piece(self, act: Act, text: str) -> None:
        """Asked with a window of streamed text, before its end is let out."""
        ...

    def after(self, act: Act, text: str) -> None:
        """Asked with what came out."""
        ...


@runtime_checkable
class _Foresees(Protocol):
    def begins(self, text: str) -> int: ...


class Gate:
    """Asks every guard, in order; one that breaks refuses (fail closed)."""

    def __init__(self, guards: Sequence[Guard]) -> None:
        self._guards = tuple(guards)
        self._foreseeing = tuple(guard.begins for guard in guards if isinstance(guard, _Foresees))
        self.foresees = len(self._foreseeing) == len(self._guards)
        """Whether every guard tells what may be the beginning of something."""

    def before(self, act: Act, text: str) -> None:
        """Lets `act` begin with `text` as its input, or raises."""
        for guard in self._guards:
            try:
                guard.before(act, text)
            except PartiturError:
                raise
            except Exception as error:  # a broken guard must refuse, whatever broke it
                raise _unjudged(guard, act) from error

    def after(self, act: Act, text: str, *, spent: Usage | None = None) -> None:
        """Lets `text` out as the result of `act`, or raises; what was spent is counted even then."""
        if spent is not None:
            act.spent.add(spent)
        for guard in self._guards:
            try:
                guard.after(act, text)
            except PartiturError:
                raise
            except Exception as error:  # as above
                raise _unjudged(guard, act) from error

    def pieces(self, act: Act) -> "Pieces":
        """A filter for the streamed text of `act`."""
        return Pieces(self, act)

    def piece(self, act: Act, text: str) -> None:
        """Lets a window of streamed text pass, or raises."""
        for guard in self._guards:
            try:
                guard.piece(act, text)
            except PartiturError:
                raise
            except Exception as error:  # as above
                raise _unjudged(guard, act) from error

    def free(self, act: Act, text: str) -> int:
        """How many characters of a streamed text may be judged now; the rest waits for what follows."""
        if not self.foresees:
            return max(text.rfind(" "), text.rfind("\n")) + 1
        try:
            return len(text) - max((begins(text) for begins in self._foreseeing), default=0)
        except Exception as error:  # as above
            log.exception("Guard failed")
            raise Refused(
                f"A guard could not judge {act.kind} {act.name!r}. What no guard has judged is refused."
            ) from error


def _unjudged(guard: Guard, act: Act) -> Refused:
    log.exception("Guard failed")
    return Refused(
        f"The guard {type(guard).__name__!r} could not judge {act.kind} {act.name!r}. What no guard has judged is refused.",
        hint="See the log for the reason and mend the guard.",
    )


class Pieces:
    """Streamed text on its way out: what may be the beginning of a secret is held, so that none leaves in halves."""

    _MOST_HELD = 8192

    def __init__(self, gate: Gate, act: Act) -> None:
        self._gate, self._act = gate, act
        self._window = 64 if gate.foresees else 512
        """Characters before the new ones that guards see again."""
        self._out, self.held = "", ""

    def add(self, text: str) -> str:
        """Takes new text and gives what may be sent now."""
        self.held += text
        cut = self._gate.free(self._act, self.held)
        if cut == 0 and len(self.held) > self._MOST_HELD:
            cut = len(self.held)
        return self._release(cut)

    def end(self) -> str:
        """Gives what was still held."""
        return self._release(len(self.held))

    def _release(self, cut: int) -> str:
        if not cut:
            return ""
        free, self.held = self.held[:cut], self.held[cut:]
        window = self._out + free
        self._gate.piece(self._act, window)
        self._out = window[-self._window :]
        return free
