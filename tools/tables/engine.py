"""DuckDB in its sandboxed child process: checks that a query is one plain SELECT over the store's tables, and runs it.

Loaded by path in a bare child process (see `tools.child`): it imports the standard library and DuckDB only.
"""

import json
import re
import threading
from collections.abc import Iterator
from typing import Any, cast

import duckdb

from tools.child import Engine, gathered

__all__ = ["start"]

_TABLE_FUNCTIONS = frozenset({"range", "generate_series", "unnest", "repeat_row"})
"""Functions a query may read rows from; all others reach files, settings, or run text as SQL."""
_REFUSED_FUNCTIONS = frozenset({
    "current_setting", "getenv", "getvariable", "nextval", "currval", "write_log", "current_database",
    "current_schemas", "in_search_path", "txid_current", "get_current_connection_id", "read_text", "read_blob",
    "json_execute_serialized_sql", "query", "query_table", "parse_duckdb_log_message", "sleep", "sleep_ms",
})  # fmt: skip
"""Scalar functions that read or change what is not a table of the store."""
_TEXT_ONLY = re.compile(r"WITH TIME ZONE|INTERVAL|TIMESTAMP_NS")
_NAME = re.compile(r"(?!duckdb_|pragma_|pg_|sqlite_)[\w]{1,100}")


def start(settings: dict[str, Any]) -> Engine:
    """Opens the file `settings["file"]` read-only, with everything switched off that is not a query."""
    connection = duckdb.connect(
        settings["file"],
        read_only=True,
        config={
            "enable_external_access": "false",
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "allow_community_extensions": "false",
            "python_enable_replacements": "false",
            "temp_directory": "",
            "threads": "2",
            "memory_limit": f"{settings['memory_mb'] // 2}MB",
            "lock_configuration": "true",
        },
    )
    found = connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
    return _Tables(connection, {str(row[0]).lower() for row in found})


class _Tables:
    def __init__(self, connection: duckdb.DuckDBPyConnection, tables: set[str]) -> None:
        self._connection = connection
        self._tables = tables
        # Whatever is used once now needs no file later, when none can be opened any more.
        self.answer(
            {"sql": "SELECT DATE '2000-01-01', TIMESTAMP '2000-01-01 00:00', 1.5::DECIMAL(4,2), [1]", "limit": 1}
        )

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Rows of `request["sql"]`, at most `limit`; or an error with its `kind`."""
        sql, limit = request["sql"], request["limit"]
        cursor = self._connection.cursor()
        timer = threading.Timer(request.get("seconds", 60), cursor.interrupt)
        timer.start()
        try:
            statements = cursor.extract_statements(sql)
            if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                kinds = ", ".join(statement.type.name for statement in statements) or "nothing"
                return _refused(f"it is {kinds}, not one SELECT")
            reason = self._objection(cursor, statements[0].query)
            if reason is not None:
                return reason
            cursor.execute(statements[0])
            columns = [{"name": str(column[0]), "type": str(column[1])} for column in cursor.description or []]
            if any(_TEXT_ONLY.search(column["type"]) for column in columns):
                cursor.execute(_as_text(statements[0].query, [column["type"] for column in columns]))
            return {"columns": columns, **gathered(iter(cursor.fetchone, None), limit)}
        except duckdb.InterruptException:
            return {"error": "interrupted", "kind": "time"}
        except duckdb.OutOfMemoryException as error:
            return {"error": str(error), "kind": "memory"}
        except duckdb.Error as error:
            return {"error": str(error), "kind": "sql"}
        finally:
            timer.cancel()
            cursor.close()

    def _objection(self, cursor: duckdb.DuckDBPyConnection, sql: str) -> dict[str, Any] | None:
        """Why the statement's parse tree may not run; None where it may."""
        row = cursor.execute("SELECT json_serialize_sql(?)", [sql]).fetchone()
        tree = json.loads(row[0]) if row else {"error": True}
        if tree["error"]:
            return _refused(str(tree.get("error_message", "it cannot be read as a SELECT")))
        nodes = list(_walk(tree))
        local = {entry["key"].lower() for node in nodes for entry in node.get("cte_map", {}).get("map", [])}
        # A common table expression's name is valid in its own scope only; elsewhere it must not open another door.
        for name in local - self._tables:
            if not _NAME.fullmatch(name):
                return _refused(f"the name {name!r} is not allowed for a WITH query; use letters, digits and '_'")
        for node in nodes:
            kind = node.get("type")
            if isinstance(kind, str) and kind.endswith("_QUERY_NODE"):
                return _refused(f"a part of it is {kind.removesuffix('_QUERY_NODE')}, and it may only read")
            if kind in ("SHOW_REF", "COPY_REF"):
                return _refused("SHOW, DESCRIBE and SUMMARIZE are not answered; the tool 'tables.schema' is")
            if kind == "BASE_TABLE":
                path = node.get("qualified_name", {}).get("path") or [node.get("table_name", "")]
                name = str(path[-1]).lower()
                stored = name in self._tables and path[:-1] in ([], ["main"])
                if not stored and not (name in local and len(path) == 1):
                    return {"error": ".".join(path), "kind": "table"}
            function = node.get("function_name")
            if kind == "TABLE_FUNCTION" and node["function"].get("function_name") not in _TABLE_FUNCTIONS:
                return _refused(f"the table function {node['function'].get('function_name')!r} is not allowed")
            if isinstance(function, str) and (function.lower() in _REFUSED_FUNCTIONS or function.startswith("pg_")):
                return _refused(f"the function {function!r} is not allowed")
        return None


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


def _refused(reason: str) -> dict[str, Any]:
    return {"error": reason, "kind": "refused"}


def _as_text(sql: str, types: list[str]) -> str:
    """The same query with the columns that Python cannot hold without loss as text."""
    names = [f"c{position}" for position in range(len(types))]
    chosen = [
        f"CAST({name} AS VARCHAR)" if _TEXT_ONLY.search(kind) else name for name, kind in zip(names, types, strict=True)
    ]
    return f"SELECT {', '.join(chosen)} FROM ({sql.rstrip().rstrip(';')}\n) AS q({', '.join(names)})"
