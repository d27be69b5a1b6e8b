"""What benchmarks/gateway.py measured, as one Markdown table between two marks of a page."""

import dataclasses
import statistics
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.load import Figures, Work

__all__ = ["Measured", "Report", "into_page", "table"]

_BASE = "min"


@dataclass(frozen=True)
class Measured:
    """Figures of one measurement, and the most memory the server took, in MB."""

    figures: Figures
    most_mb: float


@dataclass
class Report:
    """All measurements, in the order they were made in."""

    servers: list[str]
    plan: list[tuple[Work, int]]
    runs: dict[tuple[str, Work, int], list[Measured]] = field(
        default_factory=lambda: defaultdict[tuple[str, Work, int], list[Measured]](list)
    )
    starts: dict[str, tuple[float, float]] = field(default_factory=dict[str, tuple[float, float]])
    """Seconds until ready, and MB when idle."""

    def add(self, server: str, work: Work, at_once: int, one: Measured) -> None:
        """Keeps a measurement."""
        self.runs[server, work, at_once].append(one)

    def median(self, server: str, work: Work, at_once: int, of: Callable[[Figures], float]) -> float:
        """Over the rounds."""
        return statistics.median(of(one.figures) for one in self.runs[server, work, at_once])

    def quotient(self, server: str, work: Work, at_once: int, of: Callable[[Figures], float]) -> float:
        """Against `min`, round by round: a noisy machine meets both."""
        pairs = zip(self.runs[server, work, at_once], self.runs[_BASE, work, at_once], strict=True)
        return statistics.median(of(ours.figures) / (of(base.figures) or 1) for ours, base in pairs)

    def quantile(
        self, server: str, work: Work, at_once: int, q: float, of: Callable[[Figures], Sequence[float]]
    ) -> float:
        """Over all requests of all rounds."""
        values = sorted(value for one in self.runs[server, work, at_once] for value in of(one.figures))
        return values[min(len(values) - 1, int(q * len(values)))] if values else float("nan")

    def data(self) -> dict[str, Any]:
        """All of it for JSON; of the latencies only quantiles."""
        rows: list[dict[str, Any]] = []
        for (server, work, at_once), runs in self.runs.items():
            for one in runs:
                row: dict[str, Any] = {"server": server, "work": work, "at_once": at_once, "most_mb": one.most_mb}
                figures = dataclasses.asdict(one.figures)
                for name in ("latencies", "first"):
                    values = sorted(figures.pop(name))
                    for q in (50, 99):
                        row[f"{name}_p{q}"] = values[len(values) * q // 100] if values else None
                rows.append(row | figures)
        return {"runs": rows, "starts": self.starts}


def table(report: Report) -> str:
    """One row for each work and number at once, one column for each server."""
    heads = ["work", "at once", *report.servers]
    rows = [
        [_TITLES[work], f"{at_once:,}", *(_cell(report, server, work, at_once) for server in report.servers)]
        for work, at_once in report.plan
    ]
    if report.starts:
        cells = [f"{seconds:.1f} s, {mb:.0f} MB" for seconds, mb in map(report.starts.__getitem__, report.servers)]
        rows.append(["start until ready, idle memory", "", *cells])
    lines = ["| " + " | ".join(cells) + " |" for cells in (heads, ["---"] * len(heads), *rows)]
    return "\n".join(lines) + "\n"


_TITLES: dict[Work, str] = {
    "chat": "chat passed through",
    "stream": "streamed, 20 chunks at once",
    "paced": "paced stream, first token over floor",
    "endurance": "slow streams, every tenth reader slow",
}


def _cell(report: Report, server: str, work: Work, at_once: int) -> str:
    runs = report.runs[server, work, at_once]
    done, errors = sum(one.figures.requests for one in runs), sum(one.figures.errors for one in runs)
    failed = f", {errors} failed" if errors else ""
    if work == "endurance":
        figures, mb = runs[-1].figures, runs[-1].most_mb
        return f"{done:,} done, gap p99 {figures.gap_p99:.0f} ms, most {figures.gap_most:.0f} ms, {mb:.0f} MB{failed}"
    if not done:
        return f"none{failed}"
    cpu = f"{report.median(server, work, at_once, lambda figures: figures.cpu_ms or 0):.2f} ms"
    if work == "paced":
        p50, p99 = (report.quantile(server, work, at_once, q, lambda figures: figures.first) for q in (0.5, 0.99))
        if server == "floor" or "floor" not in report.servers:
            return f"{p50:.1f} / {p99:.1f} ms{failed}"
        low, high = (report.quantile("floor", work, at_once, q, lambda figures: figures.first) for q in (0.5, 0.99))
        return f"{p50 - low:+.1f} / {p99 - high:+.1f} ms; {cpu}{failed}"
    p50, p99 = (report.quantile(server, work, at_once, q, lambda figures: figures.latencies) for q in (0.5, 0.99))
    per_second = f"{report.median(server, work, at_once, lambda figures: figures.per_second):,.0f}/s"
    if _BASE in report.servers and server not in (_BASE, "floor"):
        rate = report.quotient(server, work, at_once, lambda figures: figures.per_second)
        cost = report.quotient(server, work, at_once, lambda figures: figures.cpu_ms or 0)
        per_second, cpu = f"{per_second} (**{_short(rate)}** × min)", f"{cpu} ({_short(cost)} ×)"
    return f"{per_second}, {cpu}, {p50:.1f} / {p99:.1f} ms{failed}"


def _short(value: float) -> str:
    """Two digits that count, without an exponent where there are more before the point."""
    return f"{float(f'{value:.2g}'):g}"


def into_page(page: Path, name: str, lines: str) -> None:
    """Replaces what stands between `<!-- name:begin -->` and `<!-- name:end -->`.

    Raises:
        ValueError: the page does not have the two marks.
    """
    begin, end = f"<!-- {name}:begin -->\n", f"<!-- {name}:end -->"
    text = page.read_text("utf-8")
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"The page {page.name!r} has no place for {name!r}. Put {begin.strip()} and {end} into it.")
    page.write_text(f"{before}{begin}{lines}{closed}{after}", "utf-8")
