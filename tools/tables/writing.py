"""Writes the next generation of tables, and takes tables out of it."""

import shutil
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from tools.base.errors import NotFound
from tools.generations import Generations
from tools.tables import Forgotten, TablesConfig
from tools.tables.keys import linked
from tools.tables.names import quoted, text
from tools.tables.store import generations
from tools.tables.stored import Stored, StoredTable

__all__ = ["Nothing", "Old", "Writing", "forget"]


def forget(
    config: TablesConfig,
    *,
    tenant: str,
    collection: str,
    tables: Iterable[str] | None = None,
    before: datetime | None = None,
) -> Forgotten:
    """Takes the tables of a collection out of the store: all, those named, or those loaded `before` a moment. Names that
    are not there count for nothing.

    What is left is written anew, so that no byte of them stays in the new generation. Older ones are removed once no
    reader holds them; `held` counts those.

    Raises:
        Unavailable: another process is loading.
    """
    store = generations(config)
    wanted = None if tables is None else set(tables)

    if store.current() is None:
        return Forgotten(tables=[], rows=0, held=0)
    gone: list[StoredTable] = []
    with suppress(Nothing), store.build() as folder:
        old = Old.of(store)
        gone = [
            table
            for name, table in old.stored.of_collection(tenant, collection).items()
            if (wanted is None or name in wanted) and (before is None or table.loaded < before)
        ]
        if not gone:
            raise Nothing
        with Writing(folder, config, old) as writing:
            writing.finish([table for table in old.stored.tables if table not in gone], fresh=())
    held = sum(1 for path in store.root.iterdir() if path.is_dir() and path.name.isdigit()) - 1
    return Forgotten(tables=[table.name for table in gone], rows=sum(table.rows for table in gone), held=held)


class Nothing(Exception):
    """Nothing could be loaded, or nothing is to be removed: the generation is given up."""


@dataclass(frozen=True)
class Old:
    """The generation before. The writer's lock is ours, so nobody removes its folder while we read it."""

    folder: Path | None
    stored: Stored

    @classmethod
    def of(cls, store: Generations) -> "Old":
        number = store.current()
        folder = store.root / f"{number:06d}" if number is not None else None
        if folder is not None:
            # One of an older version has no list we could carry over; its files have to be loaded again.
            with suppress(NotFound):
                return cls(folder, Stored.of(folder))
        return cls(None, Stored())


class Writing:
    """The database of the next generation, while it is written."""

    def __init__(self, folder: Path, config: TablesConfig, old: Old) -> None:
        self.folder = folder
        self.work = folder / "work"
        self.work.mkdir()
        limits = {"memory_limit": f"{config.memory_mb}MB", "temp_directory": str(folder / "spill")}
        self.connection = duckdb.connect(
            folder / "tables.duckdb", config={"python_enable_replacements": "false", "threads": "2", **limits}
        )
        if old.folder is not None:
            self.connection.execute(f"ATTACH {text(str(old.folder / 'tables.duckdb'))} AS old (READ_ONLY)")
        # From here on the contents have a say: nothing outside this folder can be reached any more.
        self.connection.execute(f"SET allowed_directories = [{text(str(folder))}]")
        self.connection.execute("SET enable_external_access = false")
        self.connection.execute("SET lock_configuration = true")
        self._here: set[str] = set()

    def __enter__(self) -> "Writing":
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def made(self, id: str) -> None:
        """Says that the table `id` is written already."""
        self._here.add(id)

    def finish(self, tables: Sequence[StoredTable], *, fresh: Iterable[str]) -> None:
        """Carries over those of `tables` that are not written yet, and puts their list beside them."""
        for table in tables:
            if table.id not in self._here:
                # Written anew rather than copied as a file: what was replaced leaves no bytes behind.
                self.connection.execute(f"CREATE TABLE {quoted(table.id)} AS FROM old.main.{quoted(table.id)}")
        Stored(tables=tuple(linked(self.connection, tables, fresh=fresh))).write(self.folder)
        self.connection.close()
        shutil.rmtree(self.work)
        shutil.rmtree(self.folder / "spill", ignore_errors=True)
