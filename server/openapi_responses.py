"""Responses in the OpenAPI document."""

import re
from typing import Any

__all__ = ["response_paths"]

_ONE = "/v1/responses/{id}"
_ROUTES = (
    ("/v1/responses", "post", "create_response", "Asks a use case or a model: whole, streamed or in the background."),
    (_ONE, "get", "get_response", "A stored response; with 'stream' the events of one in the background."),
    (_ONE, "delete", "delete_response", "Deletes a stored response; work on it stops."),
    (f"{_ONE}/cancel", "post", "cancel_response", "Stops a response in the background."),
    (f"{_ONE}/input_items", "get", "list_input_items", "What a response was made of."),
)
_QUERY = {"get_response": ("stream", "starting_after", "include"), "list_input_items": ("limit", "order", "after")}


def response_paths() -> dict[str, Any]:
    """The routes, as the document has them; bodies and answers are those of OpenAI's own document."""
    paths: dict[str, Any] = {}
    thing = {"application/json": {"schema": {"type": "object"}}}
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    for path, method, name, summary in _ROUTES:
        parameters = [_given(one, "path") for one in re.findall(r"\{(\w+)\}", path)]
        way: dict[str, Any] = {
            "operationId": name,
            "tags": ["OpenAI"],
            "summary": summary,
            "parameters": parameters + [_given(one, "query") for one in _QUERY.get(name, ())],
            "responses": {
                "200": {"description": summary, "content": thing},
                "default": {"description": "An error.", "content": error},
            },
        }
        if name == "create_response":
            way["requestBody"] = {"required": True, "content": thing}
        paths.setdefault(path, {})[method] = way
    return paths


def _given(name: str, place: str) -> dict[str, Any]:
    return {"name": name, "in": place, "required": place == "path", "schema": {"type": "string"}}
