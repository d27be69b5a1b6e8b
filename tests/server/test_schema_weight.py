"""Tests of how much work a schema may make."""

from typing import Any

import pytest

from server.errors import InvalidParameter
from server.schema_weight import is_too_heavy
from server.schemas import Schema
from server.settings import Settings


def doubling(levels: int, *, named: bool = False) -> dict[str, Any]:
    """Definitions that each name the next one twice."""

    def name(level: int) -> str:
        return f"#d{level}" if named else f"#/$defs/d{level}"

    made = {
        f"d{at}": {"$anchor": f"d{at}", "allOf": [{"$ref": name(at + 1)}, {"$ref": name(at + 1)}]}
        for at in range(levels)
    }
    return {"$ref": name(0), "$defs": {**made, f"d{levels}": {"$anchor": f"d{levels}", "type": "object"}}}


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("levels", [24, 60, 3_000])
def test_a_schema_that_doubles_its_work_again_and_again_is_refused(levels: int, named: bool) -> None:
    with pytest.raises(InvalidParameter) as refused:
        Schema(doubling(levels, named=named), param="x")
    assert refused.value.param == "x"


@pytest.mark.parametrize(
    ("id", "draft"),
    [
        ("$id", "https://json-schema.org/draft/2020-12/schema"),
        ("$id", "http://json-schema.org/draft-07/schema#"),
        ("id", "http://json-schema.org/draft-04/schema#"),
    ],
)
def test_what_hides_behind_an_id_of_its_own_is_weighed_too(id: str, draft: str) -> None:
    light = {f"d{at}": {"type": "object"} for at in range(61)}
    part = {id: "http://example.org/part", "allOf": [{"$ref": "#/$defs/d0"}], "$defs": doubling(60)["$defs"]}
    with pytest.raises(InvalidParameter):
        Schema({"$schema": draft, "$defs": light, "allOf": [part]}, param="x")


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"$id": "http://example.org/all", **doubling(5)},
        {"examples": [{"id": "a"}], "allOf": [doubling(5)], "$defs": doubling(5)["$defs"]},
        {"$ref": "#"},
        {"type": "object", "properties": {"next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}}},
        {"properties": {f"p{at}": {"type": "string"} for at in range(5_000)}},
        doubling(5),
        Settings.model_json_schema(),
    ],
    ids=["empty", "named", "examples", "itself", "list", "wide", "small", "real"],
)
def test_schemas_of_people_are_light(schema: dict[str, Any]) -> None:
    assert not is_too_heavy(schema)
