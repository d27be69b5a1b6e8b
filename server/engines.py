"""The engines that use cases run on: chat models of the hub by their roles, else the embedded engine."""

from typing import TYPE_CHECKING

from agents.kit import Engine
from server.models import Models
from tools.models import Hub, Pool, Price

if TYPE_CHECKING:
    from pydantic_ai.models import Model

__all__ = ["EMBEDDED", "house_engines"]


def _embedded() -> "Model":
    from agents.extractive import ExtractiveModel

    return ExtractiveModel()


EMBEDDED = Engine(id="extractive", build=_embedded, generative=False, tokenizer="partitur words")


def house_engines(models: Models, hub: Hub) -> dict[str, Engine]:
    """Engines by model role."""
    served = {role: id for role, id in models.roles.items() if models.configs[id].kind == "chat"}
    if not served:
        return {"chat": EMBEDDED, "small": EMBEDDED}
    engines = {id: _engine(hub[id]) for id in dict.fromkeys(served.values())}
    return {role: engines[id] for role, id in served.items()}


def _engine(pool: Pool) -> Engine:
    def build() -> "Model":
        from agents.kit.pooled import PooledModel

        return PooledModel(pool)

    fallbacks: dict[str, Price] = {}
    other = pool.fallback
    while other is not None:
        fallbacks[other.id] = other.config.price
        other = other.fallback
    return Engine(id=pool.id, build=build, price=pool.config.price, fallbacks=fallbacks)
