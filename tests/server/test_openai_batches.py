"""Tests of /v1/batches: through OpenAI's own client over the real routes, and what is read of an input."""

import json
from collections.abc import AsyncGenerator
from typing import Any

import openai
import pytest
from openai_sdk import sdk_of, until
from requirements import requirement
from web_house import TEXT, Web, web

from server.batch_input import Checked, lines

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]

CHAT = "/v1/chat/completions"


def asked(number: int, **body: Any) -> dict[str, Any]:
    return {
        "custom_id": f"r{number}",
        "method": "POST",
        "url": CHAT,
        "body": {"model": "summary", "messages": [{"role": "user", "content": TEXT}], **body},
    }


def jsonl(*requests: Any) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in requests)


def parsed(text: str) -> dict[str, Any]:
    return {line["custom_id"]: line for line in map(json.loads, text.splitlines())}


# Through the client, over the routes of the app


@pytest.fixture(scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Web]:
    async with web(tmp_path_factory.mktemp("home")) as opened:
        await opened.app.state.health.loaded.wait()
        yield opened


@pytest.fixture
async def anna(site: Web) -> AsyncGenerator[openai.AsyncOpenAI]:
    async with sdk_of(site, site.keys.add("anna")) as sdk:
        yield sdk


async def batch_of(sdk: openai.AsyncOpenAI, content: bytes, **given: Any) -> Any:
    file = await sdk.files.create(file=("in.jsonl", content), purpose="batch")
    return await sdk.batches.create(input_file_id=file.id, endpoint=CHAT, completion_window="24h", **given)


async def ended(sdk: openai.AsyncOpenAI, id: str) -> Any:
    over = {"completed", "failed", "cancelled", "expired"}
    return await until(lambda: sdk.batches.retrieve(id), lambda seen: seen.status in over)


@requirement("BATCH-1", "BATCH-2")
async def test_requests_of_a_file_are_answered_into_a_file(anna: openai.AsyncOpenAI) -> None:
    sent = jsonl(asked(1), asked(2, model="nobody"), asked(3, model="extractive"))
    made = await batch_of(anna, sent, metadata={"wer": "Amt 10"})
    assert (made.object, made.endpoint, made.status, made.completion_window) == ("batch", CHAT, "validating", "24h")
    batch = await ended(anna, made.id)
    assert (batch.status, batch.metadata, batch.errors) == ("completed", {"wer": "Amt 10"}, None)
    counts = batch.request_counts
    assert (counts.total, counts.completed, counts.failed) == (3, 2, 1)
    times = [batch.created_at, batch.in_progress_at, batch.finalizing_at, batch.completed_at]
    assert times == sorted(times)
    assert batch.expires_at == batch.created_at + 86_400
    output = parsed((await anna.files.content(batch.output_file_id)).text)
    assert set(output) == {"r1", "r3"}
    answer = output["r1"]
    assert set(answer) == {"id", "custom_id", "response", "error"}
    assert (answer["response"]["status_code"], answer["error"]) == (200, None)
    assert answer["response"]["body"]["choices"][0]["message"]["content"]
    total = sum(output[name]["response"]["body"]["usage"]["total_tokens"] for name in output)
    assert batch.usage.total_tokens == total
    errors = parsed((await anna.files.content(batch.error_file_id)).text)
    assert errors["r2"]["response"]["status_code"] == 404
    assert errors["r2"]["response"]["body"]["error"]["code"] == "model_not_found"
    file = await anna.files.retrieve(batch.output_file_id)
    assert (file.purpose, file.filename) == ("batch_output", f"{batch.id}_output.jsonl")


async def test_every_endpoint_of_the_server_takes_batches(anna: openai.AsyncOpenAI) -> None:
    body = {"model": "summary", "input": TEXT}
    sent = jsonl({**asked(1), "url": "/v1/responses", "body": body})
    file = await anna.files.create(file=("in.jsonl", sent), purpose="batch")
    made = await anna.batches.create(input_file_id=file.id, endpoint="/v1/responses", completion_window="24h")
    batch = await ended(anna, made.id)
    answer = parsed((await anna.files.content(batch.output_file_id)).text)["r1"]["response"]["body"]
    assert (answer["object"], answer["status"]) == ("response", "completed")
    assert batch.usage.total_tokens == answer["usage"]["total_tokens"] > 0


@requirement("BATCH-3")
async def test_a_file_that_does_not_fit_fails_with_the_lines_that_are_wrong(anna: openai.AsyncOpenAI) -> None:
    other = {**asked(5), "url": "/v1/embeddings"}
    made = await batch_of(anna, jsonl(asked(1), asked(1), other) + b"{no json\n" + jsonl({**asked(6), "method": "GET"}))
    batch = await ended(anna, made.id)
    assert (batch.status, batch.output_file_id, batch.error_file_id) == ("failed", None, None)
    assert [(error.line, error.code, error.param) for error in batch.errors.data] == [
        (2, "duplicate_custom_id", "custom_id"),
        (3, "mismatched_endpoint", "url"),
        (4, "invalid_json_line", None),
        (5, "invalid_method", "method"),
    ]


@requirement("BATCH-6")
async def test_what_cannot_become_a_batch_is_refused_at_once(anna: openai.AsyncOpenAI) -> None:
    file = await anna.files.create(file=("a.jsonl", jsonl(asked(1))), purpose="batch")
    other = await anna.files.create(file=("a.jsonl", jsonl(asked(1))), purpose="user_data")
    cases: list[tuple[dict[str, Any], str]] = [
        ({"input_file_id": "file-nothing"}, "input_file_id"),
        ({"input_file_id": other.id}, "input_file_id"),
        ({"endpoint": "/v1/files"}, "endpoint"),
        ({"completion_window": "1h"}, "completion_window"),
        ({"metadata": {"a": "b" * 600}}, "metadata.a"),
    ]
    for given, param in cases:
        good: dict[str, Any] = {"input_file_id": file.id, "endpoint": CHAT, "completion_window": "24h"}
        with pytest.raises(openai.BadRequestError) as raised:
            await anna.batches.create(**{**good, **given})
        assert raised.value.param == param


@requirement("BATCH-7")
async def test_a_batch_of_somebody_else_is_not_there(site: Web, anna: openai.AsyncOpenAI) -> None:
    made = await batch_of(anna, jsonl(asked(1)))
    batch = await ended(anna, made.id)
    async with sdk_of(site, site.keys.add("bert")) as bert:
        for waiting in (
            bert.batches.retrieve(batch.id),
            bert.batches.cancel(batch.id),
            bert.files.content(batch.output_file_id),
        ):
            with pytest.raises(openai.NotFoundError):
                await waiting
        assert (await bert.batches.list()).data == []
    assert [one.id for one in (await anna.batches.list(limit=1)).data] == [batch.id]
    with pytest.raises(openai.BadRequestError):
        await anna.batches.cancel(batch.id)


# The input


async def numbered(*parts: bytes) -> list[tuple[int, bytes]]:
    async def given() -> AsyncGenerator[bytes]:
        for part in parts:
            yield part

    return [line async for line in lines(given())]


async def test_lines_are_numbered_wherever_the_parts_end() -> None:
    assert await numbered(b"\xef\xbb\xbf{1", b"}\n\n", b"{3}\r\n{4", b"}") == [(1, b"{1}"), (3, b"{3}\r"), (4, b"{4}")]
    assert await numbered(b"") == []


@pytest.mark.parametrize(
    ("change", "code", "param"),
    [
        ({"custom_id": ""}, "missing_required_parameter", "custom_id"),
        ({"custom_id": 7}, "missing_required_parameter", "custom_id"),
        ({"body": []}, "missing_required_parameter", "body"),
        ({"body": {}}, "missing_required_parameter", "body.model"),
        ({"body": {"model": "a", "stream": True}}, "invalid_parameter", "body.stream"),
        ({"body": {"model": "a", "background": True}}, "invalid_parameter", "body.background"),
        ({"method": "PUT"}, "invalid_method", "method"),
        ({"url": "/v1/models"}, "mismatched_endpoint", "url"),
    ],
)
def test_a_line_that_does_not_fit_names_what_is_wrong(change: dict[str, Any], code: str, param: str) -> None:
    checked = Checked(CHAT)
    assert checked.line(7, json.dumps({**asked(1), **change}).encode()) is None
    [problem] = checked.problems
    assert (problem["line"], problem["code"], problem["param"]) == (7, code, param)


def test_a_file_without_requests_is_a_problem_of_its_own() -> None:
    checked = Checked(CHAT)
    checked.end()
    assert [problem["code"] for problem in checked.problems] == ["empty_file"]
