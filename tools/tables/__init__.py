"""Answers read-only SQL over tables loaded from files and databases, to each caller over what that caller may see."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, JsonValue, SecretStr, field_validator

from tools.base.tool import ToolRef

__all__ = [
    "Attached",
    "Column",
    "ColumnInfo",
    "FileReport",
    "Forgotten",
    "LoadReport",
    "TableInfo",
    "TableQuery",
    "TableResult",
    "TableSchema",
    "TableSchemaQuery",
    "TablesConfig",
    "TablesOptions",
    "query",
    "schema",
]


class Attached(BaseModel):
    """A database whose tables can be loaded. It is read and never written."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url: SecretStr = Field(description="sqlite:///folder/file.db, or postgresql://user:password@host/database.")
    schemas: tuple[str, ...] = Field(default=(), description="Schemas that are read; of PostgreSQL 'public' alone.")
    tables: tuple[str, ...] = Field(default=(), description="Tables and views that are read; all where left out.")
    seconds: float = Field(default=600.0, gt=0, le=86_400, description="Time that reading one table may take.")

    @field_validator("url")
    @classmethod
    def _known(cls, url: SecretStr) -> SecretStr:
        # The address may hold a password, so the message does not repeat it.
        if not url.get_secret_value().startswith(("sqlite:///", "postgresql://", "postgres://")):
            raise ValueError("an address that begins with 'sqlite:///' or 'postgresql://' is expected")
        return url


class TablesOptions(BaseModel):
    """What a query and a load may use, and where tables can come from besides files."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seconds: float = Field(default=10.0, gt=0, le=600, description="Time a query may take, and wait for its turn.")
    memory_mb: int = Field(default=512, ge=128, le=65536, description="Memory a query may take, in MiB.")
    rows: int = Field(default=1000, ge=1, le=1000, description="Most rows a query may return.")
    workers: int = Field(default=2, ge=1, le=32, description="Queries that run at the same time.")
    file_mb: int = Field(default=1024, ge=1, description="Largest file that is loaded, in MiB.")
    columns: int = Field(default=500, ge=1, le=2000, description="Most columns of a table that is loaded.")
    attached: dict[str, Attached] = Field(
        default_factory=dict[str, Attached], description="Databases that tables can be loaded from, by name."
    )


class TablesConfig(TablesOptions):
    """The same, and where the tables lie."""

    home: Path = Field(description="Folder of the store; made by the first load.")


class TableQuery(BaseModel):
    """One SELECT in DuckDB's SQL."""

    model_config = ConfigDict(extra="forbid")

    sql: str = Field(min_length=1, max_length=5000, description="One SELECT statement; nothing else is run.")
    limit: int = Field(default=100, ge=1, le=1000, description="Most rows to return.")
    markdown: bool = Field(default=False, description="Return the rows as a Markdown table, too.")


class Column(BaseModel):
    """A column of a result."""

    name: str = Field(description="Its name in the result.")
    type: str = Field(description="Its SQL type, for example VARCHAR, BIGINT, DECIMAL(18,2), DATE.")


class TableResult(BaseModel):
    """The rows a query found."""

    columns: list[Column] = Field(description="In the order of the values in a row.")
    rows: list[list[JsonValue]] = Field(
        description="Dates and times are ISO 8601 text, and so are numbers with more than 15 digits."
    )
    truncated: bool = Field(description="True where the query found more than is returned.")
    row_count: int = Field(ge=0, description="Rows returned.")
    markdown: str | None = Field(default=None, description="The same as a Markdown table, where it was asked for.")


class TableSchemaQuery(BaseModel):
    """Which tables to describe."""

    model_config = ConfigDict(extra="forbid")

    table: str | None = Field(default=None, max_length=200, description="One table's name; all where left out.")


class ColumnInfo(BaseModel):
    """A column of a stored table."""

    name: str = Field(description="Its name in SQL.")
    type: str = Field(description="Its SQL type.")
    header: str = Field(description="Its heading in the file.")
    samples: list[JsonValue] = Field(description="Up to five values, most frequent first.")
    description: str | None = Field(default=None, description="What it means.")
    unit: str | None = Field(default=None, description="What its numbers count.")
    minimum: JsonValue = Field(default=None, description="Its smallest value; null where it has none.")
    maximum: JsonValue = Field(default=None, description="Its largest value.")
    distinct: int | None = Field(default=None, ge=0, description="How many different values it has.")
    nulls: int | None = Field(default=None, ge=0, description="How many rows have no value in it.")
    references: list[str] = Field(
        default_factory=list[str], description="Columns it points to, as table.column: a JOIN on them fits."
    )


class TableInfo(BaseModel):
    """A table as the caller sees it: rows and columns the caller may not see are not counted and not there."""

    name: str = Field(description="Its name in SQL.")
    file: str = Field(description="Name of the file it was loaded from.")
    collection: str = Field(default="default", description="The collection it belongs to.")
    title: str | None = Field(default=None, description="Its name for readers.")
    description: str | None = Field(default=None, description="What it holds.")
    rows: int = Field(ge=0, description="Its number of rows.")
    columns: list[ColumnInfo] = Field(description="In the order of the file.")


class TableSchema(BaseModel):
    """What there is to ask."""

    tables: list[TableInfo] = Field(description="By name.")


class FileReport(BaseModel):
    """What became of one file."""

    file: str = Field(description="Name of the file.")
    table: str | None = Field(default=None, description="The table it became; null where it failed.")
    rows: int = Field(default=0, ge=0, description="Rows loaded.")
    renamed: dict[str, str] = Field(default_factory=dict, description="Headings that are other names in SQL.")
    failure: str | None = Field(default=None, description="Why it could not be loaded, and what to do.")


class Forgotten(BaseModel):
    """What was taken out of the store."""

    tables: list[str] = Field(description="Names of the tables.")
    rows: int = Field(ge=0, description="Rows they had.")
    held: int = Field(ge=0, description="Older generations that a reader still holds; they go when it has moved on.")


class LoadReport(BaseModel):
    """What a load did, file by file."""

    generation: int | None = Field(description="Number of the new generation; null where no file could be loaded.")
    files: list[FileReport] = Field(description="In the order they were read.")
    kept: list[str] = Field(default_factory=list, description="Tables of earlier loads that are still there.")


query = ToolRef(
    name="tables.query",
    input=TableQuery,
    output=TableResult,
    description="Runs one read-only SELECT (DuckDB's SQL) over the loaded tables and returns typed rows. "
    "Ask tables.schema for the names first.",
    timeout=60.0,
)
schema = ToolRef(
    name="tables.schema",
    input=TableSchemaQuery,
    output=TableSchema,
    description="Describes the loaded tables: columns with types and sample values, and numbers of rows.",
)
