"""Stored responses: what was asked and answered, the conversation behind it, and who is at work on what is not done."""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import CTE, ColumnElement, Row, and_, delete, func, insert, literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.state.database import Database
from server.state.tables import mine, response_events, responses, row_of
from tools.base import Caller, NotFound

__all__ = ["LOST_S", "ResponseStore", "StoredResponse"]

LOST_S = 30
"""Seconds without a sign of life of its worker after which a response has failed."""
_OPEN = ("queued", "in_progress")
_LONGEST = 10_000
"""Responses of one conversation."""
_LOST = {"code": "server_error", "message": "The server that worked on it stopped before it was done. Send it again."}


@dataclass(frozen=True)
class StoredResponse:
    """A response as it was last kept."""

    id: str
    previous: str | None
    status: str
    background: bool
    streamed: bool
    body: dict[str, Any]
    """As it is shown."""
    items: list[dict[str, Any]]
    """What was sent for it, without what was said before."""

    @property
    def open(self) -> bool:
        """Whether somebody is still at work on it."""
        return self.status in _OPEN


@dataclass(eq=False)
class _New:
    """A response that waits to be kept."""

    row: dict[str, Any]
    before: CTE | None
    """The way back from the one it continues."""
    kept: bool = False


class ResponseStore:
    """The responses of callers. What is not the caller's is not there.

    Args:
        database: where they lie.
        days: how long one is kept after it, or one that follows it, was made.
        clock: Unix seconds.
    """

    def __init__(self, database: Database, *, days: int, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._seconds = days * 86_400
        self._clock = clock
        self._waiting: list[_New] = []
        self._turn = asyncio.Lock()

    async def put(
        self, caller: Caller, body: Mapping[str, Any], items: Sequence[Mapping[str, Any]], *, streamed: bool = False
    ) -> None:
        """Keeps a new response; those before it are kept as long as it.

        What waits while another one is written goes into the next transaction together.
        """
        now, previous = self._now, body["previous_response_id"]
        row = {
            "id": body["id"],
            **row_of(caller),
            "created": body["created_at"],
            "expires": now + self._seconds,
            "model": body["model"],
            "status": body["status"],
            "background": body["background"],
            "previous": previous,
            "body": body,
            "items": items,
            "streamed": streamed,
            "heartbeat": now if body["background"] else None,
        }
        new = _New(row, self._back(caller, previous) if previous is not None else None)
        self._waiting.append(new)
        try:
            async with self._turn:
                if not new.kept:
                    await self._write()
        finally:
            if new in self._waiting:
                self._waiting.remove(new)

    async def get(self, caller: Caller, id: str) -> StoredResponse:
        """A response.

        Raises:
            NotFound: it is not there, not any more, or not for this caller.
        """
        async with self._database.read() as connection:
            row = await self._found(connection, caller, id)
        return self._stored(row)

    async def chain(self, caller: Caller, id: str) -> list[StoredResponse]:
        """A response and all before it, the first one first.

        Raises:
            NotFound: it or one before it is not there, not any more, or not for this caller.
        """
        back = self._back(caller, id)
        query = select(responses, back.c.depth).join(back, back.c.id == responses.c.id).order_by(back.c.depth.desc())
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        if not rows:
            raise _missing(id)
        if rows[0].previous is not None:
            raise _missing(rows[0].previous)
        return [self._stored(row) for row in rows]

    async def save(self, body: Mapping[str, Any], events: Sequence[tuple[int, str]] = ()) -> bool:
        """Keeps how far a response in the background is, and the events that tell so, in one.

        False where it was cancelled or deleted meanwhile.
        """
        values = {"body": body, "status": body["status"], "heartbeat": self._now}
        there = and_(responses.c.id == body["id"], responses.c.status.in_(_OPEN))
        async with self._database.begin() as connection:
            kept = bool((await connection.execute(update(responses).where(there).values(values))).rowcount)
            if kept:
                await _told(connection, body["id"], events)
        return kept

    async def cancel(self, caller: Caller, id: str) -> StoredResponse:
        """Cancels a response that is not done; whoever works on it sees that and stops. One that is done stays as it is.

        Raises:
            NotFound: as `get`.
        """
        async with self._database.begin() as connection:
            stored = self._stored(await self._found(connection, caller, id, lock=True))
            if not stored.open:
                return stored
            body = {**stored.body, "status": "cancelled"}
            await connection.execute(
                update(responses).where(responses.c.id == id).values(status="cancelled", body=body)
            )
        return self._with(stored, body)

    async def delete(self, caller: Caller, id: str) -> None:
        """Deletes a response; whoever works on it sees that and stops.

        Raises:
            NotFound: as `get`.
        """
        async with self._database.begin() as connection:
            await self._found(connection, caller, id, lock=True)
            await connection.execute(delete(responses).where(mine(responses, caller), responses.c.id == id))

    async def alive(self, ids: Collection[str]) -> None:
        """Gives a sign of life for responses that are worked on here."""
        there = and_(responses.c.id.in_(ids), responses.c.status.in_(_OPEN))
        async with self._database.begin() as connection:
            await connection.execute(update(responses).where(there).values(heartbeat=self._now))

    async def wanted(self, ids: Collection[str]) -> set[str]:
        """Those that have been neither cancelled nor deleted."""
        there = and_(responses.c.id.in_(ids), responses.c.status.in_(_OPEN))
        async with self._database.read() as connection:
            return set((await connection.execute(select(responses.c.id).where(there))).scalars())

    async def tell(self, id: str, events: Sequence[tuple[int, str]]) -> None:
        """Keeps events of a response by number; those that are kept already stay as they are."""
        async with self._database.begin() as connection:
            there = select(responses.c.id).where(responses.c.id == id)
            if (await connection.execute(there)).first() is not None:
                await _told(connection, id, events)

    async def told(self, caller: Caller, id: str, *, after: int) -> tuple[StoredResponse, list[tuple[int, str]]]:
        """A response and what was told of it after the event with a number, as it stood at one moment.

        Raises:
            NotFound: as `get`.
        """
        query = (
            select(response_events.c.number, response_events.c.event)
            .where(response_events.c.response == id, response_events.c.number > after)
            .order_by(response_events.c.number)
        )
        async with self._database.read() as connection:
            row = await self._found(connection, caller, id)
            events = (await connection.execute(query)).all()
        return self._stored(row), [(number, event) for number, event in events]

    async def sweep(self) -> None:
        """Takes away what has expired."""
        late = responses.c.expires <= self._now
        async with self._database.read() as connection:
            if (await connection.execute(select(responses.c.id).where(late).limit(1))).first() is None:
                return
        async with self._database.begin() as connection:
            await connection.execute(delete(responses).where(late))

    async def _write(self) -> None:
        """Keeps all that waits; where that fails, each tries by itself."""
        taken, self._waiting = self._waiting, []
        try:
            async with self._database.begin() as connection:
                await connection.execute(insert(responses), [new.row for new in taken])
                for new in taken:
                    if new.before is not None:
                        before = responses.c.id.in_(select(new.before.c.id))
                        await connection.execute(update(responses).where(before).values(expires=new.row["expires"]))
        except BaseException:
            self._waiting = taken + self._waiting
            raise
        for new in taken:
            new.kept = True

    @property
    def _now(self) -> int:
        return int(self._clock())

    def _there(self, caller: Caller) -> ColumnElement[bool]:
        return and_(mine(responses, caller), or_(responses.c.expires.is_(None), responses.c.expires > self._now))

    def _back(self, caller: Caller, id: str) -> CTE:
        """The way from a response back to the first one, with the number of steps."""
        there = self._there(caller)
        start = select(responses.c.id, responses.c.previous, literal(0).label("depth")).where(
            there, responses.c.id == id
        )
        way = start.cte("way", recursive=True)
        step = select(responses.c.id, responses.c.previous, way.c.depth + 1).join(way, responses.c.id == way.c.previous)
        return way.union_all(step.where(there, way.c.depth < _LONGEST))

    async def _found(
        self, connection: AsyncConnection, caller: Caller, id: str, *, lock: bool = False
    ) -> Row[tuple[Any, ...]]:
        query = select(responses).where(self._there(caller), responses.c.id == id)
        row = (await connection.execute(query.with_for_update() if lock else query)).one_or_none()
        if row is None:
            raise _missing(id)
        return row

    def _stored(self, row: Row[tuple[Any, ...]]) -> StoredResponse:
        """What a row says. Where nobody has been at work on it for long, it has failed, whoever left it."""
        stored = StoredResponse(
            row.id, row.previous, row.status, row.background, row.streamed, dict(row.body), list(row.items)
        )
        if stored.open and (row.heartbeat or 0) + LOST_S < self._clock():
            return self._with(stored, {**stored.body, "status": "failed", "error": _LOST})
        return stored

    def _with(self, stored: StoredResponse, body: dict[str, Any]) -> StoredResponse:
        return StoredResponse(
            stored.id, stored.previous, body["status"], stored.background, stored.streamed, body, stored.items
        )


async def _told(connection: AsyncConnection, id: str, events: Sequence[tuple[int, str]]) -> None:
    last = select(func.max(response_events.c.number)).where(response_events.c.response == id)
    kept = (await connection.execute(last)).scalar()
    rows = [
        {"response": id, "number": number, "event": event} for number, event in events if kept is None or number > kept
    ]
    if rows:
        await connection.execute(insert(response_events), rows)


def _missing(id: str) -> NotFound:
    return NotFound(
        f"The response {id[:80]!r} is not there. Expected the id of one of your stored responses.",
        hint="Responses are kept for a time, and only where 'store' is not false.",
    )
