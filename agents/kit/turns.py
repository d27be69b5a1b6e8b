"""What was said before in a conversation: a use case reads its latest turns besides its input."""

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["LONGEST_HISTORY", "Turn", "latest"]

LONGEST_HISTORY = 24_000
"""Characters of earlier turns that a use case reads: some 6,000 tokens, which leaves a model of 8,192 room to answer."""


class Turn(BaseModel):
    """One message of a conversation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: Literal["user", "assistant"] = Field(description="Who said it.")
    text: str = Field(description="What was said.")


def latest(turns: Sequence[Turn], *, longest: int = LONGEST_HISTORY) -> tuple[Turn, ...]:
    """The last of `turns` that have `longest` characters together; the last of all is cut where it alone is longer.

    What somebody asked stays with its answer: the first of them is a user's, unless an assistant alone has spoken.
    """
    kept: list[Turn] = []
    room = longest
    for turn in reversed([turn for turn in turns if turn.text.strip()]):
        if len(turn.text) > room:
            if not kept:
                kept.append(Turn(role=turn.role, text=turn.text[:longest]))
            break
        kept.append(turn)
        room -= len(turn.text)
    kept.reverse()
    begins = next((at for at, turn in enumerate(kept) if turn.role == "user"), 0)
    return tuple(kept[begins:])
