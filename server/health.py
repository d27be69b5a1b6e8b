"""Says whether the house serves: alive at once, ready when what is dear to import is there, degraded with its reasons."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from server.house import House
from tools.base import PartiturError

__all__ = ["Health"]

_FRESH_S = 2.0


@dataclass
class Health:
    """State of this process, for probes; both paths are open to everybody, so they name no path and no address."""

    house: House
    loaded: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when everything that is dear has been loaded, or has failed to."""
    faults: list[str] = field(default_factory=list[str])
    """What went wrong while it started."""
    _reasons: list[str] = field(default_factory=list[str])
    _until: float = 0.0

    def routes(self) -> list[Route]:
        return [
            Route("/healthz", self.healthz, methods=["GET"]),
            Route("/readyz", self.readyz, methods=["GET"]),
        ]

    async def healthz(self, request: Request) -> JSONResponse:
        """The process answers."""
        return JSONResponse({"status": "ok"})

    async def readyz(self, request: Request) -> JSONResponse:
        """Ready, or loading (503), or degraded with reasons: it serves, and something is missing."""
        if not self.loaded.is_set():
            return JSONResponse({"status": "loading", "reasons": []}, status_code=503)
        if time.monotonic() >= self._until:  # whoever asks often does not keep us busy
            self._reasons = [*await asyncio.to_thread(self._prompts), *await self._engines()]
            self._until = time.monotonic() + _FRESH_S
        reasons = [*self.faults, *self._reasons]
        data = {
            "status": "degraded" if reasons else "ready",
            "reasons": reasons,
            "engine": self.house.engine.id,
            "use_cases": len(self.house.catalog.use_cases),
        }
        return JSONResponse(data, status_code=503 if self.faults else 200)

    def _prompts(self) -> Sequence[str]:
        library = self.house.prompts.library
        fault = library.problem is not None
        try:
            library.list()
        except PartiturError:
            fault = True
        return ["The prompt library has a fault; 'partitur doctor' names it."] if fault else []

    async def _engines(self) -> Sequence[str]:
        """Models that nobody can serve now. That is no error of the start: an engine may come back."""
        await self.house.hub.probe()
        pools = self.house.hub.pools.values()
        down = [pool.id for pool in pools if all(replica.healthy is False for replica in pool.replicas)]
        return [f"No engine of {id!r} can be reached." for id in down]
