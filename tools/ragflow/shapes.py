"""What RAGFlow answers, read by whichever name a version gives a field, and handed on under one."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Annotated, Literal, TypeVar, cast

from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
)

from tools.base import Failed

__all__ = ["Chunk", "ChunkList", "Hit", "Hits", "Row", "RowList", "Uploaded", "read"]

T = TypeVar("T")
State = Literal["waiting", "running", "cancelled", "done", "failed"]
_STATES: dict[str, State] = {
    "0": "waiting", "UNSTART": "waiting", "1": "running", "RUNNING": "running", "2": "cancelled", "CANCEL": "cancelled",
    "3": "done", "DONE": "done", "4": "failed", "FAIL": "failed", "5": "waiting", "SCHEDULE": "waiting",
}  # fmt: skip


def read(shape: type[T], data: object, what: str) -> T:
    """`data` as `shape`.

    Raises:
        Failed: it is something else.
    """
    try:
        return TypeAdapter(shape).validate_python(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the whole"
        raise Failed(
            f"RAGFlow answered something else than {what}: {where!r} does not fit ({first['msg']}).",
            hint="This speaks the API of RAGFlow 0.27 and 1.0; compare the version of the server.",
        ) from error


def _state(value: object) -> object:
    return _STATES.get(str(value).upper(), "waiting")


def _moment(value: object) -> object:
    """Milliseconds since 1970, or a date as HTTP or ISO 8601 write it."""
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value / 1000, UTC)
    if isinstance(value, str) and "," in value:
        try:
            return parsedate_to_datetime(value).astimezone(UTC)
        except ValueError:
            return value
    return value


def _meta(value: object) -> object:
    """Only text is ours; what else others keep with a document is shown as JSON."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return {}
    if not isinstance(value, Mapping):
        return {}
    fields = cast("Mapping[str, object]", value)
    return {
        key: one if isinstance(one, str) else json.dumps(one, ensure_ascii=False)
        for key, one in fields.items()
        if one is not None
    }


def _first(value: object) -> object:
    """Older versions gave the dataset of a chunk as a list of one."""
    listed = _list(value)
    return listed[0] if listed else value


def _place(value: object) -> object:
    """`[[page, left, right, top, bottom], …]`, one such row, or nothing that tells a place."""
    rows = _list(value)
    row = _list(next(iter(rows), None)) or rows
    numbers = [one for one in row if isinstance(one, int | float)]
    return (int(numbers[0]), float(numbers[3])) if len(numbers) == 5 else None


def _list(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else []


class _Shape(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Row(_Shape):
    """A document as RAGFlow lists it."""

    id: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")
    name: str
    state: Annotated[State, BeforeValidator(_state)] = Field(default="waiting", validation_alias="run")
    told: str = Field(default="", validation_alias="progress_msg")
    chunks: int = Field(default=0, validation_alias=AliasChoices("chunk_count", "chunk_num"))
    created: Annotated[datetime, BeforeValidator(_moment)] = Field(
        validation_alias=AliasChoices("create_time", "create_date")
    )
    meta: Annotated[dict[str, str], BeforeValidator(_meta)] = Field(
        default_factory=dict[str, str], validation_alias=AliasChoices("meta_fields", "metadata")
    )


class RowList(_Shape):
    """A page of documents."""

    rows: list[Row] = Field(validation_alias=AliasChoices("docs", "documents"))
    total: int = Field(validation_alias=AliasChoices("total", "total_datasets"))


class Uploaded(_Shape):
    """A document that was just taken."""

    id: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")
    name: str


class Chunk(_Shape):
    """A stretch of a document, as it is listed."""

    id: str = Field(validation_alias=AliasChoices("id", "chunk_id"))
    content: str = Field(validation_alias=AliasChoices("content", "content_with_weight"))
    available: bool = Field(default=True, validation_alias=AliasChoices("available", "available_int"))
    place: Annotated[tuple[int, float] | None, BeforeValidator(_place)] = Field(
        default=None, validation_alias=AliasChoices("positions", "position_int")
    )
    """Page, or for what has none the number of the chunk; and the upper edge on it."""


class ChunkList(_Shape):
    """A page of chunks."""

    chunks: list[Chunk]
    total: int


class Hit(_Shape):
    """A chunk that was found."""

    id: str = Field(validation_alias=AliasChoices("id", "chunk_id"))
    document: str = Field(validation_alias=AliasChoices("document_id", "doc_id"))
    dataset: Annotated[str, BeforeValidator(_first)] = Field(validation_alias=AliasChoices("dataset_id", "kb_id"))
    name: str = Field(default="", validation_alias=AliasChoices("document_keyword", "document_name", "docnm_kwd"))
    similarity: float = 0.0
    words: float | None = Field(default=None, validation_alias="term_similarity")
    vectors: float | None = Field(default=None, validation_alias="vector_similarity")


class Hits(_Shape):
    """What was found, best first."""

    chunks: list[Hit]
