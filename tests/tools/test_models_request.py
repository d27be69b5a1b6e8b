"""What an engine gets of a request: the client's own bytes, with what we say put in, and a salt per tenant."""

import json
from typing import Any

import pytest

from tools.models import Json
from tools.models.salts import Salts


def body(data: dict[str, Any], **how: Any) -> Json:
    return Json(data, json.dumps(data, **how).encode())


def read(raw: bytes) -> dict[str, Any]:
    """Parsed, and no name twice."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len({name for name, _ in pairs}) == len(pairs)
        return dict(pairs)

    return json.loads(raw, object_pairs_hook=once)


def test_new_fields_go_before_the_client_s_own_bytes() -> None:
    raw = b' \n{ "messages" : [ {"role":"user","content":"Gr\\u00fc\xc3\x9fe"} ], "temperature": 1.0 }'
    written = Json(json.loads(raw), raw).written({"model": "town", "priority": 3})
    assert written == b' \n{"model":"town","priority":3,' + raw[3:]
    assert read(written) == {"model": "town", "priority": 3, **json.loads(raw)}


def test_a_body_that_says_all_of_it_already_stays_the_same_object() -> None:
    given = body({"model": "town", "stream": True})
    assert given.written({"model": "town", "stream": True}) is given.raw
    assert given.written({}) is given.raw


def test_a_field_that_is_there_is_replaced_and_never_doubled() -> None:
    given = body({"model": "ours", "messages": [{"role": "user", "content": 'Der "Rat" {tagt}: \\ ü 🌍'}], "n": 1})
    written = given.written({"model": "theirs", "cache_salt": "x"})
    assert read(written) == {**given.data, "model": "theirs", "cache_salt": "x"}


def test_a_name_that_is_written_with_escapes_is_the_same_name() -> None:
    raw = rb'{"\u006dodel": "ours", "x": {"model": "inner"}}'
    assert read(Json(json.loads(raw), raw).written({"model": "theirs"})) == {
        "model": "theirs",
        "x": {"model": "inner"},
    }


def test_true_is_not_one_and_null_is_not_nothing() -> None:
    assert read(body({"priority": True}).written({"priority": 1})) == {"priority": 1}
    assert read(body({"priority": 1.0}).written({"priority": 1}))["priority"] == 1
    assert read(body({"a": 1}).written({"user": None})) == {"a": 1, "user": None}


@pytest.mark.parametrize("raw", [b"{}", b" { } ", b"{\n}"])
def test_an_empty_object_gets_no_stray_comma(raw: bytes) -> None:
    assert read(Json({}, raw).written({"model": "town"})) == {"model": "town"}


def test_an_object_of_our_own_making_is_written_as_it_is_meant() -> None:
    data = {"text": "Grüße 🌍 \u2028", "big": 2**70, "small": 1e-7, "none": None, "list": [1, [2, {"a": []}]]}
    assert read(Json(data).written({"model": "town"})) == {**data, "model": "town"}


def test_whatever_is_changed_means_the_same_as_a_plain_merge() -> None:
    data = {"model": "m", "cache_salt": "s", "priority": 2, "messages": ["{", "}", ","], "stream_options": {"a": 1}}
    for width in range(1, 32):
        part = {name: value for at, (name, value) in enumerate(data.items()) if width >> at & 1}
        for how in ({}, {"indent": 2}, {"separators": (",", ":")}):
            for changes in ({"model": "m2"}, {"cache_salt": "t", "priority": 0}, {"stream_options": {"a": 1}}):
                given = body(part, **how)
                assert read(given.written(changes)) == {**part, **changes}
                assert read(given.having(changes).written({"model": "m3"})) == {**part, **changes, "model": "m3"}


def test_a_salt_is_the_same_for_a_tenant_and_another_for_any_other() -> None:
    salts, again = Salts(b"secret"), Salts(b"secret")
    assert salts.of("bauamt") == salts.of("bauamt") == again.of("bauamt")
    assert len({salts.of("bauamt"), salts.of("ordnungsamt"), salts.of(""), Salts(b"other").of("bauamt")}) == 4


def test_a_client_s_own_salt_parts_its_requests_within_its_tenant_only() -> None:
    salts = Salts(b"secret")
    assert salts.of("bauamt", "x") == salts.of("bauamt", "x") != salts.of("bauamt")
    assert salts.of("bauamt", "x") != salts.of("ordnungsamt", "x")
    assert salts.of("bauamt", "x") != salts.of("bauamt\0x")
    assert salts.of("bauamt", salts.of("ordnungsamt")) != salts.of("ordnungsamt")


def test_a_salt_takes_any_text() -> None:
    salts = Salts(b"")
    assert len({salts.of("\ud800"), salts.of("ü" * 10_000), salts.of("a", {"b": 1}), salts.of("a", 0)}) == 4
