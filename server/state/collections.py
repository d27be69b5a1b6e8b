"""Collections: who reads and who changes what is in them, asked anew for every act."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from server.state.database import Database
from server.state.tables import collections
from tools.base import DEFAULT, Access, Caller, Collection, Forbidden, InvalidInput, NotFound, Reach

__all__ = ["Collections"]

_OPEN = Collection(
    name=DEFAULT,
    purpose="What goes nowhere else.",
    readers=Access(everyone=True),
    editors=Access(everyone=True),
)
"""The default collection until somebody changes its rules."""


class Collections:
    """The collections of all tenants; what `tools.base.Reaches` asks for, and their changes.

    Args:
        database: where they are kept; it is not made only to find it empty.
        clock: gives Unix seconds.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    async def of(self, caller: Caller) -> Reach:
        """What `caller` may read now."""
        found = await self._all(caller.tenant)
        return Reach(caller, {each.name: each.retention_days for each in found if _reads(each, caller)})

    async def list(self, caller: Caller) -> list[Collection]:
        """The collections that `caller` may read, by name."""
        return [each for each in await self._all(caller.tenant) if _reads(each, caller)]

    async def managed(self, caller: Caller) -> Sequence[Collection]:
        """Those that `caller` may read or whose rules they may change, by name."""
        return [each for each in await self._all(caller.tenant) if _reads(each, caller) or _manages(each, caller)]

    async def get(self, caller: Caller, name: str) -> Collection:
        """One that `caller` may read, or whose rules they may change.

        Raises:
            NotFound: there is none for this caller.
        """
        for each in await self.managed(caller):
            if each.name == name:
                return each
        raise _missing(name)

    async def writable(self, caller: Caller, collection: str) -> None:
        """Returns where `caller` may put things into `collection` and take them out.

        Raises:
            NotFound: there is none for this caller.
            Forbidden: the caller may read it, or change its rules, not what is in it.
        """
        for each in await self._all(caller.tenant):
            if each.name == collection and _reads(each, caller):
                if each.owner == caller.subject or each.editors.admits(caller):
                    return
                raise Forbidden(
                    f"What is in the collection {collection!r} may be changed by its editors alone.",
                    hint="Ask its owner to make you one of them.",
                )
            if each.name == collection and _manages(each, caller):
                raise Forbidden(
                    f"You ({caller.subject!r}) may change the rules of the collection {collection!r}, not what is in it. "
                    "Expected its owner or one of its editors.",
                    hint=f"Name 'user:{caller.subject}' among its editors; those named there replace the ones before.",
                )
        raise _missing(collection)

    async def add(self, caller: Caller, made: Collection) -> Collection:
        """Makes a collection; who makes it owns it unless it names somebody else.

        Raises:
            Forbidden: the caller may make none.
            InvalidInput: the name is taken.
        """
        _admin(caller)
        made = made if made.owner else made.model_copy(update={"owner": caller.subject})
        async with self._database.begin() as connection:
            if made.name == DEFAULT or await _row(connection, caller.tenant, made.name):
                raise InvalidInput(
                    f"The collection {made.name!r} is there already. Expected a name that is free.",
                    hint="Take another name, or change that one.",
                )
            await self._write(connection, caller.tenant, made)
        return made

    async def change(self, caller: Caller, name: str, values: Mapping[str, Any]) -> Collection:
        """Changes some fields of a collection; the new rules hold from the next act on.

        Raises:
            NotFound: there is none for this caller.
            Forbidden: the caller may read it, not change its rules.
        """
        before = await self._mine(caller, name)
        after = Collection.model_validate({**before.model_dump(), **values, "name": name})
        async with self._database.begin() as connection:
            if await _row(connection, caller.tenant, name):
                where = (collections.c.tenant == caller.tenant) & (collections.c.name == name)
                await connection.execute(collections.update().where(where).values(**_values(after)))
            else:  # the default one, for the first time
                await self._write(connection, caller.tenant, after)
        return after

    async def close(self, caller: Caller, name: str) -> None:
        """Leaves a collection that is about to be removed to its owner alone.

        Raises:
            NotFound: there is none for this caller.
            Forbidden: the caller may read it, not remove it.
            InvalidInput: it is the default one.
        """
        _removable(name)
        await self.change(caller, name, {"readers": Access(), "editors": Access()})

    async def remove(self, caller: Caller, name: str) -> None:
        """Removes a collection's rules, so that nobody reads it any more; what was in it is deleted by who calls this.

        Raises:
            NotFound: there is none for this caller.
            Forbidden: the caller may read it, not remove it.
            InvalidInput: it is the default one.
        """
        _removable(name)
        await self._mine(caller, name)
        async with self._database.begin() as connection:
            where = (collections.c.tenant == caller.tenant) & (collections.c.name == name)
            await connection.execute(collections.delete().where(where))

    async def timed(self) -> Sequence[tuple[str, str, int]]:
        """Of all tenants those that keep what they hold for some days only: tenant, name and days."""
        if not self._database.there:
            return []
        async with self._database.read() as connection:
            query = collections.select().where(collections.c.retention_days.is_not(None))
            rows = (await connection.execute(query)).mappings().all()
        return [(row["tenant"], row["name"], row["retention_days"]) for row in rows]

    async def _mine(self, caller: Caller, name: str) -> Collection:
        found = await self.get(caller, name)
        if not _manages(found, caller):
            raise Forbidden(
                f"The rules of the collection {name!r} are changed by its owner or an administrator.",
                hint="Ask its owner.",
            )
        return found

    async def _all(self, tenant: str) -> Sequence[Collection]:
        """Those of a tenant, by name, the default one among them."""
        if not self._database.there:
            return [_OPEN]
        async with self._database.read() as connection:
            query = collections.select().where(collections.c.tenant == tenant)
            rows = (await connection.execute(query)).mappings().all()
        fields = Collection.model_fields
        found = {row["name"]: Collection.model_validate({name: row[name] for name in fields}) for row in rows}
        return [each for _, each in sorted({DEFAULT: _OPEN, **found}.items())]

    async def _write(self, connection: AsyncConnection, tenant: str, made: Collection) -> None:
        row = {"tenant": tenant, "name": made.name, "created": int(self._clock()), **_values(made)}
        await connection.execute(collections.insert().values(**row))


def _values(given: Collection) -> dict[str, Any]:
    return given.model_dump(mode="json", exclude={"name"})


async def _row(connection: AsyncConnection, tenant: str, name: str) -> bool:
    query = collections.select().where(collections.c.tenant == tenant, collections.c.name == name)
    return (await connection.execute(query)).first() is not None


def _reads(given: Collection, caller: Caller) -> bool:
    return given.owner == caller.subject or given.readers.admits(caller) or given.editors.admits(caller)


def _manages(given: Collection, caller: Caller) -> bool:
    """An administrator changes rules without reading what is under them."""
    return given.owner == caller.subject or "admin" in caller.roles


def _admin(caller: Caller) -> None:
    if "admin" not in caller.roles:
        raise Forbidden("Collections are made by administrators.", hint="Ask the platform team to make one for you.")


def _removable(name: str) -> None:
    if name == DEFAULT:
        raise InvalidInput(
            f"The collection {DEFAULT!r} cannot be removed. Expected another one.",
            hint="Change who may read it, or delete its documents.",
        )


def _missing(name: str) -> NotFound:
    return NotFound(
        f"The collection {name!r} is not there. Expected one that you may read.",
        hint="List the collections to see their names.",
    )
