"""Files under /v1/files: uploaded as they come in, listed, read and deleted by whoever uploaded them."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from server.errors import InvalidParameter
from server.forms import pieces
from server.house import House
from server.identity import caller_behind
from tools.base import Caller

if TYPE_CHECKING:
    from server.state.files import FileStore, StoredFile

__all__ = ["FilesApi", "listed", "shown_file"]

_PURPOSES = ("assistants", "batch", "fine-tune", "vision", "user_data", "evals")
_SHOWN_PURPOSES = (*_PURPOSES, "assistants_output", "batch_output", "fine-tune-results")
_BATCH_LIVES_S = 30 * 86_400
"""Seconds after which an input of a batch expires where nothing else is said."""
_LONGEST_FIELD = 1_000
_LONGEST_NAME = 300
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True)
class FilesApi:
    """The routes of files."""

    house: House
    forget: Callable[[Caller, str], Awaitable[None]]
    """Takes a file that is deleted out of all vector stores."""

    def routes(self) -> list[Route]:
        return [
            Route("/v1/files", self.upload, methods=["POST"]),
            Route("/v1/files", self.files, methods=["GET"]),
            Route("/v1/files/{id}", self.file, methods=["GET"]),
            Route("/v1/files/{id}", self.delete, methods=["DELETE"]),
            Route("/v1/files/{id}/content", self.content, methods=["GET"]),
        ]

    @cached_property
    def store(self) -> "FileStore":
        from server.state.files import FileStore

        return FileStore(self.house.state, max_bytes=self.house.settings.max_file_bytes)

    async def upload(self, request: Request) -> Response:
        """Keeps a file; its bytes go to the database while they come in."""
        fields: dict[str, bytes] = {}
        name: str | None = None
        async with self.store.upload(caller_behind(request)) as upload:
            async for piece in pieces(request):
                if piece.name == "file" and piece.filename is not None:
                    if piece.begins and name is not None:
                        raise InvalidParameter("The form has more than one 'file'. Expected one.", param="file")
                    name = _file_name(piece.filename) if piece.begins else name
                    await upload.write(piece.data)
                    continue
                value = fields.get(piece.name, b"") + piece.data
                if len(value) > _LONGEST_FIELD:
                    raise InvalidParameter(
                        f"The field {piece.name[:40]!r} is too long. Expected at most {_LONGEST_FIELD} bytes.",
                        param=piece.name[:40],
                    )
                fields[piece.name] = value
            given = {field: value.decode("utf-8", "replace") for field, value in fields.items()}
            purpose = _one_of(given, "purpose", _PURPOSES)
            lives = _lives(given, purpose)
            if name is None:
                raise InvalidParameter("The form has no file. Expected the field 'file' with a name.", param="file")
            file = await upload.finish(name=name, purpose=purpose, lives=lives)
        return _json(shown_file(file))

    async def files(self, request: Request) -> Response:
        """The caller's files."""
        from server.state.paging import paging

        query = dict(request.query_params)
        purpose = _one_of(query, "purpose", _SHOWN_PURPOSES) if query.get("purpose") else None
        part = paging(query, limit=10_000, most=10_000)
        page = await self.store.many(caller_behind(request), part, purpose=purpose)
        return _json(listed([shown_file(file) for file in page.data], more=page.more))

    async def file(self, request: Request) -> Response:
        """One of them."""
        return _json(shown_file(await self.store.get(caller_behind(request), _id(request))))

    async def content(self, request: Request) -> Response:
        """Its bytes, as a download: what was uploaded runs nothing in a browser."""
        caller, id = caller_behind(request), _id(request)
        file = await self.store.get(caller, id)
        headers = {
            "Content-Length": str(file.bytes),
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(file.name, safe='')}",
        }
        parts = self.store.content(caller, id)
        return StreamingResponse(parts, media_type="application/octet-stream", headers=headers)

    async def delete(self, request: Request) -> Response:
        """Deletes it, and takes it out of all vector stores."""
        caller, id = caller_behind(request), _id(request)
        await self.store.get(caller, id)
        await self.forget(caller, id)
        await self.store.delete(caller, id)
        return _json({"id": id, "object": "file", "deleted": True})


def shown_file(file: "StoredFile") -> dict[str, Any]:
    """A file as OpenAI's clients read it."""
    shown = {
        "id": file.id,
        "object": "file",
        "bytes": file.bytes,
        "created_at": file.created,
        "filename": file.name,
        "purpose": file.purpose,
        "status": "processed",
    }
    return shown if file.expires is None else shown | {"expires_at": file.expires}


def listed(data: list[dict[str, Any]], *, more: bool) -> dict[str, Any]:
    """A page of a list as OpenAI's clients read it."""
    first, last = (data[0]["id"], data[-1]["id"]) if data else ("", "")
    return {"object": "list", "data": data, "first_id": first, "last_id": last, "has_more": more}


def _id(request: Request) -> str:
    return str(request.path_params["id"])


def _file_name(given: str) -> str:
    """The name alone: no folders, nothing that is no letter on a screen."""
    name = _CONTROL.sub("", given).replace("\\", "/").rpartition("/")[2].strip()
    if not name or len(name) > _LONGEST_NAME:
        raise InvalidParameter(
            f"The file's name is {name[:40]!r}. Expected 1 to {_LONGEST_NAME} characters.", param="file"
        )
    return name


def _one_of(given: Mapping[str, str], name: str, known: tuple[str, ...]) -> str:
    value = given.get(name)
    if value not in known:
        raise InvalidParameter(
            f"{name!r} is {'missing' if value is None else repr(value[:40])}. Expected one of {', '.join(map(repr, known))}.",
            param=name,
        )
    return value


def _lives(given: Mapping[str, str], purpose: str) -> int | None:
    """Seconds until a file expires: what the form says, else 30 days for the input of a batch."""
    anchor, seconds = given.get("expires_after[anchor]"), given.get("expires_after[seconds]")
    if anchor is None and seconds is None:
        return _BATCH_LIVES_S if purpose == "batch" else None
    if anchor != "created_at":
        raise InvalidParameter(
            f"'expires_after[anchor]' is {anchor!r:.60}. Expected 'created_at'.", param="expires_after[anchor]"
        )
    if (
        seconds is None
        or not seconds.isascii()
        or not seconds.isdecimal()
        or not 3_600 <= int(seconds[:9]) <= 2_592_000
    ):
        raise InvalidParameter(
            f"'expires_after[seconds]' is {seconds!r:.60}. Expected a number from 3600 to 2592000.",
            param="expires_after[seconds]",
        )
    return int(seconds)


def _json(data: object) -> Response:
    return Response(to_json(data), media_type="application/json")
