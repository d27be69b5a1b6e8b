"""All models of an installation: pools by id, roles that point at them, and the watch over their engines."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass

from tools.base import NotFound, SetupError
from tools.models.config import ModelConfig
from tools.models.pool import Pool
from tools.models.replica import Replica, gauges
from tools.models.salts import Salts
from tools.models.transport import Transport

__all__ = ["Hub"]

log = logging.getLogger(__name__)
_PROBE_S = 5.0
_ANSWER_S = 3.0
_METRICS_BYTES = 4_000_000


@dataclass(frozen=True)
class _Place:
    pool: Pool
    replica: Replica


class Hub:
    """The models.

    Args:
        models: what the installation says of each, by id.
        secret: of the installation, for the cache salts.

    Raises:
        SetupError: a fallback or a parent is no model of the hub, or fallbacks go in a circle.
    """

    def __init__(self, models: Mapping[str, ModelConfig], *, secret: bytes) -> None:
        self.transport = Transport()
        salts = Salts(secret)
        self.pools = {id: Pool(id, config, self.transport, salts=salts) for id, config in models.items()}
        for id, pool in self.pools.items():
            for what in ("fallback", "parent"):
                other = getattr(pool.config, what)
                if other is not None and (other not in self.pools or other == id):
                    known = ", ".join(repr(name) for name in self.pools if name != id) or "none"
                    raise SetupError(
                        f"The {what} {other!r} of the model {id!r} is no other model of the hub. There are {known}.",
                        hint="Correct it under [models] in partitur.toml.",
                    )
                if other is not None and (kind := self.pools[other].config.kind) != pool.config.kind:
                    raise SetupError(
                        f"The {what} {other!r} of the model {id!r} is a model for {kind}, expected one for "
                        f"{pool.config.kind}.",
                        hint="Correct it under [models] in partitur.toml.",
                    )
            if pool.config.fallback and pool.config.kind == "embedding":
                raise SetupError(
                    f"The model {id!r} has a fallback. Expected none: vectors of two models cannot be compared.",
                    hint="Give it a second engine instead, under [models] in partitur.toml.",
                )
            pool.fallback = self.pools.get(pool.config.fallback or "")
        for pool in self.pools.values():
            self._check_circle(pool)

    def __getitem__(self, id: str) -> Pool:
        """The pool of a model.

        Raises:
            NotFound: there is no such model.
        """
        if id not in self.pools:
            known = ", ".join(map(repr, self.pools)) or "none"
            raise NotFound(f"The model {id!r} is unknown. The hub has {known}.")
        return self.pools[id]

    async def watch(self) -> None:
        """Probes every engine again and again, until it is cancelled."""
        while True:
            await self.probe()
            await asyncio.sleep(_PROBE_S)

    async def probe(self) -> None:
        """Asks every engine once for its health and its load, all at the same time."""
        places = [_Place(pool, replica) for pool in self.pools.values() for replica in pool.replicas]
        await asyncio.gather(*(self._probe(place) for place in places))

    async def close(self) -> None:
        await self.transport.close()

    async def _probe(self, place: _Place) -> None:
        pool, replica = place.pool, place.replica
        vllm = pool.config.server == "vllm"
        status, said = await self._get(place, f"{replica.root}/health" if vllm else f"{replica.url}/models", 65_536)
        was = replica.healthy
        # What is no vLLM may not have the address; that it answers at all shows that it is there.
        replica.healthy = status is not None and status < 500
        if not replica.healthy and was is not False:
            log.warning("The engine %s of %r is not well: %s", replica.shown, pool.id, status or said.decode())
        if replica.healthy and was is False:
            log.warning("The engine %s of %r is back.", replica.shown, pool.id)
            replica.breaker.succeeded()
        told: dict[str, float] = {}
        if vllm and replica.healthy:
            status, metrics = await self._get(place, f"{replica.root}/metrics", _METRICS_BYTES)
            told = gauges(metrics.decode("utf-8", "replace"), pool.name) if status == 200 else {}
        replica.running = int(told["running"]) if "running" in told else None
        replica.waiting = int(told["waiting"]) if "waiting" in told else None
        replica.cache = told.get("cache")

    async def _get(self, place: _Place, url: str, at_most: int) -> tuple[int | None, bytes]:
        """Status and body of an engine's answer; no status and the reason where there is none."""
        import aiohttp

        key = place.pool.config.key
        headers = {"Authorization": f"Bearer {key.get_secret_value()}"} if key else {}
        try:
            return await self.transport.get(url, headers=headers, seconds=_ANSWER_S, at_most=at_most)
        except (aiohttp.ClientError, OSError) as error:
            return None, (str(error) or type(error).__name__).encode()

    def _check_circle(self, pool: Pool) -> None:
        seen = [pool.id]
        while pool.fallback is not None:
            pool = pool.fallback
            if pool.id in seen:
                raise SetupError(
                    f"The fallbacks go in a circle: {' → '.join([*seen, pool.id])}.",
                    hint="Correct 'fallback' under [models] in partitur.toml.",
                )
            seen.append(pool.id)
