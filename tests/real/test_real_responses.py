"""OpenAI's own SDKs, for Python and for JavaScript, meet the responses of a started server; and a server that is killed."""

import asyncio
import json
import os
import re
import subprocess
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import openai
import pytest
from fault_answers import hang  # pyright: ignore[reportMissingImports]  # of tests/server, on pytest's path
from fault_engine import serve_faults  # pyright: ignore[reportMissingImports]  # likewise
from outside import KEY, PARTITUR, Node, Served
from pydantic import BaseModel
from real_postgres import started
from scripted_chat import MODEL, says, town  # pyright: ignore[reportMissingImports]  # likewise

TEXT = "Die Stadt hat ein neues Bad. Es öffnet am Montag. Der Eintritt kostet vier Euro."


class Summary(BaseModel):
    text: str


@pytest.fixture(scope="module")
def sdk(served: Served) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{served.url}/v1", api_key=KEY, max_retries=0)


def test_whole_streamed_and_parsed_say_the_same(sdk: openai.OpenAI) -> None:
    whole = sdk.responses.create(model="summary", input=TEXT)
    with sdk.responses.stream(model="summary", input=TEXT) as stream:
        streamed = stream.get_final_response()
    assert whole.output_text == streamed.output_text != ""
    given = json.dumps({"text": TEXT, "sentences": 1})
    parsed = sdk.responses.parse(model="summary", input=given, text_format=Summary)
    assert parsed.output_parsed is not None
    assert parsed.output_parsed.text in TEXT


def test_a_response_is_kept_listed_and_deleted(sdk: openai.OpenAI) -> None:
    first = sdk.responses.create(model="summary", input=TEXT)
    second = sdk.responses.create(model="summary", input=TEXT, previous_response_id=first.id)
    assert sdk.responses.retrieve(second.id) == second
    assert len(list(sdk.responses.input_items.list(second.id, limit=1))) == 3
    sdk.responses.delete(second.id)
    with pytest.raises(openai.NotFoundError):
        sdk.responses.retrieve(second.id)


def test_errors_are_the_sdks_own(sdk: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as unknown:
        sdk.responses.create(model="sumary", input=TEXT)
    assert unknown.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError) as previous:
        sdk.responses.create(model="summary", input=TEXT, previous_response_id="resp_1")
    assert previous.value.code == "previous_response_not_found"
    with pytest.raises(openai.PermissionDeniedError):
        sdk.responses.create(model="summary", input="pt-" + "a" * 43, stream=True)


@pytest.fixture(scope="module")
def report(node: Node, served: Served) -> dict[str, Any]:
    return node("responses.mjs", f"{served.url}/v1", KEY)


def test_javascript_reads_the_same(report: dict[str, Any]) -> None:
    assert report["text"] == report["streamed"] == report["kept"] != ""
    assert report["kinds"][0] == "response.created"
    assert report["kinds"][-1] == report["told"][-1] == "response.completed"
    assert report["told"][1] == "response.queued"
    assert report["items"] == ["user", "assistant", "user"]
    assert report["usage"]["input_tokens"] + report["usage"]["output_tokens"] == report["usage"]["total_tokens"]


def test_javascript_has_errors_of_its_own_kinds(report: dict[str, Any]) -> None:
    assert report["failed"] == {
        "gone": {"kind": "NotFoundError", "status": 404, "code": "not_found"},
        "model": {"kind": "NotFoundError", "status": 404, "code": "model_not_found"},
        "cancel": {"kind": "BadRequestError", "status": 400, "code": "invalid_parameter"},
    }


@asynccontextmanager
async def worker(
    home: Path, engine: str, name: str
) -> AsyncGenerator[tuple[openai.AsyncOpenAI, subprocess.Popen[bytes]]]:
    """A server over a home that others share."""
    log = home / f"{name}.log"
    environment = {"PARTITUR_HOME": str(home), "PARTITUR_API_KEY": KEY, "PARTITUR_MODEL_URL": engine}
    with log.open("w") as sink:
        process = subprocess.Popen(
            [PARTITUR, "serve", "--port", "0"],
            cwd=home,
            env={**os.environ, **environment, "PARTITUR_MODEL_NAME": "silent"},
            stdout=sink,
            stderr=sink,
        )
    try:
        await until(lambda: "http://127" in log.read_text())
        url = (re.search(r"http://[\d.]+:\d+", log.read_text()) or [""])[0]
        async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=20) as sdk:
            yield sdk, process
    finally:
        process.kill()
        process.wait(30)


async def until(met: Callable[[], bool], *, within_s: float = 90.0) -> None:
    deadline = time.monotonic() + within_s
    while not met():
        assert time.monotonic() < deadline, "It did not come to that in time."
        await asyncio.sleep(0.05)


@pytest.mark.anyio
async def test_work_is_cancelled_by_another_worker_and_fails_when_its_own_is_killed(tmp_path: Path) -> None:
    with serve_faults() as engine:
        engine.otherwise(hang())
        async with (
            worker(tmp_path, engine.url, "one") as (one, process),
            worker(tmp_path, engine.url, "two") as (two, _),
        ):
            cancelled = await one.responses.create(model="silent", input="Arbeite.", background=True)
            await engine.until(lambda: engine.running == 1)
            assert (await two.responses.cancel(cancelled.id)).status == "cancelled"
            await engine.until(lambda: engine.running == 0)
            lost = await one.responses.create(model="silent", input="Arbeite.", background=True)
            await engine.until(lambda: engine.running == 1)
            process.kill()
            await engine.until(lambda: engine.running == 0)
            assert (await two.responses.retrieve(lost.id)).status == "in_progress"
            deadline = time.monotonic() + 90
            while (left := await two.responses.retrieve(lost.id)).status == "in_progress":
                assert time.monotonic() < deadline
                await asyncio.sleep(0.5)
    assert left.status == "failed"
    assert left.error is not None
    assert left.error.code == "server_error"


@pytest.mark.anyio
async def test_workers_over_one_postgresql_share_conversations_and_background_work(tmp_path: Path) -> None:
    with started() as server:
        database = {"database": server.url("postgres")}
        async with town(tmp_path, **database) as one, town(tmp_path, key=one.key, **database) as two:
            one.chat.plays(says("Eins."))
            first = await one.sdk.responses.create(model=MODEL, input="1?")
            two.chat.plays(says("Zwei."))
            second = await two.sdk.responses.create(model=MODEL, input="2?", previous_response_id=first.id)
            listed: Any = [item async for item in one.sdk.responses.input_items.list(second.id, order="asc", limit=1)]
            assert [item.content[0].text for item in listed] == ["1?", "Eins.", "2?"]
            one.chat.plays(says("Drei. Mit \u0000 und \U0001f600."))
            begun = await one.sdk.responses.create(model=MODEL, input="3?", background=True, stream=True)
            told: list[Any] = [event async for event in begun]
            again = await two.sdk.responses.retrieve(told[0].response.id, stream=True, starting_after=2)
            assert [event async for event in again] == told[3:]
            for end in (two.sdk.responses.cancel, two.sdk.responses.delete):
                one.chat.plays(asyncio.Event())
                made = await one.sdk.responses.create(model=MODEL, input="Arbeite.", background=True)
                await one.chat.began.wait()
                await end(made.id)
                await asyncio.wait_for(one.chat.stopped.wait(), 60)
            await two.sdk.responses.delete(first.id)
            with pytest.raises(openai.BadRequestError):
                await one.sdk.responses.create(model=MODEL, input="3?", previous_response_id=second.id)
