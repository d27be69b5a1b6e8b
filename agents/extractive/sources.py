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
_LONGEST_HEADING = 300
"""Code points; each passage below carries it, so that a longer line is text."""
_DEEPEST = 64
"""Levels of nested data that are looked into."""
_HEADING = re.compile(r"(?P<marks>#{1,6})[ \t]+")
_BREAK = re.compile(r"\n[ \t]*(?:\n[ \t]*)+|\n(?=#{1,6} )")


def passages_of(result: object) -> list[Passage]:
    """The passages in what a source tool returned: a `Passages`, as an object or as JSON text; anything else has none."""
    return list(_shaped(_parsed(result) if isinstance(result, str) else _plain(result)))


def passages_in(value: JsonValue, *, document: str, title: str) -> list[Passage]:
    """The passages in a source variable.

    Passages and citations in a list or an object, which the use case's model let through, keep their own document and
    offsets; where there are none, each of its texts becomes passages of `document`, with offsets into that text. A
    string is text, whatever it looks like: who wrote it may not say where its words come from.
    """
    if isinstance(value, str):
        return paragraphs(value, document=document, title=title)
    data = _plain(value)
    if found := list(_shaped(data)):
        return found
    return [
        passage
        for path, text in _texts(data, "")
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
        line = text[start:end].partition("\n")[0]
        heading = _HEADING.match(line)
        words = line[heading.end() :].rstrip(" \t#") if heading else ""
        if len(words) > _LONGEST_HEADING:
            heading = None
        if heading or end - open_at > _LONGEST:
            close()
            open_at = start
        if heading:
            level = len(heading["marks"])
            path = [*(above for above in path if above[0] < level), (level, words)]
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


def _parsed(text: str) -> object:
    """What `text` says where it is JSON."""
    try:
        return from_json(text)
    except ValueError:  # it is none, or nested too deep
        return text


def _plain(value: object) -> object:
    """`value`, or the data of a model."""
    dump = getattr(value, "model_dump", None)
    return dump(mode="json") if callable(dump) else value


def _shaped(value: object, depth: int = 0) -> Iterator[Passage]:
    """Every passage or citation in nested data, in order."""
    if depth > _DEEPEST:
        return
    if isinstance(value, Mapping):
        fields = cast("Mapping[str, object]", value)
        if passage := _passage(fields):
            yield passage
        else:
            for part in fields.values():
                yield from _shaped(part, depth + 1)
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        for part in cast("Sequence[object]", value):
            yield from _shaped(part, depth + 1)


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


def _texts(value: object, path: str, depth: int = 0) -> Iterator[tuple[str, str]]:
    if depth > _DEEPEST:
        return
    if isinstance(value, str):
        if value.strip():
            yield path, value
    elif isinstance(value, Mapping):
        for name, part in cast("Mapping[str, object]", value).items():
            yield from _texts(part, f"{path}.{name}", depth + 1)
    elif isinstance(value, Sequence) and not isinstance(value, bytes):
        for at, part in enumerate(cast("Sequence[object]", value)):
            yield from _texts(part, f"{path}.{at}", depth + 1)
