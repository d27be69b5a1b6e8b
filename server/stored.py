"""What is kept for callers: files, vector stores and batches, with the work on them that goes on in the background."""

import asyncio
import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from starlette.routing import Route

from server.house import House
from server.inside import Inside
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
        return [
            *self.files.routes(),
            *self.stores.routes(),
            *self._of_stores.routes(),
            *self.batches.routes(),
        ]

    @asynccontextmanager
    async def going_on(self, after: asyncio.Event) -> AsyncGenerator[None]:
        """Within the block the background works, once `after` is set."""
        # What does the work is made when there is some: it is dear to import.
        jobs: list[Job] = [lambda: self._shelving.work(), *[lambda: self._runner.work()] * _BATCHES]
        async with self._work.going_on(jobs, self._tidy, after=after):
            yield

    async def _perform(self, path: str, body: dict[str, Any], caller: Caller) -> dict[str, Any]:
        """Makes a request of a batch; at a model, those wait behind all others."""
        model = body.get("model")
        if path == CHAT and model not in self._house.catalog.use_cases and self._raw.pool(model) is not None:
            return await self._raw.complete(body, caller, priority=_PRIORITY)
        return await self._inside(path, body, caller)

    async def _tidy(self) -> None:
        await self.files.store.sweep()
        await self._shelving.tidy()

    @cached_property
    def _shelving(self) -> "Shelving":
        from server.shelving import Shelving

        return Shelving(self.files.store, self.stores.files, self.stores.stores, self._house.servers.library)

    @cached_property
    def _runner(self) -> "BatchRunner":
        from server.batch_runner import BatchRunner

        return BatchRunner(self.batches.store, self.files.store, self._perform, asyncio.Semaphore(_REQUESTS))
