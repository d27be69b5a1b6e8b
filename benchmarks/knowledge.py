"""Measures the knowledge base at scale: ingestion, memory, and search beside LanceDB's own query, bm25s and tantivy.

    python -m benchmarks.knowledge [--chunks 100000] [--home DIR] [--questions N] [--quick] [--json FILE] [--write]

The corpus is made here (benchmarks/knowledge_corpus.py), twenty collections of it. Ingestion stands beside reading and
analysing alone; each question goes to every system in turn, so that a busy machine meets all of them, and what is said is
the median of their quotients. With --home what is stored there already is not read again: then there are no figures of it.
"""

import argparse
import contextlib
import json
import statistics
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any, cast

import anyio
import anyio.to_thread

from benchmarks.knowledge_corpus import CHUNKS_EACH, OFFICES, Corpus
from benchmarks.memory import Memory
from benchmarks.process import ROOT
from benchmarks.report import into_page
from benchmarks.search_peers import Chunk, peers
from tools.base import Access, Caller, Reach
from tools.knowledge import Filter, KnowledgeConfig
from tools.knowledge.library import Library
from tools.knowledge.place import Place
from tools.knowledge.ranking import query_terms
from tools.knowledge.reader import Reader
from tools.knowledge.searching import PASSAGE

__all__ = ["main", "table"]

LIMIT = 8
CALLERS = (1, 16)
ALL, FEW = Caller(subject="all"), Caller(subject="few")
Ask = Callable[[str], Awaitable[object]]


class _Reaches:
    """One caller reads every collection, the other a quarter of them."""

    def __init__(self, collections: int) -> None:
        self.collections = collections

    async def of(self, caller: Caller) -> Reach:
        count = self.collections if caller == ALL else self.collections // 4
        return Reach(caller, {_name(number): None for number in range(count)})

    async def list(self, caller: Caller) -> list[Any]:
        raise NotImplementedError

    async def writable(self, caller: Caller, collection: str) -> None:
        """Everywhere."""


@dataclass(frozen=True, slots=True)
class Read:
    """What one ingestion took."""

    chunks: int
    """Stored before it."""
    documents: int
    seconds: float
    alone: float | None
    """Seconds of reading and analysing the same files without storing them."""
    indexing: float
    memory_mb: float
    aside_mb: float
    """Most memory of this process, and of those below it together: readers, then what builds the indices."""


@dataclass(slots=True)
class Searched:
    """One system under so many callers: rounds with the same questions for all systems, taken in turn."""

    system: str
    callers: int
    milliseconds: list[float] = field(default_factory=list[float])
    """Of each question."""
    seconds: list[float] = field(default_factory=list[float])
    """Of each round; one question is a round where one caller asks."""
    cpu: list[float] = field(default_factory=list[float])
    """Processor seconds of this process in each round."""

    @property
    def per_second(self) -> float:
        return len(self.milliseconds) / sum(self.seconds)


def _name(number: int) -> str:
    return f"c{number:02}"


async def _alone(config: KnowledgeConfig, files: Sequence[Path]) -> float:
    began = time.perf_counter()

    async def some(mine: Sequence[Path]) -> None:
        for path in mine:
            async for _ in reader.read(path.name, await anyio.to_thread.run_sync(path.read_bytes)):
                pass

    async with Reader(config) as reader, anyio.create_task_group() as tasks:
        for at in range(config.readers):
            tasks.start_soon(some, files[at :: config.readers])
    return time.perf_counter() - began


async def ingest(library: Library, corpus: Corpus, folder: Path, *, documents: int, collections: int) -> list[Read]:
    """Brings the collections one after another; each twentieth document is narrowed to one group."""
    found: list[Read] = []
    each = max(1, documents // collections)
    for number in range(collections):
        here = folder / _name(number)
        numbers = range(number * each, (number + 1) * each)
        narrowed = max(1, each // 20)
        corpus.write(here / "open", numbers[narrowed:])
        corpus.write(here / "narrow", numbers[:narrowed])
        stored = (await (await library.opened(ALL.tenant)).waiting())[0]
        alone = await _alone(library.config, sorted((here / "open").iterdir())) if number % 5 == 0 else None
        marks: dict[str, float] = {}

        async def tell(done: float, total: float, message: str, marks: dict[str, float] = marks) -> None:
            marks[message if message in ("indexing", "done") else "reading"] = time.perf_counter()

        with Memory() as memory:
            began = time.perf_counter()
            report = await library.ingest([here / "open"], caller=ALL, collection=_name(number), on_progress=tell)
        ended = marks["done"]
        until = marks.get("indexing", ended)
        if report.read:
            found.append(Read(stored, report.read, until - began, alone, ended - until, memory.own, memory.below))
        await library.ingest([here / "narrow"], caller=ALL, collection=_name(number), access=Access(groups=("narrow",)))
    return found


async def _systems(library: Library, scratch: Path) -> dict[str, Ask]:
    """LanceDB's own query first: it is the limit. With the same terms, columns, cache and sight of other processes."""
    from tools.knowledge.lance import lance_query

    place = Place.of(library.config, ALL.tenant)
    opened = await (await place.connect()).open_table("chunks")
    match, boolean = cast(Any, lance_query.MatchQuery), cast(Any, lance_query.BooleanQuery)

    async def limit(text: str) -> object:
        terms = query_terms(text, "de")
        parts = [(lance_query.Occur.SHOULD, match(words, column, boost=weight)) for column, words, weight in terms]
        query = opened.query().nearest_to_text(boolean(parts)).select([*PASSAGE, "_score"])
        return await query.limit(LIMIT).to_list()

    def ours(caller: Caller, **more: Any) -> Ask:
        return lambda text: library.search(text, caller=caller, language="de", limit=LIMIT, **more)

    chosen = Filter(metadata={"amt": [OFFICES[0], OFFICES[1]]}, after=date(2018, 1, 1))
    found: dict[str, Ask] = {
        "LanceDB's own query": limit,
        "Partitur, all collections": ours(ALL),
        "… a quarter of the collections": ours(FEW),
        "… metadata and date": ours(ALL, filter=chosen),
        "… neighbours and reasons": ours(ALL, around=1, why=True),
    }
    rows = cast(list[dict[str, str]], await opened.query().select(["document", "title", "text"]).to_list())
    chunks = [Chunk(row["document"], row["title"], row["text"]) for row in rows]
    beside = await peers(chunks, "de", LIMIT, scratch)
    return found | {f"{name}, stemmed words": ask for name, ask in beside.items()}


async def search(systems: Mapping[str, Ask], questions: Sequence[str]) -> list[Searched]:
    """One caller: every question to every system in turn. Many: all questions at once to each system in turn, thrice."""
    found: list[Searched] = []
    for callers in CALLERS:
        here = {name: Searched(name, callers) for name in systems}
        rounds = [[question] for question in questions] if callers == 1 else [questions] * 3
        for some in rounds:
            for name, ask in systems.items():
                await _round(here[name], ask, some)
        found += here.values()
    return found


async def _round(into: Searched, ask: Ask, questions: Sequence[str]) -> None:
    todo = iter(questions)

    async def call() -> None:
        for question in todo:
            began = time.perf_counter()
            await ask(question)
            into.milliseconds.append((time.perf_counter() - began) * 1000)

    began, cpu = time.perf_counter(), time.process_time()
    async with anyio.create_task_group() as tasks:
        for _ in range(into.callers):
            tasks.start_soon(call)
    into.seconds.append(time.perf_counter() - began)
    into.cpu.append(time.process_time() - cpu)


def table(reads: Sequence[Read], searched: Sequence[Searched], disk_mb: float) -> str:
    """Two tables in Markdown: ingestion by how much is stored, and search."""
    lines: list[str] = []
    if reads:
        lines += [
            "| chunks stored before | documents/s | of reading alone | indices built in | memory here | in child processes |",
            "|---|---|---|---|---|---|",
        ]
        for one in reads:
            share = f"{one.alone / one.seconds:.0%}" if one.alone else ""
            lines.append(
                f"| {one.chunks:,} | {one.documents / one.seconds:.0f} | {share} | {one.indexing:.0f} s "
                f"| {one.memory_mb:.0f} MB | {one.aside_mb:.0f} MB |"
            )
        lines.append("")
    lines += [f"On the disk: {disk_mb:,.0f} MB.", ""]
    lines += [
        "| search | callers | p50 | p95 | a second | × LanceDB's own query | in processor time |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in searched:
        limit = next(other for other in searched if other.callers == one.callers)
        p95 = sorted(one.milliseconds)[int(len(one.milliseconds) * 0.95)]
        lines.append(
            f"| {one.system} | {one.callers} | {statistics.median(one.milliseconds):.0f} ms | {p95:.0f} ms "
            f"| {one.per_second:.1f} | {_quotient(one.seconds, limit.seconds)} | {_quotient(one.cpu, limit.cpu)} |"
        )
    return "\n".join(lines) + "\n"


def _quotient(ours: Sequence[float], limit: Sequence[float]) -> str:
    return f"{statistics.median(mine / base for mine, base in zip(ours, limit, strict=True)):.2f}"


@contextlib.asynccontextmanager
async def _folder(home: str | None) -> AsyncGenerator[Path]:
    if home is not None:
        yield Path(home)
        return
    with tempfile.TemporaryDirectory() as scratch:
        yield Path(scratch)


async def run(arguments: argparse.Namespace) -> tuple[list[Read], list[Searched], float]:
    corpus = Corpus(words=3_000 if arguments.quick else 60_000)
    collections = 4 if arguments.quick else 20
    documents = 2 * collections if arguments.quick else int(arguments.chunks) // CHUNKS_EACH
    questions = list(corpus.questions(3 if arguments.quick else int(arguments.questions)))
    async with _folder(arguments.home) as folder:
        library = Library(KnowledgeConfig(home=folder / "home"), _Reaches(collections))
        reads: list[Read] = []
        if not arguments.search_only:
            where = folder / "documents"
            reads = await ingest(library, corpus, where, documents=documents, collections=collections)
        disk = sum(path.stat().st_size for path in (folder / "home").rglob("*") if path.is_file()) / 1e6
        with tempfile.TemporaryDirectory() as scratch:
            systems = await _systems(library, Path(scratch))
            for ask in systems.values():
                await ask(questions[0])
            return reads, await search(systems, questions), disk


def main(given: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--chunks", default=100_000, type=int)
    parser.add_argument("--questions", default=100, type=int)
    parser.add_argument("--home", help="a folder that keeps documents and store from one run to the next")
    parser.add_argument("--search-only", action="store_true", help="search what --home has; bring nothing")
    parser.add_argument("--quick", action="store_true", help="a hundredth of it, to see that it works")
    parser.add_argument("--json", help="file for the figures")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/benchmarks.md")
    arguments = parser.parse_args(given)
    began = timedelta(seconds=-time.monotonic())
    reads, searched, disk = anyio.run(run, arguments)
    lines = table(reads, searched, disk)
    print(f"{lines}\n{began + timedelta(seconds=time.monotonic())}")
    if arguments.json:
        data = {"ingestion": [asdict(one) for one in reads], "search": [asdict(one) for one in searched], "mb": disk}
        Path(arguments.json).write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
    if arguments.write:
        into_page(ROOT / "docs" / "benchmarks.md", "knowledge", lines)


if __name__ == "__main__":
    main()
