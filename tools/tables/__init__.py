"""Answers read-only SQL over tables loaded from files and databases, to each caller over what that caller may see."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, SecretStr, field_validator, model_validator

from tools.base.artifact import Artifact
from tools.base.spending import Spending
from tools.base.text import Words
from tools.base.tool import ToolRef
from tools.tables.templates import Template

__all__ = [
    "Attached",
    "Binding",
    "Chart",
    "ChartQuery",
    "Column",
    "ColumnInfo",
    "FileReport",
    "Forgotten",
    "LoadReport",
    "TableAnswer",
    "TableInfo",
    "TableQuery",
    "TableQuestion",
    "TableResult",
    "TableSchema",
    "TableSchemaQuery",
    "TablesConfig",
    "TablesOptions",
    "Template",
    "ask",
    "chart",
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
    url: str | None = Field(
        default=None,
        description="OpenAI-compatible endpoint of a model that writes SQL; without it templates answer alone.",
    )
    name: str = Field(default="chat", description="Model at the endpoint.")
    key: SecretStr | None = Field(default=None, description="API key of the endpoint.")
    timeout: float = Field(default=120.0, gt=0, description="Seconds one request to the model may take.")
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


class TableQuestion(BaseModel):
    """A question in plain words, or a template that is filled in."""

    model_config = ConfigDict(extra="forbid")

    question: Words | None = Field(default=None, max_length=500, description="In German or English.")
    template: Template | None = Field(default=None, description="Instead of a question: exactly what is asked.")
    method: Literal["auto", "templates", "model"] = Field(
        default="auto",
        description="Who understands a question: templates, a model, or templates first and the model where they are in doubt.",
    )
    language: Literal["de", "en"] | None = Field(default=None, description="Of the answer; null: that of the question.")
    limit: int = Field(default=100, ge=1, le=1000, description="Most rows to return.")
    chart: bool = Field(default=False, description="Draw the rows, too, where they can be drawn.")

    @model_validator(mode="after")
    def _one(self) -> "TableQuestion":
        if (self.question is None) == (self.template is None):
            raise ValueError("either 'question' or 'template' is expected, and not both")
        return self


class Binding(BaseModel):
    """Words of the question, and what they were taken for."""

    words: str = Field(description="As they stand in the question.")
    meaning: Literal["table", "column", "value"] = Field(description="What kind of thing they name.")
    table: str = Field(description="The table.")
    column: str | None = Field(default=None, description="The column, for a column and for a value in it.")
    values: list[str] = Field(default_factory=list[str], description="The values as they stand in the table.")


class Chart(BaseModel):
    """Rows as a drawing."""

    kind: Literal["bar", "line"] = Field(description="Bars for things, lines for time.")
    title: str = Field(description="What it shows.")
    alt_text: str = Field(
        description="What a person who cannot see it needs to know: what is drawn, and the gist of it."
    )
    svg: Artifact = Field(description="The drawing.")
    png: Artifact = Field(description="The same as a picture.")


class ChartQuery(BaseModel):
    """Which rows to draw: one SELECT, its first column of names or times, the others of figures."""

    model_config = ConfigDict(extra="forbid")

    sql: str = Field(min_length=1, max_length=5000, description="One SELECT statement; nothing else is run.")
    title: Words = Field(max_length=150, description="What it shows.")
    language: Literal["de", "en"] | None = Field(
        default=None, description="Of numbers, dates and texts; null: that of the title."
    )
    kind: Literal["auto", "bar", "line"] = Field(default="auto", description="auto: lines for time, else bars.")
    unit: str | None = Field(default=None, max_length=40, description="What the figures count, for the axis.")


class TableAnswer(BaseModel):
    """The rows that answer a question, or why there are none; always with what was understood."""

    outcome: Literal["answered", "unclear", "not_in_data"] = Field(
        description="unclear: the question could mean several things, or none that is known here. not_in_data: the tables "
        "do not hold what is asked."
    )
    text: str = Field(description="The answer in a sentence, or what stands in its way.")
    understood: str | None = Field(default=None, description="The question as it was understood.")
    bindings: list[Binding] = Field(
        default_factory=list[Binding], description="What words were taken for, without a model."
    )
    confidence: float | None = Field(default=None, ge=0, le=1, description="How well the words fit, without a model.")
    template: Template | None = Field(default=None, description="The template, where one was filled in.")
    sql: str | None = Field(default=None, description="The SELECT that ran.")
    result: TableResult | None = Field(default=None, description="Its rows.")
    markdown: str | None = Field(default=None, description="The rows as a Markdown table.")
    chart: Chart | None = Field(
        default=None, description="The rows as a drawing, where it was asked for and makes sense."
    )
    engine: str = Field(description="'templates', or the name of the model that wrote the SQL.")
    spending: Spending | None = Field(default=None, description="What a model cost, answered or not.")


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
ask = ToolRef(
    name="tables.ask",
    input=TableQuestion,
    output=TableAnswer,
    description="Answers a question about the loaded tables in plain words (look up, list, count, sum, average, top, share, "
    "compare, development) with rows, the SQL that ran and what was understood. Says so where it is in doubt.",
    timeout=180.0,
)
chart = ToolRef(
    name="tables.chart",
    input=ChartQuery,
    output=Chart,
    description="Draws the rows of one SELECT as bars or lines, SVG and PNG, with a text for those who cannot see them.",
    timeout=60.0,
)
