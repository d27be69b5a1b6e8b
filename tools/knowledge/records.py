"""Reads collections: JSON lines, or a JSON list, of objects with an id, a title and a text."""

import json
from collections.abc import Iterator
from typing import cast

from tools.knowledge.formats import Extract, Skip, Unreadable, decode

__all__ = ["read_lines", "read_list"]

_TEXTS = ("text", "content", "body")
_IDS = ("id", "_id", "docid")


def read_lines(data: bytes) -> Iterator[Extract | Skip]:
    """One document a line; a line that is none is skipped with the reason."""
    total = max(1, len(data))
    at = 0
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in data[:4096]:
        data = decode(data).encode()
    number = 0
    while at < len(data):
        end = data.find(b"\n", at)
        end = len(data) if end < 0 else end
        line, at = data[at:end].strip(), end + 1
        number += 1
        if not line:
            continue
        place = f"line {number}"
        try:
            value = cast(object, json.loads(decode(line)))
        except (ValueError, RecursionError, Unreadable):
            yield Skip(place, "It is no JSON object. Expected one object with 'text' or 'content' a line.")
            continue
        yield _record(value, place, min(1.0, at / total))


def read_list(data: bytes) -> Iterator[Extract | Skip]:
    """One document for each object of the list.

    Raises:
        Unreadable: the file is no JSON list.
    """
    expected = "Expected a list of objects with 'text' or 'content'."
    try:
        values = cast(object, json.loads(decode(data)))
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"The content is no JSON: {error}. {expected}") from error
    if not isinstance(values, list):
        raise Unreadable(f"The content is a JSON {type(values).__name__}. {expected}")
    items = cast(list[object], values)
    for number, value in enumerate(items, 1):
        yield _record(value, f"record {number}", number / len(items))


def _record(value: object, place: str, fraction: float) -> Extract | Skip:
    if not isinstance(value, dict):
        return Skip(place, "It is no JSON object. Expected an object with 'text' or 'content'.")
    fields = cast(dict[str, object], value)
    text = next((found for name in _TEXTS if isinstance(found := fields.get(name), str) and found.strip()), "")
    if not text:
        return Skip(place, "It has no text. Expected a field 'text' or 'content'.")
    record = next((str(found) for name in _IDS if isinstance(found := fields.get(name), str | int)), "")
    title = fields.get("title")
    language = fields.get("language") or fields.get("lang")
    return Extract(
        text=text.replace("\r\n", "\n").replace("\r", "\n").strip(),
        title=title.strip() if isinstance(title, str) else "",
        language=language if isinstance(language, str) else "",
        record=record.strip() or place.replace(" ", "-"),
        fraction=fraction,
    )
