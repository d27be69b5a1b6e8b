"""Copies tables out of PostgreSQL: over one connection, in one read-only snapshot, with a limit of time for each."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, TypeVar, cast

import asyncpg

from tools.base.errors import InvalidInput, TimedOut, TooLarge, Unavailable

__all__ = ["Source"]

T = TypeVar("T")
_TYPES = {
    "int2": "SMALLINT",
    "int4": "INTEGER",
    "int8": "BIGINT",
    "float4": "FLOAT",
    "float8": "DOUBLE",
    "bool": "BOOLEAN",
    "date": "DATE",
    "time": "TIME",
    "timestamp": "TIMESTAMP",
    "timestamptz": "TIMESTAMPTZ",
}
"""Everything else is text, but for numbers with fixed places."""
_CONNECT = 30


class _Connection(Protocol):
    """What is used of asyncpg, which says of no argument and no result what it is."""

    async def execute(self, query: str) -> str: ...
    async def fetch(self, query: str, *args: object) -> list[tuple[str, ...]]: ...
    async def copy_from_query(
        self, query: str, *, output: Callable[[bytes], Awaitable[None]], format: str, header: bool
    ) -> str: ...
    def terminate(self) -> None: ...


_connect = cast("Callable[..., Coroutine[object, object, _Connection]]", asyncpg.connect)


class Source:
    """A PostgreSQL database; its tables and views are of one moment. To be used where no event loop runs."""

    def __init__(self, url: str, schemas: Sequence[str], seconds: float, most_mb: int) -> None:
        self._url = url
        self._schemas = list(schemas)
        self._seconds = seconds
        self._most_mb = most_mb
        self._runner = asyncio.Runner()
        self._connection: _Connection | None = None

    def __enter__(self) -> Self:
        try:
            self._connection = self._run(self._connect())
        except BaseException:
            self._runner.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.terminate()
        self._runner.close()

    def tables(self) -> list[str]:
        """Tables and views by name, as `schema.table` where it is not the first schema."""
        found = self._run(
            self._open.fetch(
                "SELECT table_schema, table_name FROM information_schema.tables "
                "WHERE table_schema = ANY($1::text[]) ORDER BY array_position($1::text[], table_schema::text), table_name",
                self._schemas,
            )
        )
        return [row[1] if row[0] == self._schemas[0] else f"{row[0]}.{row[1]}" for row in found]

    def copy(self, table: str, target: Path) -> tuple[list[str], dict[int, str]]:
        """Writes the table as CSV; returns its headings and the types of those columns that are not text."""
        return self._run(self._copy(table, target))

    @property
    def _open(self) -> _Connection:
        assert self._connection is not None
        return self._connection

    async def _connect(self) -> _Connection:
        settings = {
            "default_transaction_read_only": "on",
            "statement_timeout": str(int(self._seconds * 1000)),
            "datestyle": "ISO, YMD",
            "timezone": "UTC",
            "bytea_output": "hex",
        }
        connection = await _connect(self._url, timeout=_CONNECT, server_settings=settings)
        # One snapshot for all tables, and a second word against writing: the first could be taken back.
        await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        return connection

    async def _copy(self, table: str, target: Path) -> tuple[list[str], dict[int, str]]:
        schema, _, name = table.rpartition(".") if self._is_qualified(table) else (self._schemas[0], "", table)
        source = f"{_quoted(schema)}.{_quoted(name)}"
        described = await self._open.fetch(
            "SELECT a.attname, t.typname, format_type(a.atttypid, a.atttypmod) FROM pg_attribute a "
            "JOIN pg_type t ON t.oid = a.atttypid "
            "WHERE a.attrelid = $1::text::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
            source,
        )
        limit, written = self._most_mb * 2**20, 0
        with target.open("wb") as file:

            async def take(piece: bytes) -> None:
                nonlocal written
                written += len(piece)
                if written > limit:
                    raise TooLarge(
                        f"The table {table!r} has more than {self._most_mb} MiB. Expected at most that.",
                        hint="Make a view with less, and name it in the settings.",
                    )
                file.write(piece)

            await self._open.copy_from_query(f"SELECT * FROM {source}", output=take, format="csv", header=True)
        types = {at: kind for at, row in enumerate(described) if (kind := _type(row[1], row[2])) is not None}
        return [row[0] for row in described], types

    def _is_qualified(self, table: str) -> bool:
        return any(table.startswith(f"{schema}.") for schema in self._schemas[1:])

    def _run(self, work: Coroutine[object, object, T]) -> T:
        with _told(self._seconds):
            return self._runner.run(work)


@contextmanager
def _told(seconds: float) -> Generator[None]:
    """Within it, errors are ours. The address is in none of them: it may hold a password."""
    try:
        yield
    except asyncpg.QueryCanceledError as error:
        raise TimedOut(
            f"Reading from PostgreSQL took longer than {seconds:g} seconds. Expected less at once.",
            hint="Give it more 'seconds' in the settings, or make a view with less.",
        ) from error
    except (
        OSError,
        TimeoutError,
        asyncpg.PostgresConnectionError,
        asyncpg.InvalidAuthorizationSpecificationError,
    ) as error:
        raise Unavailable(
            f"PostgreSQL cannot be reached: {type(error).__name__}. Expected it at the address in the settings, "
            "with the user and password given there."
        ) from error
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise InvalidInput(f"PostgreSQL refused: {error}. Expected tables that this user may read.") from error


def _type(name: str, written: str) -> str | None:
    if name == "numeric" and "(" in written:
        places = written.partition("(")[2].rstrip(")").split(",")
        digits = int(places[0])
        return f"DECIMAL({digits},{places[1]})" if digits <= 38 and len(places) == 2 and int(places[1]) >= 0 else None
    return _TYPES.get(name)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
