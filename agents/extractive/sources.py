"""Finds what may be quoted: passages in tool results and in the texts that came with the task."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from pydantic import JsonValue, ValidationError
from pydantic_core import from_json

from tools.base import Passage

__all__ = ["paragraphs", "passages_in", "passages_of"]

_LONGEST = 1200
"""Code points of a passage cut from a plain text, unless one paragraph is longer."""
_HEADING = re.compile(r"(?P<marks>#{1,6})[ \t]+(?P<words>.*?)[ \t#]*$")
_BREAK = re.compile(r"\n[ \t]*(?:\n[ \t]*)+|\n(?=#{1,6} )")


def passages_of(result: object) -> list[Passage]:
    """The passages in what a source tool returned: a `Passages`, as an object or as JSON text; anything else has none."""
    return list(_shaped(_parsed(result)))


def passages_in(value: JsonValue, *, document: str, title: str) -> list[Passage]:
    """The passages in a source variable.

    Passages and citations inside it keep their own document and offsets; where there are none, each of its texts
    becomes passages of `document`, with offsets into that text.
    """
    parsed = _parsed(value)
    if found := list(_shaped(parsed)):
        return found
    if isinstance(parsed, str):
        return paragraphs(parsed, document=document, title=title)
    return [
        passage
        for path, text in _texts(parsed, "")
        for passage in paragraphs(text, document=f"{document}{path}", title=title)
    ]


def paragraphs(text: str, *, document: str, title: str) -> list[Passage]:
    """Cuts a plain or Markdown text at its blank lines and headings into passages; small neighbours stay together."""
    found: list[Passage] = []
    path: list[tuple[int, str]] = []
    open_at = open_to = 0

    def close() -> None:
        if text[open_at:open_to].strip():
            heading = " › ".join(words for _, words in path) or None
            found.append(
                Passage(
                    document=document,
                    title=title,
                    heading=heading,
                    start=open_at,
                    end=open_to,
                    text=text[open_at:open_to],
                )
            )

    for start, end in _pieces(text):
        heading = _HEADING.match(text[start:end].partition("\n")[0])
        if heading or end - open_at > _LONGEST:
            close()
            open_at = start
        if heading:
            level = len(heading["marks"])
            path = [*(above for above in path if above[0] < level), (level, heading["words"])]
        open_to = end
    close()
    return found


def _pieces(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    for gap in _BREAK.finditer(text):
        if gap.start() > start:
            yield start, gap.start()
        start = gap.end()
    if start < len(text):
        yield start, len(text)


def _parsed(value: object) -> object:
    """`value`, or what it says where it is JSON in a string or a model."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            return from_json(value)  # a ValueError too where it is nested too deep
        except ValueError:
            return value
    dump = getattr(value, "model_dump", None)
    return dump(mode="json") if callable(dump) else value


def _shaped(value: object) -> Iterator[Passage]:
    """Every passage or citation in nested data, in order."""
    if isinstance(value, Mapping):
        fields = cast("Mapping[str, object]", value)
        if passage := _passage(fields):
            yield passage
        else:
            for part in fields.values():
                yield from _shaped(part)
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        for part in cast("Sequence[object]", value):
            yield from _shaped(part)


def _passage(fields: Mapping[str, object]) -> Passage | None:
    text = fields.get("text", fields.get("quote"))
    if not isinstance(text, str) or not {"document", "start", "end"} <= fields.keys():
        return None
    known = {name: fields[name] for name in Passage.model_fields if name in fields}
    try:
        passage = Passage.model_validate({"title": fields["document"], **known, "text": text})
    except ValidationError:
        return None
    # Offsets that do not measure their text would make wrong citations.
    return passage if passage.end - passage.start == len(passage.text) else None


def _texts(value: object, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        if value.strip():
            yield path, value
    elif isinstance(value, Mapping):
        for name, part in cast("Mapping[str, object]", value).items():
            yield from _texts(part, f"{path}.{name}")
    elif isinstance(value, Sequence) and not isinstance(value, bytes):
        for at, part in enumerate(cast("Sequence[object]", value)):
            yield from _texts(part, f"{path}.{at}")
