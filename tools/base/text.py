"""Text that says something: what use cases and tools take as their input."""

from typing import Annotated

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

__all__ = ["Words"]


def _says_something(text: str) -> str:
    if not any(map(str.isalnum, text)):
        raise PydanticCustomError("no_words", "it has no letter and no digit, words are expected")
    return text


Words = Annotated[str, AfterValidator(_says_something)]
"""A `str` with a letter or a digit at least; its JSON schema is that of any string."""
