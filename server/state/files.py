"""Uploaded files: kept in the database in parts, so that every worker on every machine can read them."""

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from pydantic import BaseModel, ConfigDict
from sqlalchemy import RowMapping, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.state.database import Database
from server.state.paging import Page, Paging, new_id, paged
from server.state.tables import file_parts, files, mine, row_of
from tools.base import Caller, NotFound, TooLarge

__all__ = ["FileStore", "StoredFile", "Upload"]

_PART = 1_048_576
"""Bytes; one is written in one transaction and held in memory once."""
_UPLOAD_S = 3_600
"""Seconds after its last part that an upload which nobody finishes is taken away."""


class StoredFile(BaseModel):
    """What is known of a file besides its content."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    purpose: str
    bytes: int
    created: int
    expires: int | None


class FileStore:
    """The files of callers.

    Args:
        database: where they lie.
        max_bytes: the largest file that is taken.
        clock: Unix seconds.
    """

    def __init__(self, database: Database, *, max_bytes: int, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._most = max_bytes
        self._clock = clock

    @asynccontextmanager
    async def upload(self, caller: Caller, *, limited: bool = True) -> AsyncGenerator["Upload"]:
        """Takes a file in. Left without `finish`, nothing of it stays. What is made here may be larger than uploads."""
        upload = Upload(self._database, caller, self._most if limited else None, self._clock)
        try:
            yield upload
        finally:
            await upload.drop()

    async def add(self, caller: Caller, content: bytes, *, name: str, purpose: str) -> StoredFile:
        """Keeps a file whose bytes are at hand."""
        async with self.upload(caller) as upload:
            await upload.write(content)
            return await upload.finish(name=name, purpose=purpose)

    async def get(self, caller: Caller, id: str) -> StoredFile:
        """A file.

        Raises:
            NotFound: it is not there, not any more, or not for this caller.
        """
        async with self._database.read() as connection:
            return await self._found(connection, caller, id)

    async def many(self, caller: Caller, part: Paging, *, purpose: str | None = None) -> Page[StoredFile]:
        """The caller's files, those of one purpose or all."""
        where = self._there(caller)
        if purpose is not None:
            where &= files.c.purpose == purpose
        async with self._database.read() as connection:
            page = await paged(connection, files, where, part)
        return Page([_file(row) for row in page.data], page.more)

    async def content(self, caller: Caller, id: str) -> AsyncGenerator[bytes]:
        """The bytes of a file, part by part; no transaction stays open between two of them.

        Raises:
            NotFound: as `get`.
        """
        file = await self.get(caller, id)
        size, number = 0, 0
        while size < file.bytes:
            query = select(file_parts.c.content).where(file_parts.c.file == id, file_parts.c.number == number)
            async with self._database.read() as connection:
                content = (await connection.execute(query)).scalar_one_or_none()
            if content is None:
                raise _missing(id)  # deleted while it was read
            yield content
            size, number = size + len(content), number + 1

    async def read(self, caller: Caller, id: str) -> bytes:
        """The whole content."""
        return b"".join([part async for part in self.content(caller, id)])

    async def delete(self, caller: Caller, id: str) -> None:
        """Deletes a file with its content.

        Raises:
            NotFound: as `get`.
        """
        async with self._database.begin() as connection:
            await self._found(connection, caller, id)
            await connection.execute(delete(files).where(mine(files, caller), files.c.id == id))

    async def sweep(self) -> None:
        """Takes away what has expired, and what was never uploaded to its end."""
        late = files.c.expires <= int(self._clock())
        async with self._database.read() as connection:
            if (await connection.execute(select(files.c.id).where(late).limit(1))).first() is None:
                return
        async with self._database.begin() as connection:
            await connection.execute(delete(files).where(late))

    async def _found(self, connection: AsyncConnection, caller: Caller, id: str) -> StoredFile:
        row = (
            (await connection.execute(select(files).where(self._there(caller), files.c.id == id)))
            .mappings()
            .one_or_none()
        )
        if row is None:
            raise _missing(id)
        return _file(row)

    def _there(self, caller: Caller):
        now = int(self._clock())
        return mine(files, caller) & files.c.whole & (files.c.expires.is_(None) | (files.c.expires > now))


class Upload:
    """A file that is coming in; made by `FileStore.upload`. Its first part makes the row, its last one shows it."""

    def __init__(self, database: Database, caller: Caller, most: int | None, clock: Callable[[], float]) -> None:
        self._database = database
        self._caller = caller
        self._most = most
        self._clock = clock
        self._began = int(clock())
        self._id = new_id("file-")
        self._waiting = bytearray()
        self._parts = 0
        self.size = 0
        self._open = True

    async def write(self, data: bytes) -> None:
        """Takes more of it.

        Raises:
            TooLarge: it is larger than a file may be.
        """
        self.size += len(data)
        if self._most is not None and self.size > self._most:
            raise TooLarge(f"The file is too large. Expected at most {self._most} bytes.", hint="Send a smaller file.")
        self._waiting += data
        while len(self._waiting) >= _PART:
            await self._keep(bytes(self._waiting[:_PART]))
            del self._waiting[:_PART]

    async def finish(self, *, name: str, purpose: str, lives: int | None = None) -> StoredFile:
        """Shows it to its owner from now on; `lives` is after how many seconds it expires."""
        async with self._database.begin() as connection:
            return await self.finish_in(connection, name=name, purpose=purpose, lives=lives)

    async def finish_in(
        self, connection: AsyncConnection, *, name: str, purpose: str, lives: int | None = None
    ) -> StoredFile:
        """The same as a part of a transaction that writes more."""
        await self._put(connection, bytes(self._waiting))
        self._waiting.clear()
        file = StoredFile(
            id=self._id,
            name=name,
            purpose=purpose,
            bytes=self.size,
            created=self._began,
            expires=None if lives is None else self._began + lives,
        )
        shown = file.model_dump(exclude={"id", "created"})
        await connection.execute(update(files).where(files.c.id == self._id).values(**shown, whole=True))
        self._open = False
        return file

    async def drop(self) -> None:
        """Takes back what was written of an upload that was not finished."""
        if self._open and self._parts:
            async with self._database.begin() as connection:
                await connection.execute(delete(files).where(files.c.id == self._id, files.c.whole.is_(False)))

    async def _keep(self, content: bytes) -> None:
        async with self._database.begin() as connection:
            await self._put(connection, content)

    async def _put(self, connection: AsyncConnection, content: bytes) -> None:
        if self._parts == 0:
            row = {
                "id": self._id,
                **row_of(self._caller),
                "name": "",
                "purpose": "",
                "bytes": 0,
                "whole": False,
                "created": self._began,
                "expires": self._began + _UPLOAD_S,
            }
            await connection.execute(insert(files).values(row))
        else:
            later = int(self._clock()) + _UPLOAD_S
            await connection.execute(update(files).where(files.c.id == self._id).values(expires=later))
        if content:
            part = {"file": self._id, "number": self._parts, "content": content}
            await connection.execute(insert(file_parts).values(part))
        self._parts += 1


def _file(row: RowMapping) -> StoredFile:
    return StoredFile.model_validate(dict(row))


def _missing(id: str) -> NotFound:
    return NotFound(
        f"The file {id[:80]!r} is not there. Expected the id of one of your files.", hint="GET /v1/files lists them."
    )
