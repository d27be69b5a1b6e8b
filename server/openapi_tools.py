"""The routes of the tools and the collections in the OpenAPI document."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode

from tools.base import Collection, ToolRef

__all__ = ["modelled", "tool_paths"]

_NAME = [{"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}]


def modelled(refs: "Iterable[ToolRef[Any, Any]]") -> "list[tuple[type[BaseModel], JsonSchemaMode]]":
    """The models whose schemas the routes refer to."""
    found: list[tuple[type[BaseModel], JsonSchemaMode]] = [(Collection, "validation")]
    for ref in refs:
        given: tuple[type[BaseModel], JsonSchemaMode] = (ref.input, "validation")
        answer: tuple[type[BaseModel], JsonSchemaMode] = (ref.output, "serialization")
        found += [given, answer]
    return found


def tool_paths(refs: "Iterable[ToolRef[Any, Any]]", schemas: Mapping[Any, dict[str, Any]]) -> dict[str, Any]:
    """One typed route for each tool, and those of the collections and the erasures; `schemas` are those of `modelled`."""
    thing: dict[str, Any] = {"type": "object"}
    one = schemas[Collection, "validation"]
    paths: dict[str, Any] = {
        "/api/tools": {"get": _way("list_tools", "Lists the tools with their schemas.", thing)},
        "/api/tools/{name}": {
            "post": _way("call_tool", "Calls a tool with its typed input.", thing, body=thing, named=True)
        },
        "/api/collections": {
            "get": _way("list_collections", "Lists the collections that you may read or manage.", thing),
            "post": _way("create_collection", "Makes a collection.", one, body=one, status="201"),
        },
        "/api/collections/{name}": {
            "get": _way("get_collection", "One collection with its rules.", one, named=True),
            "patch": _way("change_collection", "Changes some of its rules.", one, body=thing, named=True),
            "delete": _way("delete_collection", "Removes it with everything in it.", None, named=True, status="204"),
        },
        "/api/erasures": {
            "get": _way("list_erasures", "Lists the receipts of what was erased.", thing),
            "post": _way("erase", "Erases documents, or a person's data, for good.", thing, body=thing, status="201"),
        },
        "/api/erasures/{name}": {"get": _way("get_erasure", "One receipt.", thing, named=True)},
    }
    for ref in refs:
        given, found = schemas[ref.input, "validation"], schemas[ref.output, "serialization"]
        name = f"call_{ref.name.replace('.', '_')}"
        paths[f"/api/tools/{ref.name}"] = {"post": _way(name, ref.description, found, body=given)}
    return paths


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
    content = {} if answer is None else {"content": {"application/json": {"schema": answer}}}
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
        way["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    return way
