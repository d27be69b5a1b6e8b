"""Fault drills with real processes: `kill -9` of engines and of the server, thousands of clients, memory over time."""

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from outside import PARTITUR

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]
ASKED = {"model": "town-model", "messages": [{"role": "user", "content": "Wann öffnet das Bad?"}]}


@dataclass
class Engine:
    """An engine process; it keeps its port when it is started again."""

    port: int
    pace: float
    process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def start(self) -> None:
        script = Path(__file__).parent.parent / "server" / "drill_engine.py"
        self.process = subprocess.Popen(
            [sys.executable, str(script), str(self.port), str(self.pace)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None and self.process.stdout.readline().startswith("http")

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None

    def doing(self) -> tuple[int, int, int]:
        """Requests under way, requests whose client left, connections."""
        assert self.process is not None and self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write("?\n")
        self.process.stdin.flush()
        running, aborted, connections = map(int, self.process.stdout.readline().split())
        return running, aborted, connections


@dataclass
class Server:
    """`partitur serve` over some engines."""

    home: Path
    engines: list[Engine]
    process: subprocess.Popen[bytes] | None = None
    url: str = ""

    async def start(self) -> None:
        urls = ", ".join(f'"{one.url}"' for one in self.engines)
        limits = "\n[models.town-model.limits]\nrunning = 2000\nqueued = 2000\n"
        (self.home / "partitur.toml").write_text(f"[models.town-model]\nengines = [{urls}]\n{limits}")
        log = self.home / "serve.log"
        environment = {
            **os.environ,
            "PARTITUR_HOME": str(self.home),
            "PARTITUR_API_KEY": "a-key-of-32-letters-for-drills",
        }
        with log.open("w") as sink:
            self.process = subprocess.Popen(
                [PARTITUR, "serve", "--port", "0"], cwd=self.home, env=environment, stdout=sink, stderr=sink
            )
        await until(lambda: re.search(r"http://[\d.]+:\d+", log.read_text()) is not None, log.read_text)
        found = re.search(r"http://[\d.]+:\d+", log.read_text())
        assert found is not None
        self.url = found[0]
        await until_true(self.ready)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            assert self.process.wait(30) == 0
            self.process = None

    @property
    def sockets(self) -> int:
        """Open ones; a file may be opened late and stay open, a connection may not."""
        assert self.process is not None
        count = 0
        for number in Path(f"/proc/{self.process.pid}/fd").iterdir():
            with suppress(FileNotFoundError):
                count += os.readlink(number).startswith("socket:")
        return count

    @property
    def memory(self) -> int:
        """Resident bytes."""
        assert self.process is not None
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def client(self) -> aiohttp.ClientSession:
        headers = {"Authorization": "Bearer a-key-of-32-letters-for-drills"}
        return aiohttp.ClientSession(
            headers=headers,
            connector=aiohttp.TCPConnector(limit=0, force_close=True),
            timeout=aiohttp.ClientTimeout(total=200),
        )

    async def ready(self) -> bool:
        async with self.client() as http, http.get(f"{self.url}/readyz") as answer:
            return answer.status == 200

    async def healthy(self) -> bool:
        async with self.client() as http, http.get(f"{self.url}/healthz") as answer:
            return answer.status == 200

    async def ask(self, http: aiohttp.ClientSession, *, stream: bool, slow: bool = False) -> tuple[int, str]:
        """Status and text; a slow reader takes its time with each piece."""
        async with http.post(f"{self.url}/v1/chat/completions", json={**ASKED, "stream": stream}) as answer:
            parts = list[bytes]()
            while part := await answer.content.readany():
                parts.append(part)
                if slow:
                    await asyncio.sleep(0.05)
            return answer.status, b"".join(parts).decode()

    async def leave(self, http: aiohttp.ClientSession) -> None:
        """Begins to read a stream, and goes away."""
        async with http.post(f"{self.url}/v1/chat/completions", json={**ASKED, "stream": True}) as answer:
            await answer.content.readany()
            answer.close()


async def until(met: Callable[[], bool], what: Callable[[], object], *, within_s: float = 90.0) -> None:
    deadline = asyncio.get_running_loop().time() + within_s
    while not met():
        assert asyncio.get_running_loop().time() < deadline, what()
        await asyncio.sleep(0.02)


async def until_true(met: Callable[[], Any], *, within_s: float = 90.0) -> None:
    deadline = asyncio.get_running_loop().time() + within_s
    while True:
        try:
            if await met():
                return
        except aiohttp.ClientError:
            pass
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.05)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@asynccontextmanager
async def house(home: Path, *, engines: int = 1, pace: float = 0.02) -> AsyncGenerator[Server]:
    """A server over engines, all of them processes."""
    server = Server(home, [Engine(free_port(), pace) for _ in range(engines)])
    try:
        for engine in server.engines:
            engine.start()
        await server.start()
        yield server
        server.stop()
    finally:
        server.kill()
        for engine in server.engines:
            engine.kill()


def whole(told: tuple[int, str]) -> bool:
    return told[0] == 200 and (
        told[1].endswith("data: [DONE]\n\n") or '"finish_reason":"stop"' in told[1].replace(" ", "")
    )


async def test_an_engine_that_is_killed_while_it_streams_is_told_and_served_again_when_it_is_back(
    tmp_path: Path,
) -> None:
    async with house(tmp_path, pace=0.2) as server, server.client() as http:
        (engine,) = server.engines
        assert whole(await server.ask(http, stream=True))
        await until(lambda: engine.doing()[2] == 0, engine.doing)
        sockets = server.sockets
        for _ in range(3):
            asked = [asyncio.create_task(server.ask(http, stream=True)) for _ in range(30)]
            await until(lambda: engine.doing()[0] == 30, engine.doing)
            await asyncio.wait(asked, timeout=0.5)
            engine.kill()
            for status, text in await asyncio.gather(*asked):
                assert "data: [DONE]" not in text
                assert '"error":' in (text.rstrip().rpartition("\n\n")[2] if status == 200 else text)
            assert await server.healthy()
            engine.start()

            async def served() -> bool:
                return whole(await server.ask(http, stream=False))

            await until_true(served)
        await until(lambda: server.sockets <= sockets, lambda: (server.sockets, sockets), within_s=30)


async def test_requests_go_to_the_other_engine_when_one_is_killed(tmp_path: Path) -> None:
    async with house(tmp_path, engines=2, pace=0.02) as server, server.client() as http:
        first, _ = server.engines
        asked = list[asyncio.Task[tuple[int, str]]]()
        for at in range(100):
            asked.append(asyncio.create_task(server.ask(http, stream=False)))
            await asyncio.sleep(0.01)
            if at == 50:
                first.kill()
        told = await asyncio.gather(*asked)
        lost = [one for one in told if not whole(one)]
        assert len(lost) <= 50  # those whose answer had begun on it; each is told
        assert {status for status, _ in lost} <= {503}
        assert all(whole(one) for one in await asyncio.gather(*(server.ask(http, stream=False) for _ in range(20))))


async def test_a_server_that_is_killed_stops_its_engine_s_work_and_starts_again(tmp_path: Path) -> None:
    async with house(tmp_path, pace=0.2) as server, server.client() as http:
        (engine,) = server.engines
        asked = [asyncio.create_task(server.ask(http, stream=True)) for _ in range(20)]
        await until(lambda: engine.doing()[0] == 20, engine.doing)
        server.kill()
        ends = await asyncio.gather(*asked, return_exceptions=True)
        assert all(isinstance(end, aiohttp.ClientError) for end in ends)
        await until(lambda: engine.doing()[0] == 0, engine.doing, within_s=30)
        await server.start()
        assert whole(await server.ask(http, stream=True))


async def test_thousands_of_clients_that_leave_take_no_memory_with_them(tmp_path: Path) -> None:
    async with house(tmp_path, pace=0.02) as server, server.client() as http:
        (engine,) = server.engines
        await server.ask(http, stream=True)
        await until(lambda: engine.doing()[2] == 0, engine.doing)
        sockets, memory = server.sockets, list[int]()
        for _ in range(4):
            for _ in range(10):
                await asyncio.gather(*(server.leave(http) for _ in range(50)))
            await until(lambda: engine.doing()[0] == 0, engine.doing, within_s=30)
            memory.append(server.memory)
        assert engine.doing()[1] > 1500  # the others met the last piece
        await until(lambda: server.sockets <= sockets, lambda: (server.sockets, sockets), within_s=30)
        assert memory[3] - memory[1] < 4_000_000, memory  # a thousand clients, after a thousand that warmed it up
        assert whole(await server.ask(http, stream=True))


async def test_a_thousand_slow_streams_to_slow_readers_all_end_and_memory_is_bounded(tmp_path: Path) -> None:
    async with house(tmp_path, pace=0.2) as server, server.client() as http:
        assert whole(await server.ask(http, stream=True))
        before = most = server.memory
        asked = [asyncio.create_task(server.ask(http, stream=True, slow=True)) for _ in range(1000)]
        while not all(task.done() for task in asked):
            most = max(most, server.memory)
            await asyncio.wait(asked, timeout=0.5)
        assert sum(whole(task.result()) for task in asked) == 1000
        assert most - before < 120_000_000, (before, most)
        assert await server.healthy()
