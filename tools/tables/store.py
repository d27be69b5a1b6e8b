"""The tables' store: queries go to sandboxed engines on the newest generation, errors come back with a way out."""

import difflib
import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

from tools.base.access import Reach
from tools.base.errors import Failed, InvalidInput, NotFound, PartiturError, Refused, TimedOut, TooLarge
from tools.generations import Following, Generations
from tools.tables import TableInfo, TableQuery, TableResult, TableSchema, TableSchemaQuery, TablesConfig
from tools.tables.facts import facts_of, facts_sql
from tools.tables.markdown import markdown
from tools.tables.names import quoted
from tools.tables.stored import Facts, Stored, View
from tools.worker import Workers

__all__ = ["Tables", "generations"]

_MISSING_COLUMN = re.compile(r"[Cc]olumn \"([^\"]+)\" not found|does not have a column named \"([^\"]+)\"")
_MISSING_FUNCTION = re.compile(r"Function with name (\S+) does not exist")

_REMEMBERED = 256
"""Views whose facts are kept."""


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
        self._generations = generations(config)
        self._following = Following(self._generations, opens=self._open, closes=_Opened.close)

    def query(self, asked: TableQuery, *, reach: Reach, stop: Event | None = None) -> TableResult:
        """The rows of one SELECT over what `reach` admits; `stop` ends it early.

        Raises:
            Refused: the statement is more than one plain SELECT.
            NotFound: a table that is not there for this caller; the message names the nearest one that is.
            InvalidInput: the SQL is wrong; the message says where.
            TimedOut, TooLarge: over the limits of the settings.
        """
        limit = min(asked.limit, self._config.rows)
        with self._use(reach) as (opened, views):
            result = self._ask(opened, views, asked.sql, limit, stop)
        if asked.markdown:
            return result.model_copy(update={"markdown": markdown(result.columns, result.rows)})
        return result

    def schema(self, asked: TableSchemaQuery, *, reach: Reach) -> TableSchema:
        """The tables that `reach` admits, with what their columns mean and hold and the number of their rows: of what
        the caller sees, and of nothing else.

        Raises:
            NotFound: no such table for this caller; the message names the nearest one that is.
        """
        with self._use(reach) as (opened, views):
            if asked.table is None:
                wanted = list(views.values())
            elif asked.table.lower() in views:
                wanted = [views[asked.table.lower()]]
            else:
                raise _no_table(asked.table, views)
            seen = {view.table.id: view for view in views.values()}
            return TableSchema(tables=[self._described(opened, view, seen) for view in wanted])

    def close(self) -> None:
        """Ends the engines."""
        self._following.close()

    def refresh(self) -> None:
        """Lets go of a generation that has been replaced: a store that is not asked would keep what was taken out."""
        self._following.refresh()

    @contextmanager
    def _use(self, reach: Reach) -> "Generator[tuple[_Opened, dict[str, View]]]":
        """The newest generation and what the caller sees of it. An empty store, and one that holds nothing for this
        caller, are the same: nobody learns that others have tables."""
        if self._generations.current() is not None:
            with self._following.use() as opened:
                if views := opened.stored.seen_by(reach):
                    yield opened, views
                    return
        raise NotFound(
            "There are no tables for you. Expected some to be loaded into a collection that you may read.",
            hint="Load CSV or Parquet files with 'partitur load tables FOLDER'.",
        )

    def _open(self, folder: Path) -> "_Opened":
        workers = Workers(
            Path(__file__).with_name("engine.py"),
            package="duckdb",
            settings={"file": str(folder / "tables.duckdb"), "memory_mb": self._config.memory_mb, "locked": True},
            what="table",
            count=self._config.workers,
            cwd=folder,
        )
        return _Opened(Stored.of(folder), workers)

    def _ask(
        self,
        opened: "_Opened",
        views: Mapping[str, View],
        sql: str,
        limit: int,
        stop: Event | None = None,
        *,
        ours: bool = False,
    ) -> TableResult:
        """`ours` is a statement that no caller has a say in."""
        # Names are plain ASCII, so a table that is asked stands in the text as it is called; others need not travel.
        said = sql.lower()
        asked = {name: view.definition() for name, view in views.items() if name in said}
        request = {"sql": sql, "limit": limit, "views": asked, "ours": ours}
        reply = opened.workers.ask(request, seconds=self._config.seconds, stop=stop)
        if "error" in reply:
            raise self._explain(reply, views)
        rows = reply["rows"]
        return TableResult(columns=reply["columns"], rows=rows, truncated=reply["truncated"], row_count=len(rows))

    def _described(self, opened: "_Opened", view: View, seen: dict[str, View]) -> TableInfo:
        if view.table.rules is None:
            facts = {column.name: column.facts for column in view.columns if column.facts is not None}
            return view.info(rows=view.table.rows, facts=facts, seen=seen)
        if (known := opened.facts.get(view.key)) is None:
            # Of the caller's rows, so it is asked in the sandbox.
            rows = self._ask(opened, {view.name: view}, f"SELECT count(*) FROM {quoted(view.name)}", 1, ours=True).rows
            facts: dict[str, Facts] = {}
            for column in view.columns:
                sql = facts_sql(quoted(view.name), column.name, column.type)
                try:
                    facts[column.name] = facts_of(self._ask(opened, {view.name: view}, sql, 1, ours=True).rows[0])
                except (TimedOut, TooLarge):
                    facts[column.name] = Facts()
            known = (int(str(rows[0][0])), facts)
            opened.remember(view.key, known)
        return view.info(rows=known[0], facts=known[1], seen=seen)

    def _explain(self, reply: Mapping[str, Any], views: Mapping[str, View]) -> PartiturError:
        said = " ".join(str(reply["error"]).split("LINE ")[0].split())
        match reply["kind"]:
            case "refused":
                return Refused(
                    f"The SQL was refused: {said}. Expected exactly one SELECT over the loaded tables.",
                    hint="Send one SELECT statement; 'tables.schema' lists the tables.",
                )
            case "table":
                return _no_table(said, views)
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
            case "copy":
                return TooLarge(
                    f"The rows that you may see do not fit into the {self._config.memory_mb} MiB of a query. "
                    "Expected tables with row rules to be smaller, or more memory.",
                    hint="Ask for more 'memory_mb' under [tables], or for a table with less.",
                )
            case "sql":
                return _wrong(said, views)
            case kind:
                return Failed(f"The table engine failed ({kind}): {said[:300]}. Expected rows.")


class _Opened:
    """A generation, its engines, and what callers have asked of tables they see in part."""

    def __init__(self, stored: Stored, workers: Workers) -> None:
        self.stored = stored
        self.workers = workers
        self.facts: dict[str, tuple[int, dict[str, Facts]]] = {}

    def remember(self, key: str, facts: tuple[int, dict[str, Facts]]) -> None:
        """Keeps it for the next who sees the same."""
        if len(self.facts) >= _REMEMBERED:
            self.facts.clear()
        self.facts[key] = facts

    def close(self) -> None:
        self.workers.close()


def _no_table(name: str, views: Mapping[str, View]) -> NotFound:
    names = list(views)
    return NotFound(
        f"The table {name!r} is not there. The store has {_listed(names)}.",
        hint=_nearest(name, names) or "Ask 'tables.schema' for the tables.",
    )


def _wrong(said: str, views: Mapping[str, View]) -> InvalidInput:
    if match := _MISSING_COLUMN.search(said):
        name = match[1] or match[2]
        columns = sorted({column.name for view in views.values() for column in view.columns})
        where = [view.name for view in views.values() for column in view.columns if column.name == name.lower()]
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
