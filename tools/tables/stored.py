"""What lies in the store, and what of it one caller sees: views whose columns and row conditions are resolved here."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from tools.base.access import DEFAULT, Reach
from tools.base.caller import Caller
from tools.base.errors import NotFound
from tools.tables import ColumnInfo, TableInfo
from tools.tables.names import sanitised, unique

__all__ = ["FILE", "Facts", "Stored", "StoredColumn", "StoredCondition", "StoredRule", "StoredTable", "View"]

FILE = "stored.json"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class Facts(_Frozen):
    """What a column holds, over all rows that were looked at; empty where that would have taken too long."""

    samples: list[JsonValue] = []
    minimum: JsonValue = None
    maximum: JsonValue = None
    distinct: int | None = None
    nulls: int | None = None


class StoredColumn(_Frozen):
    """A column with what its policy says of it. `facts` and `references` are of all rows: there only where all who see
    the table see all of its rows."""

    name: str
    type: str
    header: str
    description: str | None = None
    unit: str | None = None
    readers: tuple[str, ...] | None = None
    declared: str | None = Field(default=None, description="What its policy says it points to, as table.column.")
    facts: Facts | None = None
    references: tuple[tuple[str, str], ...] = Field(default=(), description="Ids of tables, and their columns.")


class StoredCondition(_Frozen):
    """The column's text is one of `texts`, or what `caller` names."""

    column: str
    texts: tuple[str, ...] = ()
    caller: Literal["subject", "groups", "cost_centre"] | None = None

    def accepts(self, caller: Caller) -> tuple[str, ...]:
        """The texts that a row may have for this caller."""
        match self.caller:
            case None:
                return self.texts
            case "subject":
                return (caller.subject,)
            case "groups":
                return tuple(sorted(caller.groups))
            case "cost_centre":
                return (caller.cost_centre,) if caller.cost_centre is not None else ()


class StoredRule(_Frozen):
    """Readers as principals, and the conditions that a row must hold for them."""

    readers: tuple[str, ...]
    where: tuple[StoredCondition, ...]


class StoredTable(_Frozen):
    """A table as it lies there: `id` is its name in the file, `name` the one it has for readers."""

    id: str
    tenant: str
    collection: str
    name: str
    file: str
    loaded: datetime
    rows: int
    columns: tuple[StoredColumn, ...]
    title: str | None = None
    description: str | None = None
    readers: tuple[str, ...] | None = None
    rules: tuple[StoredRule, ...] | None = None

    def seen_by(self, reach: Reach) -> "View | None":
        """What the caller sees of it; None where that is nothing, not even that it is there."""
        if self.tenant != reach.tenant or not reach.admits(self.collection, self.readers) or self._expired(reach):
            return None
        principals = reach.principals
        columns = tuple(
            column for column in self.columns if column.readers is None or not principals.isdisjoint(column.readers)
        )
        return View(self.name, self, columns, self._rows(reach, principals)) if columns else None

    def _expired(self, reach: Reach) -> bool:
        days = reach.collections[self.collection]
        return days is not None and self.loaded + timedelta(days=days) < datetime.now(UTC)

    def _rows(self, reach: Reach, principals: frozenset[str]) -> "Rows":
        if self.rules is None:
            return None
        mine = [rule for rule in self.rules if not principals.isdisjoint(rule.readers)]
        if any(not rule.where for rule in mine):
            return None
        return tuple(
            tuple((condition.column, condition.accepts(reach.caller)) for condition in rule.where) for rule in mine
        )


Rows = tuple[tuple[tuple[str, tuple[str, ...]], ...], ...] | None
"""A row is seen where one of these holds in all its parts (column, texts it may have); None: every row is seen."""


@dataclass(frozen=True, slots=True)
class View:
    """What one caller sees of a table."""

    name: str
    table: StoredTable
    columns: tuple[StoredColumn, ...]
    rows: Rows

    @property
    def whole(self) -> bool:
        """Whether every row is seen."""
        return self.rows is None

    @property
    def key(self) -> str:
        """The same for all who see the same."""
        return json.dumps(self.definition())

    def definition(self) -> dict[str, Any]:
        """For the engine: the table's name in the file, the columns, and the rows."""
        return {"table": self.table.id, "columns": [column.name for column in self.columns], "rows": self.rows}

    def info(self, *, rows: int, facts: dict[str, Facts], seen: dict[str, "View"]) -> TableInfo:
        """For readers; `seen` are all views of the caller by the tables' ids."""

        def columns() -> Iterable[ColumnInfo]:
            for column in self.columns:
                found = facts[column.name]
                pointing = [
                    f"{seen[id].name}.{other}"
                    for id, other in column.references
                    if id in seen and any(one.name == other for one in seen[id].columns)
                ]
                yield ColumnInfo(
                    name=column.name,
                    type=column.type,
                    header=column.header,
                    description=column.description,
                    unit=column.unit,
                    references=pointing,
                    **found.model_dump(),
                )

        return TableInfo(
            name=self.name,
            file=self.table.file,
            collection=self.table.collection,
            title=self.table.title,
            description=self.table.description,
            rows=rows,
            columns=list(columns()),
        )


class Stored(_Frozen):
    """All tables of a generation."""

    tables: tuple[StoredTable, ...] = ()

    @classmethod
    def of(cls, folder: Path) -> "Stored":
        """Reads a generation's list.

        Raises:
            NotFound: it was made before tables belonged to collections.
        """
        try:
            return cls.model_validate_json((folder / FILE).read_bytes())
        except FileNotFoundError:
            raise NotFound(
                f"The table store at {str(folder.parent)!r} was loaded by an older version. Expected one of this version.",
                hint="Load the tables again with 'partitur load tables FOLDER'.",
            ) from None

    def write(self, folder: Path) -> None:
        """Puts the list beside the tables."""
        (folder / FILE).write_text(self.model_dump_json(indent=1), encoding="utf-8")

    def of_collection(self, tenant: str, collection: str) -> dict[str, StoredTable]:
        """By name."""
        return {table.name: table for table in self.tables if (table.tenant, table.collection) == (tenant, collection)}

    def seen_by(self, reach: Reach) -> dict[str, View]:
        """What the caller sees, by the name it has for the caller, in the order of names.

        Where several collections have a table of one name, it is the default collection's, or the first one's by name;
        the others are named after their collection. Only what the caller sees has a say in that.
        """
        mine = [view for table in self.tables if (view := table.seen_by(reach)) is not None]
        mine.sort(key=lambda view: (view.table.collection != DEFAULT, view.table.collection, view.name))
        found: dict[str, View] = {}
        for view in mine:
            name = view.name
            if name in found:
                name = unique(sanitised(f"{view.table.collection}_{name}", name), found)
            found[name] = View(name, view.table, view.columns, view.rows)
        return dict(sorted(found.items()))
