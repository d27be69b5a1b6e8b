"""The JSON schema a client asks a use case to answer in: refused at once where the use case's own can never fit it."""

from collections.abc import Mapping
from typing import Any, cast

from server.errors import InvalidParameter
from server.schemas import Schema
from tools.base import Failed

__all__ = ["AskedFormat"]

_PARAM = "response_format"
_MOST = 10_000
"""Comparisons of two schemas; what has not been found to differ by then is checked on the answer."""
_KINDS = frozenset({"object", "array", "string", "number", "integer", "boolean", "null"})
_Node = Mapping[str, Any]


class AskedFormat:
    """What a client wants the JSON of an answer to look like.

    Args:
        use_case: the name of the use case.
        own: the schema of its output.
        asked: the schema of the request.
        param: where the format stands in the request.

    Raises:
        InvalidParameter: `asked` is no JSON schema, or no output of the use case can have this form.
    """

    def __init__(self, use_case: str, own: _Node, asked: _Node, *, param: str = _PARAM) -> None:
        self._use_case, self._own, self._param = use_case, own, param
        self._schema = Schema(asked, param=f"{_PARAM}.json_schema.schema")
        if misfit := _Comparison(own, asked).misfit():
            raise self._refused(misfit)

    def check(self, answer: str) -> None:
        """Raises `InvalidParameter` where `answer` does not fit what was asked for."""
        try:
            self._schema.check(answer, self._use_case)
        except Failed as error:
            raise self._refused(error.message) from None

    def _refused(self, why: str) -> InvalidParameter:
        fields = ", ".join(map(repr, self._own.get("properties", {})))
        return InvalidParameter(
            f"The use case {self._use_case!r} answers in a schema of its own, with the fields {fields}, "
            f"which does not fit the one asked for: {why}",
            param=self._param,
            hint=f"GET /v1/models/{self._use_case} has the schema as 'partitur.output_schema'; or ask for 'json_object'.",
        )


class _Comparison:
    """Looks for a reason why no instance of one schema can be an instance of another; in doubt there is none."""

    def __init__(self, own: _Node, asked: _Node) -> None:
        self._own, self._asked = own, asked
        self._left = _MOST
        self._compared: set[tuple[int, int]] = set()

    def misfit(self) -> str:
        """The reason; empty where none was found."""
        return self._compare(self._own, self._asked, "the output")

    def _compare(self, own: object, asked: object, where: str) -> str:
        own, asked = _resolved(own, self._own), _resolved(asked, self._asked)
        if asked is False:
            return f"{where} may not be there."
        pair = (id(own), id(asked))
        if not isinstance(own, dict) or not isinstance(asked, dict) or pair in self._compared or self._left <= 0:
            return ""
        self._left -= 1
        self._compared.add(pair)
        mine, theirs = cast("dict[str, Any]", own), cast("dict[str, Any]", asked)
        for name in ("anyOf", "oneOf"):
            if branches := _list(mine.get(name)):
                return self._best([self._compare(branch, theirs, where) for branch in branches])
        for branch in _list(theirs.get("allOf")):
            if found := self._compare(mine, branch, where):
                return found
        for name in ("anyOf", "oneOf"):
            if branches := _list(theirs.get(name)):
                return self._best([self._compare(mine, branch, where) for branch in branches])
        return self._kinds(mine, theirs, where) or self._fields(mine, theirs, where) or self._items(mine, theirs, where)

    def _best(self, found: list[str]) -> str:
        """Of several ways one is enough; where none is, the last one's reason."""
        return found[-1] if all(found) else ""

    def _kinds(self, own: _Node, asked: _Node, where: str) -> str:
        mine, theirs = _types(own), _types(asked)
        if mine & theirs:
            return ""
        return f"{where} is {_named(mine)}, not {_named(theirs)}."

    def _fields(self, own: _Node, asked: _Node, where: str) -> str:
        mine, theirs = own.get("properties"), asked.get("properties", {})
        if not isinstance(mine, dict) or not isinstance(theirs, dict):
            return ""
        has, wanted = cast("dict[str, Any]", mine), cast("dict[str, Any]", theirs)
        if not own.get("additionalProperties"):
            for name in _list(asked.get("required")):
                if isinstance(name, str) and name not in has:
                    return f"{where} has no field {name[:60]!r}."
        always = [name for name in _list(own.get("required")) if isinstance(name, str)]
        if asked.get("additionalProperties") is False and "patternProperties" not in asked:
            for name in always:
                if name not in wanted:
                    return f"{where} has the field {name!r} too."
        for name in always:
            if name in wanted and (found := self._compare(has.get(name), wanted[name], repr(name))):
                return found
        return ""

    def _items(self, own: _Node, asked: _Node, where: str) -> str:
        least = own.get("minItems")
        if not isinstance(least, int) or least < 1 or "prefixItems" in asked:
            return ""  # an empty list fits whatever its items are
        return self._compare(own.get("items"), asked.get("items"), f"each of {where}")


def _resolved(schema: object, root: _Node) -> object:
    """What a reference within the document stands for; another one stands for anything."""
    for _ in range(20):
        place = cast("_Node", schema).get("$ref") if isinstance(schema, dict) else None
        if not isinstance(place, str):
            return cast("object", schema)
        found: object = root
        for part in place.removeprefix("#").strip("/").split("/") if place != "#" else ():
            found = cast("_Node", found).get(part) if isinstance(found, dict) else None
        schema = found
    return None


def _types(schema: _Node) -> frozenset[str]:
    """The kinds of JSON values that a schema may allow."""
    said: object = schema.get("type")
    kinds = frozenset(kind for kind in _list(said) or [said] if isinstance(kind, str))
    if not kinds or not kinds <= _KINDS:
        return _KINDS
    return kinds | {"integer"} if "number" in kinds else kinds


def _named(kinds: frozenset[str]) -> str:
    return " or ".join(sorted(kinds - {"integer"} if "number" in kinds else kinds))


def _list(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else []
