"""Vector stores under /v1/vector_stores: collections of the knowledge base by name, made, searched and deleted."""

from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationInfo, field_validator, model_validator
from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from server.body import json_object
from server.errors import InvalidParameter
from server.fields import Metadata, fitted
from server.identity import caller_behind
from server.openai_files import listed
from server.vector_filter import Filter
from server.vector_search import Hit, VectorSearch

if TYPE_CHECKING:
    from collections.abc import Callable

    from server.openai_files import FilesApi
    from server.state.files import StoredFile
    from server.state.vector_files import VectorFiles, Windows
    from server.state.vector_stores import VectorStore, VectorStores
    from tools.base import Caller

__all__ = ["Chunking", "VectorStoresApi"]

_BODY = ConfigDict(extra="forbid", strict=True)
_Query = Annotated[str, StringConstraints(min_length=1, max_length=4_000)]


class _Expiry(BaseModel):
    model_config = _BODY

    anchor: Literal["last_active_at"]
    days: int = Field(ge=1, le=365)


class _Static(BaseModel):
    model_config = _BODY

    max_chunk_size_tokens: int = Field(ge=100, le=4096)
    chunk_overlap_tokens: int = Field(ge=0, le=2048)

    @field_validator("chunk_overlap_tokens")
    @classmethod
    def _half(cls, overlap: int, given: ValidationInfo) -> int:
        if overlap > given.data.get("max_chunk_size_tokens", overlap * 2) // 2:
            raise ValueError("it is more than half of 'max_chunk_size_tokens'")
        return overlap


class Chunking(BaseModel):
    """How a client would have files cut: `auto` is by the structure of the document."""

    model_config = _BODY

    type: Literal["auto", "static"]
    static: _Static | None = None

    @model_validator(mode="after")
    def _fits(self) -> "Chunking":
        if (self.type == "static") != (self.static is not None):
            raise ValueError("'static' is expected where the type is 'static', and nowhere else")
        return self

    @property
    def windows(self) -> "Windows | None":
        """Tokens of a chunk, and of what it has in common with the one before."""
        static = self.static
        return static and {name: getattr(static, name) for name in ("max_chunk_size_tokens", "chunk_overlap_tokens")}


class _Create(BaseModel):
    model_config = _BODY

    name: str | None = Field(default=None, max_length=256)
    description: str | None = Field(default=None, max_length=1_000)
    file_ids: list[str] = Field(default_factory=list[str], max_length=500)
    expires_after: _Expiry | None = None
    chunking_strategy: Chunking | None = None
    metadata: Metadata | None = None


class _Update(BaseModel):
    model_config = _BODY

    name: str | None = Field(default=None, max_length=256)
    expires_after: _Expiry | None = None
    metadata: Metadata | None = None


class _Ranking(BaseModel):
    model_config = _BODY

    ranker: str | None = None
    score_threshold: float = Field(default=0.0, ge=0, le=1)


class _Search(BaseModel):
    model_config = _BODY

    query: _Query | Annotated[list[_Query], Field(min_length=1, max_length=10)]
    max_num_results: int = Field(default=10, ge=1, le=50)
    filters: Filter | None = None
    ranking_options: _Ranking | None = None
    rewrite_query: bool | None = None


class VectorStoresApi:
    """The routes of stores, and what those of their files share with them.

    Args:
        uploads: the files that can be put in.
        worker: the name of this process, for what it does in the background.
        wake: tells the background that there is work.
    """

    def __init__(self, uploads: "FilesApi", *, worker: str, wake: "Callable[[], None]") -> None:
        self.uploads = uploads
        self.house = uploads.house
        self.wake = wake
        self._worker = worker

    def routes(self) -> list[Route]:
        return [
            Route("/v1/vector_stores", self.create, methods=["POST"]),
            Route("/v1/vector_stores", self.list, methods=["GET"]),
            Route("/v1/vector_stores/{id}", self.retrieve, methods=["GET"]),
            Route("/v1/vector_stores/{id}", self.update, methods=["POST"]),
            Route("/v1/vector_stores/{id}", self.delete, methods=["DELETE"]),
            Route("/v1/vector_stores/{id}/search", self.search, methods=["POST"]),
        ]

    @cached_property
    def _home(self) -> str:
        from server.state.home import home_id

        return home_id(self.house.settings.home)

    @cached_property
    def stores(self) -> "VectorStores":
        from server.state.vector_stores import VectorStores

        return VectorStores(self.house.state, home=self._home)

    @cached_property
    def files(self) -> "VectorFiles":
        from server.state.vector_files import VectorFiles

        return VectorFiles(self.house.state, worker=self._worker, home=self._home)

    @cached_property
    def found(self) -> VectorSearch:
        """The search, for this route and for whoever else searches stores."""
        return VectorSearch(self.house, self.stores, self.files)

    async def create(self, request: Request) -> Response:
        """Makes a store; the files it begins with are read in the background."""
        data, _ = await json_object(request)
        asked, caller = fitted(_Create, data), caller_behind(request)
        from server.state.vector_files import Entry

        files = [await self.upload(caller, id, "file_ids") for id in asked.file_ids]
        store = await self.stores.add(
            caller,
            name=asked.name or "",
            description=asked.description,
            metadata=asked.metadata or {},
            days=asked.expires_after.days if asked.expires_after else None,
        )
        if files:
            windows = asked.chunking_strategy.windows if asked.chunking_strategy else None
            await self.files.add(caller, store.id, [Entry(file, windows=windows) for file in files])
            self.wake()
            store = await self.stores.get(caller, store.id)
        return _json(_shown(store))

    async def list(self, request: Request) -> Response:
        """The caller's stores."""
        from server.state.paging import paging

        page = await self.stores.many(caller_behind(request), paging(request.query_params))
        return _json(listed([_shown(store) for store in page.data], more=page.more))

    async def retrieve(self, request: Request) -> Response:
        """One of them."""
        return _json(_shown(await self.stores.get(caller_behind(request), _id(request))))

    async def update(self, request: Request) -> Response:
        """Changes name, metadata or expiry: what the body names, and nothing else."""
        data, _ = await json_object(request)
        asked = fitted(_Update, data)
        values: dict[str, Any] = {}
        if "name" in asked.model_fields_set:
            values["name"] = asked.name or ""
        if "metadata" in asked.model_fields_set:
            values["metadata"] = asked.metadata or {}
        if "expires_after" in asked.model_fields_set:
            values["days"] = asked.expires_after.days if asked.expires_after else None
        return _json(_shown(await self.stores.change(caller_behind(request), _id(request), values)))

    async def delete(self, request: Request) -> Response:
        """Deletes a store and its documents; the uploads stay."""
        caller, id = caller_behind(request), _id(request)
        await self.stores.here(caller, id)
        await self.stores.delete(caller, id)
        await self.house.servers.library.forget_all(caller, shelf=id)
        return _json({"id": id, "object": "vector_store.deleted", "deleted": True})

    async def search(self, request: Request) -> Response:
        """The passages that fit a question, or several, best."""
        data, _ = await json_object(request)
        asked = fitted(_Search, data)
        queries = [asked.query] if isinstance(asked.query, str) else asked.query
        hits = await self.found(
            queries,
            stores=[_id(request)],
            caller=caller_behind(request),
            limit=asked.max_num_results,
            filters=asked.filters,
            least=asked.ranking_options.score_threshold if asked.ranking_options else 0.0,
        )
        return _json(
            {
                "object": "vector_store.search_results.page",
                "search_query": queries,
                "data": [_hit(hit) for hit in hits],
                "has_more": False,
                "next_page": None,
            }
        )

    async def upload(self, caller: "Caller", id: str, param: str) -> "StoredFile":
        """A file that is to be put into a store.

        Raises:
            NotFound: it is not there, or not for this caller.
            InvalidParameter: it is of a kind that is not read.
        """
        from tools.knowledge.files import check_ending
        from tools.knowledge.formats import Unreadable

        try:
            file = await self.uploads.store.get(caller, id)
            check_ending(file.name, self.house.servers.knowledge.readers_extra)
        except Unreadable as error:
            raise InvalidParameter(f"The file {id!r} cannot be read: {error}", param=param) from None
        return file


def _shown(store: "VectorStore") -> dict[str, Any]:
    shown = {
        "id": store.id,
        "object": "vector_store",
        "created_at": store.created,
        "name": store.name,
        "description": store.description,
        "usage_bytes": store.usage,
        "file_counts": store.counts.model_dump(),
        "status": store.status,
        "expires_at": store.expires,
        "last_active_at": store.active,
        "metadata": store.metadata,
    }
    return shown | {"expires_after": {"anchor": "last_active_at", "days": store.days}} if store.days else shown


def _hit(hit: Hit) -> dict[str, Any]:
    return {
        "file_id": hit.file,
        "filename": hit.name,
        "score": hit.score,
        "attributes": hit.attributes,
        "content": [{"type": "text", "text": hit.passage.text}],
    }


def _id(request: Request) -> str:
    return str(request.path_params["id"])


def _json(data: object) -> Response:
    return Response(to_json(data), media_type="application/json")
