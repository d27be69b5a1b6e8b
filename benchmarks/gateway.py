"""Measures the gateway against the engine direct, the leanest Python gateway and its peers, in interleaved rounds.

    python -m benchmarks.gateway --quick                                # a minute: chat and stream at 16, partitur and min
    python -m benchmarks.gateway [--peers litellm,hayhooks] [--write]   # the whole table, into docs/benchmarks.md
    python -m benchmarks.gateway --works chat --at-once 16 --servers min,partitur --rounds 9 --seconds 1

Every server is a process of its own with one worker, on a fake engine (benchmarks/engine.py); they are measured in
turn, round after round, so that a noisy machine meets all of them. Figures are medians over the rounds; `× min` is the
median of the ratios within a round. `partitur` is `partitur serve` with all that it has switched on. Peers are
installed on demand from the package index, under .tools/peers/.
"""

import argparse
import json
import signal
import subprocess
import sys
import threading
from contextlib import ExitStack
from pathlib import Path

from benchmarks.load import Figures, Work
from benchmarks.process import ROOT, memory_mb
from benchmarks.report import Measured, Report, into_page, table
from benchmarks.servers import PEERS, Server, launched

__all__ = ["main"]

PAGE = ROOT / "docs" / "benchmarks.md"
WORKS: tuple[Work, ...] = ("chat", "stream", "paced", "endurance")
OWN = ("floor", "min", "partitur", "bare")


def measured(server: Server, work: Work, at_once: int, seconds: float) -> Measured:
    """One measurement by a load generator of its own, and the most memory that the server took meanwhile."""
    command = [
        *(sys.executable, "-m", "benchmarks.load", "--url", server.url, "--key", server.key, "--work", work),
        *("--at-once", str(at_once), "--seconds", str(seconds), "--pid", str(server.pid)),
    ]
    over, most = threading.Event(), [memory_mb(server.pid)]

    def watch() -> None:
        while not over.wait(0.5):
            most.append(memory_mb(server.pid))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=seconds + 120)
    except subprocess.CalledProcessError as error:
        raise RuntimeError(f"The load on {server.name!r} failed:\n{error.stderr[-2000:]}") from error
    finally:
        over.set()
        watcher.join()
    return Measured(Figures(**json.loads(done.stdout)), max(most))


def compare(servers: list[Server], plan: list[tuple[Work, int]], *, rounds: int, seconds: float) -> Report:
    """All servers at all of the plan, in turn; the order turns round from one round to the next."""
    report = Report([server.name for server in servers], plan)
    for work, at_once in plan:
        enduring = work == "endurance"
        for round in range(1 if enduring else rounds):
            for server in servers if round % 2 == 0 else servers[::-1]:
                one = measured(server, work, at_once, 90.0 if enduring else seconds)
                report.add(server.name, work, at_once, one)
                figures = one.figures
                cpu = "" if figures.cpu_ms is None else f"{figures.cpu_ms:.2f} ms CPU"
                said = f"  {work} at {at_once}, {server.name}: {figures.per_second:,.0f}/s {cpu}"
                if figures.errors:
                    said += f"; {figures.errors} errors: {figures.error}"
                print(said, file=sys.stderr, flush=True)
    return report


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="chat and stream at 16; floor, min and partitur")
    parser.add_argument("--works", default=",".join(WORKS), help="default: %(default)s")
    parser.add_argument("--at-once", default="1,16,64,256", help="default: %(default)s; endurance has 1,000")
    parser.add_argument("--servers", default=",".join(OWN), help="of our own; default: %(default)s")
    parser.add_argument("--peers", default="", help=f"of {','.join(PEERS)}")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="of one measurement")
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks.md")
    parser.add_argument("--json", type=Path, help="write all figures here")
    given = parser.parse_args()
    if given.quick:
        given.works, given.at_once, given.rounds, given.seconds = "chat,stream", "16", 4, 1.5
        given.servers = "floor,min,partitur"
    names = [*_names(given.servers), *_names(given.peers)]
    if unknown := set(names) - {*OWN, *PEERS}:
        parser.error(f"The servers {sorted(unknown)} are unknown. Expected some of {[*OWN, *PEERS]}.")
    plan = _plan(_names(given.works), [int(count) for count in _names(given.at_once)])
    signal.signal(signal.SIGTERM, _end)
    with ExitStack() as closing:
        servers = launched(names, closing)
        report = compare(servers, plan, rounds=given.rounds, seconds=given.seconds)
        report.starts = {server.name: (server.ready_s, server.idle_mb) for server in servers}
    lines = table(report)
    print(lines)
    if given.write:
        into_page(PAGE, "gateway", lines)
    if given.json:
        given.json.write_text(json.dumps(report.data(), indent=1), "utf-8")


def _end(number: int, frame: object) -> None:
    """The servers end with the benchmark."""
    sys.exit(128 + number)


def _plan(works: list[str], counts: list[int]) -> list[tuple[Work, int]]:
    plan: list[tuple[Work, int]] = []
    for work in WORKS:
        if works.count(work):
            plan.extend((work, count) for count in ([1000] if work == "endurance" else counts))
    return plan


def _names(given: str) -> list[str]:
    return [name for name in given.split(",") if name]


if __name__ == "__main__":
    main()
