"""Loads CSV and Parquet files as tables of a new generation; a file that fails, fails alone with its reason."""

import json
import re
import shutil
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import duckdb
from pydantic import JsonValue

from tools.base.errors import InvalidInput, NotFound, TooLarge
from tools.child import plain
from tools.csvfile import Dialect, utf8_copy
from tools.generations import Generations
from tools.tables import ColumnInfo, FileReport, LoadReport, TableInfo, TableSchema, TablesConfig
from tools.tables.columns import typed
from tools.tables.store import generations

__all__ = ["OnProgress", "load"]

OnProgress = Callable[[float, float, str], None]
"""Called with what is done, the total (both in bytes of the files) and a short message."""

_LONG = 2**20
"""Bytes from which the steps within a file are told, too."""
_SUFFIXES = (".csv", ".tsv", ".parquet")


def load(
    source: Path | Iterable[Path],
    *,
    config: TablesConfig,
    on_progress: OnProgress | None = None,
    replace: bool = False,
) -> LoadReport:
    """Loads a folder's or the given CSV, TSV and Parquet files; each becomes the table of its (sanitised) name.

    Tables of earlier loads are kept unless a file of the same name replaces them, or `replace` is set. A file that
    fails leaves its earlier table as it is.

    Raises:
        NotFound: the folder is not there or holds no such file.
        Unavailable: another process is loading.
    """
    files = _files(source)
    store = generations(config)
    try:
        with store.build() as folder:
            report = _Load(folder, config).run(files, on_progress or _silent, earlier=None if replace else store)
            if not any(file.table for file in report.files):
                raise _Nothing(report)
    except _Nothing as nothing:
        return nothing.report
    return report.model_copy(update={"generation": store.current()})


def _silent(done: float, total: float, message: str) -> None:
    """Where nobody wants to know."""


class _Nothing(Exception):
    """No file could be loaded: the generation is given up, the report is not."""

    def __init__(self, report: LoadReport) -> None:
        super().__init__()
        self.report = report


@dataclass
class _Load:
    folder: Path
    config: TablesConfig

    def run(self, files: list[Path], tell: OnProgress, *, earlier: Generations | None) -> LoadReport:
        database = self.folder / "tables.duckdb"
        work = self.folder / "work"
        work.mkdir()
        limits = {"memory_limit": f"{self.config.memory_mb}MB", "temp_directory": str(self.folder / "spill")}
        connection = duckdb.connect(database, config={"python_enable_replacements": "false", "threads": "2", **limits})
        try:
            old = self._attach(connection, earlier)
            # From here on the files' contents have a say: nothing outside this folder can be reached any more.
            connection.execute(f"SET allowed_directories = [{_text(str(self.folder))}]")
            connection.execute("SET enable_external_access = false")
            connection.execute("SET lock_configuration = true")
            tables: dict[str, TableInfo] = {}
            reports: list[FileReport] = []
            total = float(sum(path.stat().st_size for path in files if path.is_file())) or 1.0
            done = 0.0
            for path in files:
                size = path.stat().st_size if path.is_file() else 0
                tell(done, total, f"Loading {path.name}")

                def step(part: float, what: str, start: float = done, size: int = size, name: str = path.name) -> None:
                    if size > _LONG:
                        tell(start + part * size, total, f"Loading {name}: {what}")

                reports.append(self._file(connection, path, work, tables, step))
                done += size
            kept = self._keep(connection, old, tables)
            tell(total, total, f"{len(tables)} tables, {sum(table.rows for table in tables.values())} rows")
            if old:
                connection.execute("DETACH old")
        finally:
            connection.close()
        shutil.rmtree(work)
        shutil.rmtree(self.folder / "spill", ignore_errors=True)
        schema = TableSchema(tables=[tables[name] for name in sorted(tables)])
        (self.folder / "schema.json").write_text(schema.model_dump_json(indent=1), encoding="utf-8")
        return LoadReport(generation=None, files=reports, kept=kept)

    def _attach(self, connection: duckdb.DuckDBPyConnection, earlier: Generations | None) -> TableSchema | None:
        number = earlier.current() if earlier else None
        if earlier is None or number is None:
            return None
        # The writer's lock is ours, so nobody removes this folder while we read it.
        folder = earlier.root / f"{number:06d}"
        connection.execute(f"ATTACH {_text(str(folder / 'tables.duckdb'))} AS old (READ_ONLY)")
        return TableSchema.model_validate_json((folder / "schema.json").read_bytes())

    def _keep(
        self, connection: duckdb.DuckDBPyConnection, old: TableSchema | None, tables: dict[str, TableInfo]
    ) -> list[str]:
        kept = [table for table in (old.tables if old else []) if table.name not in tables]
        for table in kept:
            # Written anew rather than copied as a file: what was replaced leaves no bytes behind.
            connection.execute(f"CREATE TABLE {_quoted(table.name)} AS FROM old.main.{_quoted(table.name)}")
            tables[table.name] = table
        return [table.name for table in kept]

    def _file(
        self,
        connection: duckdb.DuckDBPyConnection,
        path: Path,
        work: Path,
        tables: dict[str, TableInfo],
        step: Callable[[float, str], None],
    ) -> FileReport:
        name = _unique(_sanitised(path.stem, "table"), tables)
        try:
            headers = self._read(connection, path, work, name, step)
            info = _describe(connection, name, path.name, headers)
        except (InvalidInput, NotFound) as error:
            reason = f"{error.message} Correct the file and load it again."
        except OSError as error:
            reason = f"It cannot be read: {error.strerror or error}. Expected a file with read permission."
        except duckdb.Error as error:
            reason = f"{_said(error, work)}. Expected lines with equal columns. Correct the file and load it again."
        else:
            tables[name] = info
            renamed = {column.header: column.name for column in info.columns if column.header != column.name}
            return FileReport(file=path.name, table=name, rows=info.rows, renamed=renamed)
        finally:
            for left in work.iterdir():
                left.unlink()
        connection.execute(f"DROP TABLE IF EXISTS {_quoted(name)}")
        return FileReport(file=path.name, failure=reason)

    def _read(
        self,
        connection: duckdb.DuckDBPyConnection,
        path: Path,
        work: Path,
        name: str,
        step: Callable[[float, str], None],
    ) -> dict[str, str]:
        """Creates the table; returns its columns' names in SQL with the headings they come from."""
        size = path.stat().st_size
        if size > self.config.file_mb * 2**20:
            raise TooLarge(f"It has {size / 2**20:.0f} MiB. Expected at most {self.config.file_mb} MiB.")
        copy = work / f"source{path.suffix.lower()}"
        if path.suffix.lower() == ".parquet":
            shutil.copyfile(path, copy)
            found = connection.execute(f"DESCRIBE FROM read_parquet({_text(str(copy))})").fetchall()
            headers = _columns([str(row[0]) for row in found], self.config.columns)
            chosen = ", ".join(f"{_quoted(header)} AS {_quoted(column)}" for column, header in headers.items())
            connection.execute(f"CREATE TABLE {_quoted(name)} AS SELECT {chosen} FROM read_parquet({_text(str(copy))})")
            return headers
        utf8_copy(path, copy)
        step(0.2, "splitting into columns")
        dialect = Dialect.of(copy)
        headers = _columns(list(dialect.headers), self.config.columns)
        types = ", ".join(f"{_text(column)}: 'VARCHAR'" for column in headers)
        connection.execute(
            f"CREATE TEMP TABLE raw AS FROM read_csv({_text(str(copy))}, auto_detect=false, header=true, quote='\"', "
            f"escape='\"', delim={_text(dialect.delimiter)}, columns={{{types}}}, strict_mode=true)"
        )
        try:
            found = len(headers)
            chosen = typed(
                connection,
                list(headers),
                on_column=lambda done: step(0.4 + 0.4 * done / found, f"{done} of {found} columns understood"),
            )
            connection.execute(f"CREATE TABLE {_quoted(name)} AS SELECT {chosen} FROM raw")
        finally:
            connection.execute("DROP TABLE IF EXISTS raw")
        return headers


def _said(error: duckdb.Error, work: Path) -> str:
    """DuckDB's reason without its advice about its own options and without the names of our working files."""
    text = str(error).split("Possible fixes")[0].split("LINE 1:")[0]
    text = re.sub("'?" + re.escape(str(work)) + r"[^\s']*'?", "the file", text)
    return "It cannot be read as a table: " + " ".join(text.split())[:400].rstrip(".")


def _files(source: Path | Iterable[Path]) -> list[Path]:
    if not isinstance(source, Path):
        return list(source)
    if source.is_file():
        return [source]
    if not source.is_dir():
        raise NotFound(f"The folder {str(source)!r} is not there. Expected a folder with CSV or Parquet files.")
    try:
        found = sorted(path for path in source.iterdir() if path.suffix.lower() in _SUFFIXES and path.is_file())
    except PermissionError as error:
        raise InvalidInput(
            f"The folder {str(source)!r} cannot be read: {error.strerror}. Expected one with read permission."
        ) from error
    if not found:
        raise NotFound(
            f"The folder {str(source)!r} holds no CSV or Parquet file. Expected files ending in {', '.join(_SUFFIXES)}."
        )
    return found


def _describe(connection: duckdb.DuckDBPyConnection, name: str, file: str, headers: dict[str, str]) -> TableInfo:
    table = _quoted(name)
    types = connection.execute(f"DESCRIBE {table}").fetchall()
    columns: list[ColumnInfo] = []
    for column, kind in ((str(row[0]), str(row[1])) for row in types):
        quoted = _quoted(column)
        values = connection.execute(
            f"SELECT {quoted} FROM {table} WHERE {quoted} IS NOT NULL GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 5"
        ).fetchall()
        samples = [_short(plain(row[0])) for row in values]
        columns.append(ColumnInfo(name=column, type=kind, header=headers[column], samples=samples))
        connection.execute(f"COMMENT ON COLUMN {table}.{quoted} IS {_text(headers[column])}")
    counted = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    return TableInfo(name=name, file=file, rows=int(counted[0]) if counted else 0, columns=columns)


def _short(value: object) -> JsonValue:
    if isinstance(value, int | float) or value is None:
        return value
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:79] + "…"


def _columns(headers: list[str], most: int) -> dict[str, str]:
    if len(headers) > most:
        raise TooLarge(f"It has {len(headers)} columns. Expected at most {most}.")
    columns: dict[str, str] = {}
    for position, header in enumerate(headers, 1):
        columns[_unique(_sanitised(header, f"column_{position}"), columns)] = header
    return columns


def _sanitised(text: str, otherwise: str) -> str:
    """A name that needs no quotes in SQL: lower-case ASCII letters, digits and '_', and no reserved word."""
    text = text.lower().translate({228: "ae", 246: "oe", 252: "ue", 223: "ss", 8364: "eur"})
    ascii_only = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii")
    name = re.sub(r"[^a-z0-9]+", "_", ascii_only).strip("_")[:60] or otherwise
    if name[0].isdigit():
        name = f"_{name}"
    return f"{name}_" if name in _RESERVED else name


def _unique(name: str, taken: dict[str, str] | dict[str, TableInfo]) -> str:
    found, number = name, 2
    while found in taken:
        found, number = f"{name}_{number}", number + 1
    return found


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


# fmt: off
_RESERVED = frozenset({
    "all", "analyse", "analyze", "and", "any", "array", "as", "asc", "asymmetric", "both", "case", "cast", "check",
    "collate", "column", "constraint", "create", "default", "deferrable", "desc", "describe", "distinct", "do",
    "else", "end", "except", "false", "fetch", "for", "foreign", "from", "group", "having", "in", "initially",
    "intersect", "into", "lambda", "lateral", "leading", "limit", "not", "null", "offset", "on", "only", "or",
    "order", "pivot", "placing", "primary", "qualify", "references", "returning", "select", "show", "some",
    "summarize", "symmetric", "table", "then", "to", "trailing", "true", "union", "unique", "unpivot", "using",
    "variadic", "when", "where", "window", "with",
})
# fmt: on
