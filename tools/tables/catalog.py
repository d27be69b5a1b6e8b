"""The tables of one caller's view as templates and questions see them: columns by name, and the keys that tables share."""

import difflib
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from tools.base.errors import InvalidInput, NotFound
from tools.tables import ColumnInfo, TableInfo

__all__ = ["Catalog", "Key", "Kind", "checked", "kind_of", "literal", "quoted"]

Kind = Literal["number", "text", "date", "moment", "truth", "other"]
_NUMBERS = (
    "BIGINT",
    "INTEGER",
    "SMALLINT",
    "TINYINT",
    "HUGEINT",
    "DECIMAL",
    "DOUBLE",
    "FLOAT",
    "REAL",
    "UBIGINT",
    "UINTEGER",
)
_KINDS: dict[str, Kind] = {"VARCHAR": "text", "DATE": "date", "BOOLEAN": "truth"}


def kind_of(type: str) -> Kind:
    """What values of an SQL type are to a question."""
    if type.startswith(_NUMBERS):
        return "number"
    if type.startswith("TIMESTAMP"):
        return "moment"
    return _KINDS.get(type, "other")


def quoted(*names: str) -> str:
    """A name in SQL, with the table's before it where both are given."""
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)


def literal(value: bool | int | float | str) -> str:
    """A value in SQL."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    return repr(value) if isinstance(value, int | float) else "'" + value.replace("'", "''") + "'"


@dataclass(frozen=True, slots=True)
class Key:
    """Two columns that hold the same things. `one`: in `other` each value stands once."""

    table: str
    column: str
    other: str
    other_column: str
    one: bool


class Catalog:
    """The tables a caller may see, and nothing besides: names that are not among them are unknown."""

    def __init__(self, tables: Iterable[TableInfo], keys: Iterable[Key] = ()) -> None:
        self.tables = {table.name: table for table in tables}
        self.keys = tuple(keys)

    def table(self, name: str) -> TableInfo:
        """Raises:
        NotFound: no such table; the message names the nearest.
        """
        found = self.tables.get(name.lower())
        if found is None:
            raise _unknown("table", name, list(self.tables))
        return found

    def column(self, name: str, table: str) -> tuple[str, ColumnInfo]:
        """The table and the column that `column` or `table.column` means in a template on `table`.

        Raises:
            NotFound: no such table or column; the message names the nearest.
        """
        first, point, last = name.partition(".")
        owner = self.table(first if point else table)
        wanted = (last if point else first).lower()
        for column in owner.columns:
            if column.name == wanted:
                return owner.name, column
        raise _unknown("column", wanted, [column.name for column in owner.columns], of=owner.name)

    def path(self, table: str, other: str) -> tuple[Key, ...]:
        """The keys that lead from one table to another, the shortest way, ways that multiply no rows first.

        Raises:
            InvalidInput: they share no key.
        """
        reached: dict[str, tuple[Key, ...]] = {table: ()}
        waiting = deque([table])
        while waiting:
            here = waiting.popleft()
            if here == other:
                return reached[here]
            for key in sorted((key for key in self.keys if key.table == here), key=lambda key: not key.one):
                if key.other not in reached:
                    reached[key.other] = (*reached[here], key)
                    waiting.append(key.other)
        raise InvalidInput(
            f"The tables {table!r} and {other!r} share no key. Expected columns of one table, or of tables with a column "
            "of the same name that is unique in one of them.",
            hint="Ask for one table at a time, or write the SELECT yourself.",
        )


def checked(value: bool | int | float | str, column: ColumnInfo) -> str:
    """A value as SQL that can be compared with the column.

    Raises:
        InvalidInput: it is nothing the column can hold.
    """
    kind = kind_of(column.type)
    try:
        match kind:
            case "number":
                return literal(value if isinstance(value, int | float) else float(value.replace(",", ".")))
            case "date":
                return f"DATE {literal(date.fromisoformat(str(value)).isoformat())}"
            case "moment":
                return f"TIMESTAMP {literal(datetime.fromisoformat(str(value)).isoformat(sep=' '))}"
            case "truth":
                return literal(value if isinstance(value, bool) else str(value).lower() in ("true", "1", "ja", "yes"))
            case "text":
                return literal(str(value))
            case _:
                return f"CAST({literal(str(value))} AS {column.type})"
    except ValueError as error:
        raise InvalidInput(
            f"The value {value!r} cannot be compared with the column {column.name!r}. Expected a {kind} ({column.type}).",
            hint="Give dates as 2026-01-31 and numbers without their unit.",
        ) from error


def _unknown(what: str, name: str, names: Sequence[str], *, of: str | None = None) -> NotFound:
    shown = ", ".join(repr(each) for each in names[:30]) or "none"
    near = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.5)
    where = f" of the table {of!r}" if of else ""
    return NotFound(
        f"The {what} {name!r}{where} is not there. Expected one of {shown}.",
        hint=f"Did you mean {near[0]!r}?" if near else "Ask 'tables.schema' for the names.",
    )
