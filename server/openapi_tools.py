"""The routes of the tools and the collections in the OpenAPI document."""

from collections.abc import Iterable
from typing import Any

from tools.base import Collection, ToolRef

__all__ = ["tool_paths"]

_NAME = [{"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}]


def tool_paths(refs: "Iterable[ToolRef[Any, Any]]") -> dict[str, Any]:
    """One typed route for each tool, and those of the collections."""
    thing: dict[str, Any] = {"type": "object"}
    one = Collection.model_json_schema()
    paths: dict[str, Any] = {
        "/api/tools": {"get": _way("list_tools", "Lists the tools with their schemas.", thing)},
        "/api/collections": {
            "get": _way("list_collections", "Lists the collections that you may read or manage.", thing),
            "post": _way("create_collection", "Makes a collection.", one, body=one, status="201"),
        },
        "/api/collections/{name}": {
            "get": _way("get_collection", "One collection with its rules.", one, named=True),
            "patch": _way("change_collection", "Changes some of its rules.", one, body=thing, named=True),
            "delete": _way("delete_collection", "Removes it with everything in it.", None, named=True, status="204"),
        },
    }
    paths["/api/erasures"] = {
        "get": _way("list_erasures", "Lists the receipts of what was erased.", thing),
        "post": _way("erase", "Erases documents, or a person's data, for good.", thing, body=thing, status="201"),
    }
    paths["/api/erasures/{name}"] = {"get": _way("get_erasure", "One receipt.", thing, named=True)}
    for ref in refs:
        given, found = ref.input.model_json_schema(), ref.output.model_json_schema(mode="serialization")
        name = f"call_{ref.name.replace('.', '_')}"
        paths[f"/api/tools/{ref.name}"] = {"post": _way(name, ref.description, _inner(found), body=_inner(given))}
    return paths


def _inner(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema as a part of the document: its references point to a place of the whole, so what they mean is left to
    GET /api/tools, which has each schema by itself."""
    return {"type": "object", "title": schema.get("title", "")} if "$defs" in schema else schema


def _way(
    name: str,
    summary: str,
    answer: dict[str, Any] | None,
    *,
    body: dict[str, Any] | None = None,
    named: bool = False,
    status: str = "200",
) -> dict[str, Any]:
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    content = {} if answer is None else {"content": {"application/json": {"schema": _inner(answer)}}}
    way: dict[str, Any] = {
        "operationId": name,
        "tags": ["Tools"],
        "summary": summary,
        "parameters": _NAME if named else [],
        "responses": {
            status: {"description": summary, **content},
            "default": {"description": "An error.", "content": error},
        },
    }
    if body is not None:
        way["requestBody"] = {"required": True, "content": {"application/json": {"schema": _inner(body)}}}
    return way
