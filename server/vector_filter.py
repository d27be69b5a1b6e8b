"""Filters over the attributes of files, as OpenAI's clients write them: comparisons, joined by 'and' and 'or'."""

from collections.abc import Mapping
from typing import Annotated, Literal, cast

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Comparison", "Compound", "Filter", "fits"]

Value = str | int | float | bool
_STRICT = ConfigDict(extra="forbid", strict=True)


class Comparison(BaseModel):
    """One attribute against a value. A file without the attribute fits `ne` and `nin` alone."""

    model_config = _STRICT

    type: Literal["eq", "ne", "gt", "gte", "lt", "lte", "in", "nin"]
    key: str = Field(max_length=64)
    value: Value | list[str | int | float]


class Compound(BaseModel):
    """Several filters, of which all or one must fit."""

    model_config = _STRICT

    type: Literal["and", "or"]
    filters: list["Filter"] = Field(max_length=100)


Filter = Annotated[Comparison | Compound, Field(discriminator="type")]
Compound.model_rebuild()


def fits(asked: Comparison | Compound, attributes: Mapping[str, object]) -> bool:
    """Whether a file with these attributes fits."""
    if isinstance(asked, Compound):
        each = (fits(one, attributes) for one in asked.filters)
        return all(each) if asked.type == "and" else any(each)
    has, value = attributes.get(asked.key), asked.value
    match asked.type:
        case "eq":
            return _same(has, value)
        case "ne":
            return not _same(has, value)
        case "in" | "nin":
            found = isinstance(value, list) and any(_same(has, one) for one in value)
            return found == (asked.type == "in")
        case _:
            return _ordered(asked.type, has, value)


def _same(has: object, value: object) -> bool:
    return isinstance(has, bool) == isinstance(value, bool) and has == value


def _ordered(kind: str, has: object, value: object) -> bool:
    """Numbers by size, texts by their letters, so that dates written as 2027-01-31 are in order; nothing else."""
    numbers = _is_number(has) and _is_number(value)
    if not numbers and not (isinstance(has, str) and isinstance(value, str)):
        return False
    left, right = cast("tuple[float, float]", (has, value))
    return {"gt": left > right, "gte": left >= right, "lt": left < right, "lte": left <= right}[kind]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
