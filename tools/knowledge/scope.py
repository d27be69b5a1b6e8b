"""What one act on the knowledge base may touch, as a filter that is a part of every statement."""

from collections.abc import Iterable
from dataclasses import dataclass

from tools.base import Caller

__all__ = ["Scope", "listed", "text_of"]


@dataclass(frozen=True, slots=True)
class Scope:
    """One collection of the caller's tenant; the one without a name is where documents go when nobody says otherwise."""

    caller: Caller
    collection: str = ""

    @property
    def tenant(self) -> str:
        return self.caller.tenant

    @property
    def filter(self) -> str:
        """Within it nothing else is ever scored, counted or returned."""
        return f"tenant = {text_of(self.tenant)} AND collection = {text_of(self.collection)}"


def text_of(value: str) -> str:
    """`value` as a literal of a filter."""
    return "'" + value.replace("'", "''") + "'"


def listed(values: Iterable[str]) -> str:
    """`values` as the literals of `IN (…)`; where there are none, the empty text, which names nothing."""
    return ", ".join(map(text_of, values)) or "''"
