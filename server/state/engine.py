"""Connections to SQLite or PostgreSQL through SQLAlchemy: how each is set up, migrated once, and what its failures are called."""

import fcntl
import logging
import os
from asyncio import to_thread
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from pydantic import SecretStr
from sqlalchemy import URL, Connection, event, make_url, text
from sqlalchemy.exc import DataError, DBAPIError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from server.state.database import FILE
from server.state.migrating import migrate
from tools.base import InvalidInput, SetupError, Unavailable

__all__ = ["Engine"]

log = logging.getLogger(__name__)
_BUSY_MS = 30_000
"""How long a writer waits for another process's transaction; ours take milliseconds."""
_CONNECT_S = 10
_SCRUB_SQLITE = ("VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)")
_SCRUB_POSTGRESQL = ("VACUUM",)
_MIGRATION_LOCK = 0x7061727469747572
"""Key of the advisory lock under which tables are changed: 'partitur' in bytes."""


@dataclass(frozen=True)
class Engine:
    """An open database whose tables are of this version."""

    connections: AsyncEngine
    where: str
    """As messages name it: without a password."""
    one_writer: bool

    @classmethod
    async def open(cls, home: Path, url: SecretStr | None) -> "Engine":
        """Connects, and brings the tables up to date under a lock that all processes share.

        Raises:
            Unavailable: the database cannot be reached.
            SetupError: its tables are of a newer version, or it cannot be made.
        """
        if url is None:
            return await cls._sqlite(home / FILE)
        return await cls._postgresql(make_url(url.get_secret_value()))

    @classmethod
    async def _sqlite(cls, path: Path) -> "Engine":
        # No transactions of the driver's own making: ours begin as the block says, and hold what changes tables too.
        connections = create_async_engine(
            URL.create("sqlite+aiosqlite", database=str(path)), connect_args={"isolation_level": None}
        )
        event.listen(connections.sync_engine, "connect", _prepare_sqlite)
        event.listen(connections.sync_engine, "begin", _begin_sqlite)
        engine = cls(connections, f"The database {str(path)!r}", one_writer=True)
        lock = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            if not path.exists():
                os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            await to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
            await engine._migrate()
        except OSError as error:
            await connections.dispose()
            raise SetupError(
                f"The database {str(path)!r} cannot be made: {error.strerror}. Expected a folder that can be written to.",
                hint="Give the user that runs Partitur the right to write there, or set PARTITUR_HOME.",
            ) from error
        except BaseException:
            await connections.dispose()
            raise
        finally:
            if lock is not None:
                fcntl.flock(lock, fcntl.LOCK_UN)
                os.close(lock)
        return engine

    @classmethod
    async def _postgresql(cls, url: URL) -> "Engine":
        query = dict(url.query)
        if (mode := query.pop("sslmode", None)) is not None:  # libpq's name for what asyncpg calls ssl
            query["ssl"] = mode
        url = url.set(drivername="postgresql+asyncpg", query=query)
        connections = create_async_engine(
            url, pool_pre_ping=True, pool_size=10, max_overflow=10, connect_args={"timeout": _CONNECT_S}
        )
        where = f"The PostgreSQL database {url.database!r} at {url.host or 'this machine'}:{url.port or 5432}"
        engine = cls(connections, where, one_writer=False)
        try:
            await engine._migrate()
        except BaseException:
            await connections.dispose()
            raise
        return engine

    async def _migrate(self) -> None:
        async with self.transaction(write=True) as connection:
            if not self.one_writer:
                await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
            await connection.run_sync(migrate, self.where)

    @asynccontextmanager
    async def transaction(self, *, write: bool) -> AsyncGenerator[AsyncConnection]:
        """A transaction. See `Database`."""
        connection = self.connections.connect()
        try:
            await connection.start()
        except (OSError, DBAPIError) as error:
            raise self._unreachable(error) from error
        try:
            options: dict[str, Any] = {"partitur_write": write}
            if not (write or self.one_writer):
                options["postgresql_readonly"] = True
            await connection.execution_options(**options)
            async with connection.begin():
                yield connection
        except DBAPIError as error:
            if _unfit(error):
                raise InvalidInput(
                    "A value that was sent does not fit the database. Expected texts without NUL and numbers of 64 bits."
                ) from error
            if error.connection_invalidated or isinstance(error, OperationalError):
                raise self._unreachable(error) from error
            raise
        finally:
            await connection.close()

    async def scrub(self) -> None:
        """See `Database`. Outside of a transaction: neither database can do it within one."""
        async with self.connections.connect() as connection:
            raw = await connection.get_raw_connection()
            driver = raw.driver_connection
            assert driver is not None
            try:
                for statement in _SCRUB_SQLITE if self.one_writer else _SCRUB_POSTGRESQL:
                    await driver.execute(statement)
            except (OSError, DBAPIError) as error:
                raise self._unreachable(error) from error

    async def close(self) -> None:
        await self.connections.dispose()

    def _unreachable(self, error: Exception) -> Unavailable:
        """Where it lies, and why, is for the operator alone."""
        log.error("%s cannot be used: %s", self.where, error.orig if isinstance(error, DBAPIError) else error)
        return Unavailable(
            "The database does not answer. Expected it to be reachable.",
            hint="Try again in a moment; the log has the reason.",
        )


def _unfit(error: DBAPIError) -> bool:
    """Whether it is about a value: PostgreSQL's class 22, which the driver knows in part only."""
    state = cast("object", getattr(error.orig, "sqlstate", None))
    return isinstance(error, DataError) or (isinstance(state, str) and state.startswith("22"))


def _prepare_sqlite(connection: Any, record: object) -> None:  # Any: the driver's connection has no type
    cursor = connection.cursor()
    for pragma in (
        f"busy_timeout = {_BUSY_MS}",
        "journal_mode = WAL",
        "synchronous = NORMAL",
        "foreign_keys = ON",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    """A writer takes its turn before it reads, so that what it read still holds when it writes."""
    write = connection.get_execution_options().get("partitur_write", True)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
