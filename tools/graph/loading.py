"""Changes the graph: loads lists, keeps what documents say, forgets, narrows, builds all of it again.

Each change makes a generation of its own: a copy of the records with the change in it, and the view of each tenant that
changed, which proves that the engine takes the data. Killed at any point, the generation before stays.
"""

from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from os import close as let_go
from pathlib import Path
from shutil import rmtree

from tools.base.access import DEFAULT
from tools.base.errors import InvalidInput, NotFound
from tools.generations import Generations
from tools.graph import FileReport, GraphConfig, LoadReport, RebuildReport
from tools.graph.lists import Lists
from tools.graph.records import Records
from tools.graph.sources import Counts, Edge, Node, Source
from tools.graph.store import generations
from tools.graph.views import RECORDS, empty, make

__all__ = ["Brought", "forget", "keep", "load", "narrow", "rebuild"]

Tell = Callable[[float, float, str], None]
"""Gets what is done, how much there is, and a message."""


@dataclass(frozen=True, slots=True)
class Brought:
    """What a source brings from now on, in place of what it brought before."""

    source: Source
    nodes: Iterable[Node]
    edges: Iterable[Edge]


def load(
    source: Path | Iterable[Path],
    *,
    config: GraphConfig,
    tenant: str = "default",
    collection: str = DEFAULT,
    name: str = "lists",
    readers: tuple[str, ...] | None = None,
    on_progress: Tell | None = None,
) -> LoadReport:
    """Loads lists of nodes and edges from a folder or from files into a collection.

    They replace what was loaded under the same name into the same collection, and nothing else. Rows that do not fit
    (no id, an id twice, an edge to nowhere) are left out and reported. Where a whole file fails, or there is neither
    node nor edge, nothing is built: a graph with a hole would replace a good one.

    Raises:
        NotFound: there is no such folder, or nothing in it to load.
        Unavailable: another process is loading.
        Failed: the engine could not take the data; the graph before stays.
    """
    files = _files(source)
    store = generations(config)
    tell = on_progress or _silent
    brought = Source(tenant=tenant, collection=collection, name=name, readers=readers)
    reports: list[FileReport] = []
    try:
        with store.build() as folder:
            work = folder / "work"
            work.mkdir()
            # Reading and building count half each.
            lists = Lists(
                brought,
                work,
                file_mb=config.file_mb,
                tell=lambda done, total, message: tell(done, 2 * total or 1.0, message),
            )
            lists.look(files, named=not (isinstance(source, Path) and source.is_dir()))
            with _records(store, folder) as records:
                known = _Known(records, tenant)
                reports = lists.reports
                counts = records.replace(brought, lists.nodes(), lists.edges(known=known))
            if not (counts.nodes or counts.edges) or any(report.failure for report in reports):
                raise _Nothing
            rmtree(work)
            half = lists.total or 0.5
            _prove(config, folder, [tenant], lambda done, message: tell(half * (1 + done), 2 * half, message))
            tell(2 * half, 2 * half, f"{counts.nodes} nodes, {counts.edges} edges")
    except _Nothing:
        if isinstance(source, Path) and source.is_dir() and not reports:
            raise NotFound(
                f"The folder {str(source)!r} holds no list of nodes. Expected a CSV file with the headings id, label, name."
            ) from None
        return LoadReport(generation=None, nodes=0, edges=0, files=reports)
    return LoadReport(generation=store.current(), nodes=counts.nodes, edges=counts.edges, files=reports)


def keep(brought: Iterable[Brought], *, config: GraphConfig) -> Counts:
    """Keeps what documents say: each source replaces what it brought before; the rest stays.

    Raises:
        Unavailable: another process is loading.
        Failed, TooLarge: the engine cannot take the data; the graph before stays.
    """
    store = generations(config)
    sources = nodes = edges = 0
    tenants: set[str] = set()
    try:
        with store.build() as folder:
            with _records(store, folder) as records:
                for one in brought:
                    counts = records.replace(one.source, one.nodes, one.edges)
                    sources, nodes, edges = sources + 1, nodes + counts.nodes, edges + counts.edges
                    tenants.add(one.source.tenant)
            if not sources:
                raise _Nothing
            _prove(config, folder, sorted(tenants))
    except _Nothing:
        pass
    return Counts(sources, nodes, edges)


def forget(tenant: str, collection: str, documents: Iterable[str] | None = None, *, config: GraphConfig) -> Counts:
    """Takes out what came from these documents alone, or all of the collection; says how much that was.

    What another source says as well stays. The generation before, which still holds it, goes as soon as nobody reads it.

    Raises:
        Unavailable: another process is loading.
    """
    return _change(config, lambda records: records.forget(tenant, collection, documents))


def narrow(
    tenant: str, collection: str, document: str, readers: tuple[str, ...] | None, *, config: GraphConfig
) -> Counts:
    """Changes who may read what came from a document (None = whoever reads the collection).

    Raises:
        Unavailable: another process is loading.
    """
    return _change(config, lambda records: Counts(records.narrow(tenant, collection, document, readers)))


def rebuild(*, config: GraphConfig, on_progress: Tell | None = None) -> RebuildReport:
    """Builds the whole graph again from its sources.

    Raises:
        NotFound: nothing was loaded yet.
        Unavailable: another process is loading.
        Failed: the engine cannot take the data.
    """
    store = generations(config)
    if store.current() is None:
        raise empty()
    tell = on_progress or _silent
    with store.build() as folder:
        with _records(store, folder) as records:
            tenants = records.tenants()
            counts = [records.counts(tenant) for tenant in tenants]
        _prove(config, folder, tenants, lambda done, message: tell(100 * done, 100, message))
        tell(100, 100, "done")
    number = store.current()
    assert number is not None
    return RebuildReport(
        generation=number,
        sources=sum(one.sources for one in counts),
        nodes=sum(one.nodes for one in counts),
        edges=sum(one.edges for one in counts),
    )


class _Nothing(Exception):
    """Nothing (good) to build: the generation is given up."""


class _Known:
    """Which ids the tenant's nodes have; asked once for each."""

    def __init__(self, records: Records, tenant: str) -> None:
        self._records = records
        self._tenant = tenant
        self._answers: dict[str, bool] = {}

    def __call__(self, id: str) -> bool:
        if id not in self._answers:
            self._answers[id] = self._records.has_node(self._tenant, id)
        return self._answers[id]


@contextmanager
def _records(store: Generations, folder: Path) -> Generator[Records]:
    """The records of the generation that is built in `folder`; they begin as those before."""
    before = store.folder()
    if before is not None and not (before / RECORDS).is_file():
        before = None
    records = Records.start(folder / RECORDS, after=before and before / RECORDS)
    try:
        yield records
    finally:
        records.close()


def _change(config: GraphConfig, act: Callable[[Records], Counts]) -> Counts:
    store = generations(config)
    if store.current() is None:
        return Counts()
    counts = Counts()
    try:
        with store.build() as folder:
            with _records(store, folder) as records:
                counts = act(records)
            if not counts.sources:
                raise _Nothing
    except _Nothing:
        pass
    return counts


def _prove(
    config: GraphConfig,
    folder: Path,
    tenants: list[str],
    tell: Callable[[float, str], None] = lambda done, message: None,
) -> None:
    """Builds the view of all that each tenant has: every other one holds a part of it."""
    records = Records.open(folder / RECORDS)
    scopes = [[scope[0] for scope in records.scopes(tenant)] for tenant in tenants]
    records.close()
    for number, seen in enumerate(scopes):
        before, share = number / len(scopes), 1 / len(scopes)
        _, held = make(config, folder, seen, tell=lambda done, message, b=before, s=share: tell(b + done * s, message))
        let_go(held)


def _silent(done: float, total: float, message: str) -> None:
    """Nobody watches."""


def _files(source: Path | Iterable[Path]) -> list[Path]:
    if not isinstance(source, Path):
        return list(source)
    if source.is_file():
        return [source]
    if not source.is_dir():
        raise NotFound(f"The folder {str(source)!r} is not there. Expected a folder with nodes.csv and edges.csv.")
    try:
        return sorted(path for path in source.iterdir() if path.suffix.lower() in (".csv", ".tsv") and path.is_file())
    except PermissionError as error:
        raise InvalidInput(
            f"The folder {str(source)!r} cannot be read: {error.strerror}. Expected one with read permission."
        ) from error
