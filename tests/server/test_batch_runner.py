"""Tests of the work at batches: requests are made once, whoever dies, stops or sleeps; over a scripted performer."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from openai_sdk import until
from requirements import requirement
from sqlalchemy import func, select

from server.batch_runner import BatchRunner
from server.state import Database
from server.state.batches import BatchStore
from server.state.files import FileStore
from server.state.tables import batch_lines
from tools.base import Caller, Failed, InvalidInput, NotFound, Overloaded

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]

CHAT = "/v1/chat/completions"
ANNA = Caller(subject="anna", tenant="stadt", groups=frozenset({"amt-10"}), scopes=frozenset({"partitur"}))


def line(name: str) -> bytes:
    one = {"custom_id": name, "method": "POST", "url": CHAT, "body": {"model": "m", "name": name}}
    return json.dumps(one).encode() + b"\n"


def parsed(text: str) -> dict[str, Any]:
    return {one["custom_id"]: one for one in map(json.loads, text.splitlines())}


@dataclass
class Script:
    """Answers requests as a test says, and notes them."""

    answer: Callable[[str], dict[str, Any]] = lambda name: {
        "said": name,
        "usage": {"prompt_tokens": 2, "completion_tokens": 1},
    }
    seen: list[str] = field(default_factory=list)
    callers: list[Caller] = field(default_factory=list)
    hold: asyncio.Event | None = None
    free: int = 0
    """How many answers are given before it holds."""

    async def __call__(self, endpoint: str, body: dict[str, Any], caller: Caller) -> dict[str, Any]:
        assert endpoint == CHAT
        self.callers.append(caller)
        self.seen.append(body["name"])
        if self.hold is not None and len(self.seen) > self.free:
            await self.hold.wait()
        return self.answer(body["name"])


@dataclass
class Place:
    database: Database
    files: FileStore
    now: float = 1_000_000.0

    def store(self, worker: str) -> BatchStore:
        return BatchStore(self.database, worker=worker, clock=lambda: self.now)

    def runner(self, worker: str, script: Script, *, at_once: int = 2) -> BatchRunner:
        return BatchRunner(self.store(worker), self.files, script, asyncio.Semaphore(at_once), beat_s=0.01, pause_s=0.0)

    async def batch(self, count: int) -> str:
        content = b"".join(line(f"r{n}") for n in range(count))
        file = await self.files.add(ANNA, content, name="in.jsonl", purpose="batch")
        batch = await self.store("api").add(ANNA, endpoint=CHAT, input_file=file.id, window="24h", seconds=86_400)
        return batch.id

    async def read(self, id: str | None) -> dict[str, Any]:
        return parsed((await self.files.read(ANNA, id or "")).decode())


@pytest.fixture
async def place(tmp_path: Path) -> AsyncGenerator[Place]:
    database = Database(tmp_path)
    yield Place(database, FileStore(database, max_bytes=10_000_000, clock=lambda: 1_000_000.0))
    await database.close()


@requirement("BATCH-7")
async def test_requests_are_made_as_whoever_made_the_batch(place: Place) -> None:
    id, script = await place.batch(3), Script()
    assert await place.runner("one", script).work()
    assert script.callers == [ANNA] * 3
    batch = await place.store("api").get(ANNA, id)
    assert (batch.status, batch.usage) == (
        "completed",
        {
            "input_tokens": 6,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": 3,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 9,
        },
    )
    async with place.database.read() as connection:
        assert await connection.scalar(select(func.count()).select_from(batch_lines)) == 0


async def test_there_is_nothing_to_do_where_no_batch_waits(place: Place) -> None:
    assert await place.runner("one", Script()).work() is False


async def test_only_a_few_requests_are_under_way_at_once(place: Place) -> None:
    await place.batch(10)
    script = Script(hold=asyncio.Event())
    working = asyncio.create_task(place.runner("one", script, at_once=3).work())
    await until(_told(lambda: len(script.seen)), lambda seen: seen >= 3)
    await asyncio.sleep(0)
    assert len(script.seen) == 3
    assert script.hold is not None
    script.hold.set()
    assert await working
    assert sorted(script.seen) == sorted(f"r{n}" for n in range(10))


async def test_another_worker_goes_on_when_one_has_died_and_makes_no_request_again(place: Place) -> None:
    id = await place.batch(20)
    dying = Script(hold=asyncio.Event(), free=8)
    runner = place.runner("dying", dying)
    held = await runner.store.take()
    assert held is not None
    work = asyncio.create_task(runner._do(held))
    await until(lambda: place.store("api").get(ANNA, id), lambda seen: seen.completed == 8)
    work.cancel()  # and it gives nothing back: it was killed
    await asyncio.gather(work, return_exceptions=True)
    script = Script()
    assert await place.runner("other", script).work() is False, "the dead one's lease still runs"
    place.now += 31
    assert await place.runner("other", script).work()
    assert len(script.seen) == 12
    assert not set(script.seen) & set(dying.seen[:8])
    batch = await place.store("api").get(ANNA, id)
    assert (batch.status, batch.total, batch.completed) == ("completed", 20, 20)
    assert list(await place.read(batch.output_file)) == [f"r{n}" for n in range(20)]


async def test_a_worker_that_was_asleep_writes_nothing_into_anothers_batch(place: Place) -> None:
    id = await place.batch(2)
    asleep = Script(hold=asyncio.Event(), answer=lambda name: {"said": "late"})
    runner = place.runner("asleep", asleep)
    held = await runner.store.take()
    assert held is not None
    work = asyncio.create_task(runner._do(held))
    await until(_told(lambda: len(asleep.seen)), lambda seen: seen == 2)
    place.now += 31
    assert await place.runner("other", Script()).work()
    assert asleep.hold is not None
    asleep.hold.set()
    await asyncio.gather(work, return_exceptions=True)
    batch = await place.store("api").get(ANNA, id)
    output = await place.read(batch.output_file)
    assert {line["response"]["body"]["said"] for line in output.values()} == {"r0", "r1"}
    assert (batch.status, batch.completed) == ("completed", 2)


async def test_a_worker_that_stops_gives_its_batch_back_at_once(place: Place) -> None:
    id = await place.batch(4)
    script = Script(hold=asyncio.Event(), free=2)
    work = asyncio.create_task(place.runner("one", script).work())
    await until(lambda: place.store("api").get(ANNA, id), lambda seen: seen.completed == 2)
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    assert await place.runner("two", Script()).work()
    assert (await place.store("api").get(ANNA, id)).status == "completed"


@requirement("BATCH-4")
async def test_a_cancelled_batch_stops_and_keeps_what_was_done(place: Place) -> None:
    id = await place.batch(6)
    script = Script(hold=asyncio.Event(), free=2)
    working = asyncio.create_task(place.runner("one", script).work())
    await until(lambda: place.store("api").get(ANNA, id), lambda seen: seen.completed == 2)
    cancelling = await place.store("api").cancel(ANNA, id)
    assert cancelling.status == "cancelling"
    assert await working
    batch = await place.store("api").get(ANNA, id)
    assert (batch.status, set(batch.times) >= {"cancelling", "cancelled"}) == ("cancelled", True)
    assert set(await place.read(batch.output_file)) == {"r0", "r1"}
    undone = await place.read(batch.error_file)
    assert {line["error"]["code"] for line in undone.values()} == {"batch_cancelled"}
    assert set(undone) == {"r2", "r3", "r4", "r5"}
    with pytest.raises(InvalidInput, match="is 'cancelled'"):
        await place.store("api").cancel(ANNA, id)


@requirement("BATCH-4")
async def test_a_batch_that_nobody_has_begun_is_cancelled_too(place: Place) -> None:
    id = await place.batch(2)
    await place.store("api").cancel(ANNA, id)
    script = Script()
    assert await place.runner("one", script).work()
    batch = await place.store("api").get(ANNA, id)
    assert (batch.status, batch.output_file, batch.error_file, script.seen) == ("cancelled", None, None, [])


@requirement("BATCH-5")
async def test_what_is_not_done_within_the_window_is_in_the_error_file(place: Place) -> None:
    id = await place.batch(3)
    script = Script(hold=asyncio.Event(), free=1)
    working = asyncio.create_task(place.runner("one", script, at_once=1).work())
    await until(lambda: place.store("api").get(ANNA, id), lambda seen: seen.completed == 1)
    place.now += 86_400
    assert await working
    batch = await place.store("api").get(ANNA, id)
    assert batch.status == "expired"
    undone = await place.read(batch.error_file)
    assert {name: line["error"]["code"] for name, line in undone.items()} == {
        "r1": "batch_expired",
        "r2": "batch_expired",
    }


async def test_an_overloaded_engine_is_asked_again_and_an_error_is_kept(place: Place) -> None:
    id = await place.batch(3)
    script = Script()

    def answer(name: str) -> dict[str, Any]:
        if name == "r0" and script.seen.count("r0") < 4:
            raise Overloaded("All places are taken.")
        if name == "r1":
            raise Failed("The engine broke.")
        if name == "r2":
            raise ZeroDivisionError
        return {"said": name}

    script.answer = answer
    assert await place.runner("one", script).work()
    batch = await place.store("api").get(ANNA, id)
    assert (batch.status, batch.completed, batch.failed, script.seen.count("r0")) == ("completed", 1, 2, 4)
    errors = await place.read(batch.error_file)
    assert {name: line["response"]["status_code"] for name, line in errors.items()} == {"r1": 502, "r2": 500}


async def test_a_batch_that_waits_for_its_model_holds_up_no_other(place: Place) -> None:
    waiting, slots = await place.batch(6), asyncio.Semaphore(1)
    script = Script()

    def answer(name: str) -> dict[str, Any]:
        if len(script.seen) <= 6:
            raise Overloaded("The model is down.")
        return {"said": name}

    script.answer = answer
    runners = [
        BatchRunner(place.store(worker), place.files, script, slots, beat_s=0.01, pause_s=60.0) for worker in "ab"
    ]
    first = asyncio.create_task(runners[0].work())
    await until(_told(lambda: len(script.seen)), lambda seen: seen == 6)
    id = await place.batch(2)
    assert await runners[1].work()
    assert (await place.store("api").get(ANNA, id)).status == "completed"
    await place.store("api").cancel(ANNA, waiting)
    assert await first


async def test_an_input_that_is_gone_before_it_was_read_fails_the_batch(place: Place) -> None:
    id = await place.batch(1)
    batch = await place.store("api").get(ANNA, id)
    await place.files.delete(ANNA, batch.input_file)
    assert await place.runner("one", Script()).work()
    failed = await place.store("api").get(ANNA, id)
    assert failed.status == "failed"
    assert failed.errors is not None
    assert failed.errors[0]["code"] == "not_found"
    with pytest.raises(NotFound):
        await place.store("api").get(Caller(subject="bert", tenant="stadt"), id)


def _told(look: Callable[[], int]) -> Any:
    async def seen() -> int:
        return look()

    return seen
