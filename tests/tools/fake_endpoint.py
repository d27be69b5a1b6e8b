"""An OpenAI-compatible endpoint on this machine that answers as the test tells it, and remembers what it was asked."""

import socket
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


@dataclass
class Asked:
    """One request as it came in."""

    path: str
    body: dict[str, Any]
    key: str | None


@dataclass
class FakeEndpoint:
    """`answer` makes the response; set it in the test."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    answer: Callable[[Asked], Response] = lambda asked: Response(status_code=500)

    async def __call__(self, request: Request) -> Response:
        asked = Asked(request.url.path, await request.json(), request.headers.get("authorization"))
        self.asked.append(asked)
        return self.answer(asked)


@contextmanager
def serving() -> Generator[FakeEndpoint]:
    fake = FakeEndpoint()
    with on_a_port(Starlette(routes=[Route("/v1/{rest:path}", fake.__call__, methods=["POST"])])) as address:
        fake.url = f"{address}/v1"
        yield fake


@contextmanager
def on_a_port(app: Starlette) -> Generator[str]:
    """The app on a free port of this machine, in a thread; gives its address."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off", ws="none"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started and time.monotonic() < deadline:
        thread.join(0.01)
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(5)
        listening.close()


def closed_port() -> str:
    """A URL where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/v1"
