"""Databases whose tables can be loaded: read as they are at the moment of the load, and never written."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from tools.base.errors import NotFound
from tools.tables import Attached, TablesConfig
from tools.tables.origins import Raw, Step

__all__ = ["Database"]


@dataclass(frozen=True, slots=True)
class Database:
    """A database that the settings name."""

    name: str
    attached: Attached

    @property
    def size(self) -> int:
        """Not known before it is read."""
        return 0

    def tables(self, work: Path, config: TablesConfig, step: Step) -> Iterator[Raw]:
        """See `Origin`.

        Raises:
            NotFound: the database, or a table that the settings name, is not there.
            InvalidInput: it cannot be read.
            TooLarge: a table has more than `file_mb`.
            TimedOut: reading a table took longer than the settings allow.
        """
        url = self.attached.url.get_secret_value()
        if url.startswith("sqlite:///"):
            from tools.tables.sqlite import Source

            source = Source(Path(unquote(url.removeprefix("sqlite:///"))), self.attached.seconds, config.file_mb)
        else:
            from tools.tables.postgresql import Source

            schemas = self.attached.schemas or ("public",)
            source = Source(url, schemas, self.attached.seconds, config.file_mb)
        with source:
            for position, table in enumerate(self._wanted(source.tables())):
                step(0, table)
                path = work / f"table{position}.csv"
                headers, types = source.copy(table, path)
                yield Raw(table, f"{self.name}: {table}", path, headers=tuple(headers), types=types)

    def _wanted(self, there: Sequence[str]) -> Sequence[str]:
        if missing := [table for table in self.attached.tables if table not in there]:
            raise NotFound(
                f"The database {self.name!r} has no table {missing[0]!r}. Expected the tables that the settings name.",
                hint="Correct the settings; views can be named, too.",
            )
        return [table for table in there if not self.attached.tables or table in self.attached.tables]
