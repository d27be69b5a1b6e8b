"""Typed data as text people read, and text people write as typed data."""

import json
from typing import Any, Protocol, TypeVar, cast, runtime_checkable

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from tools.base import Artifact, Citation, InvalidInput

__all__ = ["Readable", "from_text", "readable", "text_field", "validated"]

In = TypeVar("In", bound=BaseModel)


@runtime_checkable
class Readable(Protocol):
    """An output that knows how it wants to be read."""

    def markdown(self) -> str: ...


def readable(output: BaseModel) -> str:
    """An output as Markdown: its own `markdown()`, its only text, or every field with its name."""
    if isinstance(output, Readable):
        return output.markdown()
    fields = {
        name: value
        for name in type(output).model_fields
        if (value := getattr(output, name, None)) not in (None, [], "")
    }
    texts = [value for value in fields.values() if isinstance(value, str)]
    if len(fields) == 1 and len(texts) == 1:
        return texts[0]
    lines: list[str] = []
    for name, value in fields.items():
        label = type(output).model_fields[name].title or name.replace("_", " ").capitalize()
        shown = _shown(value)
        lines.append(f"**{label}**\n\n{shown}" if "\n" in shown else f"**{label}**: {shown}")
    return "\n\n".join(lines)


def _shown(value: object) -> str:
    match value:
        case str():
            return value
        case Artifact():
            return f"[{value.alt_text}]({value.uri})"
        case Citation():
            return f"“{value.quote}” ({value.title})"
        case BaseModel():
            return readable(value)
        case list():
            return "\n".join(f"- {_shown(item)}" for item in cast("list[Any]", value))
        case _:
            return json.dumps(value, ensure_ascii=False, default=str)


def text_field(model: type[BaseModel]) -> str | None:
    """The field that free text fills: the first required text field, else the first text field."""
    texts = [name for name, field in model.model_fields.items() if field.annotation is str]
    required = [name for name in texts if model.model_fields[name].is_required()]
    return next(iter(required or texts), None)


def from_text(model: type[In], text: str) -> In:
    """Free text as an input: a JSON object fills all fields, anything else the first text field.

    Raises:
        InvalidInput: it does not fit; the message names the field.
    """
    given: dict[str, Any] | None = None
    if text.lstrip().startswith("{"):
        try:
            parsed: object = from_json(text)  # a ValueError too where it is nested too deep
            if isinstance(parsed, dict) and set(cast("dict[str, Any]", parsed)) & set(model.model_fields):
                given = cast("dict[str, Any]", parsed)
        except ValueError:
            given = None
    if given is None:
        name = text_field(model)
        if name is None:
            raise InvalidInput(
                f"{model.__name__} has no text field to fill with {text[:60]!r}. Expected a JSON object.",
                hint=f"Send JSON with the fields {', '.join(map(repr, model.model_fields))}.",
            )
        given = {name: text}
    return validated(model, given)


def validated(model: type[In], given: object) -> In:
    """`given` as `model`.

    Raises:
        InvalidInput: it does not fit; the message names the field.
    """
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise InvalidInput.of(error, model) from error
