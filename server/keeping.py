"""Keeps the knowledge as its rules say, in the background: what is past its time goes, what has no vectors gets them."""

import logging
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import anyio.to_thread

from tools.base import Caller, PartiturError
from tools.knowledge.erasure import expire, late, purge, unpurged

if TYPE_CHECKING:
    from server.servers import Servers

__all__ = ["keep", "remove_collection"]

log = logging.getLogger(__name__)


async def remove_collection(servers: "Servers", caller: Caller, name: str) -> None:
    """Removes a collection with everything in it. From the first moment on nobody but its owner reads it; stopped halfway,
    it is removed by asking again.

    Raises:
        NotFound: there is none for this caller.
        Forbidden: the caller may read it, not remove it.
        InvalidInput: it is the default one.
    """
    # Its name is free once it is empty: what a stop in between left would else belong to the next one of this name.
    await servers.collections.close(caller, name)
    await anyio.to_thread.run_sync(_empty, servers, caller.tenant, name)
    await servers.library.forget_all(caller, shelf=name)
    await servers.collections.remove(caller, name)
    await anyio.to_thread.run_sync(servers.refresh)


async def keep(servers: "Servers") -> None:
    """Does what is due now; one process at a time does it, the others find nothing left. What fails, fails alone."""
    library = servers.library
    for tenant in await anyio.to_thread.run_sync(unpurged, library):
        with _alone("An erasure is not finished yet", tenant):
            await purge(library, tenant)
    for tenant, collection, days in await servers.collections.timed():
        with _alone("Documents past their time are deleted later", tenant, collection):
            if past := await late(library, tenant, collection, days):
                # First: what the graph does not let go of now is found again as long as the documents are there.
                await anyio.to_thread.run_sync(_forget, servers, tenant, collection, past)
                gone = await expire(library, tenant, collection, days)
                log.info("The time of %d documents of the collection %s was over", len(gone), collection)
        with _alone("Tables past their time are deleted later", tenant, collection):
            if tables := await anyio.to_thread.run_sync(_forget_tables, servers, tenant, collection, days):
                log.info("The time of %d tables of the collection %s was over", tables, collection)
    await anyio.to_thread.run_sync(servers.refresh)
    for tenant in library.tenants or [Caller(subject="").tenant]:  # after a start nobody has asked yet
        with _alone("Vectors are made later", tenant):
            if made := await library.embed(tenant):
                log.info("%d documents have got their vectors", made)


@contextmanager
def _alone(what: str, *whose: str) -> Generator[None]:
    """What goes wrong within it waits for the next round, and holds up nothing else: no other tenant, either."""
    try:
        yield
    except PartiturError as error:
        log.warning("%s (%s): %s", what, ", ".join(whose), error.message)
    except (OSError, RuntimeError, ValueError):  # a damaged table: as LanceDB and DuckDB say it
        log.exception("%s (%s)", what, ", ".join(whose))


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
