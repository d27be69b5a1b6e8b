"""The database of an installation: SQLite in the home for one machine, PostgreSQL for many, opened at first use."""

import asyncio
import importlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from server.state.engine import Engine

__all__ = ["FILE", "Database"]

FILE = "state.db"
"""Of SQLite, in the home."""


class Database:
    """Transactions of this process. The first one opens the database and brings its tables up to date.

    Args:
        home: where `state.db` lies.
        url: a PostgreSQL database instead, as the setting `database` names it.
    """

    def __init__(self, home: Path, url: SecretStr | None = None) -> None:
        self._home = home
        self._url = url
        self._engine: Engine | None = None
        self._opening = asyncio.Lock()
        self._writing = asyncio.Lock()

    @asynccontextmanager
    async def begin(self) -> AsyncGenerator["AsyncConnection"]:
        """A transaction that may write; committed when the block is left, rolled back when an error leaves it.

        Keep it short, and wait for nothing else inside: on SQLite there is one writer at a time.

        Raises:
            Unavailable: the database cannot be reached.
            SetupError: its tables are of a newer version, or it cannot be made.
        """
        engine = await self._opened()
        if engine.one_writer:
            # Tasks of this process wait here, in order; the file's own lock is for other processes.
            async with self._writing, engine.transaction(write=True) as connection:
                yield connection
        else:
            async with engine.transaction(write=True) as connection:
                yield connection

    @asynccontextmanager
    async def read(self) -> AsyncGenerator["AsyncConnection"]:
        """A transaction that only reads: it waits for no writer and keeps none waiting.

        Raises:
            Unavailable: the database cannot be reached.
            SetupError: its tables are of a newer version, or it cannot be made.
        """
        engine = await self._opened()
        async with engine.transaction(write=False) as connection:
            yield connection

    @property
    def there(self) -> bool:
        """Whether somebody has made it: there is something to look for in it."""
        return self._engine is not None or self._url is not None or (self._home / FILE).exists()

    async def open(self) -> str:
        """Opens it now, as every transaction does by itself; says where it lies, without a password."""
        return (await self._opened()).where

    async def scrub(self) -> None:
        """Overwrites on the disk what was deleted before: VACUUM, and on SQLite the write-ahead log, too."""
        engine = await self._opened()
        async with self._writing:
            await engine.scrub()

    async def close(self) -> None:
        """Closes its connections; a later transaction opens it again."""
        engine, self._engine = self._engine, None
        if engine is not None:
            await engine.close()

    async def _opened(self) -> "Engine":
        if self._engine is None:
            async with self._opening:
                if self._engine is None:
                    # The import takes its time, and must not hold up the event loop.
                    await asyncio.to_thread(importlib.import_module, "server.state.engine")
                    from server.state.engine import Engine

                    self._engine = await Engine.open(self._home, self._url)
        return self._engine
