"""Files in vector stores under /v1/vector_stores/{id}/files and /file_batches: put in, listed, described, taken out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from annotated_types import MaxLen
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from server.body import json_object
from server.errors import InvalidParameter
from server.fields import fitted
from server.identity import caller_behind
from server.openai_files import listed
from server.openai_vector_stores import Chunking, VectorStoresApi

if TYPE_CHECKING:
    from server.state.vector_files import FileBatch, VectorFile
    from tools.base import Caller

__all__ = ["VectorFilesApi"]

_BODY = ConfigDict(extra="forbid", strict=True)
_Attributes = Annotated[
    dict[
        Annotated[str, StringConstraints(max_length=64)],
        Annotated[str, StringConstraints(max_length=512)] | bool | int | float,
    ],
    MaxLen(16),
]
_Status = Literal["in_progress", "completed", "failed", "cancelled"]


class _Attach(BaseModel):
    model_config = _BODY

    file_id: str
    attributes: _Attributes | None = None
    chunking_strategy: Chunking | None = None


class _AttachMany(BaseModel):
    model_config = _BODY

    file_ids: list[str] | None = Field(default=None, min_length=1, max_length=2_000)
    files: list[_Attach] | None = Field(default=None, min_length=1, max_length=2_000)
    attributes: _Attributes | None = None
    chunking_strategy: Chunking | None = None


class _Describe(BaseModel):
    model_config = _BODY

    attributes: _Attributes | None


@dataclass(frozen=True)
class VectorFilesApi:
    """The routes of files in stores."""

    api: VectorStoresApi

    def routes(self) -> list[Route]:
        files, batches = "/v1/vector_stores/{store}/files", "/v1/vector_stores/{store}/file_batches"
        return [
            Route(files, self.attach, methods=["POST"]),
            Route(files, self.list, methods=["GET"]),
            Route(files + "/{file}", self.retrieve, methods=["GET"]),
            Route(files + "/{file}", self.describe, methods=["POST"]),
            Route(files + "/{file}", self.delete, methods=["DELETE"]),
            Route(files + "/{file}/content", self.content, methods=["GET"]),
            Route(batches, self.attach_many, methods=["POST"]),
            Route(batches + "/{batch}", self.batch, methods=["GET"]),
            Route(batches + "/{batch}/cancel", self.cancel, methods=["POST"]),
            Route(batches + "/{batch}/files", self.list, methods=["GET"]),
        ]

    async def attach(self, request: Request) -> Response:
        """Puts a file in; it is read in the background."""
        data, _ = await json_object(request)
        asked, (caller, store) = fitted(_Attach, data), _asked(request)
        await self._add(caller, store, [asked], "file_id", together=False)
        return _json(_shown(await self.api.files.get(caller, store, asked.file_id)))

    async def attach_many(self, request: Request) -> Response:
        """Puts several in at once."""
        data, _ = await json_object(request)
        asked, (caller, store) = fitted(_AttachMany, data), _asked(request)
        if (asked.file_ids is None) == (asked.files is None):
            raise InvalidParameter(
                "Exactly one of 'file_ids' and 'files' is expected.",
                param="file_ids" if asked.files is None else "files",
            )
        param = "file_ids" if asked.files is None else "files"
        items = asked.files or [
            _Attach(file_id=id, attributes=asked.attributes, chunking_strategy=asked.chunking_strategy)
            for id in asked.file_ids or ()
        ]
        batch = await self._add(caller, store, items, param, together=True)
        return _json(_shown_batch(await self.api.files.batch(caller, store, batch)))

    async def list(self, request: Request) -> Response:
        """The files of a store, or of one batch."""
        from server.state.paging import paging

        caller, store = _asked(request)
        await self.api.stores.get(caller, store)
        batch = request.path_params.get("batch")
        if batch is not None:
            await self.api.files.batch(caller, store, str(batch))
        status = request.query_params.get("filter") or None
        if status not in (None, *get_args(_Status)):
            raise InvalidParameter(
                f"'filter' is {status[:40]!r}. Expected one of {', '.join(map(repr, get_args(_Status)))}.",
                param="filter",
            )
        part = paging(request.query_params)
        page = await self.api.files.many(caller, store, part, status=status, batch=batch)
        return _json(listed([_shown(file) for file in page.data], more=page.more))

    async def retrieve(self, request: Request) -> Response:
        """One of them."""
        caller, store = _asked(request)
        return _json(_shown(await self.api.files.get(caller, store, _file(request))))

    async def describe(self, request: Request) -> Response:
        """Gives a file other attributes."""
        data, _ = await json_object(request)
        asked, (caller, store) = fitted(_Describe, data), _asked(request)
        return _json(_shown(await self.api.files.describe(caller, store, _file(request), asked.attributes or {})))

    async def delete(self, request: Request) -> Response:
        """Takes a file out of the store; the upload stays."""
        (caller, store), file = _asked(request), _file(request)
        await self._take_out(caller, store, file)
        return _json({"id": file, "object": "vector_store.file.deleted", "deleted": True})

    async def content(self, request: Request) -> Response:
        """The text that was read of a file, document by document."""
        caller, store = _asked(request)
        await self.api.stores.here(caller, store)
        found = await self.api.files.get(caller, store, _file(request))
        library = self.api.house.servers.library
        documents = (await library.documents(caller, shelf=store)).documents
        ids = [document.id for document in documents if document.id.partition("/")[0] == found.file]
        texts = [(await library.text(id, caller, shelf=store)).text for id in ids]
        return _json(
            {
                "object": "vector_store.file_content.page",
                "data": [{"type": "text", "text": text} for text in texts],
                "has_more": False,
                "next_page": None,
            }
        )

    async def batch(self, request: Request) -> Response:
        """What files that were put in together came to."""
        caller, store = _asked(request)
        return _json(_shown_batch(await self.api.files.batch(caller, store, str(request.path_params["batch"]))))

    async def cancel(self, request: Request) -> Response:
        """Leaves out those that are not read yet."""
        caller, store = _asked(request)
        return _json(_shown_batch(await self.api.files.cancel(caller, store, str(request.path_params["batch"]))))

    async def forget(self, caller: "Caller", id: str) -> None:
        """Takes an upload that is deleted out of every store."""
        holding = [found.store for found in await self.api.files.holding(caller, id)]
        for store in holding:  # from all or from none
            await self.api.stores.here(caller, store)
        for store in holding:
            await self._take_out(caller, store, id)

    async def _take_out(self, caller: "Caller", store: str, file: str) -> None:
        from server.state.vector_files import source_of

        await self.api.stores.here(caller, store)
        found = await self.api.files.delete(caller, store, file)
        source = source_of(found.file, found.name)
        await self.api.house.servers.library.forget([source], caller, shelf=store)

    async def _add(self, caller: "Caller", store: str, items: Sequence[_Attach], param: str, *, together: bool) -> str:
        from server.state.vector_files import Entry

        await self.api.stores.used(caller, store)
        entries = [
            Entry(
                await self.api.upload(caller, item.file_id, param),
                item.attributes or {},
                item.chunking_strategy.windows if item.chunking_strategy else None,
            )
            for item in items
        ]
        batch = await self.api.files.add(caller, store, entries, together=together)
        self.api.wake()
        return batch or ""


def _asked(request: Request) -> "tuple[Caller, str]":
    return caller_behind(request), str(request.path_params["store"])


def _file(request: Request) -> str:
    return str(request.path_params["file"])


def _shown(file: "VectorFile") -> dict[str, Any]:
    return {
        "id": file.file,
        "object": "vector_store.file",
        "usage_bytes": file.usage,
        "created_at": file.created,
        "vector_store_id": file.store,
        "status": file.status,
        "last_error": file.error,
        "chunking_strategy": {"type": "static", "static": file.windows} if file.windows else {"type": "other"},
        "attributes": file.attributes,
    }


def _shown_batch(batch: "FileBatch") -> dict[str, Any]:
    counts = batch.counts
    done = "cancelled" if counts.cancelled else "failed" if counts.failed == counts.total else "completed"
    return {
        "id": batch.id,
        "object": "vector_store.files_batch",
        "created_at": batch.created,
        "vector_store_id": batch.store,
        "status": "in_progress" if counts.in_progress else done,
        "file_counts": counts.model_dump(),
    }


def _json(data: object) -> Response:
    return Response(to_json(data), media_type="application/json")
