"""The engines behind model roles: what serves a request, whether it can write, and what it costs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from tools.base import SetupError
from tools.models import Price

if TYPE_CHECKING:
    from pydantic_ai.models import Model

__all__ = ["Engine", "Engines"]


@dataclass(frozen=True)
class Engine:
    """A model as use cases see it."""

    id: str
    """Its id at every interface; 'extractive' for the embedded engine."""
    build: "Callable[[], Model]"
    """Makes the pydantic-ai model, at first use: importing what it needs is dear."""
    generative: bool = True
    tokenizer: str | None = None
    """Whose tokens its usage counts, where they are not a language model's."""
    price: Price = field(default_factory=Price)
    fallbacks: Mapping[str, Price] = field(default_factory=dict[str, Price])
    """What serves where it cannot, by id, with its price."""

    @cached_property
    def model(self) -> "Model":
        """Built once."""
        return self.build()


class Engines:
    """Model roles and the engines they point at."""

    def __init__(self, roles: Mapping[str, Engine]) -> None:
        self._roles = dict(roles)

    @property
    def roles(self) -> frozenset[str]:
        return frozenset(self._roles)

    @property
    def all(self) -> dict[str, Engine]:
        """By id, each once."""
        return {engine.id: engine for engine in self._roles.values()}

    def of(self, role: str) -> Engine:
        """The engine that serves `role`."""
        try:
            return self._roles[role]
        except KeyError:
            known = ", ".join(repr(name) for name in sorted(self._roles))
            raise SetupError(
                f"The model role {role!r} is unknown. Known are {known}.", hint="Name one of these roles."
            ) from None
