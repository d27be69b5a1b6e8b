"""Measures an agent run over HTTP (two model turns and one tool call in between) beside its peers, each with one worker.

Peers that are no part of the project live in environments of their own, made with `--peers`.
"""

import argparse
import asyncio
import contextlib
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

__all__ = ["main"]

HERE = Path(__file__).parent
PEERS = HERE / "peers"
TOOLS = HERE.parent / ".tools"
ANSWER = "The town hall opens at eight."
QUESTION = "When does the town hall open?"
KEY = "pt-benchmark"
NEEDS = {
    "agno-agent": ("agno", "openai", "fastmcp>=4,<5", "fastapi", "uvicorn", "uvloop", "httptools"),
    "hayhooks-agent": ("hayhooks[mcp]", "mcp-haystack", "uvloop", "httptools"),
}
"""What the environment of a peer holds."""
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Contestant:
    """A server under test."""

    name: str
    process: "subprocess.Popen[bytes]"
    url: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict[str, str])

    def cpu(self) -> float:
        """Seconds of processor time that it and its children have used."""
        return sum(_cpu(pid) for pid in _family(self.process.pid))


@dataclass
class Round:
    """What one contestant did in one round."""

    runs: int
    seconds: float
    cpu: float
    latencies: list[float]

    @property
    def rate(self) -> float:
        return self.runs / self.seconds

    @property
    def cpu_ms(self) -> float:
        return 1000 * self.cpu / self.runs


class Field:
    """Starts the contestants, and ends each process it started."""

    def __init__(self, folder: Path, *, http_tool: bool, closing: contextlib.ExitStack) -> None:
        self._folder, self._closing, self._http_tool = folder, closing, http_tool
        port = _free()
        self._start([sys.executable, str(PEERS / "world.py"), "--port", str(port)], log="world")
        self._engine = f"http://127.0.0.1:{port}/v1"
        self._server = f"http://127.0.0.1:{port}/mcp"

    def peer(self, name: str, script: str, python: Path | str = sys.executable) -> Contestant:
        """A script that serves `POST /run`."""
        port = _free()
        command = [str(python), str(PEERS / script), "--port", str(port), "--engine", self._engine]
        process = self._start([*command, *(["--server", self._server] if self._http_tool else [])], log=name)
        return Contestant(name, process, f"http://127.0.0.1:{port}/run", json.dumps({"text": QUESTION}).encode())

    def hayhooks(self) -> Contestant:
        """Hayhooks with one deployed wrapper."""
        port, pipelines = _free(), self._folder / "pipelines"
        (pipelines / "run").mkdir(parents=True)
        shutil.copy(PEERS / "hayhooks_wrapper.py", pipelines / "run" / "pipeline_wrapper.py")
        given = {"BENCH_ENGINE": self._engine, "HAYSTACK_TELEMETRY_ENABLED": "False", "LOG": "WARNING"}
        if self._http_tool:
            given["BENCH_SERVER"] = self._server
        program = TOOLS / "peers" / "hayhooks-agent" / "bin" / "hayhooks"
        command = [str(program), "run", "--port", str(port), "--pipelines-dir", str(pipelines)]
        process = self._start(command, log="hayhooks", **given)
        return Contestant(
            "Hayhooks", process, f"http://127.0.0.1:{port}/run/run", json.dumps({"text": QUESTION}).encode()
        )

    def partitur(self) -> Contestant:
        """`partitur serve` as it is installed, with a plug-in of two use cases."""
        home, port = self._folder / "partitur", _free()
        about = home / "town-1.dist-info"
        about.mkdir(parents=True)
        (about / "METADATA").write_text("Metadata-Version: 2.1\nName: town\nVersion: 1\n")
        (about / "entry_points.txt").write_text("[partitur.use_cases]\ntown = town\n")
        given = {
            "PYTHONPATH": f"{PEERS}:{home}",
            "PARTITUR_HOME": str(home / "data"),
            "PARTITUR_PORT": str(port),
            "PARTITUR_API_KEY": KEY,
            "PARTITUR_MODEL_URL": self._engine,
            "PARTITUR_MODEL_NAME": "bench",
            "PARTITUR_MCP_SERVERS": json.dumps({"town": {"url": self._server, "tools": ["hours"]}}),
        }
        program = str(Path(sys.executable).with_name("partitur"))
        tables = home / "tables"
        tables.mkdir()
        (tables / "offices.csv").write_text("office;opens\ntown hall;8\nlibrary;10\n")
        subprocess.run(
            [program, "load", "-q", "tables", str(tables)],
            env=os.environ | given,
            cwd=home,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        process = self._start([program, "serve"], log="partitur", **given)
        body = {
            "model": "hours" if self._http_tool else "figures",
            "messages": [{"role": "user", "content": QUESTION}],
        }
        url = f"http://127.0.0.1:{port}/v1/chat/completions"
        return Contestant("Partitur", process, url, json.dumps(body).encode(), {"Authorization": f"Bearer {KEY}"})

    def _start(self, command: Sequence[str], *, log: str, **given: str) -> "subprocess.Popen[bytes]":
        said = self._closing.enter_context((self._folder / f"{log}.log").open("wb"))
        process = subprocess.Popen(command, env=os.environ | given, cwd=self._folder, stdout=said, stderr=said)
        self._closing.callback(_end, process)
        return process


async def ready(one: Contestant, log: Path) -> None:
    """Waits until it answers, and answers right.

    Raises:
        SystemExit: it does not.
    """
    until = time.monotonic() + 120
    said = "nothing"
    async with aiohttp.ClientSession() as session:
        while time.monotonic() < until and one.process.poll() is None:
            try:
                async with session.post(one.url, data=one.body, headers=_headers(one)) as reply:
                    said = await reply.text()
                    if reply.status == 200 and ANSWER in said:
                        return
            except (aiohttp.ClientError, OSError):
                pass
            await asyncio.sleep(0.3)
    raise SystemExit(f"{one.name} does not answer as expected; it said {said[:500]!r}.\n{log.read_text()[-2000:]}")


async def load(one: Contestant, *, at_once: int, seconds: float) -> Round:
    """As many runs as it does in `seconds`, `at_once` at any time; each answer is checked."""
    latencies: list[float] = []
    answer = ANSWER.encode()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def client() -> None:
            while time.perf_counter() < end:
                began = time.perf_counter()
                async with session.post(one.url, data=one.body, headers=_headers(one)) as reply:
                    said = await reply.read()
                if reply.status != 200 or answer not in said:
                    raise SystemExit(f"{one.name} answered {reply.status}: {said[:500]!r}")
                latencies.append(time.perf_counter() - began)

        cpu, began = one.cpu(), time.perf_counter()
        end = began + seconds
        await asyncio.gather(*(client() for _ in range(at_once)))
        return Round(len(latencies), time.perf_counter() - began, one.cpu() - cpu, latencies)


async def measure(contestants: Sequence[Contestant], *, at_once: int, rounds: int, seconds: float) -> list[list[Round]]:
    """The rounds of each contestant, interleaved, so that a busy machine is busy for all of them."""
    found: list[list[Round]] = [[] for _ in contestants]
    for one in contestants:
        await load(one, at_once=at_once, seconds=min(2.0, seconds))
    for _ in range(rounds):
        for place, one in enumerate(contestants):
            found[place].append(await load(one, at_once=at_once, seconds=seconds))
    return found


def table(names: Sequence[str], found: Sequence[Sequence[Round]], *, at_once: int) -> str:
    """A table in Markdown. CPU is the median of the rounds and the least, for other work only adds to it; the quotients are
    medians over rounds, of Partitur's rate to the peer's and of the peer's CPU to Partitur's: above 1 Partitur is ahead."""
    lines = [
        f"| at {at_once} | runs/s | CPU ms a run (least) | p50 ms | p99 ms | Partitur's rate | by CPU |",
        "|---|---|---|---|---|---|---|",
    ]
    ours = found[names.index("Partitur")]
    for name, rounds in zip(names, found, strict=True):
        rate = statistics.median(one.rate for one in rounds)
        cpu, least = statistics.median(one.cpu_ms for one in rounds), min(one.cpu_ms for one in rounds)
        times = sorted(took for one in rounds for took in one.latencies)
        p50, p99 = (1000 * times[min(len(times) - 1, int(len(times) * share))] for share in (0.5, 0.99))
        faster = statistics.median(our.rate / one.rate for our, one in zip(ours, rounds, strict=True))
        leaner = statistics.median(one.cpu_ms / our.cpu_ms for our, one in zip(ours, rounds, strict=True))
        lines.append(
            f"| {name} | {rate:.1f} | {cpu:.1f} ({least:.1f}) | {p50:.0f} | {p99:.0f} | {faster:.2f} × | {leaner:.2f} × |"
        )
    return "\n".join(lines)


def contest(given: argparse.Namespace, *, http_tool: bool) -> None:
    """One place of the tool: starts, measures, prints."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as closing:
        place = Field(Path(folder), http_tool=http_tool, closing=closing)
        contestants = [
            place.partitur(),
            place.peer("plain pydantic-ai", "plain.py"),
            place.peer("hand-written loop", "loop.py"),
        ]
        if (python := TOOLS / "peers" / "agno-agent" / "bin" / "python").exists():
            contestants.append(place.peer("agno", "agno_agent.py", python))
        if (TOOLS / "peers" / "hayhooks-agent").exists():
            contestants.append(place.hayhooks())
        if given.only:
            contestants = [one for one in contestants if one.name in ("Partitur", *given.only)]
        logs = {"Hayhooks": "hayhooks", "Partitur": "partitur"}

        async def whole() -> None:
            for one in contestants:
                await ready(one, Path(folder) / f"{logs.get(one.name, one.name)}.log")
            where = "on an MCP server over HTTP" if http_tool else "in the same process"
            for at_once in given.at_once:
                found = await measure(contestants, at_once=at_once, rounds=given.rounds, seconds=given.seconds)
                print(f"\nThe tool is {where}.\n")
                print(table([one.name for one in contestants], found, at_once=at_once), flush=True)

        asyncio.run(whole())


def make_peers() -> None:
    """Makes the environments of the peers."""
    for name, needs in NEEDS.items():
        home = TOOLS / "peers" / name
        uv = str(TOOLS / "uv") if (TOOLS / "uv").exists() else "uv"
        subprocess.run([uv, "venv", "-q", "--allow-existing", "--python", "3.11", str(home)], check=True)
        subprocess.run([uv, "pip", "install", "-q", "--python", str(home / "bin" / "python"), *needs], check=True)


def main() -> None:
    """Runs the contest on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two short rounds at 16 at once")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5.0, help="length of one round of one contestant")
    parser.add_argument("--at-once", type=int, nargs="+", default=[16, 1])
    parser.add_argument("--tool", choices=["own", "http"], nargs="+", default=["own", "http"])
    parser.add_argument("--only", nargs="+", help="names of the peers to run against")
    parser.add_argument("--peers", action="store_true", help="make the environments of the optional peers and stop")
    given = parser.parse_args()
    if given.peers:
        make_peers()
        return
    if given.quick:
        given.rounds, given.seconds, given.at_once = 2, 3.0, [16]
    for tool in given.tool:
        contest(given, http_tool=tool == "http")


def _headers(one: Contestant) -> dict[str, str]:
    return {"Content-Type": "application/json", **one.headers}


def _free() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _family(pid: int) -> Generator[int]:
    """A process and all below it."""
    yield pid
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in tasks.read_text().split():
                yield from _family(int(child))


def _cpu(pid: int) -> float:
    """Seconds of processor time a process has used, all its threads together."""
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS
    return 0.0


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


if __name__ == "__main__":
    main()
