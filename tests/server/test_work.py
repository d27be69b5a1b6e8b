"""Tests of the background: when it looks, that a failure does not end it, and that it ends with the app."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from openai_sdk import until

from server.state import Database
from server.work import Work

pytestmark = pytest.mark.anyio


@pytest.fixture
async def database(tmp_path: Path) -> AsyncGenerator[Database]:
    database = Database(tmp_path)
    yield database
    await database.close()


class Job:
    """Has work for so many times, and counts how often it is called."""

    def __init__(self, waits: int = 0) -> None:
        self.waits, self.calls = waits, 0

    async def __call__(self) -> bool:
        self.calls += 1
        self.waits -= 1
        return self.waits >= 0

    async def called(self) -> int:
        return self.calls


async def tidied() -> None:
    """There is nothing to tidy."""


def now() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


async def test_nobody_looks_before_there_is_a_database(database: Database) -> None:
    job, work = Job(), Work(database, look_s=0.001)
    async with work.going_on([job], tidied, after=now()):
        for _ in range(20):
            work.wake()
            await asyncio.sleep(0)
        assert job.calls == 0
        await database.open()
        await until(job.called, lambda calls: calls > 0)


async def test_requests_go_first(database: Database) -> None:
    await database.open()
    job, ready = Job(), asyncio.Event()
    async with Work(database, look_s=0.001).going_on([job], tidied, after=ready):
        for _ in range(20):
            await asyncio.sleep(0)
        assert job.calls == 0
        ready.set()
        await until(job.called, lambda calls: calls > 0)


async def test_it_goes_on_while_there_is_work_and_then_rests_until_it_is_woken(database: Database) -> None:
    await database.open()
    job, work = Job(waits=5), Work(database, look_s=3_600)
    async with work.going_on([job], tidied, after=now()):
        await until(job.called, lambda calls: calls == 6)
        work.wake()
        await until(job.called, lambda calls: calls == 7)


async def test_a_failure_is_logged_and_ends_neither_it_nor_the_others(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    await database.open()
    other, failed = Job(), 0

    async def failing() -> bool:
        nonlocal failed
        failed += 1
        raise ZeroDivisionError

    async def failures() -> int:
        return failed

    work = Work(database, look_s=0.001)
    with caplog.at_level(logging.CRITICAL, "server.work"):
        async with work.going_on([failing, other], failing, after=now()):
            await until(failures, lambda count: count == 2)  # the job and the tidying
            work.wake()
            await until(failures, lambda count: count == 3)
            await until(other.called, lambda calls: calls > 3)
