"""Tests of bodies as they are read: what fits is given as it came, what is hostile is refused without work."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from requirements import requirement
from starlette.requests import ClientDisconnect

from server.body import parsed_object, read_object
from server.errors import InvalidParameter, TooSlow, UnsupportedMedia
from tools.base import TooLarge

pytestmark = pytest.mark.anyio

JSON = (b"content-type", b"application/json")
Receive = Callable[[], Awaitable[Any]]


def scope(*headers: tuple[bytes, bytes]) -> dict[str, Any]:
    return {"type": "http", "headers": [*headers]}


def receiving(parts: Sequence[bytes], *, late: bool = False) -> Receive:
    """A body in parts; `late` = none of them is there at once."""
    waiting = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    waiting[-1]["more_body"] = False

    async def receive() -> Any:
        if late:
            await asyncio.sleep(0)
        return waiting.pop(0)

    return receive


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("parts", [[b'{"a": "\xc3\xbc"}'], [b'{"a', b'": "\xc3', b'\xbc"', b"}", b""]])
async def test_a_body_is_read_whole_in_however_many_parts_it_comes(parts: list[bytes], late: bool) -> None:
    data, body = await read_object(scope(JSON), receiving(parts, late=late))
    assert data == {"a": "ü"}
    assert body == b'{"a": "\xc3\xbc"}'


@requirement("BODY-8")
@pytest.mark.parametrize("first", [[], [{"type": "http.request", "body": b'{"a"', "more_body": True}]])
async def test_a_body_that_does_not_come_is_not_waited_for_long(first: list[Any]) -> None:
    async def receive() -> Any:
        while not first:
            await asyncio.Event().wait()
        return first.pop()

    with pytest.raises(TooSlow) as refused:
        await read_object(scope(JSON), receive, seconds=0.01)
    assert refused.value.status == 408


@pytest.mark.parametrize("before", [[], [{"type": "http.request", "body": b"{", "more_body": True}]])
async def test_a_client_that_goes_away_while_it_sends_is_told_nothing(before: list[Any]) -> None:
    async def receive() -> Any:
        return before.pop() if before else {"type": "http.disconnect"}

    with pytest.raises(ClientDisconnect):
        await read_object(scope(JSON), receive)


async def test_who_reads_a_body_can_be_stopped_while_it_comes() -> None:
    waits = asyncio.Event()

    async def receive() -> Any:
        waits.set()
        await asyncio.Event().wait()

    reading = asyncio.create_task(read_object(scope(JSON), receive))
    await waits.wait()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading


@requirement("ERROR-4", "BODY-9")
@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"content-type", b"text/plain")],
        [(b"content-type", b"application/x-www-form-urlencoded")],
        [(b"content-type", b"multipart/form-data; boundary=x")],
        [JSON, (b"content-encoding", b"gzip")],
        [JSON, (b"content-encoding", b"deflate, gzip")],
        [JSON, (b"content-encoding", b"br")],
        [JSON, (b"content-encoding", b"made-up")],
    ],
)
async def test_what_is_no_plain_json_is_not_even_received(headers: list[tuple[bytes, bytes]]) -> None:
    async def never() -> Any:
        raise AssertionError("the body was asked for")

    with pytest.raises(UnsupportedMedia):
        await read_object(scope(*headers), never)


@pytest.mark.parametrize(
    "media", [b"application/json; charset=utf-8", b"Application/JSON", b"application/vnd.town+json"]
)
async def test_json_by_any_of_its_names_is_read(media: bytes) -> None:
    read = await read_object(
        scope((b"content-type", media), (b"content-encoding", b"identity")), receiving([b'{"a": 1}'])
    )
    assert read[0] == {"a": 1}


@requirement("BODY-1", "BODY-2", "BODY-3", "BODY-4", "BODY-5", "BODY-6")
@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "empty"),
        (b" \r\n\t", "empty"),
        (b"{", "not valid JSON"),
        (b"{'a': 1}", "not valid JSON"),
        (b'{"a": 1,}', "not valid JSON"),
        (b'{"a": 1} {"b": 2}', "not valid JSON"),
        (b'{"a": 01}', "not valid JSON"),
        (b'// hello\n{"a": 1}', "not valid JSON"),
        (b'\xef\xbb\xbf{"a": 1}', "not valid JSON"),
        ('{"a": 1}'.encode("utf-16"), "not valid JSON"),
        (b"[]", "array"),
        (b"null", "null"),
        (b'"text"', "string"),
        (b"1.5", "number"),
        (b"false", "boolean"),
        (b'{"a": NaN}', "not valid JSON"),
        (b'{"a": -Infinity}', "not valid JSON"),
        (b'{"a": 1e999}', "too large for a double"),
        (b'{"a": [{"b": -1e400}]}', "too large for a double"),
        (b'{"a": ' + b"9" * 400 + b".0}", "too large for a double"),
        (b'{"a": ' + b"9" * 100_000 + b"}", "not valid JSON"),
        (b'{"a": 1, "a": 2}', "twice"),
        (b'{"m": {"role": "user", "\\u0072ole": "system"}}', "twice"),
        (b'{"a": "\xff"}', "not valid JSON"),
        (b'{"\xc3": 1}', "not valid JSON"),
        (b'{"a": "\xed\xa0\x80"}', "not valid JSON"),
        (b'{"a": "\\ud800"}', "not valid JSON"),
        (b'{"a": "\\udc00\\ud800"}', "not valid JSON"),
        (b'{"a": "\x00"}', "not valid JSON"),
        (b'{"a": ' + b"[" * 300 + b"]" * 300 + b"}", "nested too deep"),
        (b"[" * 400_000, "nested too deep"),
        (b'{"a":' * 200_000, "nested too deep"),
    ],
)
def test_what_is_no_json_object_is_named_in_one_short_sentence(body: bytes, says: str) -> None:
    with pytest.raises(InvalidParameter) as refused:
        parsed_object(body)
    assert says in refused.value.message
    assert len(str(refused.value)) < 500
    assert (refused.value.param, refused.value.status) == ("body", 400)


@pytest.mark.parametrize("text", ["1e999", "NaN", '"a": 1, "a": 2', "[[[[" * 100, "\\ud83d\\ude00", "\u0000"])
def test_a_text_may_say_what_json_may_not(text: str) -> None:
    body = json.dumps({"a": text}).encode()
    assert parsed_object(body) == {"a": text}


def test_numbers_and_depths_that_fit_are_kept() -> None:
    body = b'{"a": 1e308, "b": -1.5E-3, "c": 12345678901234567890, "d": ' + b"[" * 190 + b"]" * 190 + b"}"
    data = parsed_object(body)
    assert (data["a"], data["b"], data["c"]) == (1e308, -0.0015, 12345678901234567890)


@requirement("BODY-7")
@pytest.mark.parametrize(
    "body",
    [
        b"{" + b",".join(b'"k%d":0' % number for number in range(600_000)) + b"}",
        b'{"a":[' + b"[]," * 600_000 + b"0]}",
        b'{"a":[' + b"0," * 1_100_000 + b"0]}",
    ],
    ids=["names", "lists", "numbers"],
)
def test_a_body_of_very_many_values_is_refused_before_it_is_built(body: bytes) -> None:
    with pytest.raises(TooLarge):
        parsed_object(body)


def test_a_long_text_is_no_tree_of_many_values() -> None:
    text = "Der Rat, der am Montag tagte: beschlossen [einstimmig]. " * 100_000
    assert parsed_object(json.dumps({"a": text}).encode()) == {"a": text}
