"""Ids that sort by the time they were made, and lists that are read page by page from one id to the next."""

import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from sqlalchemy import ColumnElement, RowMapping, Table, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from server.errors import InvalidParameter

__all__ = ["Page", "Paging", "new_id", "paged", "paging"]

T = TypeVar("T")
Order = Literal["asc", "desc"]


def new_id(prefix: str) -> str:
    """An id nobody can guess; later ones sort after earlier ones."""
    return f"{prefix}{time.time_ns() // 1_000:014x}{secrets.token_hex(12)}"


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A part of a list."""

    data: Sequence[T]
    more: bool


@dataclass(frozen=True, slots=True)
class Paging:
    """Which part: what comes after or before the row with this id, in this order."""

    limit: int = 20
    order: Order = "desc"
    after: str | None = None
    before: str | None = None


def paging(query: Mapping[str, str], *, limit: int = 20, most: int = 100) -> Paging:
    """What the query of a request asks for.

    Args:
        query: its parameters.
        limit: where it names none.
        most: the largest limit there is.

    Raises:
        InvalidParameter: a parameter does not fit.
    """
    given = query.get("limit", str(limit))
    if not given.isascii() or not given.isdecimal() or not 1 <= int(given[:9]) <= most:
        raise InvalidParameter(f"'limit' is {given[:40]!r}. Expected a number from 1 to {most}.", param="limit")
    order = query.get("order", "desc")
    if order not in ("asc", "desc"):
        raise InvalidParameter(f"'order' is {order[:40]!r}. Expected 'asc' or 'desc'.", param="order")
    return Paging(int(given), order, query.get("after") or None, query.get("before") or None)


async def paged(
    connection: AsyncConnection, table: Table, where: ColumnElement[bool], part: Paging, *, id: str = "id"
) -> Page[RowMapping]:
    """The rows of a table for which `where` holds, ordered by their time; `id` is the column that names a row.

    Raises:
        InvalidParameter: there is no row with the id that the part comes after or before.
    """
    name, place = table.c[id], tuple_(table.c.created, table.c[id])
    forward = part.order == "asc"
    for param, cursor, later in (("after", part.after, forward), ("before", part.before, not forward)):
        if cursor is None:
            continue
        at = (await connection.execute(select(table.c.created, name).where(where, name == cursor))).one_or_none()
        if at is None:
            raise InvalidParameter(
                f"{param!r} is {cursor[:80]!r}, and the list has nothing with this id. Expected one from the list.",
                param=param,
            )
        where = where & (place > tuple(at) if later else place < tuple(at))
    # A page before an id holds what stands next to it: read backwards, then turned.
    back = part.before is not None and part.after is None
    up = forward != back
    columns = (table.c.created.asc(), name.asc()) if up else (table.c.created.desc(), name.desc())
    rows = (
        (await connection.execute(select(table).where(where).order_by(*columns).limit(part.limit + 1))).mappings().all()
    )
    kept = list(rows[: part.limit])
    return Page(kept[::-1] if back else kept, len(rows) > part.limit)
