"""Typed access over plain HTTP: every use case by name with its own input, every artifact by its id."""

from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from agents.kit import Turn, UseCase, validated
from server.body import json_object, while_connected
from server.errors import InvalidParameter
from server.house import House
from server.identity import caller_behind

__all__ = ["MEDIA_TYPES", "RestApi", "described"]

MEDIA_TYPES = {
    "png": "image/png",
    "svg": "image/svg+xml",
    "jpg": "image/jpeg",
    "webp": "image/webp",
    "wav": "audio/wav",
    "opus": "audio/ogg",
    "mp3": "audio/mpeg",
    "html": "text/html; charset=utf-8",
    "md": "text/markdown; charset=utf-8",
}
"""By an artifact's suffix."""
_HISTORY = "history"
"""Beside the fields of the input: earlier turns of the conversation. A use case with a field of this name keeps it."""
_TURNS = TypeAdapter(list[Turn])
_SANDBOX = {"Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"}
"""What was made of foreign text runs nothing in a browser."""


@dataclass(frozen=True)
class RestApi:
    """The routes under /api, and the artifacts."""

    house: House

    def routes(self) -> list[Route]:
        return [
            Route("/api/use-cases", self.use_cases, methods=["GET"]),
            Route("/api/use-cases/{name}", self.use_case, methods=["GET"]),
            Route("/api/use-cases/{name}", self.ask, methods=["POST"]),
            Route("/v1/artifacts/{id}", self.artifact, methods=["GET"]),
        ]

    async def use_cases(self, request: Request) -> Response:
        """What can be asked, with input and output schema."""
        return _json({"use_cases": [described(use_case) for use_case in self.house.catalog]})

    async def use_case(self, request: Request) -> Response:
        """One of them."""
        return _json(described(self.house.catalog[str(request.path_params["name"])]))

    async def ask(self, request: Request) -> Response:
        """Asks a use case with its typed input, and what was said before where the body tells it; the answer is the envelope."""
        use_case = self.house.catalog[str(request.path_params["name"])]
        data, _ = await json_object(request)
        history = (
            _history(data.pop(_HISTORY)) if _HISTORY in data and _HISTORY not in use_case.input.model_fields else []
        )
        given = validated(use_case.input, data)
        asked = self.house.ask(use_case, given, caller=caller_behind(request), history=history)
        return _json(await while_connected(request, asked))

    async def artifact(self, request: Request) -> Response:
        """The bytes of something this caller made."""
        id = str(request.path_params["id"])
        path = self.house.artifacts.path(id, caller=caller_behind(request))
        media_type = MEDIA_TYPES.get(id.rpartition(".")[2], "application/octet-stream")
        return FileResponse(path, media_type=media_type, headers=_SANDBOX)


def described(use_case: UseCase[Any, Any]) -> dict[str, Any]:
    """A use case as plain data."""
    return {
        "name": use_case.name,
        "description": use_case.description,
        "generative": use_case.generative,
        "input_schema": use_case.input.model_json_schema(),
        "output_schema": use_case.output.model_json_schema(mode="serialization"),
    }


def _history(given: object) -> list[Turn]:
    try:
        return _TURNS.validate_python(given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join([_HISTORY, *map(str, first["loc"])])
        raise InvalidParameter(f"{where!r} does not fit: {first['msg']}.", param=where) from None


def _json(data: object) -> Response:
    return Response(to_json(data), media_type="application/json")
