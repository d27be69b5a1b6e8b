"""Any typed output as blocks of a page: headings, texts with their notes, lists and facts, from the fields alone."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

from markupsafe import Markup
from pydantic import BaseModel

from server.notes import Notes
from tools.base import Artifact, Citation

__all__ = ["Block", "blocks"]

_HEADINGS = ("title", "heading", "name")


@dataclass(frozen=True)
class Block:
    """One block. `level` is that of a heading, 2 to 4."""

    kind: Literal["heading", "text", "items", "fact", "code"]
    text: str | Markup = ""
    label: str = ""
    level: int = 2
    items: tuple[str | Markup, ...] = ()


def blocks(output: BaseModel, citations: Sequence[Citation], notes: Notes, level: int = 2) -> list[Block]:
    """The blocks of an output.

    Args:
        output: whatever a use case gives.
        citations: quotes for the texts of models that carry none of their own.
        notes: where the quotes get their numbers.
        level: of the highest heading.
    """
    own = [citation for name in type(output).model_fields for citation in _citations(getattr(output, name))]
    found: list[Block] = []
    shown = {
        name: value
        for name in type(output).model_fields
        if (value := getattr(output, name)) not in (None, "", []) and not _elsewhere(value)
    }
    lone = len([name for name in shown if name not in _HEADINGS]) <= 1
    for name, value in shown.items():
        title = type(output).model_fields[name].title or name.replace("_", " ").capitalize()
        if name in _HEADINGS and isinstance(value, str):
            found.append(Block("heading", value, level=level))
        else:
            found += _block(title, value, own or citations, notes, level, lone=lone)
    return found


def _block(
    title: str, value: object, citations: Sequence[Citation], notes: Notes, level: int, *, lone: bool
) -> list[Block]:
    head = [] if lone else [Block("heading", title, level=level)]
    below = min(level + (not lone), 4)
    match value:
        case str() if lone or len(value) > 80 or "\n" in value:
            return [*head, Block("text", notes.text(value, citations, calls_all=lone))]
        case str():
            return [Block("fact", value, label=title)]
        case bool() | int() | float():
            return [Block("fact", json.dumps(value), label=title)]
        case BaseModel():
            return [*head, *blocks(value, citations, notes, below)]
        case list():
            return [*head, *_items(cast("list[object]", value), citations, notes, below)]
        case dict():
            return [*head, Block("code", json.dumps(value, ensure_ascii=False, indent=2, default=str))]
        case _:
            return [Block("fact", str(value), label=title)]


def _items(values: list[object], citations: Sequence[Citation], notes: Notes, level: int) -> list[Block]:
    if all(isinstance(value, BaseModel) for value in values):
        models = cast("list[BaseModel]", values)
        if all(_only_text(model) for model in models):
            return [Block("items", items=tuple(_line(model, notes) for model in models))]
        return [block for model in models for block in blocks(model, citations, notes, level)]
    lines = [
        value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str) for value in values
    ]
    return [Block("items", items=tuple(notes.line(line, citations) for line in lines))]


def _only_text(model: BaseModel) -> bool:
    """One text, perhaps with its sources: an item of a list."""
    rest = [value for name in type(model).model_fields if not _elsewhere(value := getattr(model, name))]
    return len(rest) == 1 and isinstance(rest[0], str)


def _line(model: BaseModel, notes: Notes) -> Markup:
    values = [getattr(model, name) for name in type(model).model_fields]
    text = next(value for value in values if isinstance(value, str))
    return notes.text(text, [citation for value in values for citation in _citations(value)])


def _elsewhere(value: object) -> bool:
    """Pictures, sounds and sources have their own place on the page."""
    if isinstance(value, Artifact | Citation):
        return True
    items = cast("list[object]", value) if isinstance(value, list) else []
    return (bool(items) and all(isinstance(item, Artifact | Citation) for item in items)) or value == []


def _citations(value: object) -> list[Citation]:
    if isinstance(value, Citation):
        return [value]
    items = cast("list[object]", value) if isinstance(value, list) else []
    return [item for item in items if isinstance(item, Citation)]
