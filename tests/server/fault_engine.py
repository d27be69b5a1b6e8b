"""A fake engine for fault drills: it answers each request by script, and can be killed and come back.

    with serve_faults() as engine:
        engine.script(refuse(429, retry_after=1), cut(after=3))   # the first request, the second; then `fine()` again
        ...                                                       # point the gateway at engine.url
        await engine.until(lambda: engine.running == 0)           # a request that was dropped really is
        assert engine.aborted == 1

It runs in a thread with a loop of its own, on a loopback port. The answers are in fault_answers.py.
"""

import asyncio
import json
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine, Generator, Iterable
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from fault_answers import HOLD, MODEL, Answer, Pause, Request, Step, fine, response

T = TypeVar("T")


@dataclass
class FaultEngine:
    """The engine as a test sees it; everything here may be read and called from the test's own thread."""

    output: dict[str, Any] = field(default_factory=dict)
    """What it fills a JSON schema with."""
    requests: list[Request] = field(default_factory=list)
    """Those for a model, in the order they came; not the probes of /health, /metrics and /v1/models."""
    connections: int = 0
    """Open now."""
    opened: int = 0
    """All that ever were."""
    running: int = 0
    """Requests under way now."""
    served: int = 0
    """Requests whose answer was sent to its scripted end."""
    aborted: int = 0
    """Requests whose client went away before that."""
    healthy: bool = True
    """What /health says."""
    waiting: int = 0
    """What /metrics says of the queue; it adds what is `running`."""
    kv_cache: float = 0.0
    """What /metrics says, 0 to 1."""

    def __post_init__(self) -> None:
        self._scripts: deque[Answer] = deque()
        self._otherwise: Answer = fine()
        self._port = 0
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._open: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._idle: set[asyncio.StreamWriter] = set()
        self._released = asyncio.Event()

    @property
    def url(self) -> str:
        """With /v1."""
        return f"http://127.0.0.1:{self._port}/v1"

    def script(self, *answers: Answer) -> None:
        """What the next requests for a model get, one each; those after them get what `otherwise` says."""
        self._scripts.extend(answers)

    def otherwise(self, answer: Answer) -> None:
        """What every request gets that has no script of its own."""
        self._otherwise = answer

    def release(self) -> None:
        """Lets those go on that hold, now and later."""
        self._loop.call_soon_threadsafe(self._released.set)

    def kill(self) -> None:
        """Gone at once, as by `kill -9`: connections break, new ones are refused."""
        self._do(self._kill())

    def revive(self) -> None:
        """Back on the same port."""
        self._do(self._listen())

    def drop_idle(self) -> None:
        """Closes the connections that wait for a request, as an engine does after its keep-alive time."""
        self._do(self._drop_idle())

    async def until(self, met: Callable[[], bool], *, within_s: float = 60.0) -> None:
        """Waits until `met` holds.

        Raises:
            AssertionError: it did not within `within_s`; with the counters.
        """
        deadline = time.monotonic() + within_s
        while not met():
            assert time.monotonic() < deadline, f"Not met within {within_s} s: {self!r:.500}"
            await asyncio.sleep(0.005)

    def _do(self, what: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(what, self._loop).result(10)

    async def _listen(self) -> None:
        assert self._server is None, "The engine is alive."
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self._port, backlog=2048)
        self._port = self._server.sockets[0].getsockname()[1]

    async def _kill(self) -> None:
        if self._server:
            self._server.close()
        self._server = None
        tasks = dict(self._open)
        for task, writer in tasks.items():
            writer.transport.abort()
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _drop_idle(self) -> None:
        for writer in list(self._idle):
            writer.close()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = self._loop.create_task(self._connection(reader, writer))
        self._open[task] = writer
        self.connections, self.opened = len(self._open), self.opened + 1
        task.add_done_callback(self._closed)

    def _closed(self, task: "asyncio.Task[None]") -> None:
        self._open.pop(task).transport.abort()
        self.connections = len(self._open)
        if not task.cancelled() and (error := task.exception()):
            self._loop.call_exception_handler({"message": "A connection failed", "exception": error})

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        arriving = self._loop.create_task(reader.read(1))
        try:
            while True:
                self._idle.add(writer)
                first = await arriving
                self._idle.discard(writer)
                if not first:
                    return
                request = await _request(first + await reader.readuntil(b"\r\n\r\n"), reader, self.output)
                arriving = self._loop.create_task(reader.read(1))
                if not await self._answer(request, writer, arriving):
                    return
        except (ConnectionError, asyncio.IncompleteReadError):
            return  # the client left
        finally:
            self._idle.discard(writer)
            arriving.cancel()
            with suppress(asyncio.CancelledError, ConnectionError):
                await arriving

    async def _answer(self, request: Request, writer: asyncio.StreamWriter, gone: "asyncio.Task[bytes]") -> bool:
        """Plays the answer; whether the connection goes on. `gone` is done when the client has left."""
        if (probe := self._probe(request)) is not None:
            writer.write(probe)
            return True
        self.requests.append(request)
        answer = self._scripts.popleft() if self._scripts else self._otherwise
        self.running += 1
        playing = self._loop.create_task(self._play(answer(request), writer))
        try:
            await asyncio.wait((playing, gone), return_when=asyncio.FIRST_COMPLETED)
            if not playing.done() or (playing.exception() is not None):
                self.aborted += 1
                return False
            self.served += 1
            return playing.result()
        finally:
            self.running -= 1
            playing.cancel()

    async def _play(self, steps: Iterable[Step], writer: asyncio.StreamWriter) -> bool:
        for step in steps:
            if isinstance(step, bytes):
                writer.write(step)
                await writer.drain()
            elif isinstance(step, Pause):
                await asyncio.sleep(step.seconds)
            elif step is HOLD:
                await self._released.wait()
            else:
                return False
        return True

    def _probe(self, request: Request) -> bytes | None:
        if request.path == "/health":
            return response(b"", status=200 if self.healthy else 503)
        if request.path == "/v1/models":
            return response(json.dumps({"object": "list", "data": [{"id": MODEL, "object": "model"}]}).encode())
        if request.path == "/metrics":
            values = {
                "num_requests_running": self.running,
                "num_requests_waiting": self.waiting,
                "kv_cache_usage_perc": self.kv_cache,
            }
            lines = [
                f'# TYPE vllm:{name} gauge\nvllm:{name}{{engine="0",model_name="{MODEL}"}} {float(value)}\n'
                for name, value in values.items()
            ]
            return response("".join(lines).encode(), media_type="text/plain; version=0.0.4; charset=utf-8")
        return None


async def _request(head: bytes, reader: asyncio.StreamReader, output: dict[str, Any]) -> Request:
    first, *lines = head.decode("latin-1").split("\r\n")[:-2]
    method, path, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if headers.get("transfer-encoding") == "chunked":
        parts: list[bytes] = []
        while size := int(await reader.readuntil(b"\r\n"), 16):
            parts.append((await reader.readexactly(size + 2))[:-2])
        await reader.readexactly(2)
        return Request(method, path, headers, b"".join(parts), output)
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Request(method, path, headers, body, output)


@contextmanager
def serve_faults() -> Generator[FaultEngine]:
    """Serves it while the block lasts."""
    engine = FaultEngine()
    thread = threading.Thread(target=engine._loop.run_forever, daemon=True)
    thread.start()
    try:
        engine.revive()
        yield engine
    finally:
        engine._do(engine._kill())
        engine._loop.call_soon_threadsafe(engine._loop.stop)
        thread.join(10)
        engine._loop.close()
