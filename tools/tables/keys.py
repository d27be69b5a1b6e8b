"""Which columns point to which: what policies declare, and what names and values of whole tables say."""

from collections.abc import Iterable, Sequence

import duckdb

from tools.base.errors import InvalidInput
from tools.tables.names import quoted, sanitised
from tools.tables.stored import StoredColumn, StoredTable

__all__ = ["linked"]

_UNFIT = ("BOOLEAN", "DOUBLE", "FLOAT", "TIME", "BLOB", "STRUCT", "MAP", "UNION")


def linked(
    connection: duckdb.DuckDBPyConnection, tables: Sequence[StoredTable], *, fresh: Iterable[str]
) -> list[StoredTable]:
    """The tables with their columns' references. Found ones lie between tables that are seen whole or not at all: what
    hidden rows hold has no say in what a caller is told.

    Args:
        connection: holds the tables under their ids.
        tables: all of the store.
        fresh: ids of those that were loaded now; what their policies declare must be there.

    Raises:
        InvalidInput: a declared column is not there.
    """
    asked = set(fresh)
    whole = [table for table in tables if table.rules is None]
    found: list[StoredTable] = []
    for table in tables:
        columns = [
            _linked(connection, table, column, tables, whole, strict=table.id in asked) for column in table.columns
        ]
        found.append(table.model_copy(update={"columns": tuple(columns)}))
    return found


def _linked(
    connection: duckdb.DuckDBPyConnection,
    table: StoredTable,
    column: StoredColumn,
    tables: Sequence[StoredTable],
    whole: Sequence[StoredTable],
    *,
    strict: bool,
) -> StoredColumn:
    if column.declared is not None:
        target = _declared(column.declared, table, tables)
        if target is None and strict:
            raise InvalidInput(
                f"The policy of the table {table.name!r} says that {column.name!r} references {column.declared!r}, "
                "which is not there. Expected a table and column of the same collection.",
                hint="Correct the policy and load again; nothing was changed.",
            )
        return column.model_copy(update={"references": (target,) if target else ()})
    if table.rules is not None or column.facts is None or not column.facts.distinct:
        return column.model_copy(update={"references": ()})
    found = tuple(
        (other.id, key.name)
        for other in whole
        if other.id != table.id and other.tenant == table.tenant
        for key in other.columns
        if _fits(column, other, key) and _contained(connection, table.id, column.name, other.id, key.name)
    )
    return column.model_copy(update={"references": found})


def _declared(words: str, table: StoredTable, tables: Sequence[StoredTable]) -> tuple[str, str] | None:
    name, _, column = words.partition(".")
    for other in tables:
        if (other.tenant, other.collection) == (table.tenant, table.collection) and other.name in (
            name,
            sanitised(name, name),
        ):
            return next(((other.id, one.name) for one in other.columns if column in (one.name, one.header)), None)
    return None


def _fits(column: StoredColumn, other: StoredTable, key: StoredColumn) -> bool:
    """Whether the names agree, and the other column tells its rows apart."""
    if key.facts is None or key.type != column.type or column.type.startswith(_UNFIT):
        return False
    if key.facts.nulls or key.facts.distinct != other.rows or not other.rows:
        return False
    owners = {other.name, other.name.removesuffix("s"), other.name.removesuffix("es"), other.name.removesuffix("en")}
    if column.name == key.name:
        return key.name != "id"
    return column.name in owners or column.name in {f"{owner}_{key.name}" for owner in owners}


def _contained(connection: duckdb.DuckDBPyConnection, table: str, column: str, other: str, key: str) -> bool:
    row = connection.execute(
        f"SELECT count(*) FROM {quoted(table)} AS a ANTI JOIN {quoted(other)} AS b "
        f"ON a.{quoted(column)} = b.{quoted(key)} WHERE a.{quoted(column)} IS NOT NULL"
    ).fetchone()
    return row is not None and row[0] == 0
