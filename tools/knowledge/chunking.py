"""How a document is to be cut: by its structure, or into pieces of so many tokens."""

from dataclasses import dataclass
from typing import Literal

from tools.base import InvalidInput

__all__ = ["STRUCTURE", "Chunking"]

_LEAST, _MOST = 50, 8_192


@dataclass(frozen=True, slots=True)
class Chunking:
    """A way of cutting. `max_tokens` and `overlap` say nothing to `structure`.

    Tokens are those of OpenAI's `cl100k_base`; a German word has about two.

    Raises:
        InvalidInput: the numbers do not go together.
    """

    kind: Literal["structure", "tokens", "sentences"] = "structure"
    """`structure`: headings, paragraphs, whole tables. `tokens`: windows over the text, whatever stands there.
    `sentences`: whole sentences of one section and page, as many as fit."""
    max_tokens: int = 800
    overlap: int = 0
    """Tokens at the end of a chunk that the next one begins with: at most half of it."""

    def __post_init__(self) -> None:
        if not _LEAST <= self.max_tokens <= _MOST or not 0 <= self.overlap <= self.max_tokens // 2:
            raise InvalidInput(
                f"Chunks of {self.max_tokens!r} tokens with an overlap of {self.overlap!r} cannot be cut. "
                f"Expected {_LEAST} to {_MOST:,} tokens, and an overlap of at most half of them.",
                hint="Choose other numbers, or cut by structure.",
            )

    @property
    def mark(self) -> str:
        """Tells it apart from others; empty for `structure`."""
        return "" if self.kind == "structure" else f"{self.kind} {self.max_tokens} {self.overlap}"


STRUCTURE = Chunking()
"""What fits documents of an organisation best, and what is taken where nothing is said."""
