"""Work that any worker may take: a row is held for as long as its worker shows that it lives, and then anybody's again."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, RowMapping, Table, and_, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

__all__ = ["LEASE_S", "Lease"]

LEASE_S = 30
"""Seconds after its last sign of life that a worker counts as gone."""


@dataclass(frozen=True, slots=True)
class Lease:
    """One worker's hold on rows of a table that has the columns `worker`, `heartbeat` and `created`."""

    table: Table
    worker: str
    seconds: int = LEASE_S

    async def take(
        self, connection: AsyncConnection, where: ColumnElement[bool], *, now: int, most: int = 1
    ) -> Sequence[RowMapping]:
        """Takes the oldest rows for which `where` holds and that nobody works on; two workers never get the same."""
        beat = self.table.c.heartbeat
        free = or_(beat.is_(None), beat < now - self.seconds)
        query = select(self.table).where(where, free).order_by(self.table.c.created).limit(most)
        rows = (await connection.execute(query.with_for_update(skip_locked=True))).mappings().all()
        for row in rows:
            held = update(self.table).where(self._is(row)).values(worker=self.worker, heartbeat=now)
            await connection.execute(held)
        return rows

    async def keep(self, connection: AsyncConnection, row: RowMapping, *, now: int) -> bool:
        """Shows that the work goes on; False where somebody else has it now, or it is gone."""
        kept = update(self.table).where(self._is(row), self._mine).values(heartbeat=now)
        return (await connection.execute(kept)).rowcount > 0

    async def leave(self, connection: AsyncConnection, row: RowMapping) -> None:
        """Gives it back to whoever comes next."""
        left = update(self.table).where(self._is(row), self._mine).values(worker=None, heartbeat=None)
        await connection.execute(left)

    def held(self, row: RowMapping) -> ColumnElement[bool]:
        """That it is this row, and still this worker's."""
        return and_(self._is(row), self._mine)

    @property
    def _mine(self) -> ColumnElement[bool]:
        return self.table.c.worker == self.worker

    def _is(self, row: RowMapping) -> ColumnElement[bool]:
        return and_(*(column == row[column] for column in self.table.primary_key))
