"""Tests of responses over the whole app and a real HTTP engine: whole, streamed, with tools, in the background."""

import importlib
import json
from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import Any

import pytest
from fake_engine import FakeEngine, serve_fake_engine
from openai.types.responses import Response
from openai_sdk import sdk_of, until
from requirements import requirement
from test_responses_stream import OFFICIAL
from web_house import Web, web

pytestmark = pytest.mark.anyio

SAID = "Guten Tag. Ich bin ein Modell."


@pytest.fixture(scope="module")
def engine() -> Generator[FakeEngine]:
    with serve_fake_engine() as fake:
        yield fake


@pytest.fixture(scope="module")
async def site(engine: FakeEngine, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Web]:
    home = tmp_path_factory.mktemp("home")
    importlib.import_module("tools.knowledge.store")
    async with web(home, model_url=engine.url, model_name="town-model") as opened:
        await opened.app.state.health.loaded.wait()
        yield opened


async def asked(site: Web, **body: Any) -> Response:
    answer = await site.client.post("/v1/responses", json={"model": "town-model", "input": "Hallo", **body})
    assert answer.status_code == 200, answer.text
    return Response.model_validate(answer.json(), strict=True)


async def streamed(site: Web, **body: Any) -> list[dict[str, Any]]:
    answer = await site.client.post(
        "/v1/responses", json={"model": "town-model", "input": "Hallo", "stream": True, **body}
    )
    events = [json.loads(frame.split("\ndata: ")[1]) for frame in answer.text.split("\n\n")[:-1]]
    for event in events:
        OFFICIAL.validate_python(event, strict=True)
    return events


async def test_an_engine_answers_whole_and_streamed(site: Web, engine: FakeEngine) -> None:
    engine.bodies.clear()
    whole, events = await asked(site), await streamed(site)
    assert whole.output_text == SAID
    last = events[-1]["response"]
    assert last["output"][0]["content"][0]["text"] == SAID
    assert whole.usage is not None
    assert whole.usage.total_tokens == last["usage"]["total_tokens"] == 15
    assert [body.get("stream") for body in engine.bodies] == [None, True]


async def test_an_engine_uses_our_tools(site: Web) -> None:
    tools = [{"type": "mcp", "server_label": "knowledge", "allowed_tools": ["search"], "require_approval": "never"}]
    whole = (await asked(site, tools=tools)).model_dump()
    for response in (whole, (await streamed(site, tools=tools))[-1]["response"]):
        assert [item["type"] for item in response["output"]] == ["mcp_list_tools", "mcp_call", "message"]
        assert response["output"][1]["arguments"] == '{"query": "Hund"}'


@requirement("RESP-10")
async def test_a_search_keeps_to_the_stores_that_it_is_given(site: Web) -> None:
    async with sdk_of(site, site.key) as sdk:
        hund = await sdk.files.create(
            file=("hund.md", b"# Hundesteuer\n\nJeder Hund kostet neunzig Euro."), purpose="assistants"
        )
        katze = await sdk.files.create(
            file=("katze.md", b"# Katzen\n\nAuch ein Hund mag Katzen."), purpose="assistants"
        )
        made = [await sdk.vector_stores.create(name=one.id, file_ids=[one.id]) for one in (hund, katze)]
        for one in made:
            await until(lambda id=one.id: sdk.vector_stores.retrieve(id), lambda seen: seen.status == "completed")
    tool = {"type": "file_search", "vector_store_ids": [made[0].id]}
    body = {"model": "town-model", "input": "Was kostet es?", "include": ["file_search_call.results"]}
    answer = await site.client.post("/v1/responses", json={**body, "tools": [tool]})
    (found,) = answer.json()["output"][0]["results"]
    assert (found["file_id"], found["filename"], found["score"]) == (hund.id, "hund.md", 1.0)
    assert "neunzig" in found["text"]
    unknown = {"type": "file_search", "vector_store_ids": ["vs_1"]}
    missing = await site.client.post("/v1/responses", json={**body, "tools": [unknown]})
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "not_found")
    filtered = {**tool, "filters": {"type": "eq", "key": "amt", "value": "10"}}
    answer = await site.client.post("/v1/responses", json={**body, "tools": [filtered]})
    assert answer.json()["output"][0]["results"] == []


async def test_an_engine_fills_a_schema(site: Web, engine: FakeEngine) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    text = {"format": {"type": "json_schema", "name": "a", "schema": schema, "strict": True}}
    engine.output = {"a": 1}
    assert (await asked(site, text=text)).output_text == '{"a": 1}'
    engine.output = {"a": "one"}
    refused = await site.client.post("/v1/responses", json={"model": "town-model", "input": "Hallo", "text": text})
    assert (refused.status_code, refused.json()["error"]["code"]) == (502, "failed")


async def test_many_responses_are_a_batch(site: Web) -> None:
    lines = [
        {
            "custom_id": f"{at}",
            "method": "POST",
            "url": "/v1/responses",
            "body": {"model": "town-model", "input": "Hallo"},
        }
        for at in range(3)
    ]
    async with sdk_of(site, site.key) as sdk:
        content = "\n".join(map(json.dumps, lines)).encode()
        file = await sdk.files.create(file=("lines.jsonl", content), purpose="batch")
        made = await sdk.batches.create(input_file_id=file.id, endpoint="/v1/responses", completion_window="24h")
        done = await until(lambda: sdk.batches.retrieve(made.id), lambda seen: seen.status == "completed")
        output = (await sdk.files.content(done.output_file_id or "")).text
    answers = [json.loads(line)["response"]["body"] for line in output.splitlines()]
    assert [answer["output"][0]["content"][0]["text"] for answer in answers] == [SAID] * 3


async def test_the_engine_in_the_house_answers_too(tmp_path: Path) -> None:
    async with web(tmp_path) as site:
        await site.app.state.health.loaded.wait()
        body: dict[str, Any] = {"model": "extractive", "input": "Die Stadt hat ein neues Bad. Es öffnet am Montag."}
        whole = (await asked(site, **body)).output_text
        (message,) = (await streamed(site, **body))[-1]["response"]["output"]
        assert message["content"][0]["text"] == whole != ""
