"""Ties a policy to a table that was read: names are checked against its columns, values against their types."""

from collections.abc import Mapping

import duckdb

from tools.base.access import EVERYONE, Access
from tools.base.errors import InvalidInput
from tools.tables.names import text
from tools.tables.origins import Said
from tools.tables.policy import ColumnPolicy, Condition, Literals, TablePolicy
from tools.tables.stored import StoredColumn, StoredCondition, StoredRule, StoredTable

__all__ = ["bound", "kept"]


def bound(
    connection: duckdb.DuckDBPyConnection, table: StoredTable, policy: TablePolicy, comments: Mapping[str, Said]
) -> StoredTable:
    """The table with what its policy, and where that is silent its file's comments, say of it.

    Raises:
        InvalidInput: the policy names a column that is not there, or a value that its column cannot hold.
    """
    names = _Names(table)
    said = {names.of(name): column for name, column in policy.columns.items()}
    columns: list[StoredColumn] = []
    for column in table.columns:
        spoken = comments.get(column.header) or comments.get(column.name)
        own = said.get(column.name, ColumnPolicy())
        columns.append(
            column.model_copy(
                update={
                    "description": own.description or (spoken.description if spoken else None),
                    "unit": own.unit or (spoken.unit if spoken else None),
                    "readers": _principals(own.readers),
                    "declared": own.references,
                }
            )
        )
    known = {column.header for column in table.columns} | {column.name for column in table.columns}
    about = [f"{name}: {spoken.description}" for name, spoken in comments.items() if name not in known]
    rules = None
    if policy.rows is not None:
        rules = tuple(
            StoredRule(
                readers=rule.readers.principals,
                where=tuple(_condition(connection, table, names, condition) for condition in rule.where),
            )
            for rule in policy.rows
        )
    return table.model_copy(
        update={
            "title": policy.title,
            "description": policy.description or "\n".join(about) or None,
            "readers": _principals(policy.readers),
            "columns": tuple(columns),
            "rules": rules,
        }
    )


def kept(table: StoredTable, earlier: StoredTable) -> StoredTable:
    """The table with what was said of the one it replaces: whoever loads new figures does not open them to everyone.

    Raises:
        InvalidInput: a column that is guarded, or that rows are chosen by, is not there any more.
    """
    known = {column.name: column for column in earlier.columns}
    guarded = {name for name, column in known.items() if column.readers is not None}
    chosen = {condition.column for rule in earlier.rules or () for condition in rule.where}
    types = {column.name: column.type for column in table.columns}
    for name in sorted(guarded | chosen):
        if name not in types or (name in chosen and types[name] != known[name].type):
            raise InvalidInput(
                f"Its policy guards the column {name!r}, which is not there, or is of another type than before. "
                "Expected the columns that the policy of the earlier load names, or a new policy."
            )
    columns: list[StoredColumn] = []
    for column in table.columns:
        if (old := known.get(column.name)) is None:
            columns.append(column)
            continue
        words = {name: getattr(column, name) or getattr(old, name) for name in ("description", "unit", "declared")}
        columns.append(column.model_copy(update={**words, "readers": old.readers}))
    return table.model_copy(
        update={
            "title": earlier.title,
            "description": table.description or earlier.description,
            "readers": earlier.readers,
            "columns": tuple(columns),
            "rules": earlier.rules,
        }
    )


class _Names:
    """A policy may call a column by its name in SQL or by its heading."""

    def __init__(self, table: StoredTable) -> None:
        self._columns = [column.name for column in table.columns]
        self._headers = {column.header: column.name for column in reversed(table.columns)}

    def of(self, name: str) -> str:
        found = name if name in self._columns else self._headers.get(name)
        if found is None:
            shown = ", ".join(map(repr, self._columns[:30]))
            raise InvalidInput(f"Its policy names the column {name!r}, which is not there. Expected one of {shown}.")
        return found


def _principals(readers: Access | None) -> tuple[str, ...] | None:
    if readers is None or EVERYONE in readers.principals:
        return None
    return readers.principals


def _condition(
    connection: duckdb.DuckDBPyConnection, table: StoredTable, names: _Names, condition: Condition
) -> StoredCondition:
    column = names.of(condition.column)
    if condition.caller is not None:
        return StoredCondition(column=column, caller=condition.caller)
    values = condition.any_of or (() if condition.equals is None else (condition.equals,))
    type = next(one.type for one in table.columns if one.name == column)
    return StoredCondition(column=column, texts=tuple(_as_stored(connection, value, column, type) for value in values))


def _as_stored(connection: duckdb.DuckDBPyConnection, value: Literals, column: str, type: str) -> str:
    """The text that a row with this value has: 5 is '5.00' in a column with two places."""
    given = str(value).lower() if isinstance(value, bool) else str(value)
    row = connection.execute(f"SELECT CAST(try_cast({text(given)} AS {type}) AS VARCHAR)").fetchone()
    if row is None or row[0] is None:
        raise InvalidInput(
            f"Its policy compares the column {column!r} with {value!r}, which is no {type}. Expected a value it can hold."
        )
    return str(row[0])
