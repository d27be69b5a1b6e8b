"""Hostile requests over a real socket: refused with the right status, nothing of them reaches an engine, nothing stays."""

import asyncio
import gzip
import json
import re
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest
from drill_house import Drill, drill
from fault_answers import MODEL, Answer, fine, paced, raw, response, slow
from fault_engine import FaultEngine, serve_faults
from requirements import requirement

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]
MOST = 1_000_000
ASKED = b'{"model": "town-model", "messages": [{"role": "user", "content": "Wann?"}]}'


@pytest.fixture(scope="module")
def engine() -> Generator[FaultEngine]:
    with serve_faults() as serving:
        yield serving


@pytest.fixture(scope="module")
async def opened(engine: FaultEngine, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Drill]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tools.models.transport._KEEP_ALIVE_S", 0.2)
        models = {MODEL: {"engines": [engine.url]}}
        home: Path = tmp_path_factory.mktemp("home")
        async with drill(home, engine, models, max_body_bytes=MOST) as serving:
            yield serving


@pytest.fixture
async def site(opened: Drill, engine: FaultEngine) -> AsyncGenerator[Drill]:
    """The server, which must be as it was when the drill is over."""
    yield opened
    engine._scripts.clear()
    engine.otherwise(fine())
    await opened.back()


def request(body: bytes, *, length: int | None = None, **headers: str) -> bytes:
    """A chat completion with this body; `KEY` is put in later."""
    named = {
        "Host": "127.0.0.1",
        "Authorization": "Bearer KEY",
        "Content-Type": "application/json",
        "Content-Length": str(len(body) if length is None else length),
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in named.items() if value)
    return f"POST /v1/chat/completions HTTP/1.1\r\n{lines}\r\n".encode() + body


def chunked(*chunks: bytes) -> bytes:
    head = request(b"", Content_Length="", Transfer_Encoding="chunked")
    return head + b"".join(b"%x\r\n%s\r\n" % (len(one), one) for one in chunks) + b"0\r\n\r\n"


def deep(levels: int) -> bytes:
    return b'{"model": "town-model", "messages": [{"role": "user", "content": ' + b"[" * levels + b"]" * levels + b"}]}"


HOSTILE = {
    "nothing": (400, request(b"")),
    "white space": (400, request(b" \n" * 1000)),
    "an array": (400, request(b"[]")),
    "null": (400, request(b"null")),
    "a text": (400, request(b'"{}"')),
    "half of it": (400, request(ASKED[:-3])),
    "something behind it": (400, request(ASKED + b"}")),
    "no UTF-8": (400, request(ASKED.replace(b"Wann", b"\xff\xfe"))),
    "UTF-16": (400, request(ASKED.decode().encode("utf-16"))),
    "a byte order mark": (400, request(b"\xef\xbb\xbf" + ASKED)),
    "half a surrogate": (400, request(ASKED.replace(b"Wann", b"\\ud800"))),
    "a NUL": (400, request(ASKED.replace(b"Wann", b"\x00"))),
    "NaN": (400, request(ASKED[:-1] + b', "temperature": NaN}')),
    "Infinity": (400, request(ASKED[:-1] + b', "temperature": -Infinity}')),
    "a number beyond a double": (400, request(ASKED[:-1] + b', "temperature": 1e999}')),
    "a number of many digits": (400, request(ASKED[:-1] + b', "temperature": ' + b"9" * 100_000 + b"}")),
    "a name twice": (400, request(ASKED[:-1] + b', "model": "other"}')),
    "a name twice, far down": (400, request(ASKED[:-1] + b', "x": [{"y": {"a": 1, "a": 2}}]}')),
    "depth": (400, request(deep(100_000))),
    "depth of objects": (400, request(b'{"a":' * 50_000 + b"1" + b"}" * 50_000)),
    "a model that is none": (400, request(b'{"model": 5, "messages": []}')),
    "messages that are none": (400, request(b'{"model": "town-model", "messages": "x"}')),
    "a message that is none": (400, request(b'{"model": "town-model", "messages": [1]}')),
    "an unknown model": (404, request(b'{"model": "x", "messages": [{"role": "user", "content": "?"}]}')),
    "a model of a megabyte": (404, request(ASKED.replace(b"town-model", b"x" * 900_000))),
    "a body too large": (413, request(b" " * (MOST + 1))),
    "a body said to be too large": (413, request(b"{", length=10**15)),
    "a chunked body too large": (413, chunked(*[b" " * 100_000] * 11)),
    "gzip": (415, request(gzip.compress(ASKED), Content_Encoding="gzip")),
    "a gzip bomb": (415, request(gzip.compress(b" " * 10**8), Content_Encoding="gzip")),
    "a form": (415, request(b"model=town-model", Content_Type="application/x-www-form-urlencoded")),
    "no type": (415, request(ASKED, Content_Type="")),
    "no key": (401, request(ASKED, Authorization="")),
    "another key": (401, request(ASKED, Authorization="Bearer sk-" + "x" * 40)),
    "a key of a kilobyte": (401, request(ASKED, Authorization="Bearer " + "x" * 10_000)),
    "a length that is none": (400, request(ASKED, Content_Length="-5")),
    "two lengths": (400, request(ASKED, content_length="3")),
    "a length and chunks": (400, request(ASKED, Transfer_Encoding="chunked")),
    "a header without end": (431, b"POST /v1/chat/completions HTTP/1.1\r\n" + b"x: " + b"a" * 10**6),
    "headers without end": (431, b"POST /v1/chat/completions HTTP/1.1\r\n" + b"x: a\r\n" * 10**5),
    "an address without end": (431, b"GET /" + b"a" * 10**6),
    "no HTTP": (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 10),
    "a path out of here": (404, b"GET /v1/../../etc/passwd HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer KEY\r\n\r\n"),
}


@requirement("BODY-11")
@pytest.mark.parametrize("what", HOSTILE)
async def test_what_is_hostile_is_refused_and_no_engine_hears_of_it(
    site: Drill, engine: FaultEngine, what: str
) -> None:
    status, sent = HOSTILE[what]
    heard = len(engine.requests)
    answer = await asyncio.wait_for(site.send(sent.replace(b"KEY", site.key.encode())), 10)
    assert re.match(rb"HTTP/1\.1 %d " % status, answer), answer[:500]
    head, _, body = answer.partition(b"\r\n\r\n")
    if body.startswith(b"{"):
        assert set(json.loads(body)["error"]) == {"message", "type", "param", "code"}
        assert len(body) < 2000
        assert b"\r\nx-request-id: " in head
    assert len(engine.requests) == heard


async def test_many_hostile_requests_at_once_leave_the_others_served(site: Drill, engine: FaultEngine) -> None:
    engine.otherwise(paced(0.005))
    sent = [one.replace(b"KEY", site.key.encode()) for _, one in HOSTILE.values()]
    good = [asyncio.create_task(site.ask(stream=at % 2 > 0)) for at in range(20)]
    bad = await asyncio.wait_for(asyncio.gather(*(site.send(one) for one in sent * 3)), 30)
    assert not [one for one in bad if one and not one.startswith(b"HTTP/1.1 4")]
    assert all(one.ended for one in await asyncio.gather(*good))


async def test_a_client_that_sends_its_body_slowly_keeps_nobody_waiting(site: Drill) -> None:
    whole = request(ASKED).replace(b"KEY", site.key.encode())
    held = [await asyncio.open_connection("127.0.0.1", site.port) for _ in range(50)]
    for _, writer in held:
        writer.write(whole[:-10])
    assert await site.served()
    for reader, writer in held:
        writer.write(whole[-10:])
        assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
        writer.close()


async def test_a_client_that_leaves_within_its_body_leaves_nothing(site: Drill, engine: FaultEngine) -> None:
    heard = len(engine.requests)
    for _ in range(50):
        _, writer = await asyncio.open_connection("127.0.0.1", site.port)
        writer.write(request(ASKED).replace(b"KEY", site.key.encode())[:-10])
        await writer.drain()
        writer.transport.abort()
    assert len(engine.requests) == heard


HUGE = b'{"choices": [{"message": {"role": "assistant", "content": "' + b"x" * 70_000_000 + b'"}}]}'


@pytest.mark.parametrize(
    "answer",
    [
        raw(response(HUGE)),
        raw(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n" + HUGE),
        raw(response(b'{"choices": ' + b"[" * 100_000 + b"]" * 100_000 + b"}")),
    ],
)
async def test_a_hostile_answer_of_an_engine_is_an_error_and_no_end_of_the_server(
    site: Drill, engine: FaultEngine, answer: Answer
) -> None:
    engine.script(answer)
    told = await site.ask()
    assert told.status == 502
    assert told.error["type"] == "server_error"


async def test_an_event_without_end_breaks_the_stream(site: Drill, engine: FaultEngine) -> None:
    piece = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    engine.script(raw(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", *[piece] * 100, b"0\r\n\r\n"))
    told = await site.ask(stream=True)
    assert told.status == 502 and told.error["type"] == "server_error"


@requirement("BODY-11")
async def test_a_head_that_does_not_come_ends_the_connection(site: Drill, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.protocol._LONGEST_S", 0.2)
    whole = request(ASKED).replace(b"KEY", site.key.encode())
    for sent in (b"", whole[:20], whole + whole[:20]):
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
        writer.write(sent)
        answer = await reader.read()  # to the end of the connection
        assert answer.startswith(b"HTTP/1.1 200 ") is (len(sent) > 20)
        writer.close()


async def test_only_the_head_has_to_come_in_time(
    site: Drill, engine: FaultEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.protocol._LONGEST_S", 0.05)
    engine.otherwise(slow(0.2))
    whole = request(ASKED.replace(b"{", b'{"stream": true, ', 1)).replace(b"KEY", site.key.encode())
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    writer.write(whole[:-30])
    assert await site.served()
    writer.write(whole[-30:])
    assert (await reader.readuntil(b"[DONE]")).startswith(b"HTTP/1.1 200 ")
    writer.close()
