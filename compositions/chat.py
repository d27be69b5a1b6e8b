"""Takes a free message to the use case that fits it best, and says which it chose.

Deutsch: Bringt eine freie Nachricht zu dem Anwendungsfall, der am besten passt, und sagt, welcher es war.
"""

import math
import re
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from agents.answer import answer
from agents.kit import Composition, Run, UseCase, composition, from_text, readable, text_field
from tools.base import InvalidInput, Words
from tools.language import grams, stems, tokens
from tools.language.analysis import is_function_word

__all__ = ["Message", "Reply", "chat"]

_LONGEST_REQUEST = 300
"""Characters; what stands before a colon or a line break and is longer is no request but text."""
_LIKE = 0.6
"""How much of a word a description must hold so that it counts as said there."""
_ASKED = 0.6
"""The part of a question's words a description must hold; below it, it is a question to the documents."""
_TOLD = 0.2
"""The same for what is no question."""
_FIELD = 0.5
_FIRST = 1.5
"""A request begins with what is to be done."""
_WHOLE = 0.8
"""A use case that is a part of a better one goes before it from this part of its score on: nobody asked for the rest."""
_OPENING = re.compile(
    r"^(?:wer|wie|was|wann|wo|warum|wieso|woher|wohin|welche[rsnm]?|gibt|ist|sind|hat|haben|kann|können|muss|darf|"
    r"who|how|what|when|where|why|which|is|are|does|do|can|must|may)\b",
    re.IGNORECASE,
)
_ON = re.compile(r"\b(?:zum thema|zu dem thema|über|zum|zur|zu|about|on|of)\s+(?P<matter>\S.*)$", re.IGNORECASE)


class Message(BaseModel):
    """What somebody wrote."""

    model_config = ConfigDict(extra="forbid")

    message: Words = Field(min_length=1, max_length=500_000, description="The message, in German or English.")


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
    head, tail = _split(given.message)
    question = not tail and (head.rstrip().endswith("?") or _OPENING.match(head.lstrip()) is not None)
    chosen = _choose(head, [one for one in run.use_cases if one.name != "chat" and text_field(one.input)], question)
    if chosen is None:
        return await _reply(run, answer, from_text(answer.input, given.message))
    run.require(chosen)
    return await _reply(run, chosen, _filled(chosen, tail or _matter(head)))


async def _reply(run: Run, use_case: UseCase[Any, Any], given: BaseModel) -> Reply:
    output: BaseModel = await run.ask(use_case, given, history=run.history)
    return Reply(use_case=use_case.name, text=readable(output), output=output.model_dump(mode="json"))


def _split(message: str) -> tuple[str, str]:
    """What is asked, and what it is about: 'Summarise this: …' has both; otherwise there is only a request."""
    ends = [at for mark in (":", "\n") if 0 < (at := message.find(mark)) <= _LONGEST_REQUEST]
    for at in sorted(ends):
        if text := message[at + 1 :].strip():
            return message[:at], text
    return message, ""


def _matter(request: str) -> str:
    """What a request without a text is about: 'a picture on the fair' is about the fair."""
    found = _ON.search(request.rstrip(" ?.!"))
    return found["matter"] if found else request


def _filled(use_case: UseCase[Any, Any], text: str) -> BaseModel:
    """The input of a use case made of a text alone.

    Raises:
        InvalidInput: it needs more; the message says what.
    """
    fields = use_case.input.model_fields
    missing = [name for name, field in fields.items() if field.is_required() and name != text_field(use_case.input)]
    if missing:
        wanted = ", ".join(f"{name!r} ({fields[name].description or 'see its schema'})" for name in missing)
        raise InvalidInput(
            f"The message is for {use_case.name!r}, which needs more than a text: {wanted}.",
            hint=f"Ask {use_case.name!r} itself and send JSON with these fields.",
        )
    return from_text(use_case.input, text)


def _choose(request: str, use_cases: Sequence[UseCase[Any, Any]], question: bool) -> UseCase[Any, Any] | None:
    """The use case whose descriptions say most of what the request says; None where none says enough.

    A word that few descriptions have weighs more than one that many have.
    """
    words = [word for word in dict.fromkeys(tokens(request[:_LONGEST_REQUEST])) if not _empty(word)]
    profiles = [_profile(use_case) for use_case in use_cases]
    held = [[_held(word, profile) for word in words] for profile in profiles]
    weights = [math.log1p(len(profiles) / max(sum(row[at] > 0 for row in held), 1)) for at in range(len(words))]
    if words and not question and any(row[0] for row in held):
        weights[0] *= _FIRST
    scores = [sum(value * weight for value, weight in zip(row, weights, strict=True)) for row in held]
    if not scores or max(scores) < (_ASKED if question else _TOLD) * sum(weights) or max(scores) == 0:
        return None
    best = max(range(len(use_cases)), key=lambda at: scores[at])
    winner = use_cases[best]
    parts = winner.parts if isinstance(winner, Composition) else ()
    simpler = [at for at, one in enumerate(use_cases) if one in parts and scores[at] >= _WHOLE * scores[best]]
    return use_cases[max(simpler, key=lambda at: scores[at])] if simpler else winner


def _empty(word: str) -> bool:
    return is_function_word(word, "de") or is_function_word(word, "en")


def _profile(use_case: UseCase[Any, Any]) -> tuple[frozenset[str], frozenset[str]]:
    """The words the catalog says of a use case: its name and descriptions, and the names of its fields."""
    fields = " ".join([*use_case.input.model_fields, *use_case.output.model_fields])
    said = f"{use_case.name} {use_case.description} {use_case.german}"
    first, second = (
        frozenset(word for word in tokens(text.replace("_", " ")) if not _empty(word)) for text in (said, fields)
    )
    return first, second


def _held(word: str, profile: tuple[frozenset[str], frozenset[str]]) -> float:
    """How much of `word` a use case's profile holds, 0 to 1; what only a field is called counts in part."""
    return max(_in(word, profile[0]), _FIELD * _in(word, profile[1]))


def _in(word: str, profile: frozenset[str]) -> float:
    """How much of `word` some words hold: itself, in another form, or as a part of a compound."""
    if {word, stems(word, "de")[0], stems(word, "en")[0]} & {
        form for other in profile for form in (other, stems(other, "de")[0], stems(other, "en")[0])
    }:
        return 1.0
    mine = set(grams(word))
    best = max((len(mine & set(grams(other))) / len(mine) for other in profile), default=0.0)
    compound = len(word) >= 4 and any(other.endswith(word) or other.startswith(word) for other in profile)
    best = max(best, 0.9 if compound else 0.0)
    return best if best >= _LIKE else 0.0
