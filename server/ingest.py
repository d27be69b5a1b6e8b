"""Documents, graph and tables from the command line: read with progress, reported file by file, listed, deleted."""

import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from time import monotonic, perf_counter
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO, cast

import click

from server.house import LOCAL
from server.models import house_models, open_hub
from server.progress import seconds
from server.servers import Servers
from server.settings import Settings
from server.state import Database
from tools.base import DEFAULT, Access, ArtifactStore, InvalidInput, PartiturError
from tools.knowledge import IngestReport, KnowledgeConfig, Problem

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from tools.graph import LoadReport as GraphReport
    from tools.knowledge.files import Inline
    from tools.tables import LoadReport as TablesReport

__all__ = [
    "Bar",
    "delete_command",
    "documents_command",
    "ingest_command",
    "load",
    "load_command",
    "open_servers",
    "told",
]

_NAMED = 20
"""Files that failed or were left out, named one by one."""


class Bar:
    """A progress bar on stderr; a line now and then where nobody watches. Told with what is done, the total, a message.

    Args:
        title: what goes on.
        unit: what is counted.
        quiet: show nothing.
        stream: in place of stderr.
        clock: seconds, for the lines: one a tenth of the way, and one a second where a tenth takes longer.
    """

    def __init__(
        self,
        title: str,
        *,
        unit: str = "files",
        quiet: bool = False,
        stream: TextIO | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._title = title
        self._stream = stream or sys.stderr
        self._quiet = quiet
        self._bar: tuple[Progress, TaskID] | None = None
        self._unit = unit
        self._clock = clock
        self._tenth = 0
        self._said = ""
        self._at = clock()

    def __enter__(self) -> Self:
        if not self._quiet and self._stream.isatty():
            from rich.console import Console
            from rich.progress import (
                BarColumn,
                MofNCompleteColumn,
                Progress,
                SpinnerColumn,
                TextColumn,
                TimeElapsedColumn,
            )

            columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
            shown = Progress(
                *columns,
                TimeElapsedColumn(),
                TextColumn("[dim]{task.fields[now]}", markup=True),
                console=Console(file=self._stream),
                transient=True,
            )
            self._bar = shown, shown.add_task(self._title, total=None, now="")
            shown.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar[0].stop()

    def __call__(self, done: float, total: float, message: str) -> None:
        if self._bar:
            from rich.markup import escape

            shown, task = self._bar
            shown.update(task, completed=int(done), total=int(total) or None, now=escape(message[-60:]))
        elif not self._quiet and total > 0:
            tenth = 10 * int(done) // int(total)
            line = f"{self._title}: {int(done)} of {int(total)} {self._unit}" + f", {message}" * bool(message)
            if line != self._said and (tenth > self._tenth or self._clock() - self._at >= 1):
                self._tenth, self._said, self._at = max(tenth, self._tenth), line, self._clock()
                print(line, file=self._stream, flush=True)

    async def later(self, done: float, total: float, message: str) -> None:
        """The same, for those who await it."""
        self(done, total, message)


def ingest_command(
    settings: Settings,
    places: Sequence[str],
    *,
    collection: str,
    access: Mapping[str, object] | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Reads files, folders and web addresses and prints the report; 1 where one failed."""
    began = perf_counter()
    readers = None if access is None else Access.model_validate(access)
    report = asyncio.run(_ingest(settings, places, quiet, collection, readers))
    if as_json:
        click.echo(report.model_dump_json(indent=2))
    else:
        click.echo(told(report, perf_counter() - began))
    return 1 if report.failed else 0


async def _ingest(
    settings: Settings, places: Sequence[str], quiet: bool, collection: str, access: Access | None
) -> IngestReport:
    urls = [place for place in places if place.lower().startswith(("http://", "https://"))]
    for place in places:
        if "://" in place and place not in urls:
            raise InvalidInput(
                f"The address {place!r} cannot be fetched. Expected one that begins with http:// or https://.",
                hint="Fetch it yourself, and name the file.",
            )
    async with AsyncExitStack() as closing:
        with Bar("Reading", quiet=quiet) as bar:
            servers = open_servers(settings, closing)
            fetched, failed = await _fetched(urls, servers.knowledge, bar)
            paths = [Path(place) for place in places if place not in urls]
            report = await servers.shelf.ingest(
                paths, fetched, caller=LOCAL, collection=collection, access=access, on_progress=bar.later
            )
    report.failed[:0] = failed
    return report


async def _fetched(
    urls: Sequence[str], config: KnowledgeConfig, tell: Callable[[float, float, str], None]
) -> "tuple[list[Inline], list[Problem]]":
    """What lies at web addresses, one after another; one that cannot be fetched fails alone."""
    fetched: list[Inline] = []
    failed: list[Problem] = []
    for done, url in enumerate(urls):
        from tools.knowledge.fetch import fetch

        tell(done, len(urls), url)
        try:
            fetched.append(await fetch(url, config))
        except PartiturError as error:
            failed.append(Problem(name=url, reason=str(error)))
    return fetched, failed


def told(report: IngestReport, took: float | None = None) -> str:
    """An ingestion in words: what was done, and each file that was not read with its reason."""
    counts = [
        f"{count} {name}"
        for name, count in (
            ("new", report.read),
            ("replaced", report.replaced),
            ("unchanged", report.unchanged),
            ("removed", report.removed),
        )
        if count or name == "new"
    ]
    time = f" ({seconds(took)})" if took is not None else ""
    lines = [f"Documents: {', '.join(counts)}{time}"]
    for name, problems in (("Failed", report.failed), ("Skipped", report.skipped)):
        if problems:
            lines.append(f"{name}: {len(problems)}")
            lines += [f"  {problem.name}: {problem.reason}" for problem in problems[:_NAMED]]
            if len(problems) > _NAMED:
                lines.append(f"  … and {len(problems) - _NAMED} more; --format json names them all")
    return "\n".join([*lines, *(f"Note: {note}" for note in report.notes)])


def documents_command(settings: Settings, *, limit: int | None, as_json: bool) -> None:
    """Prints the list of documents."""

    async def read() -> str:
        async with AsyncExitStack() as closing:
            found = await open_servers(settings, closing).shelf.documents(LOCAL, limit=limit)
        if as_json:
            return found.model_dump_json(indent=2)
        if not found.total:
            return "No documents yet. Read some with 'partitur ingest PATH'."
        width = max(len(one.id) for one in found.documents)
        lines = [f"{one.id:<{width}}  {one.language}  {one.chunks:>4}  {one.title}" for one in found.documents]
        more = found.total - len(found.documents)
        return "\n".join([*lines, *([f"… and {more} more"] if more else [])])

    click.echo(asyncio.run(read()))


def delete_command(settings: Settings, ids: Sequence[str]) -> int:
    """Deletes documents; 1 where one was not there."""

    async def drop() -> int:
        async with AsyncExitStack() as closing:
            gone = await open_servers(settings, closing).shelf.delete(ids, LOCAL)
        if gone.deleted:
            click.echo(f"Deleted: {', '.join(gone.deleted)}")
        if gone.missing:
            print(
                f"Error: Not there: {', '.join(map(repr, gone.missing))}. Expected ids of documents.", file=sys.stderr
            )
            print("Run 'partitur documents' to see the ids.", file=sys.stderr)
        return 1 if gone.missing else 0

    return asyncio.run(drop())


def load_command(
    settings: Settings,
    what: str,
    folder: Path | None,
    *,
    collection: str,
    policy: Path | None,
    attached: str | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Loads a folder as graph or tables, or tables of a database, and prints the report; 1 where a part failed."""
    if (folder is None) == (attached is None) or (what == "graph" and (attached or policy)):
        raise InvalidInput(
            "Where from is not clear. Expected a FOLDER, or for tables '--from NAME'; '--policy' is for tables.",
            hint="Run 'partitur load --help'.",
        )

    async def allowed() -> None:
        async with AsyncExitStack() as closing:
            await open_servers(settings, closing).collections.writable(LOCAL, collection)

    asyncio.run(allowed())
    with Bar("Loading", unit="bytes", quiet=quiet) as bar:
        servers = open_servers(settings, AsyncExitStack())
        if attached is not None:
            from tools.tables.loading import load_attached

            report = load_attached(
                attached, config=servers.tables, collection=collection, policy=policy, on_progress=bar
            )
        else:
            assert folder is not None
            report = load(servers, what, folder, bar, collection=collection, policy=policy)
    if as_json:
        click.echo(report.model_dump_json(indent=2))
    else:
        click.echo(_loaded(report))
    failed = any(file.failure for file in report.files)
    return 1 if failed or report.generation is None else 0


def load(
    servers: Servers,
    what: str,
    source: Path | list[Path],
    tell: Callable[[float, float, str], None],
    *,
    collection: str = DEFAULT,
    policy: Path | None = None,
) -> "GraphReport | TablesReport":
    """Loads lists as a part of the graph, or files as tables beside those that are there."""
    if what == "graph":
        from tools.graph.loading import load as load_graph

        return load_graph(source, config=servers.graph, collection=collection, on_progress=tell)
    from tools.tables.loading import load as load_tables

    return load_tables(source, config=servers.tables, collection=collection, policy=policy, on_progress=tell)


def _loaded(report: "GraphReport | TablesReport") -> str:
    lines = [f"Loaded: generation {report.generation}" if report.generation else "Nothing was loaded."]
    for file in report.files:
        data = cast("dict[str, object]", file.model_dump(exclude_defaults=True, exclude={"file"}))
        lines.append(f"  {file.file}: " + (str(file.failure) if file.failure else _facts(data)))
    return "\n".join(lines)


def _facts(data: dict[str, object]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in data.items() if not isinstance(value, dict))


def open_servers(settings: Settings, closing: AsyncExitStack) -> Servers:
    """The tool servers alone, for commands that need no house around them."""
    settings.home.mkdir(parents=True, exist_ok=True)
    models = house_models(settings)
    hub = open_hub(models, settings.home)
    closing.push_async_callback(hub.close)
    state = Database(settings.home, settings.database)
    closing.push_async_callback(state.close)
    return Servers(settings, models, hub, ArtifactStore(settings.home / "artifacts"), state, closing)
