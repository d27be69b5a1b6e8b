"""Several workers as a user starts them: who gets a request, what they share, and what a death costs."""

import asyncio
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from fault_answers import MODEL, fine, hang, slow, stall  # pyright: ignore[reportMissingImports]  # of tests/server, on pytest's path
from fault_engine import FaultEngine, serve_faults  # pyright: ignore[reportMissingImports]  # likewise
from outside import PARTITUR
from real_postgres import started

pytestmark = pytest.mark.anyio
WORKERS, MANY = 3, 24
"""So many connections of their own meet every worker, with a chance of a billion against the contrary."""


@dataclass(frozen=True)
class Site:
    """A server with several workers, started on a new home, that many asked at once before it was there."""

    url: str
    home: Path
    key: str
    parent: subprocess.Popen[bytes]
    environment: Mapping[str, str]

    @property
    def log(self) -> str:
        return (self.home / "serve.log").read_text()

    @property
    def workers(self) -> set[int]:
        listed = Path(f"/proc/{self.parent.pid}/task").glob("*/children")
        return {int(pid) for file in listed for pid in file.read_text().split()}

    def partitur(self, *arguments: str) -> str:
        """A command beside the server."""
        given = {**os.environ, **self.environment}
        done = subprocess.run(
            [PARTITUR, *arguments], cwd=self.home, env=given, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    async def ask(self, method: str, path: str, *, key: str = "", **more: Any) -> httpx.Response:
        """A request on a connection of its own."""
        headers = {"Authorization": f"Bearer {key or self.key}"}
        async with httpx.AsyncClient(base_url=self.url, headers=headers, timeout=60) as client:
            return await client.request(method, path, **more)

    async def all(self, method: str, path: str, *, key: str = "", **more: Any) -> list[httpx.Response]:
        """The same of many at once: every worker gets some."""
        return await asyncio.gather(*(self.ask(method, path, key=key, **more) for _ in range(MANY)))


@contextmanager
def serving(
    home: Path, engine: FaultEngine, *, workers: int = WORKERS, database: str = "", **limits: int
) -> Generator[Site]:
    model = {"engines": [engine.url], "server": "openai", "limits": limits}
    environment = {"PARTITUR_HOME": str(home), "PARTITUR_MODELS": json.dumps({MODEL: model})}
    if database:
        environment["PARTITUR_DATABASE"] = database
    with (home / "serve.log").open("w") as sink:
        command = [PARTITUR, "serve", "--port", "0", "--workers", str(workers)]
        parent = subprocess.Popen(command, cwd=home, env={**os.environ, **environment}, stdout=sink, stderr=sink)
    try:
        log = home / "serve.log"
        url = eventually(lambda: re.search(r"serves at (http://[\d.]+:\d+)", log.read_text()))
        key = eventually(lambda: re.search(r"pt-\S+", log.read_text()))
        yield Site(url[1], home, key[0], parent, environment)
    finally:
        parent.terminate()
        try:
            parent.wait(40)
        finally:
            parent.kill()


def eventually(look: Callable[[], Any], *, within_s: float = 90.0) -> Any:
    deadline = time.monotonic() + within_s
    while not (found := look()):
        assert time.monotonic() < deadline, "It did not come to that in time."
        time.sleep(0.1)  # other processes; there is nothing to wait on but what they show
    return found


@pytest.fixture(scope="module")
def engine() -> Generator[FaultEngine]:
    with serve_faults() as engine:
        yield engine


@pytest.fixture(scope="module")
def site(engine: FaultEngine, tmp_path_factory: pytest.TempPathFactory) -> Generator[Site]:
    with serving(tmp_path_factory.mktemp("town"), engine, running=6, queued=60) as site:
        yield site


@asynccontextmanager
async def sdk(site: Site) -> AsyncGenerator[openai.AsyncOpenAI]:
    """A client that opens a connection for each request."""
    alone = {"Connection": "close"}
    async with openai.AsyncOpenAI(
        base_url=f"{site.url}/v1", api_key=site.key, max_retries=0, default_headers=alone
    ) as client:
        yield client


async def test_the_first_start_makes_one_key_one_secret_and_the_tables_once(site: Site) -> None:
    assert len(site.workers) == WORKERS
    form: dict[str, Any] = {"files": {"file": ("a.txt", b"Guten Tag", "text/plain")}, "data": {"purpose": "user_data"}}
    made = await site.all("POST", "/v1/files", **form)  # each worker opens the database for the first time
    assert {one.status_code for one in made} == {200}
    assert site.log.count("shown this once") == site.log.count("Partitur serves") == 1
    assert "ERROR" not in site.log
    assert len(json.loads((site.home / "keys.json").read_text())["keys"]) == 1
    assert len((site.home / "salt.key").read_bytes()) == 32
    with sqlite3.connect(site.home / "state.db") as database:
        assert database.execute("SELECT count(*) FROM alembic_version").fetchone() == (1,)
        assert database.execute("SELECT count(*) FROM files").fetchone() == (MANY,)


async def test_connections_are_spread_over_the_workers(site: Site) -> None:
    address = ("127.0.0.1", int(site.url.rpartition(":")[2]))
    connections = [socket.create_connection(address) for _ in range(20 * WORKERS)]
    try:
        for connection in connections:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
            assert connection.recv(100).startswith(b"HTTP/1.1 200")
        mine = {connection.getsockname()[1] for connection in connections}
        share = Counter(pid for pid in site.workers for port in peers(pid) if port in mine)
    finally:
        for connection in connections:
            connection.close()
    assert sum(share.values()) == len(connections)
    assert len(share) == WORKERS and min(share.values()) >= 5, share


def peers(pid: int) -> set[int]:
    """Ports at the other ends of a process's connections."""
    inodes = set[str]()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            if found := re.fullmatch(r"socket:\[(\d+)\]", os.readlink(link)):
                inodes.add(found[1])
    lines = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    return {int(line[2].partition(":")[2], 16) for line in lines if line[9] in inodes}


async def test_a_file_that_one_took_is_read_and_deleted_by_all(site: Site) -> None:
    async with sdk(site) as client:
        file = await client.files.create(file=("b.txt", b"Das Bad hat offen."), purpose="user_data")
        read = await asyncio.gather(*(client.files.content(file.id) for _ in range(MANY)))
        assert {one.text for one in read} == {"Das Bad hat offen."}
        await client.files.delete(file.id)
    assert {one.status_code for one in await site.all("GET", f"/v1/files/{file.id}")} == {404}


async def test_a_conversation_goes_on_at_any_worker(site: Site) -> None:
    async with sdk(site) as client:
        said = await client.responses.create(model=MODEL, input="1?")
        for turn in range(2, 9):
            said = await client.responses.create(model=MODEL, input=f"{turn}?", previous_response_id=said.id)
        items = [item async for item in client.responses.input_items.list(said.id, order="asc", limit=5)]
    texts = [item.model_dump()["content"][0]["text"] for item in items]
    assert texts[::2] == [f"{turn}?" for turn in range(1, 9)]


async def test_work_in_the_background_is_cancelled_by_any_worker(site: Site, engine: FaultEngine) -> None:
    engine.otherwise(hang())
    async with sdk(site) as client:
        made = [await client.responses.create(model=MODEL, input="Arbeite.", background=True) for _ in range(6)]
        await engine.until(lambda: engine.running >= 2, within_s=30)  # one worker alone may have them all
        ended = await asyncio.gather(*(client.responses.cancel(one.id) for one in made))
        assert {one.status for one in ended} == {"cancelled"}
        await engine.until(lambda: engine.running == 0, within_s=30)


async def test_a_key_is_known_to_all_and_a_revoked_one_to_none(site: Site) -> None:
    key = site.partitur("keys", "create", "second")
    await asyncio.sleep(0.6)  # a key that was found is believed for half a second
    assert {one.status_code for one in await site.all("GET", "/v1/models", key=key)} == {200}
    line = next(line for line in site.partitur("keys", "list").splitlines() if "second" in line)
    site.partitur("keys", "revoke", line.split()[0])
    await asyncio.sleep(0.6)
    assert {one.status_code for one in await site.all("GET", "/v1/models", key=key)} == {401}


async def test_the_limits_of_a_model_hold_for_all_workers_together(site: Site, engine: FaultEngine) -> None:
    engine.otherwise(slow(0.3))
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Hallo"}]}
    asked, most = asyncio.ensure_future(site.all("POST", "/v1/chat/completions", json=body)), 0
    while not asked.done():
        most = max(most, engine.running)
        await asyncio.sleep(0.01)
    assert {one.status_code for one in asked.result()} == {200}
    assert 4 <= most <= 6, most


async def test_documents_that_a_command_reads_in_are_listed_by_all_that_listed_before(site: Site) -> None:
    for title in ("Badeordnung", "Friedhofssatzung"):
        listed = await site.all("POST", "/mcp", json=RESOURCES, headers=MCP)
        assert not any(title in one.text for one in listed)
        folder = site.home / title
        folder.mkdir()
        (folder / f"{title}.md").write_text(f"# {title}\n\nDie {title} gilt für alle.\n")
        site.partitur("ingest", "--quiet", str(folder))
        listed = await site.all("POST", "/mcp", json=RESOURCES, headers=MCP)
        assert all(title in one.text for one in listed), listed[0].text


RESOURCES = {"jsonrpc": "2.0", "id": 1, "method": "resources/list", "params": {}}
MCP = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-06-18"}


async def test_a_file_that_one_reads_into_a_store_is_found_by_all_and_after_its_end_by_none(site: Site) -> None:
    async with sdk(site) as client:
        store = await client.vector_stores.create(name="Satzungen")
        for word in ("Quittenbaum", "Mispelstrauch"):
            file = await client.files.create(
                file=(f"{word}.txt", f"Ein {word} steht im Park.".encode()), purpose="user_data"
            )
            await client.vector_stores.files.create_and_poll(file.id, vector_store_id=store.id)
            path, query = f"/v1/vector_stores/{store.id}/search", {"query": f"{word} im Park"}
            found = await site.all("POST", path, json=query)
            assert all(word in one.text for one in found), found[0].text
            await client.vector_stores.files.delete(file.id, vector_store_id=store.id)
            found = await site.all("POST", path, json=query)
            assert not any(f"Ein {word}" in one.text for one in found)


async def test_many_files_that_all_workers_read_in_at_once_are_all_there(site: Site) -> None:
    words = [f"Wort{at}a{at}" for at in range(12)]
    async with sdk(site) as client:
        store = await client.vector_stores.create(name="Viele")

        async def added(word: str) -> str:
            file = await client.files.create(file=(f"{word}.txt", f"Hier steht {word}.".encode()), purpose="user_data")
            return (await client.vector_stores.files.create_and_poll(file.id, vector_store_id=store.id)).status

        assert set(await asyncio.gather(*map(added, words))) == {"completed"}
        path = f"/v1/vector_stores/{store.id}/search"
        for word in words:
            found = await site.ask("POST", path, json={"query": word})
            assert f"Hier steht {word}." in found.text


async def test_a_picture_that_one_made_is_shown_by_all(site: Site) -> None:
    made = await site.ask("POST", "/api/use-cases/image", json={"prompt": "Ein Freibad"})
    shown = await site.all("GET", made.json()["output"]["png"]["uri"])
    assert {one.status_code for one in shown} == {200}
    assert len({one.content for one in shown}) == 1


async def test_over_postgresql_they_share_what_they_keep(tmp_path: Path, engine: FaultEngine) -> None:
    engine.otherwise(fine())
    with started() as server, serving(tmp_path, engine, database=server.url("postgres"), workers=2) as site:
        form: dict[str, Any] = {"files": {"file": ("a.txt", b"Guten Tag", "text/plain")}}
        made = await site.all("POST", "/v1/files", data={"purpose": "user_data"}, **form)
        assert {one.status_code for one in made} == {200}
        path = f"/v1/files/{made[0].json()['id']}/content"
        assert {one.content for one in await site.all("GET", path)} == {b"Guten Tag"}
        async with sdk(site) as client:
            said = await client.responses.create(model=MODEL, input="1?")
            for turn in range(2, 9):
                said = await client.responses.create(model=MODEL, input=f"{turn}?", previous_response_id=said.id)
        assert "ERROR" not in site.log
        assert not (site.home / "state.db").exists()


async def test_kill_minus_nine_costs_its_own_requests_alone_and_another_takes_its_place(tmp_path: Path) -> None:
    with serve_faults() as engine, serving(tmp_path, engine) as site:
        engine.otherwise(stall(0))
        body = {"model": MODEL, "messages": [{"role": "user", "content": "Hallo"}]}
        asked = [asyncio.ensure_future(site.ask("POST", "/v1/chat/completions", json=body)) for _ in range(MANY)]
        await engine.until(lambda: engine.running == MANY, within_s=30)
        before = site.workers
        os.kill(killed := min(before), signal.SIGKILL)
        eventually(lambda: killed not in site.workers)
        for one in [asyncio.ensure_future(site.ask("GET", "/healthz")) for _ in range(MANY)]:
            assert (await one).status_code == 200
        await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        await engine.until(lambda: engine.running < MANY, within_s=30)
        engine.release()
        lost = [one for one in await asyncio.gather(*asked, return_exceptions=True) if isinstance(one, BaseException)]
        assert 0 < len(lost) < MANY and {type(one) for one in lost} <= {httpx.RemoteProtocolError, httpx.ReadError}
        eventually(lambda: len(site.workers) == WORKERS)
        assert len(site.workers - before) == 1
        assert "A worker was ended by SIGKILL. Another one takes its place in 0.5 s." in site.log


async def test_a_signal_to_the_parent_ends_all_and_so_does_its_death(tmp_path: Path, engine: FaultEngine) -> None:
    for number, code in ((signal.SIGTERM, 0), (signal.SIGINT, 0), (signal.SIGKILL, -signal.SIGKILL)):
        home = tmp_path / str(number)
        home.mkdir()
        with serving(home, engine, workers=2) as site:
            workers = site.workers
            assert len(workers) == 2
            site.parent.send_signal(number)
            assert site.parent.wait(40) == code
            eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers), within_s=40)  # noqa: B023  # used at once
            assert "Traceback" not in site.log


@pytest.mark.parametrize("workers", [1, 2])
async def test_who_asks_while_it_loads_waits_and_is_served(tmp_path: Path, workers: int) -> None:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    environment = {"PARTITUR_HOME": str(tmp_path), "PARTITUR_API_KEY": "pt-early"}
    command = [PARTITUR, "serve", "--port", str(port), "--workers", str(workers)]
    with (tmp_path / "serve.log").open("w") as sink:
        server = subprocess.Popen(command, cwd=tmp_path, env={**os.environ, **environment}, stdout=sink, stderr=sink)
    try:
        site = Site(f"http://127.0.0.1:{port}", tmp_path, "pt-early", server, environment)
        deadline = time.monotonic() + 60
        while True:
            with suppress(httpx.ConnectError):
                assert (await site.ask("GET", "/healthz")).json() == {"status": "ok"}
                break
            assert time.monotonic() < deadline
        assert "Partitur serves" not in site.log
        answers = await site.all("GET", "/v1/models")
        assert {one.status_code for one in answers} == {200}
        assert all(one.json()["data"] for one in answers)
    finally:
        server.terminate()
        assert server.wait(40) == 0


async def test_a_mistake_of_the_set_up_is_told_once_and_ends_the_start(tmp_path: Path) -> None:
    environment = {**os.environ, "PARTITUR_HOME": str(tmp_path), "PARTITUR_ROLES": '{"chat": "nobody"}'}
    command = [PARTITUR, "serve", "--port", "0", "--workers", "3"]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=90
    )
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "Error: The role 'chat' points at the model 'nobody', which is unknown. The hub has none.",
        "Correct it under [roles] in partitur.toml.",
    ]
