"""What a prompt's front matter may set for the embedded engine, with the defaults that were measured."""

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from tools.base import InvalidInput

__all__ = ["Parameters"]


class Parameters(BaseModel):
    """Typed parameters; names that are not here belong to other engines and are left alone."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    sentences: int = Field(default=3, ge=1, le=50, description="Most sentences in one text.")
    items: int = Field(default=5, ge=1, le=50, description="Most items in one list.")
    diversity: float = Field(
        default=0.3, ge=0, le=1, description="How much a sentence loses by saying what is said already."
    )
    position: float = Field(default=1.0, ge=0, le=5, description="How much an early place counts; 0 leaves it out.")
    order: Literal["worth", "place"] | None = Field(
        default=None,
        description="Sentences of a text by worth, or as their document has them; null: worth for questions.",
    )
    threshold: float = Field(
        default=0.5, ge=0, le=1, description="Support below which the answer is 'no reliable source'."
    )

    @classmethod
    def of(cls, given: Mapping[str, JsonValue]) -> "Parameters":
        """The parameters in `given`.

        Raises:
            InvalidInput: a value is of the wrong type or out of its range.
        """
        try:
            return cls.model_validate(dict(given))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            raise InvalidInput(
                f"The parameter {'.'.join(map(str, first['loc']))!r} does not fit: {first['msg']}; got {first['input']!r}.",
                hint="Correct it in the prompt's front matter.",
            ) from error
