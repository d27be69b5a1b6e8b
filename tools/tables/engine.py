"""DuckDB in its sandboxed child process: checks that a query is one plain SELECT over the caller's views, and runs it.

Loaded by path in a bare child process (see `tools.child`): it imports the standard library and DuckDB only.

The store's file is attached under a name that nobody can guess. For each query a fresh connection gets temporary views,
only of the tables that the statement names and that its caller sees. Where a caller does not see every row, the rows are
first written into a table in memory, by a statement of ours. Of a view with a condition, DuckDB's statistics would speak
of all rows, and the order in which it works out the view's condition and the query's is its own affair, so that an error
could come from a row the view leaves out. From a copy there is nothing to be learnt of what was not copied.
"""

import json
import os
import re
import secrets
import threading
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, cast

import duckdb

from tools.child import Engine, gathered

__all__ = ["start"]

_TABLE_FUNCTIONS = frozenset({"range", "generate_series", "unnest", "repeat_row"})
"""Functions a query may read rows from; all others reach files, settings, or run text as SQL."""
_REFUSED_FUNCTIONS = frozenset({
    "getenv", "getvariable", "nextval", "currval", "setval", "setseed", "write_log", "parse_duckdb_log_message",
    "in_search_path", "get_current_connection_id", "read_text", "read_blob", "query", "query_table", "sleep", "sleep_ms",
    "stats", "index_key", "get_block_size", "user", "session_user", "col_description", "obj_description",
    "shobj_description", "json_serialize_sql", "json_serialize_plan", "json_deserialize_sql",
    "json_execute_serialized_sql", "which_secret", "add_parquet_key",
})  # fmt: skip
"""Functions that read or change what is not a row the caller sees, or take text as SQL."""
_REFUSED_FAMILIES = re.compile(
    r"(pg|has|inet|txid|duckdb|pragma|__internal)_|current_(?!(date|time|timestamp|localtime|localtimestamp)$)"
)
_TEXT_ONLY = re.compile(r"WITH TIME ZONE|INTERVAL|TIMESTAMP_NS")
_NAME = re.compile(r"(?!duckdb_|pragma_|pg_|sqlite_)[\w]{1,100}")
_COPIES = 32
"""Copies of callers' rows that are kept for their next query."""


def start(settings: dict[str, Any]) -> Engine:
    """Attaches the file `settings["file"]` read-only and switches off everything that is not a query."""
    connection = duckdb.connect(
        ":memory:",
        config={
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "allow_community_extensions": "false",
            "python_enable_replacements": "false",
            "temp_directory": "",
            "threads": "2",
            "memory_limit": f"{settings['memory_mb'] // 2}MB",
        },
    )
    base, copies = f"b{secrets.token_hex(16)}", f"c{secrets.token_hex(16)}"
    connection.execute(f"ATTACH {_text(settings['file'])} AS {base} (READ_ONLY)")
    connection.execute(f"ATTACH ':memory:' AS {copies} (COMPRESS)")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return _Tables(connection, base, copies)


class _Full(Exception):
    """A caller's rows do not fit into memory."""


class _Tables:
    def __init__(self, connection: duckdb.DuckDBPyConnection, base: str, aside: str) -> None:
        self._connection = connection
        self._base = f"{base}.main"
        self._aside = f"{aside}.main"
        self._copies: OrderedDict[str, str] = OrderedDict()
        self._ours = re.compile(rf"\b(?:{base}|{aside})\b(?:\.main)?")
        # Whatever is used once now needs no file later, when none can be opened any more.
        self.answer(
            {"sql": "SELECT DATE '2000-01-01', TIMESTAMP '2000-01-01 00:00', 1.5::DECIMAL(4,2), [1]", "limit": 1}
        )

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Rows of `request["sql"]` over `request["views"]`, at most `limit`; or an error with its `kind`."""
        cursor = self._connection.cursor()
        timer = threading.Timer(request.get("seconds", 60), lambda: cursor.interrupt())
        try:
            try:
                timer.start()
            except RuntimeError:
                # A thread needs memory, too, and an earlier query has left none of it.
                return _spent("there is no room for another thread")
            try:
                return self._answer(cursor, request)
            except (duckdb.OutOfMemoryException, _Full):
                if not self._copies:
                    raise
                # Copies for other callers must not cost this one the answer.
                cursor.close()
                self._forget_copies(0)
                cursor = self._connection.cursor()
                return self._answer(cursor, request)
        except duckdb.InterruptException:
            return {"error": "interrupted", "kind": "time"}
        except _Full:
            return {**_spent("the caller's rows do not fit"), "kind": "copy"}
        except duckdb.OutOfMemoryException:
            return _spent("the limit was reached")
        except (duckdb.InternalException, duckdb.FatalException):
            # The database is of no use any more, and no other can be opened here: the next query gets a new process.
            os._exit(70)
        except duckdb.Error as error:
            return {"error": self._told(error), "kind": "sql"}
        finally:
            timer.cancel()
            cursor.close()

    def _answer(self, cursor: duckdb.DuckDBPyConnection, request: dict[str, Any]) -> dict[str, Any]:
        views: dict[str, Any] = request.get("views", {})
        statements = cursor.extract_statements(request["sql"])
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            kinds = ", ".join(statement.type.name for statement in statements) or "nothing"
            return _refused(f"it is {kinds}, not one SELECT")
        named, objection = _checked(_tree(cursor, statements[0].query), views)
        if objection is not None:
            return objection
        for name in sorted(named):
            # A statement of ours asks nothing that could tell of other rows, so it needs no copy.
            shown = self._filtered(views[name]) if request.get("ours") else self._shown(cursor, views[name])
            cursor.execute(f"CREATE TEMP VIEW {_quoted(name)} AS {shown}")
        # A second wall behind the check: nothing that a statement might still write is written.
        cursor.execute("BEGIN TRANSACTION READ ONLY")
        cursor.execute(statements[0])
        columns = [{"name": str(column[0]), "type": str(column[1])} for column in cursor.description or []]
        if any(_TEXT_ONLY.search(column["type"]) for column in columns):
            cursor.execute(_as_text(statements[0].query, [column["type"] for column in columns]))
        return {"columns": columns, **gathered(iter(cursor.fetchone, None), request["limit"])}

    def _filtered(self, view: dict[str, Any]) -> str:
        """The SELECT that gives what the view may show."""
        columns = ", ".join(_quoted(name) for name in view["columns"])
        source = f"SELECT {columns} FROM {self._base}.{_quoted(view['table'])}"
        return source if view["rows"] is None else f"{source} WHERE {_rows(view['rows'])}"

    def _shown(self, cursor: duckdb.DuckDBPyConnection, view: dict[str, Any]) -> str:
        """The same, from a copy where it is not every row."""
        if view["rows"] is None:
            return self._filtered(view)
        key = json.dumps(view)
        if key not in self._copies:
            self._forget_copies(_COPIES - 1)
            copy = f"{self._aside}.c{secrets.token_hex(16)}"
            try:
                cursor.execute(f"CREATE TABLE {copy} AS {self._filtered(view)}")
            except duckdb.OutOfMemoryException as error:
                raise _Full from error
            self._copies[key] = copy
            # Compressed now: it may stay for long, and takes a tenth.
            cursor.execute(f"CHECKPOINT {self._aside.partition('.')[0]}")
        self._copies.move_to_end(key)
        return f"SELECT * FROM {self._copies[key]}"

    def _forget_copies(self, keep: int) -> None:
        while len(self._copies) > keep:
            _, copy = self._copies.popitem(last=False)
            self._connection.execute(f"DROP TABLE {copy}")

    def _told(self, error: duckdb.Error) -> str:
        """What DuckDB says, without our names for things."""
        return self._ours.sub("table", str(error))


def _tree(cursor: duckdb.DuckDBPyConnection, sql: str) -> dict[str, Any]:
    row = cursor.execute("SELECT json_serialize_sql(?)", [sql]).fetchone()
    return json.loads(row[0]) if row else {"error": True}


def _checked(tree: dict[str, Any], views: dict[str, Any]) -> tuple[set[str], dict[str, Any] | None]:
    """The views a parse tree names, and why it may not run; None where it may."""
    if tree["error"]:
        return set(), _refused(str(tree.get("error_message", "it cannot be read as a SELECT")))
    nodes = list(_walk(tree))
    local = {entry["key"].lower() for node in nodes for entry in node.get("cte_map", {}).get("map", [])}
    # A common table expression's name is valid in its own scope only; elsewhere it must not open another door.
    for name in local - views.keys():
        if not _NAME.fullmatch(name):
            return set(), _refused(f"the name {name!r} is not allowed for a WITH query; use letters, digits and '_'")
    named: set[str] = set()
    for node in nodes:
        kind = node.get("type")
        if kind == "BASE_TABLE":
            path = node.get("qualified_name", {}).get("path") or [node.get("table_name", "")]
            name = str(path[-1]).lower()
            if name in views and path[:-1] in ([], ["main"]):
                named.add(name)
            elif name not in local or len(path) > 1:
                return set(), {"error": ".".join(path), "kind": "table"}
        elif reason := _objection(node):
            return set(), _refused(reason)
    return named, None


def _objection(node: dict[str, Any]) -> str | None:
    """Why a part of a parse tree may not run; None where it may."""
    kind = node.get("type")
    if isinstance(kind, str) and kind.endswith("_QUERY_NODE"):
        return f"a part of it is {kind.removesuffix('_QUERY_NODE')}, and it may only read"
    if kind in ("SHOW_REF", "COPY_REF"):
        return "SHOW, DESCRIBE and SUMMARIZE are not answered; the tool 'tables.schema' is"
    if kind == "TABLE_FUNCTION" and node["function"].get("function_name") not in _TABLE_FUNCTIONS:
        return f"the table function {node['function'].get('function_name')!r} is not allowed"
    function = node.get("function_name")
    if isinstance(function, str):
        name = function.lower()
        if name in _REFUSED_FUNCTIONS or _REFUSED_FAMILIES.match(name):
            return f"the function {function!r} is not allowed"
    return None


def _rows(rules: list[list[tuple[str, list[str]]]]) -> str:
    """The condition that a row is seen. All is compared as text: no value can be such that this ends in an error."""
    return " OR ".join(
        "("
        + " AND ".join(
            f"CAST({_quoted(column)} AS VARCHAR) IN ({', '.join(map(_text, texts)) or 'NULL'})"
            for column, texts in parts
        )
        + ")"
        for parts in rules
    ) or "false"  # fmt: skip


def _walk(value: Any) -> Iterator[dict[str, Any]]:
    """Every object of the parse tree."""
    todo: list[Any] = [value]
    while todo:
        item = todo.pop()
        if isinstance(item, dict):
            found = cast(dict[str, Any], item)
            yield found
            todo.extend(found.values())
        elif isinstance(item, list):
            todo.extend(cast(list[Any], item))


def _spent(reason: str) -> dict[str, Any]:
    """Memory has run out, and the address space that DuckDB took does not come back: this is the process's last answer."""
    return {"error": reason, "kind": "memory", "last": True}


def _refused(reason: str) -> dict[str, Any]:
    return {"error": reason, "kind": "refused"}


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _as_text(sql: str, types: list[str]) -> str:
    """The same query with the columns that Python cannot hold without loss as text."""
    names = [f"c{position}" for position in range(len(types))]
    chosen = [
        f"CAST({name} AS VARCHAR)" if _TEXT_ONLY.search(kind) else name for name, kind in zip(names, types, strict=True)
    ]
    return f"SELECT {', '.join(chosen)} FROM ({sql.rstrip().rstrip(';')}\n) AS q({', '.join(names)})"
