"""Batches: their state, their requests one by one, and which worker is at them."""

import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter
from sqlalchemy import ColumnElement, RowMapping, and_, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.state.database import Database
from server.state.leases import LEASE_S, Lease
from server.state.paging import Page, Paging, new_id, paged
from server.state.tables import batch_lines, batches, mine, row_of
from tools.base import Caller, InvalidInput, NotFound

__all__ = ["Batch", "BatchStore", "Held", "Line", "Lost", "Status"]

Status = Literal["validating", "failed", "in_progress", "finalizing", "completed", "expired", "cancelling", "cancelled"]
_OPEN = ("validating", "in_progress", "finalizing", "cancelling")
_CALLER = TypeAdapter(Caller)
_PAGE = 100


class Lost(Exception):
    """Another worker has the batch now."""


class Batch(BaseModel):
    """A batch as it stands."""

    model_config = ConfigDict(frozen=True)

    id: str
    endpoint: str
    input_file: str
    window: str
    metadata: dict[str, str] | None
    output_lives: int | None
    status: Status
    model: str | None
    errors: list[dict[str, Any]] | None
    usage: dict[str, Any] | None
    total: int
    completed: int
    failed: int
    output_file: str | None
    error_file: str | None
    times: dict[str, int]
    created: int
    expires: int


@dataclass(frozen=True, slots=True)
class Held:
    """A batch that this worker is at."""

    row: RowMapping
    batch: Batch
    caller: Caller


@dataclass(frozen=True, slots=True)
class Line:
    """One request of a batch: its body and, once it is done, its line in one of the two files."""

    number: int
    name: str
    request: str
    ok: bool | None = None
    result: str | None = None


class BatchStore:
    """The batches of callers.

    Args:
        database: where they stand.
        worker: whose hold it is on those it works at.
        clock: Unix seconds.
        lease_s: after how many seconds without a sign of life another worker goes on.
    """

    def __init__(
        self, database: Database, *, worker: str, clock: Callable[[], float] = time.time, lease_s: int = LEASE_S
    ) -> None:
        self.database = database
        self._clock = clock
        self._lease = Lease(batches, worker, lease_s)

    @property
    def now(self) -> int:
        return int(self._clock())

    async def add(
        self,
        caller: Caller,
        *,
        endpoint: str,
        input_file: str,
        window: str,
        seconds: int,
        metadata: Mapping[str, str] | None = None,
        output_lives: int | None = None,
    ) -> Batch:
        """Keeps a new batch, to be checked and worked at; after `seconds` it expires."""
        row: dict[str, Any] = {
            "id": new_id("batch_"),
            "endpoint": endpoint,
            "input_file": input_file,
            "window": window,
            "metadata": metadata,
            "output_lives": output_lives,
            "status": "validating",
            "model": None,
            "errors": None,
            "usage": None,
            "total": 0,
            "completed": 0,
            "failed": 0,
            "output_file": None,
            "error_file": None,
            "times": {},
            "created": self.now,
            "expires": self.now + seconds,
        }
        who = _CALLER.dump_python(caller, mode="json")
        async with self.database.begin() as connection:
            await connection.execute(insert(batches).values(**row_of(caller), caller=who, **row))
        return Batch.model_validate(row)

    async def get(self, caller: Caller, id: str) -> Batch:
        """A batch.

        Raises:
            NotFound: it is not there, or not for this caller.
        """
        async with self.database.read() as connection:
            return await self._found(connection, caller, id)

    async def many(self, caller: Caller, part: Paging) -> Page[Batch]:
        """The caller's batches."""
        async with self.database.read() as connection:
            page = await paged(connection, batches, mine(batches, caller), part)
        return Page([_batch(row) for row in page.data], page.more)

    async def cancel(self, caller: Caller, id: str) -> Batch:
        """Asks whoever works at it to stop.

        Raises:
            NotFound: as `get`.
            InvalidInput: it has ended already.
        """
        where = and_(mine(batches, caller), batches.c.id == id)
        async with self.database.begin() as connection:
            batch = await self._found(connection, caller, id)
            if batch.status in ("validating", "in_progress"):
                await self._move(connection, where & batches.c.status.in_(("validating", "in_progress")), "cancelling")
            elif batch.status != "cancelling":
                raise InvalidInput(
                    f"The batch {id!r} is {batch.status!r}. Expected one that is 'validating' or 'in_progress'.",
                    hint="There is nothing to cancel.",
                )
            return await self._found(connection, caller, id)

    async def take(self) -> Held | None:
        """Takes the oldest batch that nobody works at."""
        waiting, now = batches.c.status.in_(_OPEN), self.now
        free = batches.c.heartbeat.is_(None) | (batches.c.heartbeat < now - self._lease.seconds)
        async with self.database.read() as connection:
            if (await connection.execute(select(batches.c.id).where(waiting, free).limit(1))).first() is None:
                return None
        async with self.database.begin() as connection:
            rows = await self._lease.take(connection, waiting, now=now)
        return Held(rows[0], _batch(rows[0]), _CALLER.validate_python(rows[0]["caller"])) if rows else None

    async def keep(self, held: Held) -> Status | None:
        """Shows that the work goes on, and tells the status; None where another worker has it."""
        async with self.database.begin() as connection:
            if not await self._lease.keep(connection, held.row, now=self.now):
                return None
            query = select(batches.c.status).where(batches.c.id == held.batch.id)
            return (await connection.execute(query)).scalar_one()

    async def leave(self, held: Held) -> None:
        """Gives it back to whoever comes next."""
        async with self.database.begin() as connection:
            await self._lease.leave(connection, held.row)

    async def empty(self, held: Held) -> None:
        """Drops the requests that were read of a file before a worker died."""
        async with self.database.begin() as connection:
            await connection.execute(delete(batch_lines).where(batch_lines.c.batch == held.batch.id))

    async def put(self, held: Held, lines: Sequence[Line]) -> None:
        """Adds requests."""
        rows = [
            {"batch": held.batch.id, "number": line.number, "name": line.name, "request": line.request, "done": False}
            for line in lines
        ]
        async with self.database.begin() as connection:
            await connection.execute(insert(batch_lines), rows)

    async def refuse(self, held: Held, errors: Sequence[Mapping[str, Any]]) -> None:
        """Ends a batch whose file does not fit.

        Raises:
            Lost: another worker has it.
        """
        async with self.database.begin() as connection:
            await connection.execute(delete(batch_lines).where(batch_lines.c.batch == held.batch.id))
            await self._move(connection, self._lease.held(held.row), "failed", errors=list(errors))

    async def start(self, held: Held, *, total: int, model: str | None) -> None:
        """All of its requests are there.

        Raises:
            Lost: another worker has it, or it has been cancelled.
        """
        where = self._lease.held(held.row) & (batches.c.status == "validating")
        async with self.database.begin() as connection:
            await self._move(connection, where, "in_progress", total=total, model=model)

    async def todo(self, held: Held) -> AsyncGenerator[Line]:
        """The requests that are not done, in their order."""
        async for line in self._lines(held, batch_lines.c.done.is_(False)):
            yield line

    async def done(self, held: Held, line: Line, *, ok: bool, result: str) -> None:
        """Keeps the result of a request: it is not made again.

        Raises:
            Lost: another worker has the batch.
        """
        where = and_(
            batch_lines.c.batch == held.batch.id, batch_lines.c.number == line.number, batch_lines.c.done.is_(False)
        )
        column = batches.c.completed if ok else batches.c.failed
        async with self.database.begin() as connection:
            counted = update(batches).where(self._lease.held(held.row)).values({column: column + 1})
            if (await connection.execute(counted)).rowcount == 0:
                raise Lost
            if (
                await connection.execute(update(batch_lines).where(where).values(done=True, ok=ok, result=result))
            ).rowcount == 0:
                raise Lost

    async def results(self, held: Held) -> AsyncGenerator[Line]:
        """All requests in their order, those that are not done too."""
        async for line in self._lines(held, batch_lines.c.number >= 0):
            yield line

    async def finalize(self, held: Held) -> None:
        """All requests are done; the files are being written.

        Raises:
            Lost: another worker has it.
        """
        where = self._lease.held(held.row) & batches.c.status.in_(("in_progress", "finalizing"))
        async with self.database.begin() as connection:
            await self._move(connection, where, "finalizing")

    async def finish_in(
        self,
        connection: AsyncConnection,
        held: Held,
        status: Status,
        *,
        output_file: str | None,
        error_file: str | None,
        usage: Mapping[str, Any],
    ) -> None:
        """Ends a batch, in the transaction that shows its files; its requests are dropped.

        Raises:
            Lost: another worker has it.
        """
        values = {"output_file": output_file, "error_file": error_file, "usage": dict(usage)}
        await self._move(connection, self._lease.held(held.row), status, **values)
        await connection.execute(delete(batch_lines).where(batch_lines.c.batch == held.batch.id))

    async def _lines(self, held: Held, where: ColumnElement[bool]) -> AsyncGenerator[Line]:
        last = -1
        columns = batch_lines.c
        while True:
            query = (
                select(columns.number, columns.name, columns.request, columns.ok, columns.result)
                .where(columns.batch == held.batch.id, columns.number > last, where)
                .order_by(columns.number)
                .limit(_PAGE)
            )
            async with self.database.read() as connection:
                rows = (await connection.execute(query)).mappings().all()
            for row in rows:
                yield Line(**row)
            if len(rows) < _PAGE:
                return
            last = rows[-1]["number"]

    async def _found(self, connection: AsyncConnection, caller: Caller, id: str) -> Batch:
        query = select(batches).where(mine(batches, caller), batches.c.id == id)
        if (row := (await connection.execute(query)).mappings().one_or_none()) is None:
            raise NotFound(
                f"The batch {id[:80]!r} is not there. Expected the id of one of yours.",
                hint="GET /v1/batches lists them.",
            )
        return _batch(row)

    async def _move(
        self, connection: AsyncConnection, where: ColumnElement[bool], status: Status, **values: object
    ) -> None:
        """Brings the one row for which `where` holds to another status, and notes when."""
        row = (await connection.execute(select(batches.c.id, batches.c.times).where(where).with_for_update())).first()
        if row is None:
            raise Lost
        times = {status: self.now, **row.times}  # the first time stands
        moved = update(batches).where(batches.c.id == row.id).values(status=status, times=times, **values)
        await connection.execute(moved)


def _batch(row: RowMapping) -> Batch:
    return Batch.model_validate(dict(row))
