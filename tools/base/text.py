"""Text that says something: what use cases and tools take as their input."""

from typing import Annotated

from pydantic import AfterValidator

__all__ = ["Words", "shortened"]


def _says_something(text: str) -> str:
    if not any(map(str.isalnum, text)):
        raise ValueError("it has no letter and no digit, words are expected")
    return text


Words = Annotated[str, AfterValidator(_says_something)]
"""A `str` with a letter or a digit at least; its JSON schema is that of any string."""


def shortened(text: str, most: int) -> str:
    """`text` on one line of at most `most` characters: cut after a whole word, with an ellipsis."""
    line = " ".join(text.split())
    if len(line) <= most:
        return line
    kept = line[:most]
    whole = kept[: most - 1] if " " not in kept else kept.rpartition(" ")[0]
    return whole.rstrip(" .,;:–-") + "…"
