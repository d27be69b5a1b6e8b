"""The tools over plain HTTP, and the collections they work in: the same calls and rules as at every other interface."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from agents.kit import validated
from agents.kit.scope import Scope
from server.body import json_object, while_connected
from server.erasing import Receipt, erase_documents, erase_person, shown
from server.house import House
from server.identity import caller_behind
from server.keeping import remove_collection
from tools.base import Access, Collection, NotFound

if TYPE_CHECKING:
    from server.state.erasing import Erasures

__all__ = ["CollectionChange", "ErasureRequest", "ToolsApi"]


class CollectionChange(BaseModel):
    """What of a collection's rules is to change; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    owner: str | None = Field(default=None, min_length=1, max_length=200)
    purpose: str | None = Field(default=None, max_length=1_000)
    language: str | None = Field(default=None, pattern="^(de|en)$")
    retention_days: int | None = Field(default=None, ge=1, le=36_500)
    readers: Access | None = None
    editors: Access | None = None


class ErasureRequest(BaseModel):
    """What is to be erased: documents, or what belongs to a person."""

    model_config = ConfigDict(extra="forbid")

    documents: list[str] | None = Field(default=None, min_length=1, max_length=1_000, description="Ids of documents.")
    person: str | None = Field(default=None, min_length=1, max_length=200, description="The subject.")
    brought: bool = Field(default=False, description="With a person, the documents that they brought, too.")

    @model_validator(mode="after")
    def _one_of_both(self) -> "ErasureRequest":
        if (self.documents is None) == (self.person is None):
            raise ValueError("exactly one of 'documents' and 'person' is expected")
        return self


@dataclass(frozen=True)
class ToolsApi:
    """The routes /api/tools, /api/collections and /api/erasures."""

    house: House

    def routes(self) -> list[Route]:
        return [
            Route("/api/tools", self.tools, methods=["GET"]),
            Route("/api/tools/{name}", self.call, methods=["POST"]),
            Route("/api/collections", self.collections, methods=["GET"]),
            Route("/api/collections", self.add, methods=["POST"]),
            Route("/api/collections/{name}", self.collection, methods=["GET"]),
            Route("/api/collections/{name}", self.change, methods=["PATCH"]),
            Route("/api/collections/{name}", self.remove, methods=["DELETE"]),
            Route("/api/erasures", self.erasures, methods=["GET"]),
            Route("/api/erasures", self.erase, methods=["POST"]),
            Route("/api/erasures/{name}", self.erasure, methods=["GET"]),
        ]

    async def tools(self, request: Request) -> Response:
        """Our own tools, with input and output schema; those of others are called by agents alone."""
        refs = sorted(self.house.runtime.toolbox.refs.values(), key=lambda ref: ref.name)
        return _json(
            {
                "tools": [
                    {
                        "name": ref.name,
                        "description": ref.description,
                        "read_only": ref.read_only,
                        "input_schema": ref.input.model_json_schema(),
                        "output_schema": ref.output.model_json_schema(mode="serialization"),
                    }
                    for ref in refs
                ]
            }
        )

    async def call(self, request: Request) -> Response:
        """Calls a tool with its typed input, through the gate; the answer is its typed output."""
        name = str(request.path_params["name"])
        toolbox = self.house.runtime.toolbox
        if name not in toolbox.refs:
            raise NotFound(
                f"The tool {name!r} is unknown. Expected one of the house, as 'server.tool'.",
                hint="GET /api/tools lists them.",
            )
        data, _ = await json_object(request)
        asked = toolbox.run(name, data, Scope.alone(name, caller_behind(request)))
        return _json(await while_connected(request, asked))

    async def erase(self, request: Request) -> Response:
        """Erases documents, or what belongs to a person, for good; the answer is the receipt."""
        data, _ = await json_object(request)
        given, caller = validated(ErasureRequest, data), caller_behind(request)
        if given.person is None:
            done = await erase_documents(self.house, caller, given.documents or [])
            return _json(shown(done, caller), status=201)
        receipt = await erase_person(self.house, caller, given.person, documents=given.brought)
        return _json(receipt, status=201)

    async def erasures(self, request: Request) -> Response:
        """The caller's receipts; an administrator's are those of the tenant."""
        caller = caller_behind(request)
        found = await self._receipts.receipts(caller, all="admin" in caller.roles)
        return _json({"erasures": [shown(Receipt.model_validate(each), caller) for each in found]})

    async def erasure(self, request: Request) -> Response:
        """One of them."""
        caller, id = caller_behind(request), str(request.path_params["name"])
        found = await self._receipts.receipt(caller, id, all="admin" in caller.roles)
        return _json(shown(Receipt.model_validate(found), caller))

    @property
    def _receipts(self) -> "Erasures":
        from server.state.erasing import Erasures

        return Erasures(self.house.state)

    async def collections(self, request: Request) -> Response:
        """The collections that the caller may read, or whose rules they may change."""
        found = await self.house.servers.collections.managed(caller_behind(request))
        return _json({"collections": [each.model_dump(mode="json") for each in found]})

    async def collection(self, request: Request) -> Response:
        """One of them."""
        name = str(request.path_params["name"])
        return _json(await self.house.servers.collections.get(caller_behind(request), name))

    async def add(self, request: Request) -> Response:
        """Makes a collection."""
        data, _ = await json_object(request)
        made = await self.house.servers.collections.add(caller_behind(request), validated(Collection, data))
        return _json(made, status=201)

    async def change(self, request: Request) -> Response:
        """Changes some of its rules."""
        data, _ = await json_object(request)
        given = validated(CollectionChange, data)
        name = str(request.path_params["name"])
        values = given.model_dump(mode="json", exclude_unset=True)
        return _json(await self.house.servers.collections.change(caller_behind(request), name, values))

    async def remove(self, request: Request) -> Response:
        """Removes a collection with everything that is in it."""
        name = str(request.path_params["name"])
        await remove_collection(self.house.servers, caller_behind(request), name)
        return Response(status_code=204)


def _json(data: object, *, status: int = 200) -> Response:
    return Response(to_json(data), status_code=status, media_type="application/json")
