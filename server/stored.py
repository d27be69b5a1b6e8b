"""What is kept for callers: files, vector stores and batches, with the work on them that goes on in the background."""

import asyncio
import importlib
import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from server.house import House
from server.inside import Inside
from server.keeping import keep
from server.openai_api import CHAT
from server.openai_batches import BatchesApi
from server.openai_files import FilesApi
from server.openai_raw import RawModels
from server.openai_vector_files import VectorFilesApi
from server.openai_vector_stores import VectorStoresApi
from server.vector_search import VectorSearch
from server.work import Job, Work
from tools.base import Caller

if TYPE_CHECKING:
    from server.batch_runner import BatchRunner
    from server.shelving import Shelving

__all__ = ["Stored"]

_BATCHED = (CHAT, "/v1/completions", "/v1/embeddings", "/v1/responses")
"""Endpoints that take batches, where this server has them."""
_PRIORITY = 100
"""A higher number waits longer."""
_BATCHES = 4
"""Batches that one worker is at, at once."""
_REQUESTS = 4
"""Requests of them all that are under way at once: they leave room for those who wait for an answer."""


class Stored:
    """Files, vector stores and batches of one app.

    Args:
        house: what it is over.
        raw: the models of the hub.
        inside: the routes; what they have, batches can be for.
    """

    def __init__(self, house: House, raw: RawModels, inside: Inside) -> None:
        self._house = house
        self._raw = raw
        self._inside = inside
        self._imported = False
        self._work = Work(house.state)
        worker = f"worker-{secrets.token_hex(12)}"
        self.files = FilesApi(house, lambda caller, id: self._of_stores.forget(caller, id))
        self.stores = VectorStoresApi(self.files, worker=worker, wake=self._work.wake)
        self._of_stores = VectorFilesApi(self.stores)
        self.batches = BatchesApi(self.files, lambda: inside.posts(_BATCHED), worker=worker, wake=self._work.wake)

    @property
    def search(self) -> VectorSearch:
        """Searches vector stores, for whoever has their ids."""
        return self.stores.found

    def routes(self) -> list[Route]:
        every = (self.files, self.stores, self._of_stores, self.batches)
        return [self._prepared(route) for api in every for route in api.routes()]

    def _prepared(self, route: Route) -> Route:
        """The same route, once what the stores are made of has been imported."""

        async def endpoint(request: Request) -> Response:
            await self._ready()
            return await route.endpoint(request)

        return Route(route.path, endpoint, methods=sorted(route.methods or ()))

    @asynccontextmanager
    async def going_on(self, after: asyncio.Event) -> AsyncGenerator[None]:
        """Within the block the background works, once `after` is set."""
        jobs: list[Job] = [self._shelve, *[self._answer] * _BATCHES]
        async with self._work.going_on(jobs, self._tidy, after=after):
            yield

    async def _perform(self, path: str, body: dict[str, Any], caller: Caller) -> dict[str, Any]:
        """Makes a request of a batch; at a model, those wait behind all others."""
        model = body.get("model")
        if path == CHAT and model not in self._house.catalog.use_cases and self._raw.pool(model) is not None:
            return await self._raw.complete(body, caller, priority=_PRIORITY)
        return await self._inside(path, body, caller)

    async def _shelve(self) -> bool:
        await self._ready()
        return await self._shelving.work()

    async def _answer(self) -> bool:
        await self._ready()
        return await self._runner.work()

    async def _tidy(self) -> None:
        await self._ready()
        await self.files.store.sweep()
        await self._shelving.tidy()
        await keep(self._house.servers)

    async def _ready(self) -> None:
        """Imports what the stores are made of: that is dear, and must not hold up the event loop."""
        if not self._imported:
            await asyncio.to_thread(_import)
            self._imported = True

    @cached_property
    def _shelving(self) -> "Shelving":
        from server.shelving import Shelving

        return Shelving(self.files.store, self.stores.files, self.stores.stores, self._house.servers.library)

    @cached_property
    def _runner(self) -> "BatchRunner":
        from server.batch_runner import BatchRunner

        return BatchRunner(self.batches.store, self.files.store, self._perform, asyncio.Semaphore(_REQUESTS))


def _import() -> None:
    for name in ("engine", "files", "vector_files", "batches"):
        importlib.import_module(f"server.state.{name}")
