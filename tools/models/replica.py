"""One engine of a model: where it answers, what it is doing, and whether it is well."""

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

from tools.models.breaker import Breaker

__all__ = ["Replica", "gauges"]

_GAUGES = {
    "vllm:num_requests_running": "running",
    "vllm:num_requests_waiting": "waiting",
    "vllm:kv_cache_usage_perc": "cache",
    "vllm:gpu_cache_usage_perc": "cache",
}
_VALUE = r"\d{1,15}(?:\.\d{1,20})?(?:e[+-]?\d{1,2})?"
_LINE = re.compile(rf"^({'|'.join(_GAUGES)})(?:\{{([^}}\n]*)\}})? ({_VALUE})(?: |$)", re.ASCII | re.MULTILINE)


@dataclass(eq=False)
class Replica:
    """What is known of an engine."""

    url: str
    """Address of its OpenAI interface, without a slash at the end."""
    outstanding: int = 0
    """Our requests that it has not answered yet."""
    running: int | None = None
    """Requests it computes, by its own word; None = it has not said."""
    waiting: int | None = None
    cache: float | None = None
    """Part of its KV cache in use, 0 to 1."""
    healthy: bool | None = None
    """By the last probe; None = never probed."""
    breaker: Breaker = field(default_factory=Breaker)

    @property
    def load(self) -> int:
        """What a further request would wait behind."""
        return self.outstanding + (self.waiting or 0)

    @property
    def shown(self) -> str:
        """The address for people and logs: without user name, password and query."""
        parts = urlsplit(self.url)
        return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))

    @property
    def root(self) -> str:
        """The address of the server itself, beside its OpenAI interface."""
        return self.url.removesuffix("/v1")


def gauges(metrics: str, name: str) -> dict[str, float]:
    """What vLLM's metrics say of the model `name`: running, waiting, cache; what they do not say is missing.

    Source: vLLM, `vllm/v1/metrics/loggers.py`; text format of Prometheus. LoRA adapters share the gauges of their
    engine, so that a model whose name no line has gets those of the whole engine.
    """
    found = [(_GAUGES[gauge], labels, float(value)) for gauge, labels, value in _LINE.findall(metrics)]
    own = [one for one in found if f'model_name="{name}"' in one[1]]
    said: dict[str, float] = {}
    for what, _, value in own or found:
        said[what] = max(said.get(what, 0.0), value) if what == "cache" else said.get(what, 0.0) + value
    return said
