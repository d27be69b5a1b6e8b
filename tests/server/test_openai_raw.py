"""Tests of an endpoint's model passed through: what arrives there, what comes back, and what the gate sees both ways."""

import json
from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import Any

import pytest
from fake_engine import USAGE, FakeEngine, serve_fake_engine
from fault_answers import Answer, cut, malformed, no_json, prose, refuse
from fault_engine import FaultEngine, serve_faults
from pydantic import SecretStr
from web_house import Web, asking, events, web

from agents.kit import Act, Gate, SecretGuard
from server.openai_filter import StreamFilter
from tools.base import Caller, Refused
from tools.models import Limits, ModelConfig

pytestmark = pytest.mark.anyio

SECRET = "sk-" + "a" * 24


@pytest.fixture(scope="module")
def engine() -> Generator[FakeEngine]:
    with serve_fake_engine() as fake:
        yield fake


@pytest.fixture(scope="module")
async def site(engine: FakeEngine, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Web]:
    home = tmp_path_factory.mktemp("home")
    async with web(home, model_url=engine.url, model_name="town-model", model_key="engine-key") as opened:
        await opened.app.state.health.loaded.wait()
        yield opened


@pytest.fixture
async def faulty(tmp_path: Path) -> AsyncGenerator[tuple[Web, FaultEngine]]:
    """A house over an engine that fails by script, and is asked once."""
    with serve_faults() as engine:
        model = ModelConfig(engines=(engine.url,), key=SecretStr("engine-key"), limits=Limits(retries=0))
        async with web(tmp_path, models={"town-model": model}) as opened:
            yield opened, engine


async def test_a_request_arrives_as_it_was_sent(site: Web, engine: FakeEngine) -> None:
    engine.bodies.clear()
    body = {"model": "town-model", "messages": asking("Hallo"), "temperature": 0.2, "top_k": 3, "an_unknown_one": [1]}
    answer = await site.client.post("/v1/chat/completions", json=body)
    assert answer.status_code == 200
    salt = engine.bodies[0].pop("cache_salt")
    assert (engine.bodies, len(salt)) == ([body], 32)
    assert answer.json()["choices"][0]["message"]["content"] == "Guten Tag. Ich bin ein Modell."
    assert answer.json()["usage"] == USAGE


async def test_a_stream_comes_back_in_chunks_with_the_same_text(site: Web, engine: FakeEngine) -> None:
    engine.bodies.clear()
    answer = await site.chat(model="town-model", messages=asking("Hallo"), stream=True)
    *chunks, end = events(answer)
    assert end == "[DONE]"
    assert text_of(chunks) == "Guten Tag. Ich bin ein Modell."
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    assert all(chunk["choices"] for chunk in chunks)
    assert engine.bodies[0]["stream_options"] == {"include_usage": True}


async def test_usage_is_passed_on_where_it_was_asked_for(site: Web) -> None:
    options = {"include_usage": True}
    answer = await site.chat(model="town-model", messages=asking("Hallo"), stream=True, stream_options=options)
    last = events(answer)[-2]
    assert (last["choices"], last["usage"]) == ([], USAGE)


async def test_tool_calls_pass_through(site: Web) -> None:
    tools = [{"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}]
    whole = (await site.chat(model="town-model", messages=asking("Hallo"), tools=tools)).json()
    (call,) = whole["choices"][0]["message"]["tool_calls"]
    chunks = events(await site.chat(model="town-model", messages=asking("Hallo"), tools=tools, stream=True))[:-1]
    deltas = [delta for c in chunks for delta in c["choices"][0]["delta"].get("tool_calls", [])]
    assert "".join(delta["function"]["arguments"] for delta in deltas) == call["function"]["arguments"]


async def test_a_credential_does_not_reach_the_engine(site: Web, engine: FakeEngine) -> None:
    engine.bodies.clear()
    parts = [{"type": "text", "text": f"Mein Schlüssel ist {SECRET}"}]
    answer = await site.chat(model="town-model", messages=[{"role": "user", "content": parts}])
    assert (answer.status_code, answer.json()["error"]["code"], engine.bodies) == (403, "refused", [])


async def test_a_picture_is_passed_on_and_not_read_as_text(site: Web, engine: FakeEngine) -> None:
    engine.bodies.clear()
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 3_000_000}}
    sound = {"type": "input_audio", "input_audio": {"data": "A" * 3_000_000, "format": "wav"}}
    messages = [{"role": "user", "content": [picture, sound, {"type": "text", "text": "Was ist das?"}]}]
    assert (await site.chat(model="town-model", messages=messages)).status_code == 200
    assert engine.bodies[0]["messages"] == messages


@pytest.mark.parametrize(
    "part",
    [
        {"type": "text", "text": f"data:x;base64,{SECRET}"},
        {"type": "text", "text": "Hallo", "more": {"data": SECRET, "format": "wav"}},
        {"type": "image_url", "image_url": {"url": f"https://town.example/{SECRET}"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": SECRET}},
        {"type": "image_url", "image_url": {"url": f"data:{SECRET};base64,AAAA"}},
        {"type": "input_audio", "input_audio": {"data": SECRET, "format": "wav"}},
        {"type": "file", "file": {"file_data": "AAAA", "filename": SECRET}},
        {"type": "text", "text": "Hallo", SECRET: 1},
    ],
)
async def test_a_credential_does_not_hide_where_bytes_may_stand(
    site: Web, engine: FakeEngine, part: dict[str, Any]
) -> None:
    engine.bodies.clear()
    answer = await site.chat(model="town-model", messages=[{"role": "user", "content": [part]}])
    assert (answer.status_code, answer.json()["error"]["code"], engine.bodies) == (403, "refused", [])


@pytest.mark.parametrize(
    "more",
    [
        {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "description": SECRET}}},
        {"stop": [SECRET]},
        {"user": SECRET},
        {"prediction": {"type": "content", "content": SECRET}},
    ],
)
async def test_a_credential_does_not_pass_beside_the_messages(
    site: Web, engine: FakeEngine, more: dict[str, Any]
) -> None:
    engine.bodies.clear()
    answer = await site.chat(model="town-model", messages=asking("Hallo"), **more)
    assert (answer.status_code, answer.json()["error"]["code"], engine.bodies) == (403, "refused", [])


async def test_a_file_is_passed_on_and_not_read_as_text(site: Web, engine: FakeEngine) -> None:
    engine.bodies.clear()
    file = {"type": "file", "file": {"file_data": "data:application/pdf;base64," + "A" * 3_000_000, "filename": "a"}}
    assert (await site.chat(model="town-model", messages=[{"role": "user", "content": [file]}])).status_code == 200
    assert len(engine.bodies) == 1


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("answer", "seen"),
    [
        (refuse(400, message="max_tokens is too large"), (400, "invalid_parameter")),
        (refuse(400, message="This model's maximum context length is 2048 tokens."), (400, "context_length_exceeded")),
        (refuse(401, message="wrong key engine-key"), (502, "failed")),
        (refuse(404, message="no such model"), (502, "failed")),
        (refuse(429, message="slow down", retry_after=7), (429, "rate_limit_exceeded")),
        (refuse(503, message="a traceback", retry_after=7), (503, "unavailable")),
        (no_json(), (502, "failed")),
        (malformed(0), (502, "failed")),
    ],
)
async def test_a_fault_of_the_engine_is_not_the_callers(
    faulty: tuple[Web, FaultEngine], answer: Answer, seen: tuple[int, str], stream: bool
) -> None:
    site, engine = faulty
    engine.otherwise(answer)
    told = await site.chat(model="town-model", messages=asking("Hallo"), stream=stream)
    if stream and told.status_code == 200:  # it broke after its beginning
        assert "[DONE]" not in told.text
        assert events(told)[-1]["error"]["code"] == "failed"
        return
    assert (told.status_code, told.json()["error"]["code"]) == seen
    assert "engine-key" not in told.text
    assert "traceback" not in told.text
    if seen[0] in (429, 503):
        assert told.headers["retry-after"] == "7"


async def test_a_stream_without_its_end_is_an_error(faulty: tuple[Web, FaultEngine]) -> None:
    site, engine = faulty
    engine.otherwise(cut(after=3))
    answer = events(await site.chat(model="town-model", messages=asking("Hallo"), stream=True))
    assert text_of(answer[:-1])
    assert answer[-1]["error"]["code"] == "unavailable"


@pytest.mark.parametrize("stream", [False, True])
async def test_an_engine_that_ignores_a_schema_is_caught(faulty: tuple[Web, FaultEngine], stream: bool) -> None:
    site, engine = faulty
    engine.otherwise(prose("Gern! Hier ist das Gewünschte."))
    schema = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    form = {"type": "json_schema", "json_schema": {"name": "person", "schema": schema}}
    told = await site.chat(model="town-model", messages=asking("Hallo"), stream=stream, response_format=form)
    error = events(told)[-1]["error"] if stream else told.json()["error"]
    assert (error["code"], "schema it was given" in error["message"]) == ("failed", True)
    assert "[DONE]" not in told.text


async def test_a_schema_that_is_none_is_refused_before_the_engine_is_asked(faulty: tuple[Web, FaultEngine]) -> None:
    site, engine = faulty
    before = len(engine.requests)
    form = {"type": "json_schema", "json_schema": {"name": "person", "schema": {"type": "no such type"}}}
    told = await site.chat(model="town-model", messages=asking("Hallo"), response_format=form)
    assert told.status_code == 400
    assert told.json()["error"]["param"] == "response_format.json_schema.schema"
    assert len(engine.requests) == before


async def test_an_engine_that_is_down_is_told_as_such(site: Web, tmp_path_factory: pytest.TempPathFactory) -> None:
    home = tmp_path_factory.mktemp("down")
    async with web(home, model_url="http://127.0.0.1:9/v1", model_name="town-model") as down:
        raw = await down.chat(model="town-model", messages=asking("Hallo"))
        streamed = await down.chat(model="town-model", messages=asking("Hallo"), stream=True)
    for answer in (raw, streamed):
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")


async def test_an_endpoint_without_a_name_is_passed_through_under_the_id_it_is_listed_with(
    engine: FakeEngine, tmp_path: Path
) -> None:
    engine.bodies.clear()
    async with web(tmp_path, model_url=engine.url) as unnamed:
        body = {"model": unnamed.house.engine.id, "messages": asking("Hallo"), "an_unknown_one": 1}
        assert (await unnamed.client.post("/v1/chat/completions", json=body)).status_code == 200
    assert [{**sent, **body} for sent in engine.bodies] == engine.bodies


def filter(usage: bool = False) -> StreamFilter:
    act = Act(kind="model", name="m", caller=Caller(subject="anna"), trace_id="0" * 32)
    return StreamFilter(Gate([SecretGuard()]), act, model="m", usage=usage)


def chunk(index: int = 0, finish: str | None = None, **delta: Any) -> bytes:
    data = {"model": "m", "choices": [{"index": index, "delta": delta, "finish_reason": finish}]}
    return b"data: " + json.dumps(data).encode() + b"\n\n"


def sent(data: bytes) -> list[Any]:
    return [json.loads(one[6:]) for one in data.split(b"\n\n") if one]


def test_a_secret_does_not_leave_in_halves() -> None:
    passing, out = filter(), b""
    with pytest.raises(Refused):
        for piece in ("Es ist ", SECRET[:9], SECRET[9:], " ja"):
            out += passing.take(chunk(content=piece))
    assert text_of(sent(out)) == "Es ist "


def test_what_need_not_wait_leaves_as_the_bytes_it_came_in() -> None:
    first, second = chunk(content="Guten"), chunk(content=" Tag") + b"data: [DONE]\n\n"
    passing = filter()
    assert passing.take(first[:9]) == b""
    assert passing.take(first[9:] + second) == first + second.removesuffix(b"data: [DONE]\n\n")
    assert passing.done


def test_each_choice_and_each_call_is_a_text_of_its_own() -> None:
    passing = filter()
    out = b"".join(
        [passing.take(chunk(index, content=text)) for text in ("eins sk-", "2 drei") for index in (0, 1)]
        + [passing.take(chunk(index, "stop")) for index in (0, 1)]
    )
    for index in (0, 1):
        assert text_of([c for c in sent(out) if c["choices"][0]["index"] == index]) == "eins sk-2 drei"
    assert sent(out)[-1]["choices"][0]["finish_reason"] == "stop"


def test_the_usage_is_kept_and_sent_on_where_it_was_asked_for() -> None:
    told = b'data: {"model":"m","choices":[],"usage":{"prompt_tokens":3}}\n\n'
    for asked in (True, False):
        passing = filter(asked)
        assert passing.take(told) == (told if asked else b"")
        assert passing.spent == {"prompt_tokens": 3}


def test_an_end_without_its_blank_line_is_an_end_and_a_byte_order_mark_is_nothing() -> None:
    passing = filter()
    assert passing.take(b"\xef\xbb\xbf" + chunk(content="Ja") + b"data: [DONE]") == chunk(content="Ja")
    assert (passing.done, passing.take(b"\n\n"), passing.done) == (False, b"", True)


def test_lines_may_end_as_on_other_systems_and_comments_are_passed_over() -> None:
    passing = filter()
    data = b": alive\r\n\r\n" + chunk(content="Ja").replace(b"\n\n", b"\r\n\r\n")
    assert passing.take(data) == chunk(content="Ja")


def text_of(chunks: list[Any]) -> str:
    return "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])


@pytest.mark.parametrize(
    "deltas",
    [
        [{"tool_calls": [{"index": 0, "function": {"name": "x", "arguments": SECRET}}]}],
        [
            {"tool_calls": [{"index": 0, "type": "function", "function": {"arguments": part}}]}
            for part in ("sk-a", "a" * 23)
        ],
        [{"tool_calls": [{"index": 0, "id": SECRET, "function": {"name": "x", "arguments": "{}"}}]}],
        [{"tool_calls": [{"index": 0, "custom": {"name": "x", "input": part}}]} for part in ("sk-a", "a" * 23)],
        [{"function_call": {"arguments": part}} for part in ("sk-a", "a" * 23)],
        [{"audio": {"id": "a", "transcript": part}} for part in ("sk-a", "a" * 23)],
        [{"annotations": [{"type": "url_citation", "url": SECRET}]}],
        [{"role": SECRET}],
    ],
    ids=["arguments", "pieces", "id", "custom", "legacy", "spoken", "link", "role"],
)
def test_no_field_of_a_chunk_hides_a_secret(deltas: list[dict[str, Any]]) -> None:
    passing = filter()
    with pytest.raises(Refused):
        passing.take(b"".join(chunk(0, **delta) for delta in deltas) + b"data: [DONE]\n\n")


def test_the_name_of_a_call_holds_nothing_back() -> None:
    passing = filter()
    call = {"index": 0, "id": "call-s", "type": "function", "function": {"name": "get-p", "arguments": "{"}}
    assert passing.take(chunk(0, tool_calls=[call]))
