"""Request bodies with fields of their own: checked against a model, with the field that does not fit named as OpenAI does."""

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar, cast

from annotated_types import MaxLen
from pydantic import BaseModel, Field, StringConstraints, ValidationError

from server.errors import InvalidParameter

__all__ = ["Metadata", "fitted"]

M = TypeVar("M", bound=BaseModel)

Metadata = Annotated[
    dict[Annotated[str, StringConstraints(max_length=64)], Annotated[str, StringConstraints(max_length=512)]],
    MaxLen(16),
    Field(description="Up to 16 pairs of a key (64 characters) and a text (512)."),
]


def fitted(model: type[M], data: Mapping[str, Any]) -> M:
    """`data` as `model`.

    Raises:
        InvalidParameter: it does not fit; `param` says what.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        # Which member of a union was tried is ours to know; a client reads the names that it has sent.
        parts = [part for part in first["loc"] if isinstance(part, int) or part in _names(dict(data))] or list(
            first["loc"]
        )
        where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts).lstrip(".")
        said = first["msg"].removeprefix("Value error, ")
        raise InvalidParameter(f"The parameter {where!r} does not fit: {said}.", param=where) from None


def _names(data: object) -> set[object]:
    """Every name that stands in `data`."""
    if isinstance(data, dict):
        given = cast("dict[str, object]", data)
        return set(given).union(*map(_names, given.values()))
    if isinstance(data, list):
        return set[object]().union(*map(_names, cast("list[object]", data)))
    return set()
