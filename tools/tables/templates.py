"""Questions to tables as typed templates: each a model whose fields are checked before any SQL is made of them."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = [
    "Aggregate",
    "Compare",
    "Condition",
    "Count",
    "Development",
    "Exists",
    "ListRows",
    "Lookup",
    "Measure",
    "Scalar",
    "Share",
    "Side",
    "Template",
    "Top",
]

Scalar = Annotated[bool | int | float | Annotated[str, Field(max_length=500)], Field(union_mode="smart")]
_Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[\w]+([.][\w]+)?$")]
"""A column of the template's table, or `table.column` of one that shares a key with it."""
Function = Literal["sum", "average", "median", "minimum", "maximum"]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Condition(_Strict):
    """What must hold of a column. A year or a month (`2026`, `2026-03`) is understood of a date."""

    column: _Name
    test: Literal[
        "is",
        "is_not",
        "above",
        "at_least",
        "below",
        "at_most",
        "between",
        "contains",
        "starts_with",
        "is_empty",
        "is_filled",
    ] = "is"
    values: tuple[Scalar, ...] = Field(
        default=(),
        max_length=50,
        description="One; two for 'between'; any number for 'is' and 'is_not'; none for the last two.",
    )

    @model_validator(mode="after")
    def _fits(self) -> "Condition":
        wanted = {"between": 2, "is_empty": 0, "is_filled": 0}.get(self.test, 1)
        many = self.test in ("is", "is_not") and len(self.values) > 1
        if len(self.values) != wanted and not many:
            raise ValueError(f"the test {self.test!r} takes {wanted} values, {len(self.values)} are given")
        return self


class Measure(_Strict):
    """A figure: the number of rows, of different values, or a column summed up, averaged, at its least or most."""

    function: Function | Literal["count", "distinct"] = "count"
    column: _Name | None = Field(default=None, description="What is measured; needed but for 'count'.")

    @model_validator(mode="after")
    def _fits(self) -> "Measure":
        if self.function != "count" and self.column is None:
            raise ValueError(f"the function {self.function!r} needs a column")
        return self


class _OfTable(_Strict):
    table: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[\w]+$")]
    where: tuple[Condition, ...] = Field(default=(), max_length=20, description="All of them must hold.")


class Lookup(_OfTable):
    """Columns of the rows that conditions single out: what is COLUMN of ROW."""

    template: Literal["lookup"] = "lookup"
    columns: tuple[_Name, ...] = Field(min_length=1, max_length=20)
    where: tuple[Condition, ...] = Field(min_length=1, max_length=20)


class ListRows(_OfTable):
    """Rows, or the different values of some columns, in an order."""

    template: Literal["list"] = "list"
    columns: tuple[_Name, ...] = Field(default=(), max_length=20, description="All where left out.")
    order_by: _Name | None = None
    descending: bool = False
    distinct: bool = False


class Count(_OfTable):
    """How many rows, or how many different values of a column; for each group where `by` names some."""

    template: Literal["count"] = "count"
    distinct: _Name | None = None
    by: tuple[_Name, ...] = Field(default=(), max_length=4)


class Aggregate(_OfTable):
    """The sum, average, median, least or most of a column; for each group where `by` names some."""

    template: Literal["aggregate"] = "aggregate"
    function: Function
    column: _Name
    by: tuple[_Name, ...] = Field(default=(), max_length=4)


class Top(_OfTable):
    """The first rows by a column, or the first groups by a figure."""

    template: Literal["top"] = "top"
    columns: tuple[_Name, ...] = Field(
        default=(), max_length=20, description="What is shown of rows; all where left out."
    )
    by: tuple[_Name, ...] = Field(default=(), max_length=4, description="Groups; rows where left out.")
    measure: Measure
    count: int = Field(default=1, ge=1, le=1000)
    lowest: bool = False
    ties: bool = Field(default=False, description="Also all others that are as far up as the last.")
    show_measure: bool = True


class Share(_OfTable):
    """What part of a figure falls to the rows of `part`, or to each group of `by`; as a number from 0 to 1."""

    template: Literal["share"] = "share"
    measure: Measure = Measure()
    part: tuple[Condition, ...] = Field(default=(), max_length=20)
    by: _Name | None = None

    @model_validator(mode="after")
    def _fits(self) -> "Share":
        if bool(self.part) == bool(self.by):
            raise ValueError("either 'part' or 'by' is expected, and not both")
        return self


class Side(_Strict):
    """One side of a comparison."""

    label: str = Field(min_length=1, max_length=200)
    where: tuple[Condition, ...] = Field(min_length=1, max_length=20)


class Compare(_OfTable):
    """A figure of two or more sides, beside each other, as difference (first less second) or as quotient."""

    template: Literal["compare"] = "compare"
    measure: Measure
    sides: tuple[Side, ...] = Field(min_length=2, max_length=12)
    result: Literal["beside", "difference", "quotient"] = "beside"

    @model_validator(mode="after")
    def _fits(self) -> "Compare":
        if self.result != "beside" and len(self.sides) != 2:
            raise ValueError(f"a {self.result} is of two sides, {len(self.sides)} are given")
        return self


class Development(_OfTable):
    """A figure over time, with its change since the first point; `start` and `end` belong to it."""

    template: Literal["development"] = "development"
    measure: Measure
    time: _Name = Field(description="A column of years or dates.")
    step: Literal["as_is", "year", "month", "day"] = Field(default="as_is", description="What dates are gathered to.")
    start: Scalar | None = None
    end: Scalar | None = None


class Exists(_OfTable):
    """Whether there is such a row."""

    template: Literal["exists"] = "exists"
    where: tuple[Condition, ...] = Field(min_length=1, max_length=20)


Template = Annotated[
    Lookup | ListRows | Count | Aggregate | Top | Share | Compare | Development | Exists,
    Field(discriminator="template"),
]
"""Any of them, told apart by `template`."""
