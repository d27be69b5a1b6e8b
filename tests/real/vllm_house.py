"""What the tests on a real vLLM share: the engines, one at a time, and a started 'partitur serve' in front of them."""

import os
import re
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Generator
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest
from outside import KEY, PARTITUR
from vllm_serving import HOME, LORA, Engine, free_port, serve_vllm

if TYPE_CHECKING:
    import openai

__all__ = ["Collector", "Gateway", "chat_engine", "collector", "embed_engine", "engines", "gateway", "sdk", "until"]

T = TypeVar("T")

SETTINGS = """
[models.tiny-chat]
engines = ["http://127.0.0.1:{chat}/v1"]
context = 8192
price = {{ input = 1.0, output = 2.0 }}
capabilities = ["tools", "json_schema", "priority"]

[models.{lora}]
engines = ["http://127.0.0.1:{chat}/v1"]
parent = "tiny-chat"

[models.tiny-embed]
kind = "embedding"
engines = ["http://127.0.0.1:{embed}/v1"]

[models.tiny-rank]
kind = "rerank"
name = "tiny-embed"
engines = ["http://127.0.0.1:{embed}/v1"]

[roles]
chat = "tiny-chat"
"""


@dataclass(frozen=True)
class Gateway:
    """A server of its own process in front of the engines."""

    url: str
    home: Path

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "PARTITUR_HOME": str(self.home), "PARTITUR_API_KEY": KEY}

    def run(self, *words: str, expected: int = 0) -> str:
        """What a command of this installation prints."""
        done = subprocess.run(
            [PARTITUR, *words], cwd=self.home, env=self.environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == expected, done.stdout + done.stderr
        return done.stdout


@dataclass
class Engines:
    """The one engine that runs; asking for another kind stops it."""

    folder: Path
    traces: str
    ports: dict[str, int]
    _open: ExitStack = field(default_factory=ExitStack)
    _running: dict[str, Engine] = field(default_factory=dict[str, Engine])

    def serving(self, kind: str) -> Engine:
        if kind not in self._running:
            self.stop()
            traced = f"--otlp-traces-endpoint={self.traces}"
            engine = serve_vllm(kind, self.folder, traced, port=self.ports[kind])
            self._running[kind] = self._open.enter_context(engine)
        return self._running[kind]

    def stop(self) -> None:
        self._running.clear()
        self._open.close()


@dataclass
class Collector:
    """Takes spans over OTLP and keeps them as they came."""

    url: str = ""
    bodies: list[bytes] = field(default_factory=list[bytes])

    def holds(self, *parts: bytes) -> bool:
        return any(all(part in body for part in parts) for body in self.bodies)


@pytest.fixture(scope="session")
def collector() -> Generator[Collector]:
    """An OpenTelemetry collector of a few lines, over HTTP."""
    kept = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            kept.bodies.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        kept.url = f"http://127.0.0.1:{server.server_port}/v1/traces"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield kept
        server.shutdown()
        thread.join(10)


@pytest.fixture(scope="session")
def engines(tmp_path_factory: pytest.TempPathFactory, collector: Collector) -> Generator[Engines]:
    if not (HOME / "models" / "partitur-stamp.json").is_file():
        pytest.fail("vLLM is not there. Run 'make test-vllm', which installs it and makes its models.")
    ports = {kind: free_port() for kind in ("chat", "embed")}
    made = Engines(tmp_path_factory.mktemp("vllm"), collector.url, ports)
    yield made
    made.stop()


@pytest.fixture
def chat_engine(engines: Engines) -> Engine:
    """The engine for chat, started at the first test that wants it."""
    return engines.serving("chat")


@pytest.fixture
def embed_engine(engines: Engines) -> Engine:
    """The engine for embeddings and reranking; that for chat ends."""
    return engines.serving("embed")


@pytest.fixture(scope="session")
def gateway(engines: Engines, tmp_path_factory: pytest.TempPathFactory) -> Generator[Gateway]:
    """`partitur serve`, as a user starts it; it does not mind that its engines come later."""
    home = tmp_path_factory.mktemp("gateway")
    (home / "partitur.toml").write_text(SETTINGS.format(lora=LORA, **engines.ports), encoding="utf-8")
    log = home / "serve.log"
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [PARTITUR, "serve", "--port", "0"], cwd=home, env=Gateway("", home).environment, stdout=sink, stderr=sink
        )
    try:

        def address() -> str | None:
            assert process.poll() is None, log.read_text()
            found = re.search(r"http://[\d.]+:\d+", log.read_text())
            return found[0] if found else None

        url = until(address, "the server says its address")
        until(lambda: _answers(f"{url}/readyz"), "the server is ready")
        yield Gateway(url, home)
    finally:
        process.terminate()
        process.wait(60)


@pytest.fixture
def sdk(chat_engine: Engine, gateway: Gateway) -> "Generator[openai.OpenAI]":
    """OpenAI's client at the gateway, with the chat engine behind it."""
    import openai

    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=KEY, max_retries=0) as opened:
        yield opened


def until(look: Callable[[], T | None], what: str, seconds: float = 120) -> T:
    """What `look` gives once it gives something: the outcome of another process, on which nothing can be awaited."""
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, f"In {seconds:g} s it did not come about that {what}."
        time.sleep(0.1)
    return found


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=30):
            return True
    except (urllib.error.URLError, OSError):
        return False
