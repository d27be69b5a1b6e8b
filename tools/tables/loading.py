"""Loads files, workbooks and databases as tables of a new generation; a table that fails, fails alone with its reason."""

import re
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from tools.base.access import DEFAULT
from tools.base.errors import InvalidInput, NotFound, PartiturError, Unavailable
from tools.child import plain
from tools.tables import FileReport, LoadReport, TablesConfig
from tools.tables.attached import Database
from tools.tables.binding import bound, kept
from tools.tables.facts import facts_of, facts_sql
from tools.tables.names import quoted, sanitised, unique
from tools.tables.origins import File, Origin, Raw, Step, create
from tools.tables.policy import Policy, TablePolicy, policy_beside
from tools.tables.store import generations
from tools.tables.stored import StoredColumn, StoredTable
from tools.tables.workbook import Workbook
from tools.tables.writing import Nothing, Old, Writing

__all__ = ["OnProgress", "load", "load_attached"]

OnProgress = Callable[[float, float, str], None]
"""Called with what is done, the total (both in bytes of the files) and a short message."""

_LONG = 2**20
"""Bytes from which the steps within a file are told, too."""
_SUFFIXES = (".csv", ".tsv", ".parquet", ".xlsx")


def load(
    source: Path | Iterable[Path],
    *,
    config: TablesConfig,
    tenant: str = "default",
    collection: str = DEFAULT,
    policy: Path | None = None,
    on_progress: OnProgress | None = None,
    replace: bool = False,
) -> LoadReport:
    """Loads a folder's or the given CSV, TSV, Parquet and XLSX files; each becomes the table of its (sanitised) name,
    each sheet of a workbook one of both names.

    Tables of earlier loads are kept unless one of the same name and collection replaces them, or `replace` is set for
    those of this collection. A file that fails leaves its earlier table as it is. What `policy`, or the policies in the
    folder, do not speak of keeps the policy it had.

    Raises:
        NotFound: the folder is not there or holds no such file.
        InvalidInput: a policy cannot be read, or speaks of a table that is not there.
        Unavailable: another process is loading.
    """
    files = _files(source)
    said = policy_beside(source) if isinstance(source, Path) and source.is_dir() else Policy()
    if policy is not None:
        said = Policy.read(policy).beside(said)
    origins = [Workbook(path) if path.suffix.lower() == ".xlsx" else File(path) for path in files]
    place = _Place(config, tenant, collection)
    return place.load(origins, said, on_progress or _silent, replace=replace)


def load_attached(
    name: str,
    *,
    config: TablesConfig,
    tenant: str = "default",
    collection: str = DEFAULT,
    policy: Path | None = None,
    on_progress: OnProgress | None = None,
) -> LoadReport:
    """Loads the tables of the database that the settings attach as `name`; as they are there now, until the next load.

    Raises:
        NotFound: the settings name no such database.
        InvalidInput: the policy cannot be read, or speaks of a table that is not there.
        Unavailable: another process is loading.
    """
    if name not in config.attached:
        known = ", ".join(map(repr, sorted(config.attached))) or "none"
        raise NotFound(
            f"The database {name!r} is not attached. The settings have {known}.",
            hint=f"Name it under [tables.attached.{name}] in partitur.toml.",
        )
    said = Policy.read(policy) if policy is not None else Policy()
    place = _Place(config, tenant, collection)
    return place.load([Database(name, config.attached[name])], said, on_progress or _silent, replace=False)


def _silent(done: float, total: float, message: str) -> None:
    """Where nobody wants to know."""


@dataclass
class _Place:
    """Where a load puts its tables."""

    config: TablesConfig
    tenant: str
    collection: str
    loaded: dict[str, StoredTable] = field(default_factory=dict[str, StoredTable])
    spoken: set[str] = field(default_factory=set[str])
    """Names under which a policy may speak of what was read."""

    def load(self, origins: Sequence[Origin], policy: Policy, tell: OnProgress, *, replace: bool) -> LoadReport:
        store = generations(self.config)
        reports: list[FileReport] = []
        carried: list[str] = []
        try:
            with store.build() as folder:
                old = Old.of(store)
                mine = old.stored.of_collection(self.tenant, self.collection)
                with Writing(folder, self.config, old) as writing:
                    reports = self._all(writing, origins, policy, mine, tell)
                    if not self.loaded:
                        raise Nothing
                    self._all_spoken_of(policy, reports)
                    stay = [
                        table
                        for table in old.stored.tables
                        if mine.get(table.name) is not table or not (replace or table.name in self.loaded)
                    ]
                    carried = [table.name for table in stay if mine.get(table.name) is table]
                    fresh = {table.id for table in self.loaded.values()}
                    writing.finish([*stay, *self.loaded.values()], fresh=fresh)
        except Nothing:
            return LoadReport(generation=None, files=reports)
        return LoadReport(generation=store.current(), files=reports, kept=carried)

    def _all(
        self,
        writing: Writing,
        origins: Sequence[Origin],
        policy: Policy,
        mine: dict[str, StoredTable],
        tell: OnProgress,
    ) -> list[FileReport]:
        reports: list[FileReport] = []
        total = float(sum(origin.size for origin in origins)) or 1.0
        done = 0.0
        for origin in origins:
            size, name = origin.size, origin.name
            tell(done, total, f"Loading {name}")

            def step(part: float, what: str, start: float = done, size: int = size, name: str = name) -> None:
                if size > _LONG:
                    tell(start + part * size, total, f"Loading {name}: {what}")

            try:
                for raw in origin.tables(writing.work, self.config, step):
                    reports.append(self._one(writing, raw, policy, mine, step))
            except (PartiturError, OSError) as error:
                reports.append(FileReport(file=name, failure=_reason(error, writing.work)))
            finally:
                for left in writing.work.iterdir():
                    left.unlink()
            done += size
        tell(total, total, f"{len(self.loaded)} tables, {sum(table.rows for table in self.loaded.values())} rows")
        return reports

    def _one(
        self,
        writing: Writing,
        raw: Raw,
        policy: Policy,
        mine: dict[str, StoredTable],
        step: Step,
    ) -> FileReport:
        connection, id = writing.connection, f"t{secrets.token_hex(8)}"
        name = unique(sanitised(raw.words, "table"), self.loaded)
        self.spoken |= {name, raw.words}
        try:
            headers = create(connection, id, raw, most=self.config.columns, step=step)
            table = self._described(connection, id, name, raw, headers)
            said = policy.tables.get(name) or policy.tables.get(raw.words)
            table = bound(connection, table, said or TablePolicy(), raw.comments)
            if said is None and name in mine:
                table = kept(table, mine[name])
            table = table.model_copy(update={"columns": self._facts(connection, table)})
        except (InvalidInput, NotFound, OSError, duckdb.Error) as error:
            connection.execute(f"DROP TABLE IF EXISTS {quoted(id)}")
            return FileReport(file=raw.file, failure=_reason(error, writing.work))
        writing.made(id)
        self.loaded[name] = table
        renamed = {column.header: column.name for column in table.columns if column.header != column.name}
        return FileReport(file=raw.file, table=name, rows=table.rows, renamed=renamed)

    def _described(
        self, connection: duckdb.DuckDBPyConnection, id: str, name: str, raw: Raw, headers: dict[str, str]
    ) -> StoredTable:
        types = connection.execute(f"DESCRIBE {quoted(id)}").fetchall()
        counted = connection.execute(f"SELECT count(*) FROM {quoted(id)}").fetchone()
        return StoredTable(
            id=id,
            tenant=self.tenant,
            collection=self.collection,
            name=name,
            file=raw.file,
            loaded=datetime.now(UTC),
            rows=int(counted[0]) if counted else 0,
            columns=tuple(
                StoredColumn(name=str(row[0]), type=str(row[1]), header=headers[str(row[0])]) for row in types
            ),
        )

    def _facts(self, connection: duckdb.DuckDBPyConnection, table: StoredTable) -> tuple[StoredColumn, ...]:
        """The columns with what all rows hold; without, where callers see some of the rows only."""
        if table.rules is not None:
            return table.columns
        found: list[StoredColumn] = []
        for column in table.columns:
            row = connection.execute(facts_sql(quoted(table.id), column.name, column.type)).fetchone()
            assert row is not None
            found.append(column.model_copy(update={"facts": facts_of([plain(value) for value in row])}))
        return tuple(found)

    def _all_spoken_of(self, policy: Policy, reports: Sequence[FileReport]) -> None:
        """A policy for a table that is not there is a slip of the pen that would leave another table open."""
        failed = tuple(sanitised(report.file.partition(".")[0], "table") for report in reports if report.failure)
        for name in policy.tables:
            if name not in self.spoken and not sanitised(name, "table").startswith(failed):
                shown = ", ".join(map(repr, sorted(self.loaded)))
                raise InvalidInput(
                    f"The policy speaks of the table {name!r}, which was not loaded. Expected one of {shown}.",
                    hint="Correct the name; nothing was changed.",
                )


def _reason(error: Exception, work: Path) -> str:
    """Why a table was not loaded, and what to do."""
    match error:
        case Unavailable():
            return f"{error.message} Expected a smaller or simpler file."
        case PartiturError():
            return f"{error.message} Correct the file and load it again."
        case OSError():
            return f"It cannot be read: {error.strerror or error}. Expected a file with read permission."
        case _:
            # DuckDB's reason without its advice about its own options and without the names of our working files.
            said = str(error).split("Possible fixes")[0].split("LINE 1:")[0]
            said = re.sub("'?" + re.escape(str(work)) + r"[^\s']*'?", "the file", said)
            said = " ".join(said.split())[:400].rstrip(".")
            return (
                f"It cannot be read as a table: {said}. Expected lines with equal columns. "
                "Correct the file and load it again."
            )


def _files(source: Path | Iterable[Path]) -> list[Path]:
    if not isinstance(source, Path):
        return list(source)
    if source.is_file():
        return [source]
    if not source.is_dir():
        raise NotFound(f"The folder {str(source)!r} is not there. Expected a folder with CSV, Parquet or XLSX files.")
    try:
        found = sorted(path for path in source.iterdir() if path.suffix.lower() in _SUFFIXES and path.is_file())
    except PermissionError as error:
        raise InvalidInput(
            f"The folder {str(source)!r} cannot be read: {error.strerror}. Expected one with read permission."
        ) from error
    if not found:
        raise NotFound(
            f"The folder {str(source)!r} holds no CSV, Parquet or XLSX file. "
            f"Expected files ending in {', '.join(_SUFFIXES)}."
        )
    return found
