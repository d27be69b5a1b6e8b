"""Takes a free message to the use case that fits it best, and says which it chose.

Deutsch: Bringt eine freie Nachricht zu dem Anwendungsfall, der am besten passt, und sagt, welcher es war.
"""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from agents.answer import answer
from agents.kit import Run, UseCase, composition, from_text, readable, text_field
from tools.base import InvalidInput
from tools.language import grams, stems

__all__ = ["Message", "Reply", "chat"]

_LONGEST_REQUEST = 300
"""Characters; what stands before a colon or a line break and is longer is no request but text."""
_SHORTEST_TEXT = 40
"""Characters that must follow a request so that they are what it is about."""
_SURE = 2.2
"""BM25; a weaker likeness to a description is chance, and the message a question to the documents."""


class Message(BaseModel):
    """What somebody wrote."""

    model_config = ConfigDict(extra="forbid")

    message: str = Field(min_length=1, max_length=500_000, description="The message, in German or English.")


class Reply(BaseModel):
    """What came of it."""

    use_case: str = Field(description="The use case that was chosen.")
    text: str = Field(description="Its answer, to read.")
    output: dict[str, JsonValue] = Field(description="Its answer, typed.")

    def markdown(self) -> str:
        """The answer, and who gave it."""
        return f"{self.text}\n\n_{self.use_case}_"


@composition
async def chat(given: Message, run: Run) -> Reply:
    request, text = _split(given.message)
    chosen = _choose(
        request, [use_case for use_case in run.use_cases if use_case.name != "chat" and _takes_text(use_case)]
    )
    if chosen is None:
        chosen, text = answer, given.message
    output: BaseModel = await run.ask(chosen, from_text(chosen.input, text))
    return Reply(use_case=chosen.name, text=readable(output), output=output.model_dump(mode="json"))


def _split(message: str) -> tuple[str, str]:
    """What is asked, and what it is about: 'Summarise this: …' has both; otherwise each is the whole message."""
    ends = [at for mark in (":", "\n") if 0 < (at := message.find(mark)) <= _LONGEST_REQUEST]
    for at in sorted(ends):
        text = message[at + 1 :].strip()
        if len(text) >= _SHORTEST_TEXT:
            return message[:at], text
    return message[:_LONGEST_REQUEST], message


def _takes_text(use_case: UseCase[Any, Any]) -> bool:
    """Whether a text alone is enough for it."""
    name = text_field(use_case.input)
    required = [key for key, field in use_case.input.model_fields.items() if field.is_required()]
    return name is not None and required == [name]


def _choose(request: str, use_cases: Sequence[UseCase[Any, Any]]) -> UseCase[Any, Any] | None:
    """The use case whose descriptions and schema are most like the request; None where none is like it."""
    from tools.language.bm25 import BM25  # numpy, which only routing needs

    if not use_cases:
        raise InvalidInput("No use case takes a free message. Expected one with a single required text field.")
    scores = BM25([_words(_profile(use_case)) for use_case in use_cases]).scores(_words(request))
    best = max(range(len(use_cases)), key=lambda index: scores[index])
    return use_cases[best] if scores[best] >= _SURE else None


def _profile(use_case: UseCase[Any, Any]) -> str:
    """What the catalog says of a use case: name, descriptions in both languages, fields."""
    fields = [*use_case.input.model_fields.values(), *use_case.output.model_fields.values()]
    said = [use_case.name.replace("_", " "), use_case.description, use_case.german]
    return " ".join([*said, *said, *(field.description or "" for field in fields)])


def _words(text: str) -> list[str]:
    return [*stems(text, "de"), *stems(text, "en"), *grams(text)]
