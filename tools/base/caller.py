"""Who is asking: the frozen `Caller`, and the only way a tool learns of it."""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from tools.base.errors import Unauthenticated

__all__ = ["Caller", "acting_as", "caller_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """An identity somebody verified; made in `server/`, or from a verified token at a tool server's door."""

    subject: str
    tenant: str = "default"
    groups: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset()
    cost_centre: str | None = None


_acting: ContextVar[Caller | None] = ContextVar("partitur_caller", default=None)


@contextmanager
def acting_as(caller: Caller) -> Generator[None]:
    """Within the block, tools called in this process act for `caller`."""
    token = _acting.set(caller)
    try:
        yield
    finally:
        _acting.reset(token)


def caller_of(ctx: object) -> Caller:
    """The caller a tool acts for, never taken from arguments or `_meta`.

    `ctx` is the tool's context; taking it keeps the call inside a tool, where an identity is bound.

    Raises:
        Unauthenticated: nobody verified an identity for this call.
    """
    caller = _acting.get()
    if caller is None:
        raise Unauthenticated(f"{type(ctx).__name__} carries no verified caller. A tool acts only for a known caller.")
    return caller
