"""Batches under /v1/batches: many requests in one file, worked at in the background."""

from collections.abc import Collection
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from server.body import json_object
from server.errors import InvalidParameter
from server.fields import Metadata, fitted
from server.identity import caller_behind
from server.openai_files import listed
from tools.base import NotFound

if TYPE_CHECKING:
    from collections.abc import Callable

    from server.openai_files import FilesApi
    from server.state.batches import Batch, BatchStore

__all__ = ["BatchesApi"]

_BODY = ConfigDict(extra="forbid", strict=True)
_WINDOW_S = 86_400
_TIMES = ("in_progress", "finalizing", "completed", "failed", "expired", "cancelling", "cancelled")


class _Lives(BaseModel):
    model_config = _BODY

    anchor: Literal["created_at"]
    seconds: int = Field(ge=3_600, le=2_592_000)


class _Create(BaseModel):
    model_config = _BODY

    input_file_id: str
    endpoint: str
    completion_window: Literal["24h"]
    metadata: Metadata | None = None
    output_expires_after: _Lives | None = None


class BatchesApi:
    """The routes of batches.

    Args:
        uploads: where inputs come from.
        endpoints: what a batch can be for.
        worker: the name of this process, for what it does in the background.
        wake: tells the background that there is work.
    """

    def __init__(
        self,
        uploads: "FilesApi",
        endpoints: "Callable[[], Collection[str]]",
        *,
        worker: str,
        wake: "Callable[[], None]",
    ) -> None:
        self._uploads = uploads
        self._endpoints = endpoints
        self._worker = worker
        self._wake = wake

    def routes(self) -> list[Route]:
        return [
            Route("/v1/batches", self.create, methods=["POST"]),
            Route("/v1/batches", self.list, methods=["GET"]),
            Route("/v1/batches/{id}", self.retrieve, methods=["GET"]),
            Route("/v1/batches/{id}/cancel", self.cancel, methods=["POST"]),
        ]

    @cached_property
    def store(self) -> "BatchStore":
        from server.state.batches import BatchStore

        return BatchStore(self._uploads.house.state, worker=self._worker)

    async def create(self, request: Request) -> Response:
        """Keeps a batch; its file is checked, and its requests are made, in the background."""
        data, _ = await json_object(request)
        asked, caller = fitted(_Create, data), caller_behind(request)
        known = sorted(self._endpoints())
        if asked.endpoint not in known:
            raise InvalidParameter(
                f"The endpoint {asked.endpoint[:80]!r} takes no batches. Expected one of {', '.join(map(repr, known))}.",
                param="endpoint",
            )
        try:
            file = await self._uploads.store.get(caller, asked.input_file_id)
        except NotFound as error:
            raise InvalidParameter(error.message, param="input_file_id", hint=error.hint) from None
        if file.purpose != "batch":
            raise InvalidParameter(
                f"The file {file.id!r} was uploaded for {file.purpose!r}. Expected the purpose 'batch'.",
                param="input_file_id",
            )
        batch = await self.store.add(
            caller,
            endpoint=asked.endpoint,
            input_file=file.id,
            window=asked.completion_window,
            seconds=_WINDOW_S,
            metadata=asked.metadata,
            output_lives=asked.output_expires_after.seconds if asked.output_expires_after else None,
        )
        self._wake()
        return _json(_shown(batch))

    async def list(self, request: Request) -> Response:
        """The caller's batches."""
        from server.state.paging import paging

        page = await self.store.many(caller_behind(request), paging(request.query_params))
        return _json(listed([_shown(batch) for batch in page.data], more=page.more))

    async def retrieve(self, request: Request) -> Response:
        """One of them."""
        return _json(_shown(await self.store.get(caller_behind(request), _id(request))))

    async def cancel(self, request: Request) -> Response:
        """Stops it soon; what is done until then is in its files."""
        batch = await self.store.cancel(caller_behind(request), _id(request))
        self._wake()
        return _json(_shown(batch))


def _shown(batch: "Batch") -> dict[str, Any]:
    shown = {
        "id": batch.id,
        "object": "batch",
        "endpoint": batch.endpoint,
        "model": batch.model,
        "errors": {"object": "list", "data": batch.errors} if batch.errors else None,
        "input_file_id": batch.input_file,
        "completion_window": batch.window,
        "status": batch.status,
        "output_file_id": batch.output_file,
        "error_file_id": batch.error_file,
        "created_at": batch.created,
        "expires_at": batch.expires,
        **{f"{status}_at": batch.times.get(status) for status in _TIMES},
        "request_counts": {"total": batch.total, "completed": batch.completed, "failed": batch.failed},
        "usage": batch.usage,
    }
    # What is not there yet is left out: the official document has no nulls here but that of the metadata.
    return {name: value for name, value in shown.items() if value is not None} | {"metadata": batch.metadata}


def _id(request: Request) -> str:
    return str(request.path_params["id"])


def _json(data: object) -> Response:
    return Response(to_json(data), media_type="application/json")
