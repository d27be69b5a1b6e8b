"""How much work a JSON schema can make: references that are followed again and again grow without bound."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

__all__ = ["is_too_heavy"]

_MOST = 100_000
"""Subschemas, each counted wherever it is reached; schemas of people have thousands at most."""
_NAMED = 5_000
"""What a reference counts that is not followed: an anchor, an id, or a path from something else than the document."""
_DEEPEST = 400
"""References and levels below each other."""


def is_too_heavy(schema: Mapping[str, Any]) -> bool:
    """Whether checking a value against `schema` may take longer than anybody waits.

    Ten lines of definitions that each name the next one twice are a thousand checks, forty lines are a trillion.
    """
    # Below an id of its own a path begins there, where a copy of the document's names may lie that is much heavier.
    names = ("$id", "$schema", *(["id"] if "draft-04" in str(schema.get("$schema")) else []))
    root = None if any(_has_text(names, part) for part in schema.values()) else schema
    return _weight(schema, root, {}, 0) > _MOST


def _has_text(names: Sequence[str], value: object) -> bool:
    """Whether one of `names` has a text anywhere in `value`."""
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            fields = cast("dict[str, object]", part)
            if any(isinstance(fields.get(name), str) for name in names):
                return True
            waiting.extend(fields.values())
        elif isinstance(part, list):
            waiting.extend(cast("list[object]", part))
    return False


def _weight(node: object, root: Mapping[str, Any] | None, known: dict[int, int], depth: int) -> int:
    """All that lies below `node`, references included; a way back to where it came from counts once."""
    if not isinstance(node, dict | list):
        return 0
    if depth > _DEEPEST:
        return _MOST + 1
    if (found := known.get(id(cast("object", node)))) is not None:
        return found
    known[id(cast("object", node))] = 1
    total = 1
    parts = cast("dict[str, object]", node).values() if isinstance(node, dict) else cast("list[object]", node)
    for part in parts:
        total += _weight(part, root, known, depth + 1)
        if total > _MOST:
            break
    if isinstance(node, dict):
        for name in ("$ref", "$dynamicRef"):
            if isinstance(reference := cast("dict[str, object]", node).get(name), str):
                place = _place(reference, root)
                total += _NAMED if place is None else _weight(place, root, known, depth + 1)
    known[id(cast("object", node))] = total
    return total


def _place(reference: str, root: Mapping[str, Any] | None) -> object:
    """What a path in the document points at; None where it is no path, or leads nowhere."""
    if root is None or (reference != "#" and not reference.startswith("#/")):
        return None
    found: object = root
    for part in reference.removeprefix("#").split("/")[1:]:
        found = cast("dict[str, object]", found).get(part) if isinstance(found, dict) else None
    return found
