"""The tables' store: queries go to sandboxed engines on the newest generation, errors come back with a way out."""

import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from threading import Event
from typing import Any

from tools.base.access import Reach
from tools.base.errors import Failed, InvalidInput, NotFound, PartiturError, Refused, TimedOut, TooLarge
from tools.generations import Following, Generations
from tools.tables import TableQuery, TableResult, TableSchema, TableSchemaQuery, TablesConfig
from tools.worker import Workers

__all__ = ["Tables", "generations"]

_MISSING_COLUMN = re.compile(r"[Cc]olumn \"([^\"]+)\" not found|does not have a column named \"([^\"]+)\"")
_MISSING_FUNCTION = re.compile(r"Function with name (\S+) does not exist")


def generations(config: TablesConfig) -> Generations:
    """The store's folder."""
    return Generations(
        config.home, what="table store", fill="Load CSV or Parquet files with 'partitur load tables FOLDER'"
    )


class Tables:
    """What the tool server asks; safe from any thread.

    It follows the store: a generation that is loaded beside it is seen by the next query.
    """

    def __init__(self, config: TablesConfig) -> None:
        self._config = config
        self._following = Following(generations(config), opens=self._open, closes=_Opened.close)

    def query(self, asked: TableQuery, *, reach: Reach, stop: Event | None = None) -> TableResult:
        """The rows of one SELECT over what `reach` admits; `stop` ends it early.

        Raises:
            Refused: the statement is more than one plain SELECT.
            NotFound: a table that is not there; the message names the nearest one.
            InvalidInput: the SQL is wrong; the message says where.
            TimedOut, TooLarge: over the limits of the settings.
        """
        limit = min(asked.limit, self._config.rows)
        with self._following.use() as opened:
            request = {"sql": asked.sql, "limit": limit}
            reply = opened.workers.ask(request, seconds=self._config.seconds, stop=stop)
        if "error" in reply:
            raise self._explain(reply, opened.schema)
        rows = reply["rows"]
        return TableResult(columns=reply["columns"], rows=rows, truncated=reply["truncated"], row_count=len(rows))

    def schema(self, asked: TableSchemaQuery, *, reach: Reach) -> TableSchema:
        """The tables that `reach` admits, with columns, types, samples and numbers of rows.

        Raises:
            NotFound: no such table; the message names the nearest one.
        """
        with self._following.use() as opened:
            schema = opened.schema
        if asked.table is None:
            return schema
        found = [table for table in schema.tables if table.name == asked.table.lower()]
        if not found:
            raise _no_table(asked.table, schema)
        return TableSchema(tables=found)

    def close(self) -> None:
        """Ends the engines."""
        self._following.close()

    def _open(self, folder: Path) -> "_Opened":
        schema = TableSchema.model_validate_json((folder / "schema.json").read_bytes())
        workers = Workers(
            Path(__file__).with_name("engine.py"),
            package="duckdb",
            settings={"file": str(folder / "tables.duckdb"), "memory_mb": self._config.memory_mb, "locked": True},
            what="table",
            count=self._config.workers,
            cwd=folder,
        )
        return _Opened(schema, workers)

    def _explain(self, reply: Mapping[str, Any], schema: TableSchema) -> PartiturError:
        said = " ".join(str(reply["error"]).split("LINE ")[0].split())
        match reply["kind"]:
            case "refused":
                return Refused(
                    f"The SQL was refused: {said}. Expected exactly one SELECT over the loaded tables.",
                    hint="Send one SELECT statement; 'tables.schema' lists the tables.",
                )
            case "table":
                return _no_table(said, schema)
            case "time":
                return TimedOut(
                    f"The table query ran longer than {self._config.seconds:g} seconds and was stopped. "
                    "Expected a query that needs less work.",
                    hint="Narrow it with WHERE, or join on keys.",
                )
            case "size":
                return TooLarge(
                    "One row of the result has more than 2,000,000 characters. Expected smaller rows.",
                    hint="Return fewer or shorter values at once.",
                )
            case "memory":
                return TooLarge(
                    f"The table query needs more memory than its {self._config.memory_mb} MiB: {said[:200]}. "
                    "Expected a query that needs less.",
                    hint="Select fewer columns or rows, or aggregate first.",
                )
            case "sql":
                return _wrong(said, schema)
            case kind:
                return Failed(f"The table engine failed ({kind}): {said[:300]}. Expected rows.")


class _Opened:
    def __init__(self, schema: TableSchema, workers: Workers) -> None:
        self.schema = schema
        self.workers = workers

    def close(self) -> None:
        self.workers.close()


def _no_table(name: str, schema: TableSchema) -> NotFound:
    names = [table.name for table in schema.tables]
    return NotFound(
        f"The table {name!r} is not there. The store has {_listed(names)}.",
        hint=_nearest(name, names) or "Ask 'tables.schema' for the tables.",
    )


def _wrong(said: str, schema: TableSchema) -> InvalidInput:
    if match := _MISSING_COLUMN.search(said):
        name = match[1] or match[2]
        columns = sorted({column.name for table in schema.tables for column in table.columns})
        where = [table.name for table in schema.tables for column in table.columns if column.name == name.lower()]
        if where:
            hint = f"It is a column of {_listed(where)}: put that table into FROM or JOIN."
        else:
            hint = _nearest(name, columns) or "Ask 'tables.schema' for the columns."
        return InvalidInput(f"The column {name!r} is not in the tables asked. They have {_listed(columns)}.", hint=hint)
    if match := _MISSING_FUNCTION.search(said):
        return InvalidInput(
            f"The function {match[1]!r} is not there. Expected a function of DuckDB.", hint=said.partition("! ")[2]
        )
    return InvalidInput(
        f"The SQL is wrong: {said[:500]}. Expected one SELECT in DuckDB's SQL.",
        hint="Correct it and send it again; 'tables.schema' lists tables and columns.",
    )


def _listed(names: list[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:30])
    return (f"{shown} and {len(names) - 30} more" if len(names) > 30 else shown) or "no tables"


def _nearest(name: str, names: list[str]) -> str:
    found = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.5)
    return f"Did you mean {found[0]!r}?" if found else ""
