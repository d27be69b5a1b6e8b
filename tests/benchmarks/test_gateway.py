"""The benchmark measures what it says: a load on the fake engine, and a table of what came out."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest

from benchmarks.engine import Engine
from benchmarks.load import Figures, Work, measure
from benchmarks.report import Measured, Report, into_page, table

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def serving(protocol: type[asyncio.Protocol]) -> AsyncGenerator[str]:
    """Its address, until its connections are gone."""
    open, gone = set[object](), asyncio.Event()

    class Watched(protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            open.add(self)
            super().connection_made(transport)

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            open.discard(self)
            if not open:
                gone.set()

    server = await asyncio.get_running_loop().create_server(Watched, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        await gone.wait()


class Busy(asyncio.Protocol):
    """Refuses everything."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.transport.write(b"HTTP/1.1 503 Busy\r\ncontent-length: 2\r\n\r\n{}")


@pytest.mark.parametrize("work", ["chat", "stream", "paced"])
async def test_all_that_the_engine_answers_is_counted_and_timed(work: Work) -> None:
    async with serving(Engine) as url:
        figures = await measure(url, work, at_once=3, seconds=0.6, warm_s=0)
    assert (figures.errors, figures.error) == (0, "")
    assert figures.requests >= 3
    assert len(figures.first) == len(figures.latencies) == min(figures.requests, 1000)
    assert (figures.gap_p50 > 0) == (work == "paced")


async def test_an_answer_that_is_not_the_expected_one_is_an_error() -> None:
    async with serving(Busy) as url:
        figures = await measure(url, "chat", at_once=2, seconds=0.1, warm_s=0)
    assert (figures.requests, figures.errors) == (0, 2)
    assert figures.error == "Status 503, 0 tokens, at the end b'{}'"


def test_a_table_has_ratios_of_the_same_round_and_what_is_added_to_the_floor() -> None:
    report = Report(["floor", "min", "partitur"], [("chat", 16), ("paced", 16), ("endurance", 1000)])
    for server, per_second, first in (("floor", 9000.0, 20.0), ("min", 1000.0, 20.5), ("partitur", 900.0, 21.25)):
        for work, at_once in report.plan:
            for slower in (1.0, 2.0, 4.0):  # the machine gets slower, and the ratio stays
                rate = per_second / slower
                figures = Figures(requests=10, per_second=rate, cpu_ms=0.25, latencies=[first] * 9, first=[first] * 9)
                report.add(server, work, at_once, Measured(figures, 64.0))
    assert (
        table(report)
        == """\
| work | at once | floor | min | partitur |
| --- | --- | --- | --- | --- |
| chat passed through | 16 | 4,500/s, 0.25 ms, 20.0 / 20.0 ms | 500/s, 0.25 ms, 20.5 / 20.5 ms | 450/s (**0.9** × min), 0.25 ms (1 ×), 21.2 / 21.2 ms |
| paced stream, first token over floor | 16 | 20.0 / 20.0 ms | +0.5 / +0.5 ms; 0.25 ms | +1.2 / +1.2 ms; 0.25 ms |
| slow streams, every tenth reader slow | 1,000 | 30 done, gap p99 0 ms, most 0 ms, 64 MB | 30 done, gap p99 0 ms, most 0 ms, 64 MB | 30 done, gap p99 0 ms, most 0 ms, 64 MB |
"""
    )


def test_a_table_goes_between_its_marks_alone(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A\n<!-- x:begin -->\nold\n<!-- x:end -->\nrest\n", "utf-8")
    into_page(page, "x", "new\n")
    into_page(page, "x", "newer\n")
    assert page.read_text("utf-8") == "# A\n<!-- x:begin -->\nnewer\n<!-- x:end -->\nrest\n"
    with pytest.raises(ValueError, match="no place for 'y'"):
        into_page(page, "y", "new\n")
