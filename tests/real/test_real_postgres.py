"""A real PostgreSQL: tables made once by many, and two servers on one database, of which one is killed at its work."""

import asyncio
import json
import os
import re
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import openai
import pytest
import uvicorn
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from outside import PARTITUR
from pydantic import SecretStr
from real_postgres import Postgres, started
from sqlalchemy import func, select, text
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from server.batch_runner import BatchRunner
from server.state import Database
from server.state.batches import BatchStore
from server.state.files import FileStore
from server.state.tables import REVISION, metadata
from server.state.vector_files import Entry, VectorFiles
from server.state.vector_stores import VectorStores
from tools.base import Caller, InvalidInput, NotFound, SetupError, Unavailable

KEY = "pt-real-postgres"
ANNA, BERT = Caller(subject="anna"), Caller(subject="bert")


@pytest.fixture(scope="module")
def postgres() -> Generator[Postgres]:
    with started() as server:
        yield server


@pytest.fixture
async def url(postgres: Postgres) -> SecretStr:
    """A new database."""
    import asyncpg

    name = f"partitur_{uuid.uuid4().hex}"
    connection = await asyncpg.connect(postgres.url("postgres"))
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()
    return SecretStr(postgres.url(name))


@pytest.fixture
async def database(url: SecretStr) -> AsyncGenerator[Database]:
    database = Database(Path("/nowhere"), url)
    yield database
    await database.close()


@pytest.mark.anyio
async def test_many_that_open_it_at_once_make_the_tables_once(url: SecretStr) -> None:
    databases = [Database(Path("/nowhere"), url) for _ in range(8)]
    await asyncio.gather(*(one.open() for one in databases))
    async with databases[0].begin() as connection:
        assert (await connection.scalars(text("SELECT version_num FROM alembic_version"))).all() == [REVISION]
        options = {"compare_type": True}
        different = await connection.run_sync(
            lambda sync: compare_metadata(MigrationContext.configure(sync, opts=options), metadata)
        )
    assert different == []
    for one in databases:
        await one.close()


@pytest.mark.anyio
async def test_a_newer_database_is_refused(url: SecretStr) -> None:
    database = Database(Path("/nowhere"), url)
    async with database.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    await database.close()
    with pytest.raises(SetupError, match="has tables of version '9999'") as raised:
        await Database(Path("/nowhere"), url).open()
    assert url.get_secret_value() not in str(raised.value)


@pytest.mark.anyio
async def test_a_wrong_password_is_unavailable_and_not_told(url: SecretStr) -> None:
    wrong = SecretStr(re.sub(r":[^:@]+@", ":falsch@", url.get_secret_value()))
    with pytest.raises(Unavailable) as raised:
        await Database(Path("/nowhere"), wrong).open()
    assert "falsch" not in str(raised.value)


@pytest.mark.anyio
async def test_a_connection_that_the_server_ended_is_made_anew(database: Database) -> None:
    for _ in range(2):
        async with database.read() as connection:
            assert await connection.scalar(text("SELECT 1")) == 1
        async with database.begin() as connection:
            others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
            await connection.execute(text(f"{others} AND pid <> pg_backend_pid()"))


@pytest.mark.anyio
async def test_a_text_that_it_cannot_hold_is_the_callers_mistake(database: Database) -> None:
    stores = VectorStores(database, home="one")
    with pytest.raises(InvalidInput):
        await stores.add(ANNA, name="a\0b", description=None, metadata={}, days=None)
    with pytest.raises(InvalidInput):
        await stores.get(ANNA, "vs_\0")


@pytest.mark.anyio
async def test_the_same_file_put_in_twice_at_once_is_there_once(database: Database) -> None:
    file = await FileStore(database, max_bytes=10).add(ANNA, b"x", name="a.md", purpose="user_data")
    stores, shelved = VectorStores(database, home="one"), VectorFiles(database, worker="one", home="one")
    store = await stores.add(ANNA, name="", description=None, metadata={}, days=None)
    await asyncio.gather(*(shelved.add(ANNA, store.id, [Entry(file)]) for _ in range(8)))
    assert (await stores.get(ANNA, store.id)).counts.total == 1
    await stores.delete(ANNA, store.id)
    with pytest.raises(NotFound):
        await shelved.add(ANNA, store.id, [Entry(file)])


@pytest.mark.anyio
async def test_whoever_goes_away_in_the_middle_leaves_no_connection_open(database: Database) -> None:
    for number in range(40):  # twice as many as a worker may open
        with anyio.CancelScope() as scope:
            async with database.begin() if number % 2 else database.read() as connection:
                await connection.execute(text("SELECT 1"))
                scope.cancel()
                await connection.execute(text("SELECT pg_sleep(5)"))
    async with database.read() as connection:
        assert await connection.scalar(text("SELECT 1")) == 1


@pytest.mark.anyio
async def test_a_reading_block_cannot_write(database: Database) -> None:
    with pytest.raises(Exception, match="read-only"):
        async with database.read() as connection:
            await connection.execute(text("DELETE FROM files"))


@pytest.mark.anyio
async def test_files_and_stores_hold_here_as_on_sqlite(database: Database) -> None:
    files = FileStore(database, max_bytes=10_000_000)
    content = os.urandom(2_500_000)
    file = await files.add(ANNA, content, name="a.md", purpose="user_data")
    assert await files.read(ANNA, file.id) == content
    with pytest.raises(Exception, match="is not there"):
        await files.get(BERT, file.id)
    stores, shelved = VectorStores(database, home="one"), VectorFiles(database, worker="one", home="one")
    store = await stores.add(ANNA, name="a", description=None, metadata={"a": "b"}, days=3)
    batch = await shelved.add(ANNA, store.id, [Entry(file, {"jahr": 2027})], together=True)
    assert (await shelved.batch(ANNA, store.id, batch or "")).counts.in_progress == 1
    [taken] = await shelved.take(5)
    assert await VectorFiles(database, worker="two", home="one").take(5) == []
    assert await shelved.finish(taken, usage=7)
    seen = await stores.get(ANNA, store.id)
    assert (seen.status, seen.usage, seen.counts.completed) == ("completed", 7, 1)
    assert [one.attributes for one in await shelved.all(ANNA, store.id)] == [{"jahr": 2027}]
    await stores.delete(ANNA, store.id)
    async with database.read() as connection:
        assert await connection.scalar(select(func.count()).select_from(metadata.tables["vector_store_files"])) == 0


@pytest.mark.anyio
async def test_many_workers_take_each_batch_once(database: Database) -> None:
    files, seen = FileStore(database, max_bytes=10_000_000), list[str]()

    async def perform(endpoint: str, body: dict[str, Any], caller: Caller) -> dict[str, Any]:
        seen.append(body["name"])
        return {}

    api = BatchStore(database, worker="api")
    for number in range(6):
        content = b"".join(line(f"{number}-{n}", name=f"{number}-{n}") for n in range(5))
        file = await files.add(ANNA, content, name="a.jsonl", purpose="batch")
        await api.add(ANNA, endpoint="/v1/chat/completions", input_file=file.id, window="24h", seconds=86_400)

    async def worker(name: str) -> None:
        runner = BatchRunner(BatchStore(database, worker=name), files, perform, asyncio.Semaphore(4), beat_s=0.05)
        while await runner.work():
            pass

    await asyncio.gather(*(worker(f"worker-{n}") for n in range(8)))
    assert sorted(seen) == sorted(f"{number}-{n}" for number in range(6) for n in range(5))


def line(id: str, **body: Any) -> bytes:
    request = {"model": "town-model", "messages": [{"role": "user", "content": id}], **body}
    one = {"custom_id": id, "method": "POST", "url": "/v1/chat/completions", "body": request}
    return json.dumps(one).encode() + b"\n"


@dataclass
class Engine:
    """A model that answers a few requests at once and lets the others wait."""

    url: str = ""
    free: int = 10
    asked: list[str] = field(default_factory=list)
    answered: list[str] = field(default_factory=list)
    go: threading.Event = field(default_factory=threading.Event)

    async def chat(self, request: Request) -> JSONResponse:
        body = await request.json()
        content = body["messages"][0]["content"]
        self.asked.append(content)
        if len(self.asked) > self.free:
            await asyncio.to_thread(self.go.wait)
        self.answered.append(content)
        choice = {"index": 0, "message": {"role": "assistant", "content": f"Zu {content}."}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 2, "completion_tokens": 1, "total_tokens": 3}
        whole = {"id": "c", "object": "chat.completion", "created": 1, "model": body["model"], "usage": usage}
        return JSONResponse({**whole, "choices": [choice]})

    async def models(self, request: Request) -> JSONResponse:
        return JSONResponse({"object": "list", "data": [{"id": "town-model", "object": "model"}]})


@pytest.fixture(scope="module")
def engine() -> Generator[Engine]:
    engine = Engine()
    routes = [Route("/v1/chat/completions", engine.chat, methods=["POST"]), Route("/v1/models", engine.models)]
    config = uvicorn.Config(Starlette(routes=routes), host="127.0.0.1", port=0, log_level="error", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    end = time.monotonic() + 20
    while not server.started:
        assert time.monotonic() < end
        time.sleep(0.01)
    engine.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/v1"
    yield engine
    engine.go.set()
    server.should_exit = True
    thread.join(10)


@contextmanager
def serving(
    place: Path, database: SecretStr | None, engine: Engine
) -> Generator[tuple[subprocess.Popen[bytes], openai.OpenAI]]:
    """`partitur serve`: in a home of its own on a shared PostgreSQL, or in a shared home."""
    place.mkdir()
    log = place / "serve.log"
    given = {
        "HOME": str(place / "home" if database else place.parent / "home"),
        "DATABASE": database.get_secret_value() if database else "",
        "API_KEY": KEY,
        "MODEL_URL": engine.url,
        "MODEL_NAME": "town-model",
    }
    environment = {**os.environ, **{f"PARTITUR_{name}": value for name, value in given.items()}}
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [PARTITUR, "serve", "--port", "0"], cwd=place, env=environment, stdout=sink, stderr=sink
        )
    try:
        address = eventually(lambda: re.search(r"http://[\d.]+:\d+", log.read_text()), log)[0]
        eventually(lambda: answers(f"{address}/readyz"), log)
        yield process, openai.OpenAI(base_url=f"{address}/v1", api_key=KEY, max_retries=0)
    finally:
        process.terminate()
        process.wait(30)


def eventually(look: Any, log: Path | None = None, *, seconds: float = 100) -> Any:
    """What `look` finds, as soon as it finds something; other processes are to be asked, nothing else can be waited on."""
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, log.read_text() if log else "It did not come to that."
        time.sleep(0.1)
    return found


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status == 200
    except urllib.error.URLError:
        return False


@pytest.mark.anyio
@pytest.mark.timeout(400)
@pytest.mark.parametrize("kind", ["postgresql", "sqlite"])
async def test_two_servers_share_files_and_one_finishes_what_the_other_was_killed_at(
    kind: str, url: SecretStr, engine: Engine, tmp_path: Path
) -> None:
    await asyncio.to_thread(share, url if kind == "postgresql" else None, engine, tmp_path)


def share(url: SecretStr | None, engine: Engine, tmp_path: Path) -> None:
    engine.asked.clear()
    engine.answered.clear()
    engine.go.clear()
    content = b"".join(line(f"Frage {n}") for n in range(30))
    with serving(tmp_path / "a", url, engine) as (process, first):
        with serving(tmp_path / "b", url, engine) as (_, second):
            file = first.files.create(file=("fragen.jsonl", content), purpose="batch")
            assert second.files.retrieve(file.id) == file
            assert second.files.content(file.id).content == content
            assert [one.id for one in second.files.list()] == [file.id]
        made = first.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h")

        def ten() -> bool:
            counts = first.batches.retrieve(made.id).request_counts
            return counts is not None and counts.completed == 10

        eventually(ten)
        done = set(engine.answered)
        process.send_signal(signal.SIGKILL)
        process.wait(30)
    engine.go.set()
    with serving(tmp_path / "c", url, engine) as (_, third):
        eventually(lambda: third.batches.retrieve(made.id).status == "completed")
        batch = third.batches.retrieve(made.id)
        assert batch.request_counts is not None
        assert (batch.request_counts.total, batch.request_counts.completed) == (30, 30)
        output = third.files.content(batch.output_file_id or "").text.splitlines()
    said = {
        one["custom_id"]: one["response"]["body"]["choices"][0]["message"]["content"] for one in map(json.loads, output)
    }
    assert said == {f"Frage {n}": f"Zu Frage {n}." for n in range(30)}
    assert len(done) == 10
    assert all(engine.asked.count(question) == 1 for question in done), "what was done was not asked again"
