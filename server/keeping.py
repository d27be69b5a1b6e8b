"""Keeps the knowledge as its rules say, in the background: what is past its time goes, what has no vectors gets them."""

import logging
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import anyio.to_thread

from tools.base import Caller, Failed, Unavailable
from tools.knowledge.erasure import expire

if TYPE_CHECKING:
    from server.servers import Servers

__all__ = ["keep", "remove_collection"]

log = logging.getLogger(__name__)


async def remove_collection(servers: "Servers", caller: Caller, name: str) -> None:
    """Removes a collection with everything in it. Its rules go first: from then on nobody reads it.

    Raises:
        NotFound: there is none for this caller.
        Forbidden: the caller may read it, not remove it.
        InvalidInput: it is the default one.
    """
    await servers.collections.remove(caller, name)
    await servers.library.forget_all(caller, shelf=name)
    await anyio.to_thread.run_sync(_empty, servers, caller.tenant, name)
    await anyio.to_thread.run_sync(servers.refresh)


async def keep(servers: "Servers") -> None:
    """Does what is due now; one process at a time does it, the others find nothing left."""
    for tenant, collection, days in await servers.collections.timed():
        gone = await expire(servers.library, tenant, collection, days)
        if gone:
            await anyio.to_thread.run_sync(_forget, servers, tenant, collection, gone)
            log.info("The time of %d documents of the collection %s was over", len(gone), collection)
        with suppress(Unavailable):  # somebody is loading; the next round comes
            late = await anyio.to_thread.run_sync(_forget_tables, servers, tenant, collection, days)
            if late:
                log.info("The time of %d tables of the collection %s was over", late, collection)
    await anyio.to_thread.run_sync(servers.refresh)
    for tenant in servers.library.tenants or [Caller(subject="").tenant]:  # after a start nobody has asked yet
        try:
            if made := await servers.library.embed(tenant):
                log.info("%d documents have got their vectors", made)
        except Failed as error:
            log.warning("Vectors are made later: %s", error.message)


def _forget(servers: "Servers", tenant: str, collection: str, documents: list[str]) -> None:
    """The graph holds nothing of them, either."""
    from tools.graph.loading import forget

    forget(tenant, collection, documents, config=servers.graph)


def _forget_tables(servers: "Servers", tenant: str, collection: str, days: int) -> int:
    """Nobody has seen them since their time was over; now they go from the disk."""
    from tools.tables.writing import forget

    before = datetime.now(UTC) - timedelta(days=days)
    return len(forget(servers.tables, tenant=tenant, collection=collection, before=before).tables)


def _empty(servers: "Servers", tenant: str, collection: str) -> None:
    """Takes all that belongs to a collection out of the graph and the tables."""
    from tools.graph.loading import forget as forget_graph
    from tools.tables.writing import forget as forget_tables

    forget_graph(tenant, collection, config=servers.graph)
    forget_tables(servers.tables, tenant=tenant, collection=collection)
