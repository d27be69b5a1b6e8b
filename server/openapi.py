"""The OpenAPI document, made of the routes and of the schemas of the use cases."""

from collections.abc import Iterable, Mapping
from functools import cached_property
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema
from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response

from agents.kit import Result, Turn, UseCase
from compositions.catalog import Catalog
from server.openapi_responses import response_paths
from server.openapi_stored import stored_paths
from server.openapi_tools import modelled, tool_paths
from tools.base import ToolRef

__all__ = ["OpenApi", "document", "general", "version"]

_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string", "description": "What happened, what was expected, what to do next."},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "code": {"type": ["string", "null"]},
            },
        }
    },
}
_CHAT = {
    "type": "object",
    "required": ["model", "messages"],
    "properties": {
        "model": {"type": "string", "description": "Name of a use case, or id of an engine."},
        "messages": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["role"],
                "properties": {"role": {"type": "string"}, "content": {}},
            },
            "description": "A use case reads the last user message: text fills its first text field, a JSON object all. "
            "The user's and the assistant's messages before it are its history.",
        },
        "stream": {"type": ["boolean", "null"]},
        "stream_options": {
            "type": ["object", "null"],
            "properties": {"include_usage": {"type": ["boolean", "null"]}},
        },
        "response_format": {
            "type": ["object", "null"],
            "required": ["type"],
            "properties": {"type": {"enum": ["text", "json_object", "json_schema"]}, "json_schema": {"type": "object"}},
            "description": "With json_object or json_schema the content is the JSON of the typed output; a schema that "
            "it does not fit is refused.",
        },
        "partitur": {
            "type": ["object", "null"],
            "properties": {"progress": {"type": "boolean", "description": "Tell steps too, in chunks without text."}},
            "additionalProperties": False,
        },
    },
}


class OpenApi:
    """Serves the document of a catalog and of the house's own tools."""

    def __init__(self, catalog: Catalog, tools: Iterable[ToolRef[Any, Any]] = ()) -> None:
        self._catalog = catalog
        self._tools = tuple(tools)

    async def document(self, request: Request) -> Response:
        """The document as JSON."""
        return Response(self._bytes, media_type="application/json")

    @cached_property
    def _bytes(self) -> bytes:
        return to_json(document(self._catalog, self._tools))


def document(use_cases: Iterable[UseCase[Any, Any]], tools: Iterable[ToolRef[Any, Any]] = ()) -> dict[str, Any]:
    """OpenAPI 3.1: the general routes, and one typed route for each use case."""
    listed = list(use_cases)
    wanted: list[tuple[type[BaseModel], JsonSchemaMode]] = []
    for use_case in listed:
        wanted.append((use_case.input, "validation"))
        wanted.append((Result[use_case.output], "serialization"))
    refs_of = list(tools)
    wanted += modelled(refs_of)
    refs, schemas = models_json_schema(wanted, ref_template="#/components/schemas/{model}")
    paths: dict[str, Any] = general()
    for use_case in listed:
        paths[f"/api/use-cases/{use_case.name}"] = {
            "post": {
                "operationId": f"ask_{use_case.name}",
                "tags": ["Use cases"],
                "summary": use_case.description,
                "requestBody": _body(_with_history(refs[use_case.input, "validation"])),
                "responses": _responses("The envelope.", refs[Result[use_case.output], "serialization"]),
            }
        }
    paths |= tool_paths(refs_of, refs)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Partitur",
            "version": version(),
            "description": "Typed AI use cases at every interface. Each request carries 'Authorization: Bearer pt-…'.",
        },
        "security": [{"key": []}],
        "tags": [{"name": name} for name in ("Use cases", "Tools", "OpenAI", "MCP", "Service")],
        "paths": paths,
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
            "schemas": {**schemas.get("$defs", {}), "Error": _ERROR, "ChatCompletionRequest": _CHAT},
        },
    }


def _with_history(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The input of a use case, or the same with what was said before."""
    turn = Turn.model_json_schema()
    said = "The same fields, and what was said before in the conversation."
    more = {"type": "object", "required": ["history"], "properties": {"history": {"type": "array", "items": turn}}}
    return {"anyOf": [schema, more | {"description": said}]}


def general() -> dict[str, Any]:
    """The routes that every installation has, whatever its use cases."""
    thing = {"type": "object"}
    id = [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}]
    name = [{**id[0], "name": "name"}]
    chat = _body({"$ref": "#/components/schemas/ChatCompletionRequest"})
    rpc = "JSON-RPC over streamable HTTP: one JSON answer, or a stream where progress is asked for."
    return {
        "/v1/models": _get("OpenAI", "list_models", "Lists use cases and engines as models.", thing),
        "/v1/models/{id}": _get("OpenAI", "get_model", "One model.", thing, id),
        "/v1/chat/completions": {
            "post": {
                "operationId": "create_chat_completion",
                "tags": ["OpenAI"],
                "summary": "Asks a use case or an engine; with 'stream' as server-sent events.",
                "requestBody": chat,
                "responses": _responses("A chat completion; 'partitur' carries the envelope of a use case.", thing),
            }
        },
        "/v1/embeddings": _post("create_embedding", "Vectors for texts, where an engine for them is set."),
        "/v1/rerank": _post("create_rerank", "Documents in the order in which they fit a query, where a model ranks."),
        "/v1/completions": _post("create_completion", "The continuation of a text, by a chat model as it is."),
        "/v1/audio/speech": _post("create_speech", "A text read aloud, by a model or by espeak-ng.", binary=True),
        "/v1/audio/transcriptions": _post(
            "create_transcription", "The words of a recording, where an engine for it is set.", form=True
        ),
        "/v1/images/generations": _post("create_image", "A picture for a prompt, where an engine for it is set."),
        **response_paths(),
        **stored_paths(),
        "/v1/artifacts/{id}": _get("OpenAI", "get_artifact", "The bytes of something you made.", None, id),
        "/api/use-cases": _get("Use cases", "list_use_cases", "Lists the use cases with their schemas.", thing),
        "/api/use-cases/{name}": _get("Use cases", "get_use_case", "One use case with its schemas.", thing, name),
        "/mcp": {
            "post": {
                "operationId": "mcp",
                "tags": ["MCP"],
                "summary": rpc,
                "requestBody": _body(thing),
                "responses": _responses("A JSON-RPC answer.", thing),
            }
        },
        "/healthz": _get("Service", "healthz", "The process answers. Open to everybody.", thing, public=True),
        "/readyz": _get("Service", "readyz", "Ready, loading or degraded. Open to everybody.", thing, public=True),
    }


def _get(
    tag: str,
    operation: str,
    summary: str,
    schema: Mapping[str, Any] | None,
    parameters: list[dict[str, Any]] | None = None,
    *,
    public: bool = False,
) -> dict[str, Any]:
    about: dict[str, Any] = {
        "operationId": operation,
        "tags": [tag],
        "summary": summary,
        "parameters": parameters or [],
        "responses": _responses(summary, schema),
    }
    return {"get": about | ({"security": []} if public else {})}


def _post(operation: str, summary: str, *, form: bool = False, binary: bool = False) -> dict[str, Any]:
    """A route of OpenAI's that an engine behind us answers as it does."""
    thing = {"type": "object"}
    body = {"required": True, "content": {"multipart/form-data": {"schema": thing}}} if form else _body(thing)
    responses = _responses(summary, None if binary else thing)
    about = {"operationId": operation, "tags": ["OpenAI"], "summary": summary, "requestBody": body}
    return {"post": about | {"responses": responses}}


def _body(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _responses(summary: str, schema: Mapping[str, Any] | None) -> dict[str, Any]:
    media: dict[str, Any] = {"*/*": {}} if schema is None else {"application/json": {"schema": schema}}
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    return {
        "200": {"description": summary, "content": media},
        "default": {"description": "An error.", "content": error},
    }


def version() -> str:
    """Of Partitur, as it was installed."""
    try:
        return installed_version("partitur")
    except PackageNotFoundError:
        return "0"
