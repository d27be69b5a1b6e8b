"""The whole server on a real port beside a fault engine, and a look at what it holds: files, tasks, places, objects."""

import asyncio
import json
import os
import re
import socket
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp
import uvicorn
from fault_answers import MODEL
from fault_engine import FaultEngine

from server import House, Settings, open_house
from server.app import create_app
from server.keys import KeyStore, KeyVerifier
from server.protocol import Protocol

__all__ = ["Drill", "Held", "Told", "drill", "until"]


_FILES = 3
"""Opened by others at the same time, at most."""


@dataclass(frozen=True)
class Told:
    """What a client was told."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def error(self) -> dict[str, Any]:
        """Of an answer that is one, or the event that ends a stream."""
        events = [one.removeprefix("data: ") for one in self.text.split("\n\n") if one.startswith("data: ")]
        return json.loads(events[-1] if events else self.text)["error"]

    @property
    def pieces(self) -> int:
        """Chunks with a text."""
        return self.text.count('"content"')

    @property
    def ended(self) -> bool:
        """Whether it ended as a whole answer does."""
        return self.text.endswith("data: [DONE]\n\n") if "data:" in self.text else '"choices"' in self.text

    @property
    def broke(self) -> bool:
        """Whether it is a stream that ends with an error and says nowhere that it was whole."""
        last = self.text.rstrip("\n").rpartition("\n\n")[2]
        return self.status == 200 and "data: [DONE]" not in self.text and last.startswith('data: {"error":')


@dataclass(frozen=True)
class Held:
    """What the server holds while nobody asks."""

    files: int
    tasks: int
    running: int
    waiting: int
    outstanding: int
    connections: int
    """Open at the engine."""


@dataclass
class Drill:
    """A server under test."""

    house: House
    port: int
    key: str
    engine: FaultEngine
    quiet: Held = field(init=False)
    """What it holds in rest."""

    async def ask(
        self, model: str = MODEL, *, stream: bool = False, path: str = "chat/completions", **body: Any
    ) -> Told:
        """One request on a connection of its own, read to its end."""
        data = {"model": model, "stream": stream, "messages": [{"role": "user", "content": "Wann?"}], **body}
        async with self.client() as http, http.post(f"/v1/{path}", json=data) as answer:
            return Told(
                answer.status,
                {name.lower(): value for name, value in answer.headers.items()},
                (await answer.read()).decode(),
            )

    def client(self) -> aiohttp.ClientSession:
        """With the key; each request has a connection of its own, which ends with it."""
        return aiohttp.ClientSession(
            f"http://127.0.0.1:{self.port}",
            headers={"Authorization": f"Bearer {self.key}"},
            connector=aiohttp.TCPConnector(force_close=True, limit=0),
        )

    def request(self, data: Any, *, path: str = "chat/completions") -> bytes:
        """The bytes of a request."""
        body = json.dumps(data).encode()
        head = f"POST /v1/{path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nAuthorization: Bearer {self.key}\r\n"
        return f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body

    async def send(self, request: bytes) -> bytes:
        """The answer to raw bytes; nothing where the connection ends without one."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head)
            return head + (await reader.readexactly(int(length[1])) if length else b"")
        except (ConnectionError, asyncio.IncompleteReadError):
            return b""
        finally:
            writer.transport.abort()

    async def healthy(self) -> bool:
        async with self.client() as http, http.get("/healthz") as answer:
            return answer.status == 200

    async def served(self) -> bool:
        """Whether the next request is served."""
        return (await self.ask()).ended

    def held(self) -> Held:
        pools = self.house.hub.pools.values()
        return Held(
            files=len(os.listdir("/proc/self/fd")),
            tasks=len(asyncio.all_tasks()),
            running=sum(pool.slots.running for pool in pools),
            waiting=sum(pool.slots.waiting for pool in pools),
            outstanding=sum(replica.outstanding for pool in pools for replica in pool.replicas),
            connections=self.engine.connections,
        )

    async def settle(self) -> None:
        """Notes what it holds, once a first request of each kind has been served."""
        ask: list[Awaitable[Told]] = [self.ask(stream=at % 2 > 0) for at in range(4)]
        assert all(told.ended for told in await asyncio.gather(*ask))
        seen: list[Held] = []

        def same() -> bool:
            seen.append(self.held())
            return len(seen) > 10 and len(set(seen[-10:])) == 1 and not seen[-1].connections

        await until(same, lambda: f"It does not come to rest: {seen[-3:]}")
        self.quiet = seen[-1]

    async def back(self) -> None:
        """Waits until it holds what it held before, and serves."""
        assert await self.healthy()
        for pool in self.house.hub.pools.values():
            for replica in pool.replicas:
                replica.breaker.succeeded()  # each drill begins with an engine that nobody is angry with
        assert await self.served()
        await until(self._at_rest, lambda: f"{self.held()} is not {self.quiet}")

    def _at_rest(self) -> bool:
        """Whether it holds what it held in rest. Other tests of this process may open a file or two meanwhile; what one
        request leaves behind adds up over the drills of a module."""
        now = self.held()
        return now.files <= self.quiet.files + _FILES and replace(now, files=self.quiet.files) == self.quiet


async def until(met: Callable[[], bool], what: Callable[[], str], *, within_s: float = 60.0) -> None:
    """Waits until `met` holds, and says `what` where it never does."""
    deadline = time.monotonic() + within_s
    while not met():
        assert time.monotonic() < deadline, what()
        await asyncio.sleep(0.02)


@asynccontextmanager
async def drill(home: Path, engine: FaultEngine, models: dict[str, Any], **given: Any) -> AsyncGenerator[Drill]:
    """The app as `partitur serve` serves it, in this process."""
    settings = Settings(home=home, models=models, **given)
    async with open_house(settings) as house:
        keys = KeyStore(home)
        key = keys.first() or ""
        app = create_app(house, KeyVerifier(keys, None))
        with socket.create_server(("127.0.0.1", 0), backlog=2048) as listening:
            config = uvicorn.Config(
                app, http=Protocol, lifespan="on", log_config=None, access_log=False, timeout_graceful_shutdown=5
            )
            server = uvicorn.Server(config)
            serving = asyncio.create_task(server._serve(sockets=[listening]))
            try:
                await until(lambda: server.started, lambda: "The server does not start.")
                await app.state.health.loaded.wait()
                opened = Drill(house, listening.getsockname()[1], key, engine)
                await opened.settle()
                yield opened
            finally:
                server.should_exit = True
                await serving
