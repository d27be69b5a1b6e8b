"""What a language model's answer rests on: its sentences that stand verbatim in the material it was given."""

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any, cast

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from agents.kit.task import Evidence, Task
from tools.base import Citation, Passage, Passages
from tools.language import detect, sentences

if TYPE_CHECKING:
    from pydantic_ai.messages import ModelMessage

__all__ = ["attach", "evidence_in", "ground", "passages_in", "texts_in"]

_SHORTEST = 15
"""Characters; anything shorter stands verbatim somewhere by chance."""


def evidence_in(messages: "Sequence[ModelMessage]") -> Evidence | None:
    """What an engine itself reported with its last response; None where it reports nothing."""
    from pydantic_ai.messages import ModelResponse

    for message in reversed(messages):
        if isinstance(message, ModelResponse):
            details = (message.provider_details or {}).get("partitur")
            return Evidence.model_validate(details) if details else None
    return None


def passages_in(messages: "Sequence[ModelMessage]", sources: Collection[str]) -> list[Passage]:
    """All passages that the tools named in `sources` returned, and those that the task's source variables hold."""
    from pydantic_ai.messages import TextContent, ToolReturnPart, UserPromptPart

    found: list[Passage] = []
    for message in messages:
        for part in message.parts:
            if isinstance(part, ToolReturnPart) and part.tool_name in sources:
                content = part.content
                try:
                    found += Passages.model_validate(
                        from_json(content) if isinstance(content, str) else content
                    ).passages
                except ValueError:  # no passages, no JSON, or JSON nested too deep
                    continue
            elif isinstance(part, UserPromptPart) and not isinstance(part.content, str):
                for item in part.content:
                    if isinstance(item, TextContent) and isinstance(item.metadata, Task):
                        found += _given(item.metadata)
    return found


def _given(task: Task) -> Iterable[Passage]:
    for variable in task.variables:
        if variable.role == "source":
            yield from _in_value(variable.value, f"input:{variable.name}")


def _in_value(value: object, name: str) -> Iterable[Passage]:
    match value:
        case str():
            yield Passage(document=name, title=name, start=0, end=len(value), text=value)
        case list():
            for item in cast("list[object]", value):
                yield from _in_value(item, name)
        case dict():
            data = cast("dict[str, Any]", value)
            for model in (Passage, Citation):
                try:
                    shaped = model.model_validate(data)
                except ValidationError:
                    continue
                yield (
                    shaped
                    if isinstance(shaped, Passage)
                    else Passage(**shaped.model_dump(exclude={"quote"}), text=shaped.quote)
                )
                return
            for item in data.values():
                yield from _in_value(item, name)
        case _:
            return


def texts_in(output: object) -> list[str]:
    """Every text in an output but its citations, in the order of its fields."""
    match output:
        case str():
            return [output]
        case Citation():
            return []
        case BaseModel():
            return [text for value in dict(output).values() for text in texts_in(value)]
        case list() | tuple():
            return [text for item in cast("Sequence[object]", output) for text in texts_in(item)]
        case _:
            return []


def ground(output: BaseModel, passages: Sequence[Passage]) -> list[Citation]:
    """Cites each sentence of `output` that stands verbatim in one of `passages`, in the order of the output."""
    citations: dict[tuple[str, int], Citation] = {}
    for text in texts_in(output):
        for span in sentences(text, detect(text)):
            quote = text[span.start : span.end].strip(" \n\"'„“”»«*")
            if len(quote) < _SHORTEST:
                continue
            for passage in passages:
                at = passage.text.find(quote)
                if at >= 0:
                    citation = passage.cite(at, at + len(quote))
                    citations.setdefault((citation.document, citation.start), citation)
                    break
    return list(citations.values())


def attach(output: object, passages: Sequence[Passage]) -> None:
    """Fills every list of citations in `output` with the places its texts really stand in.

    What a language model wrote there itself is replaced: offsets are not a thing to take its word for.
    """
    match output:
        case BaseModel():
            for name, field in type(output).model_fields.items():
                if field.annotation == list[Citation]:
                    setattr(output, name, ground(output, passages))
                else:
                    attach(getattr(output, name), passages)
        case list() | tuple():
            for item in cast("Sequence[object]", output):
                attach(item, passages)
        case _:
            return
