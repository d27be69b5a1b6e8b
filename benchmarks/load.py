"""A load generator that is not the bottleneck: many connections in a closed loop, and what they cost the server.

    python -m benchmarks.load --url http://127.0.0.1:8000/v1 --work chat --at-once 16 --seconds 2 [--pid PID] [--key KEY]

Prints one line of JSON (`Figures`). Asyncio protocols and httptools on uvloop; streams are counted and timed as their
pieces come in, and never parsed. Works: `chat` (whole), `stream` (20 chunks at once), `paced` (20 chunks, one each
20 ms), `endurance` (each connection one stream of 40 chunks, one each 250 ms; every tenth reader is slow and reads
large chunks).
"""

import argparse
import asyncio
import dataclasses
import json
import os
import random
import socket
import statistics
import time
from dataclasses import dataclass, field
from typing import Any, Literal, cast, get_args
from urllib.parse import urlsplit

import httptools
import uvloop

from benchmarks.engine import MODEL, TOKEN
from benchmarks.process import cpu_seconds

__all__ = ["Figures", "Work"]

Work = Literal["chat", "stream", "paced", "endurance"]

CHUNKS = {"chat": 20, "stream": 20, "paced": 20, "endurance": 40}
LASTS_S = {"chat": 0.0, "stream": 0.0, "paced": 20 * 0.02, "endurance": 40 * 0.25}
"""How long the engine takes for one."""
_PACES = {"chat": "", "stream": "", "paced": "#20x20#", "endurance": "#40x250#"}
_LARGE = "#40x250x16000#"
_SLOW_EVERY, _SLOW_REST_S, _SLOW_WINDOW = 10, 1.5, 65536
"""Every tenth reader takes at most about 64 KB, and then rests: two thirds of what its stream brings."""
_RAMP_S = 2.0
_TOKEN = TOKEN.strip().encode()
"""Without its space: a gateway may hand it on with the word before."""


@dataclass
class Figures:
    """What was measured. Times in milliseconds, of requests that ended within the window."""

    requests: int = 0
    errors: int = 0
    error: str = ""
    """What the first error was."""
    seconds: float = 0.0
    per_second: float = 0.0
    cpu_ms: float | None = None
    """Of the server's processes, for each request."""
    load_cpu: float = 0.0
    """Share of one core that this process took: near 1 it measures itself."""
    latencies: list[float] = field(default_factory=list[float])
    """Sorted; of many, as many quantiles as stand for them."""
    first: list[float] = field(default_factory=list[float])
    """Until the first token, for each stream; sorted likewise."""
    gap_p50: float = 0.0
    gap_p99: float = 0.0
    gap_most: float = 0.0
    """Silence between two pieces of a stream, of readers that are not slow."""


@dataclass
class Run:
    """One measurement while it is under way."""

    work: Work
    requests: tuple[bytes, bytes]
    """As readers send it, and as slow readers send it."""
    figures: Figures = field(default_factory=Figures)
    gaps: list[float] = field(default_factory=list[float])
    counting: bool = False
    stopping: bool = False
    busy: int = 0
    idle: asyncio.Event = field(default_factory=asyncio.Event)

    def begun(self) -> None:
        self.busy += 1

    def ended(self) -> None:
        self.busy -= 1
        if not self.busy:
            self.idle.set()

    def failed(self, why: str) -> None:
        self.figures.errors += 1
        self.figures.error = self.figures.error or why


class Client(asyncio.Protocol):
    """One connection that asks, reads, and asks again."""

    def __init__(self, run: Run, *, slow: bool = False) -> None:
        self._loop = asyncio.get_running_loop()
        self._run = run
        self._slow = slow
        self._transport: asyncio.Transport
        self._parser: Any = httptools.HttpResponseParser(self)
        self._asking = False
        self._began = self._now = self._last = 0.0
        self._tokens = 0
        self._tail = b""
        self._first = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._asking:
            self._over(f"The connection was cut after {self._tokens} tokens: {exc!r}")

    def ask(self) -> None:
        """Sends the request."""
        self._asking, self._tokens, self._tail, self._first = True, 0, b"", 0.0
        self._run.begun()
        self._began = self._last = time.perf_counter()
        self._transport.write(self._run.requests[self._slow])

    def close(self) -> None:
        """Ends the connection, whatever is under way."""
        self._asking = False
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._now = time.perf_counter()
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._over(f"No HTTP: {error!r}")
            self._transport.abort()
            return
        if self._slow and self._asking:
            self._transport.pause_reading()
            self._loop.call_later(_SLOW_REST_S, self._transport.resume_reading)

    def on_body(self, data: bytes) -> None:
        piece = self._tail + data
        self._tail = piece[-24:]  # longer than the longest mark
        if (tokens := piece.count(_TOKEN) - piece[: len(piece) - len(data)].count(_TOKEN)) <= 0:
            return
        if not self._tokens:
            self._first = self._now
        elif self._run.counting and not self._slow:
            self._run.gaps.append(self._now - self._last)
        self._last = self._now
        self._tokens += tokens

    def on_message_complete(self) -> None:
        run = self._run
        if self._parser.get_status_code() != 200 or self._tokens != CHUNKS[run.work]:
            self._over(f"Status {self._parser.get_status_code()}, {self._tokens} tokens, at the end {self._tail!r}")
            return
        if run.counting:
            run.figures.requests += 1
            run.figures.latencies.append((self._now - self._began) * 1000)
            run.figures.first.append((self._first - self._began) * 1000)
        self._over(None)

    def _over(self, why: str | None) -> None:
        self._asking = False
        self._run.ended()
        if why:
            self._run.failed(why)
        elif self._run.stopping:
            return
        elif not self._parser.should_keep_alive():
            self._run.failed("The server closes connections after one request")
        else:
            self._parser = httptools.HttpResponseParser(self)
            self.ask()
            return
        self._transport.close()


def _request(url: str, key: str, prompt: str, *, stream: bool) -> bytes:
    body: dict[str, Any] = {
        "model": MODEL,
        "messages": [
            {"role": "system", "content": "Du hilfst im Bürgerbüro. Antworte knapp und nenne die Quelle."},
            {"role": "user", "content": f"Wann öffnet das Freibad, und was kostet der Eintritt? {prompt}"},
        ],
        "temperature": 0.2,
        "max_tokens": 256,
    }
    if stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    data, parts = json.dumps(body, ensure_ascii=False).encode(), urlsplit(url)
    head = (
        f"POST {parts.path}/chat/completions HTTP/1.1\r\nhost: {parts.netloc}\r\ncontent-type: application/json\r\n"
        f"accept: */*\r\nuser-agent: load\r\nauthorization: Bearer {key}\r\ncontent-length: {len(data)}\r\n\r\n"
    )
    return head.encode() + data


async def _connected(run: Run, url: str, *, slow: bool) -> Client:
    loop, parts = asyncio.get_running_loop(), urlsplit(url)
    plug = socket.socket()
    plug.setblocking(False)
    if slow:
        plug.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SLOW_WINDOW)
    await loop.sock_connect(plug, (parts.hostname or "127.0.0.1", parts.port or 80))
    _, client = await loop.create_connection(lambda: Client(run, slow=slow), sock=plug)
    return client


async def measure(
    url: str, work: Work, *, at_once: int, seconds: float, warm_s: float = 0.5, pid: int | None = None, key: str = "-"
) -> Figures:
    """Keeps `at_once` requests under way and measures for `seconds`; for `endurance`, one stream each, `seconds` at most."""
    stream = work != "chat"
    requests = (
        _request(url, key, _PACES[work], stream=stream),
        _request(url, key, _LARGE if work == "endurance" else _PACES[work], stream=stream),
    )
    run = Run(work, requests)
    enduring = work == "endurance"
    clients = [await _connected(run, url, slow=enduring and at % _SLOW_EVERY == 0) for at in range(at_once)]
    random.shuffle(clients)
    spread = _RAMP_S if enduring else LASTS_S[work]
    run.stopping = run.counting = enduring  # from the start, and each asks once
    began, cpu, own = _stamp(pid)
    for client in clients:  # not all on the same beat
        client.ask()
        if spread:
            await asyncio.sleep(spread / at_once)
    if not enduring:
        await asyncio.sleep(warm_s)
        run.counting = True
        began, cpu, own = _stamp(pid)
        await asyncio.sleep(seconds)
        for _ in range(10):  # who is so slow that few have ended gets more time
            if run.figures.requests >= at_once or not run.busy:
                break
            await asyncio.sleep(seconds)
        run.counting, run.stopping = False, True
    over = _stamp(pid)
    try:
        async with asyncio.timeout(seconds if enduring else 30):
            await run.idle.wait()
    except TimeoutError:
        run.figures.errors += run.busy
        run.figures.error = run.figures.error or f"{run.busy} requests did not end in time"
    ended, cpu_after, own_after = _stamp(pid) if enduring else over
    for client in clients:
        client.close()
    await asyncio.sleep(0)  # they are told in the next turn of the loop
    figures = run.figures
    figures.latencies, figures.first = _sample(figures.latencies), _sample(figures.first)
    figures.seconds = ended - began
    figures.per_second = figures.requests / figures.seconds
    figures.load_cpu = (own_after - own) / figures.seconds
    if pid is not None and figures.requests:
        figures.cpu_ms = (cpu_after - cpu) * 1000 / figures.requests
    if len(run.gaps) > 1:
        cuts = statistics.quantiles(run.gaps, n=100)
        figures.gap_p50, figures.gap_p99, figures.gap_most = cuts[49] * 1000, cuts[98] * 1000, max(run.gaps) * 1000
    return figures


def _sample(values: list[float]) -> list[float]:
    """At most 1,000 of them, evenly over the sorted whole."""
    ordered, count = sorted(values), min(len(values), 1000)
    return [round(ordered[int((at + 0.5) * len(ordered) / count)], 3) for at in range(count)]


def _stamp(pid: int | None) -> tuple[float, float, float]:
    """Now, and the CPU seconds of the server and of this process."""
    used = os.times()
    return time.perf_counter(), cpu_seconds(pid) if pid else 0.0, used.user + used.system


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True, help="with /v1")
    parser.add_argument("--key", default="-", help="bearer token")
    parser.add_argument("--work", choices=get_args(Work), default="chat")
    parser.add_argument("--at-once", type=int, default=16, help="connections, each with one request under way")
    parser.add_argument("--seconds", type=float, default=2.0, help="that are measured, or at most for endurance")
    parser.add_argument("--pid", type=int, help="the server's process, for its CPU time")
    given = parser.parse_args()
    figures = uvloop.run(
        measure(given.url, given.work, at_once=given.at_once, seconds=given.seconds, pid=given.pid, key=given.key)
    )
    print(json.dumps(dataclasses.asdict(figures)))


if __name__ == "__main__":
    main()
