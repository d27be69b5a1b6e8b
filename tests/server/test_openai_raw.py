"""Tests of an endpoint's model passed through: what arrives there, what comes back, and what the gate sees both ways."""

import json
from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fake_engine import USAGE, FakeEngine, serve_fake_engine
from web_house import Web, asking, events, web

from agents.kit import Act, Gate
from server.openai_filter import StreamFilter
from tools.base import Caller, Refused

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


async def test_a_request_arrives_as_it_was_sent(site: Web, engine: FakeEngine) -> None:
    engine.bodies.clear()
    body = {"model": "town-model", "messages": asking("Hallo"), "temperature": 0.2, "top_k": 3, "an_unknown_one": [1]}
    answer = await site.client.post("/v1/chat/completions", json=body)
    assert answer.status_code == 200
    assert engine.bodies == [body]
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
    ("status", "said", "seen"),
    [
        (400, {"error": {"message": "max_tokens is too large"}}, (400, "invalid_parameter")),
        (401, {"error": {"message": "wrong key engine-key"}}, (502, "failed")),
        (404, {"error": {"message": "no such model"}}, (502, "failed")),
        (429, {"error": {"message": "slow down"}}, (503, "unavailable")),
        (500, "a traceback", (503, "unavailable")),
        (200, "no JSON", (502, "failed")),
    ],
)
async def test_a_fault_of_the_engine_is_not_the_callers(
    site: Web, monkeypatch: pytest.MonkeyPatch, status: int, said: Any, seen: tuple[int, str], stream: bool
) -> None:
    if stream and status == 200:
        said = "data: {nonsense\n\n"
    content = said if isinstance(said, str) else json.dumps(said)
    answers = httpx2.MockTransport(lambda request: httpx2.Response(status, content=content))
    raw = _raw(site)
    monkeypatch.setattr(raw, "_http", httpx2.AsyncClient(transport=answers))
    answer = await site.chat(model="town-model", messages=asking("Hallo"), stream=stream)
    assert (answer.status_code, answer.json()["error"]["code"]) == seen
    assert "engine-key" not in answer.text
    assert "traceback" not in answer.text


async def test_a_stream_without_its_end_is_an_error(site: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    chunk = {"choices": [{"index": 0, "delta": {"content": "Guten Tag. "}, "finish_reason": None}]}
    answers = httpx2.MockTransport(lambda request: httpx2.Response(200, content=f"data: {json.dumps(chunk)}\n\n"))
    monkeypatch.setattr(_raw(site), "_http", httpx2.AsyncClient(transport=answers))
    first, last = events(await site.chat(model="town-model", messages=asking("Hallo"), stream=True))
    assert first["choices"][0]["delta"]["content"] == "Guten Tag. "
    assert last["error"]["code"] == "failed"


async def test_an_engine_that_is_down_is_told_as_such(site: Web, tmp_path_factory: pytest.TempPathFactory) -> None:
    home = tmp_path_factory.mktemp("down")
    async with web(home, model_url="http://127.0.0.1:9/v1", model_name="town-model") as down:
        raw = await down.chat(model="town-model", messages=asking("Hallo"))
        streamed = await down.chat(model="town-model", messages=asking("Hallo"), stream=True)
    for answer in (raw, streamed):
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")


class NoSecrets:
    """A guard that knows one secret."""

    def before(self, act: Act, text: str) -> None: ...

    def piece(self, act: Act, text: str) -> None:
        if SECRET in text:
            raise Refused("A secret.")

    def after(self, act: Act, text: str) -> None: ...


async def test_an_endpoint_without_a_name_is_passed_through_under_the_id_it_is_listed_with(
    engine: FakeEngine, tmp_path: Path
) -> None:
    engine.bodies.clear()
    async with web(tmp_path, model_url=engine.url) as unnamed:
        body = {"model": unnamed.house.engine.id, "messages": asking("Hallo"), "an_unknown_one": 1}
        assert (await unnamed.client.post("/v1/chat/completions", json=body)).status_code == 200
    assert engine.bodies == [body]


def test_a_secret_does_not_leave_in_halves() -> None:
    passing = StreamFilter(
        Gate([NoSecrets()]), Act(kind="model", name="m", caller=Caller(subject="anna"), trace_id="0" * 32)
    )
    sent: list[str] = []
    with pytest.raises(Refused):
        for piece in ("Es ist ", SECRET[:9], SECRET[9:], " ja"):
            chunk = {"choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": None}]}
            sent += [text_of([passed]) for passed in passing.chunk(chunk)]
    assert "".join(sent) == "Es ist "


def test_each_choice_and_each_call_is_a_text_of_its_own() -> None:
    passing = StreamFilter(Gate([]), Act(kind="model", name="m", caller=Caller(subject="anna"), trace_id="0" * 32))
    chunks = [
        {"choices": [{"index": i, "delta": {"content": text}, "finish_reason": None}]}
        for text in ("eins zw", "ei drei")
        for i in (0, 1)
    ] + [{"choices": [{"index": i, "delta": {}, "finish_reason": "stop"}]} for i in (0, 1)]
    sent = [passed for chunk in chunks for passed in passing.chunk(chunk)]
    for index in (0, 1):
        assert text_of([c for c in sent if c["choices"][0]["index"] == index]) == "eins zwei drei"
    assert sent[-1]["choices"][0]["finish_reason"] == "stop"


def text_of(chunks: list[Any]) -> str:
    return "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])


def _raw(site: Web) -> Any:
    """The pass-through behind the chat route."""
    (route,) = [route for route in site.app.routes if getattr(route, "path", "") == "/v1/chat/completions"]
    return route.endpoint.__self__.raw  # pyright: ignore[reportAttributeAccessIssue]  # a route's endpoint is a method here
