"""Measures how long `partitur serve` takes to answer and to be ready, and what it holds when idle, beside a minimal fastmcp.

    python -m benchmarks.start [--rounds N] [--json FILE]

The house has the sample town in its knowledge base. Both start from the same installation, in turn, one at a time. Times
are from the start of the process until the answer is there; CPU is what the processes had used by then, which other work
on the machine disturbs less. Memory is that of the process and its children (PSS: what is shared counts for its share).
"""

import argparse
import http.client
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

ROOT = Path(__file__).parent.parent
PARTITUR = str(Path(sys.executable).parent / "partitur")
KEY = "pt-benchmark"
SETTLED_S = 4
"""Seconds of rest before memory is read."""
_TICK = os.sysconf("SC_CLK_TCK")
_DEADLINE_S = 240
_INITIALIZE = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "benchmark", "version": "1"},
}


@dataclass
class Start:
    """One start of one server: seconds and seconds of CPU until each answer, and bytes at rest."""

    seconds: dict[str, float] = field(default_factory=dict[str, float])
    cpu: dict[str, float] = field(default_factory=dict[str, float])
    pss: int = 0
    rss: int = 0


@dataclass(frozen=True)
class Ask:
    """A request whose answer says that a part is there."""

    name: str
    path: str
    body: Mapping[str, Any] | None = None
    right: Callable[[str], bool] = lambda body: True


MCP = Ask("MCP answers", "/mcp", {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": _INITIALIZE})
CHAT = {"model": "answer", "messages": [{"role": "user", "content": "Was kostet das Freibad?"}]}
PARTS = [
    Ask("/healthz answers", "/healthz"),
    Ask("/v1/models answers", "/v1/models"),
    MCP,
    Ask("ready", "/readyz", right=lambda body: json.loads(body)["status"] in ("ready", "degraded")),
    Ask("answer from the knowledge base", "/v1/chat/completions", CHAT),
]


def tree(pid: int) -> Iterator[int]:
    """A process and all below it."""
    yield pid
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from tree(int(child))


def memory(pid: int) -> tuple[int, int]:
    """PSS and RSS of a process and its children, in bytes."""
    found = {"Pss": 0, "Rss": 0}
    for one in tree(pid):
        with suppress(OSError):
            for line in Path(f"/proc/{one}/smaps_rollup").read_text().splitlines():
                name, _, value = line.partition(":")
                if name in found:
                    found[name] += int(value.split()[0]) * 1024
    return found["Pss"], found["Rss"]


def cpu(pid: int) -> float:
    """Seconds of CPU of a process and its children, the ended ones included."""
    used = 0
    for one in tree(pid):
        with suppress(OSError):
            used += sum(map(int, Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()[11:15]))
    return used / _TICK


def answered(address: str, ask: Ask) -> bool:
    """Whether the request has its right answer already."""
    connection = http.client.HTTPConnection(address, timeout=_DEADLINE_S)
    headers = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
    try:
        connection.request(
            "POST" if ask.body else "GET",
            ask.path,
            json.dumps(ask.body) if ask.body else None,
            {**headers, "Authorization": f"Bearer {KEY}"},
        )
        answer = connection.getresponse()
        return answer.status == 200 and ask.right(answer.read().decode())
    except OSError:
        return False
    finally:
        connection.close()


def free() -> int:
    """A port that nobody has."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def start(command: list[str], environment: Mapping[str, str], asks: list[Ask], *, address: str | None = None) -> Start:
    """Starts a server, asks it until each part answers, lets it rest, weighs it, ends it.

    Args:
        command: with its arguments.
        environment: beside our own.
        asks: in this order.
        address: where it will answer, where that is known before; else it says so.
    """
    found = Start()
    with tempfile.TemporaryFile("w+") as said:
        began = time.perf_counter()
        process = subprocess.Popen(command, env={**os.environ, **environment}, stdout=said, stderr=said, text=True)
        try:
            for ask in asks:
                while address is None or not answered(address, ask):
                    if process.poll() is not None or time.perf_counter() - began > _DEADLINE_S:
                        said.seek(0)
                        raise RuntimeError(f"{ask.name!r} never came. The server said:\n{said.read()}")
                    said.seek(0)
                    if address is None and (told := re.search(r"http://([\d.]+:\d+)", said.read())):
                        address = told[1]
                    time.sleep(0.005)
                found.seconds[ask.name] = time.perf_counter() - began
                found.cpu[ask.name] = cpu(process.pid)
            time.sleep(SETTLED_S)
            found.pss, found.rss = memory(process.pid)
        finally:
            process.terminate()
            process.wait(30)
    return found


def helped() -> float:
    """Seconds of `partitur --help`."""
    began = time.perf_counter()
    subprocess.run([PARTITUR, "--help"], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="where the figures go")
    args = parser.parse_args()
    starts: dict[str, list[Start]] = {"fastmcp": [], "Partitur": []}
    helps: list[float] = []
    with tempfile.TemporaryDirectory() as home:
        environment = {"PARTITUR_HOME": home, "PARTITUR_API_KEY": KEY}
        documents = str(ROOT / "examples" / "birkenfurt" / "documents")
        subprocess.run(
            [PARTITUR, "ingest", documents], check=True, env={**os.environ, **environment}, stdout=subprocess.DEVNULL
        )
        peer = [sys.executable, "-m", "benchmarks.peers.mcp_servers", "fastmcp"]
        for _ in range(args.rounds + 1):  # the first is to fill the page cache
            starts["fastmcp"].append(start(peer, {}, [MCP]))
            port = str(free())  # a probe knows it; what the server says comes when everything is answered
            ours = [PARTITUR, "serve", "--port", port]
            starts["Partitur"].append(start(ours, environment, PARTS, address=f"127.0.0.1:{port}"))
            helps.append(helped())
    rows = table({name: taken[1:] for name, taken in starts.items()}, helps[1:])
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")


def table(starts: Mapping[str, list[Start]], helps: list[float]) -> list[dict[str, Any]]:
    """Prints medians, the least CPU (whatever else runs only adds to it), and each beside fastmcp's."""
    yard = starts["fastmcp"]
    rows: list[dict[str, Any]] = []
    print("| server | until | s | CPU s | x fastmcp | x fastmcp, CPU |\n|---|---|---|---|---|---|")
    for name, taken in starts.items():
        for moment in taken[0].seconds:
            pairs = list(zip(taken, yard, strict=True))
            row: dict[str, Any] = {
                "server": name,
                "until": moment,
                "s": statistics.median(one.seconds[moment] for one in taken),
                "cpu_s": min(one.cpu[moment] for one in taken),
                "times": statistics.median(one.seconds[moment] / two.seconds[MCP.name] for one, two in pairs),
            }
            row["times_cpu"] = row["cpu_s"] / min(two.cpu[MCP.name] for two in yard)
            rows.append(row)
            figures = " | ".join(f"{cast('float', row[key]):.2f}" for key in ("s", "cpu_s", "times", "times_cpu"))
            print(f"| {name} | {moment} | {figures} |")
    print("\n| server | PSS MB | RSS MB |\n|---|---|---|")
    for name, taken in starts.items():
        pss, rss = (statistics.median(getattr(one, kind) for one in taken) / 1e6 for kind in ("pss", "rss"))
        rows.append({"server": name, "pss_mb": pss, "rss_mb": rss})
        print(f"| {name} | {pss:.0f} | {rss:.0f} |")
    rows.append({"help_s": statistics.median(helps)})
    print(f"\npartitur --help: {statistics.median(helps):.2f} s")
    return rows


if __name__ == "__main__":
    main()
