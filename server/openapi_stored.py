"""Files, vector stores and batches in the OpenAPI document."""

import re
from typing import Any

__all__ = ["stored_paths"]

_STORES, _STORE = "/v1/vector_stores", "/v1/vector_stores/{store}"
_ROUTES = (
    ("/v1/files", "post", "create_file", "Keeps a file: a form with 'file' and 'purpose'."),
    ("/v1/files", "get", "list_files", "Lists your files."),
    ("/v1/files/{id}", "get", "get_file", "One file."),
    ("/v1/files/{id}", "delete", "delete_file", "Deletes a file, and takes it out of all vector stores."),
    ("/v1/files/{id}/content", "get", "get_file_content", "The bytes of a file."),
    (_STORES, "post", "create_vector_store", "Makes a vector store, with files to begin with."),
    (_STORES, "get", "list_vector_stores", "Lists your vector stores."),
    (_STORES + "/{id}", "get", "get_vector_store", "One vector store, with what its files came to."),
    (_STORES + "/{id}", "post", "update_vector_store", "Changes its name, metadata or expiry."),
    (_STORES + "/{id}", "delete", "delete_vector_store", "Deletes a vector store with its documents."),
    (_STORES + "/{id}/search", "post", "search_vector_store", "The passages that fit a question best."),
    (_STORE + "/files", "post", "create_vector_store_file", "Puts a file in; it is read in the background."),
    (_STORE + "/files", "get", "list_vector_store_files", "Lists the files of a vector store."),
    (_STORE + "/files/{file}", "get", "get_vector_store_file", "One file of a vector store."),
    (_STORE + "/files/{file}", "post", "update_vector_store_file", "Gives a file other attributes."),
    (_STORE + "/files/{file}", "delete", "delete_vector_store_file", "Takes a file out; the upload stays."),
    (_STORE + "/files/{file}/content", "get", "get_vector_store_file_content", "The text that was read of a file."),
    (_STORE + "/file_batches", "post", "create_vector_store_file_batch", "Puts several files in at once."),
    (_STORE + "/file_batches/{batch}", "get", "get_vector_store_file_batch", "What they came to."),
    (_STORE + "/file_batches/{batch}/cancel", "post", "cancel_vector_store_file_batch", "Leaves out the unread ones."),
    (_STORE + "/file_batches/{batch}/files", "get", "list_vector_store_file_batch_files", "Lists them."),
    ("/v1/batches", "post", "create_batch", "Answers the requests of a file in the background."),
    ("/v1/batches", "get", "list_batches", "Lists your batches."),
    ("/v1/batches/{id}", "get", "get_batch", "One batch, with its counts and its files."),
    ("/v1/batches/{id}/cancel", "post", "cancel_batch", "Stops a batch; what is done stays in its files."),
)
"""Path, method, name, and what it does. Those that have a body say so by their method, 'cancel' apart."""


def stored_paths() -> dict[str, Any]:
    """The routes, as the document has them; bodies and answers are those of OpenAI's own document."""
    paths: dict[str, Any] = {}
    for path, method, name, summary in _ROUTES:
        paths.setdefault(path, {})[method] = _way(path, method, name, summary)
    return paths


def _way(path: str, method: str, name: str, summary: str) -> dict[str, Any]:
    thing = {"schema": {"type": "object"}}
    answer: dict[str, Any] = {"*/*": {}} if name == "get_file_content" else {"application/json": thing}
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    way: dict[str, Any] = {
        "operationId": name,
        "tags": ["OpenAI"],
        "summary": summary,
        "parameters": [_given(param, "path") for param in re.findall(r"\{(\w+)\}", path)],
        "responses": {
            "200": {"description": summary, "content": answer},
            "default": {"description": "An error.", "content": error},
        },
    }
    if name.startswith("list_"):
        way["parameters"] += [_given(param, "query") for param in ("limit", "order", "after")]
    if method == "post" and not path.endswith("/cancel"):
        media = "multipart/form-data" if name == "create_file" else "application/json"
        way["requestBody"] = {"required": True, "content": {media: thing}}
    return way


def _given(name: str, place: str) -> dict[str, Any]:
    return {"name": name, "in": place, "required": place == "path", "schema": {"type": "string"}}
