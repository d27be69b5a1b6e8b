"""Measures MCP `tools/call` over HTTP: Partitur with everything switched on, beside the SDK's server, fastmcp and bare ASGI.

    python -m benchmarks.mcp_calls [--rounds N] [--seconds S] [--progress] [--json FILE]

Each server is a process of its own with one worker on uvloop. Rounds are interleaved, so that a busy machine is busy for
all. The peers' tool says its text back, without a key. Partitur's is a use case that does the same: behind the key, the
gate and the run, with its envelope as the answer. CPU is that of the server's process, from the kernel's count.
"""

import argparse
import asyncio
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

import uvloop

from benchmarks.peers.mcp_servers import PEERS

KEY = "pt-benchmark"
REVISIONS = ("2025-11-25", "2026-07-28")
"""Of the protocol: the last with a handshake, and the one without."""
TEXT = "Das Freibad öffnet am 1. Mai."
ECHO = '''"""Says its text back."""

from pydantic import BaseModel

from agents.kit import Run, composition


class Said(BaseModel):
    text: str


@composition
async def echo(given: Said, run: Run) -> Said:
    """Says its text back."""
    return given
'''
_TICK = os.sysconf("SC_CLK_TCK")
_DEADLINE_S = 120


@dataclass
class Server:
    """A started server and what was measured of it."""

    name: str
    url: str
    process: subprocess.Popen[str]
    tool: str
    progress: bool = False
    rounds: dict[tuple[str, int], list["Round"]] = field(default_factory=dict[tuple[str, int], list["Round"]])

    def cpu(self) -> float:
        """Seconds of CPU that the process has used."""
        stat = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(stat[11]) + int(stat[12])) / _TICK

    def request(self, revision: str) -> bytes:
        """The bytes of one call."""
        params: dict[str, Any] = {"name": self.tool, "arguments": {"text": TEXT}}
        headers = {
            "Host": self.url.removeprefix("http://"),
            "Accept": "application/json, text/event-stream",
            "Content-Type": "application/json",
            "Authorization": f"Bearer {KEY}",
            "MCP-Protocol-Version": revision,
        }
        meta: dict[str, Any] = {"progressToken": 1} if self.progress else {}
        if revision == REVISIONS[1]:
            about: dict[str, Any] = {"protocolVersion": revision, "clientCapabilities": {}}
            meta |= {f"io.modelcontextprotocol/{name}": value for name, value in about.items()}
            headers |= {"Mcp-Method": "tools/call", "Mcp-Name": self.tool}
        if meta:
            params["_meta"] = meta
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"POST /mcp HTTP/1.1\r\n{lines}Content-Length: {len(body)}\r\n\r\n".encode() + body


@dataclass(frozen=True)
class Round:
    """One server under load for a moment; seconds."""

    rate: float
    cpu: float
    times: list[float]


class _Connection(asyncio.Protocol):
    """Sends the same request again and again, each as soon as the last one is answered."""

    def __init__(self, request: bytes, end: float, done: asyncio.Future[list[float]]) -> None:
        self._request, self._end, self._done = request, end, done
        self._times: list[float] = []
        self._got = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def _send(self) -> None:
        self._sent = time.perf_counter()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._got += data
        head, gap, body = self._got.partition(b"\r\n\r\n")
        if not gap:
            return
        if length := re.search(rb"content-length: (\d+)", head, re.IGNORECASE):
            if len(body) < int(length[1]):
                return
        elif not body.endswith(b"0\r\n\r\n"):
            return
        now = time.perf_counter()
        if not head.startswith(b"HTTP/1.1 200") or b"Freibad" not in body:
            self._fail(f"{head.decode()}\n{body[:400].decode()}")
            return
        self._times.append(now - self._sent)
        self._got = b""
        if now < self._end:
            self._send()
        else:
            self._transport.close()
            self._done.set_result(self._times)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done.done():
            self._fail(f"The connection was lost: {exc!r}. Expected an answer.")

    def _fail(self, message: str) -> None:
        self._done.set_exception(RuntimeError(message))
        self._transport.close()


async def load(server: Server, revision: str, at_once: int, seconds: float) -> Round:
    """Keeps `at_once` connections busy for a while."""
    loop, request = asyncio.get_running_loop(), server.request(revision)
    host, port = server.url.removeprefix("http://").split(":")
    cpu, began = server.cpu(), time.perf_counter()
    waiting: list[asyncio.Future[list[float]]] = []
    for _ in range(at_once):
        done: asyncio.Future[list[float]] = loop.create_future()
        waiting.append(done)
        await loop.create_connection(lambda done=done: _Connection(request, began + seconds, done), host, int(port))
    times = [one for each in await asyncio.gather(*waiting) for one in each]
    took = time.perf_counter() - began
    return Round(len(times) / took, (server.cpu() - cpu) / len(times), times)


@contextmanager
def started(name: str, command: list[str], environment: Mapping[str, str], tool: str) -> Generator[Server]:
    """A server of its own process; it says its address on stdout or stderr."""
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(command, env={**os.environ, **environment}, stdout=said, stderr=said, text=True)
        try:
            yield Server(name, _address(process, said), process, tool)
        finally:
            process.terminate()
            process.wait(20)


def _address(process: subprocess.Popen[str], said: IO[str]) -> str:
    end = time.monotonic() + _DEADLINE_S
    while time.monotonic() < end and process.poll() is None:
        said.seek(0)
        if found := re.search(r"http://[\d.]+:\d+", said.read()):
            return found[0]
        time.sleep(0.05)
    said.seek(0)
    raise RuntimeError(f"The server does not say its address:\n{said.read()}")


def plugin(folder: Path) -> Path:
    """Installs the use case `echo` as a plug-in that lies on a path."""
    about = folder / "echo-1.dist-info"
    about.mkdir(parents=True)
    (folder / "echo.py").write_text(ECHO, encoding="utf-8")
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: echo\nVersion: 1\n", encoding="utf-8")
    (about / "entry_points.txt").write_text("[partitur.use_cases]\necho = echo\n", encoding="utf-8")
    return folder


async def measure(servers: list[Server], at_once: list[int], rounds: int, seconds: float) -> None:
    """All servers in turn, round after round."""
    for number in range(-1, rounds):  # the round before the first is to warm up
        for revision in REVISIONS:
            for many in at_once:
                for server in servers:
                    if server.name == "raw" and revision != REVISIONS[0]:
                        continue
                    measured = await load(server, revision, many, seconds)
                    if number >= 0:
                        server.rounds.setdefault((revision, many), []).append(measured)


def table(servers: list[Server], at_once: list[int]) -> list[dict[str, Any]]:
    """A row for each server, revision and load; prints them."""
    rows: list[dict[str, Any]] = []
    for revision in REVISIONS:
        for many in at_once:
            print(f"\n{revision}, {many} at once\n| server | requests/s | x fastmcp | CPU ms | p50 ms | p99 ms |")
            print("|---|---|---|---|---|---|")
            yard = next(server.rounds[revision, many] for server in servers if server.name == "fastmcp")
            for server in servers:
                if (taken := server.rounds.get((revision, many))) is None:
                    continue
                times = sorted(one for each in taken for one in each.times)
                row: dict[str, Any] = {
                    "server": server.name,
                    "revision": revision,
                    "at_once": many,
                    "rate": statistics.median(each.rate for each in taken),
                    "times_fastmcp": statistics.median(a.rate / b.rate for a, b in zip(taken, yard, strict=True)),
                    "cpu_ms": 1e3 * statistics.median(each.cpu for each in taken),
                    "p50_ms": 1e3 * times[len(times) // 2],
                    "p99_ms": 1e3 * times[len(times) * 99 // 100],
                }
                rows.append(row)
                print(
                    f"| {server.name} | {row['rate']:,.0f} | {row['times_fastmcp']:.2f} | {row['cpu_ms']:.2f} "
                    f"| {row['p50_ms']:.1f} | {row['p99_ms']:.1f} |"
                )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each round and server")
    parser.add_argument("--at-once", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--progress", action="store_true", help="ask to be told of progress, as Python's clients do")
    parser.add_argument("--json", type=Path, help="where the figures go")
    args = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        servers = [
            stack.enter_context(started(name, [sys.executable, "-m", "benchmarks.peers.mcp_servers", name], {}, "say"))
            for name in PEERS
        ]
        environment = {
            "PYTHONPATH": str(plugin(folder / "plugin")),
            "PARTITUR_HOME": str(folder / "home"),
            "PARTITUR_API_KEY": KEY,
        }
        command = [str(Path(sys.executable).parent / "partitur"), "serve", "--port", "0"]
        servers.append(stack.enter_context(started("Partitur", command, environment, "echo")))
        for server in servers:
            server.progress = args.progress
        uvloop.run(measure(servers, args.at_once, args.rounds, args.seconds))
        rows = table(servers, args.at_once)
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
