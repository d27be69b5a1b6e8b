"""Reads a JSON schema as the engine needs it: references followed, null taken out of unions, words to search by."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import cast

__all__ = ["Schema", "citation_shaped", "constants", "follow", "kind", "listed", "nullable", "variants", "words"]

Schema = Mapping[str, object]

_WORD = re.compile(r"[A-Z]?[^\W_A-Z]+|[A-Z]+(?![a-zäöü])|\d+")
_DEEPEST = 32
_UNION = frozenset(("anyOf", "oneOf", "default", "$defs"))


def follow(schema: Schema, root: Schema) -> Schema:
    """`schema` with its `$ref` and a lone `allOf` followed; what stands beside a reference is kept.

    Only references within the document are followed; a circle of references reads as an empty schema.
    """
    for _ in range(_DEEPEST):
        reference, both = schema.get("$ref"), schema.get("allOf")
        if isinstance(reference, str):
            found: object = root
            for step in reference.removeprefix("#").strip("/").split("/"):
                name = step.replace("~1", "/").replace("~0", "~")
                found = _mapping(found).get(name) if name else found
            schema = {**_mapping(found), **{name: value for name, value in schema.items() if name != "$ref"}}
        elif isinstance(both, list) and len(cast("list[object]", both)) == 1:
            part = cast("list[object]", both)[0]
            schema = {
                **_mapping(part),
                **{name: value for name, value in schema.items() if name != "allOf"},
            }
        else:
            return schema
    return {}


def variants(schema: Schema, root: Schema) -> list[Schema]:
    """What a value may be, without null: the branches of a union, each of the listed types, or the schema itself."""
    schema = follow(schema, root)
    for union in ("anyOf", "oneOf"):
        if isinstance(schema.get(union), list):
            outer = {name: value for name, value in schema.items() if name not in _UNION}
            found: list[Schema] = []
            for branch in listed(schema.get(union)):
                if isinstance(branch, Mapping):
                    for variant in variants(cast("Schema", branch), root):
                        found.append({**variant, **outer})
            return found
    types = schema.get("type")
    if isinstance(types, list):
        return [{**schema, "type": name} for name in cast("list[object]", types) if name != "null"]
    return [] if types == "null" else [schema]


def nullable(schema: Schema, root: Schema) -> bool:
    """Whether null is a valid value."""
    schema = follow(schema, root)
    for union in ("anyOf", "oneOf"):
        for branch in listed(schema.get(union)):
            if isinstance(branch, Mapping) and nullable(cast("Schema", branch), root):
                return True
    types = schema.get("type")
    return types == "null" or "null" in listed(types) or None in listed(schema.get("enum"))


def kind(schema: Schema) -> str:
    """The JSON type, also where the schema only implies it."""
    named = schema.get("type")
    if isinstance(named, str):
        return named
    if "enum" in schema or "const" in schema:
        return "enum"
    if "properties" in schema:
        return "object"
    return "array" if "items" in schema else "string"


def constants(schema: Schema) -> list[object] | None:
    """The values of an enum or a const, without null; None where there is neither."""
    if "const" in schema:
        return [schema["const"]]
    return [value for value in listed(schema["enum"]) if value is not None] if "enum" in schema else None


def citation_shaped(schema: Schema, root: Schema) -> bool:
    """Whether an object of this schema is a citation: it has a document, offsets and the quote."""
    properties = follow(schema, root).get("properties")
    return (
        isinstance(properties, Mapping) and {"document", "start", "end", "quote"} <= cast("Schema", properties).keys()
    )


def words(name: str, schema: Schema) -> str:
    """What a property says about itself: the words of its name, its title and its description."""
    said = (name, schema.get("title"), schema.get("description"))
    return " ".join(dict.fromkeys(word.casefold() for text in said if isinstance(text, str) for word in _split(text)))


def _split(text: str) -> Iterator[str]:
    return (found.group() for found in _WORD.finditer(text))


def _mapping(value: object) -> Schema:
    return cast("Schema", value) if isinstance(value, Mapping) else {}


def listed(value: object) -> Sequence[object]:
    """`value` where it is a list, else nothing."""
    return cast("list[object]", value) if isinstance(value, list) else ()
