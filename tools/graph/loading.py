"""Loads lists of nodes and edges (CSV) as a new generation of the graph, with a report per file."""

from collections.abc import Callable, Iterable
from pathlib import Path
from shutil import rmtree

from tools.base.errors import InvalidInput, NotFound
from tools.graph import FileReport, GraphConfig, LoadReport
from tools.graph.building import Building
from tools.graph.store import generations

__all__ = ["OnProgress", "load"]

OnProgress = Callable[[float, float, str], None]
"""Called with what is done, the total (both in bytes) and a short message."""


def load(source: Path | Iterable[Path], *, config: GraphConfig, on_progress: OnProgress | None = None) -> LoadReport:
    """Builds the graph of exactly these files; it replaces the one before.

    `source` is a folder, of which files with the headings of nodes (id, label, name, description) or of edges (source,
    type, target, since) are read, or a list of such files. Labels and types become names without spaces or umlauts.
    Rows that do not fit (no id, an id twice, an edge to nowhere) are left out and reported. Where a whole file fails,
    or there is no node, nothing is built: a graph with a hole would replace a good one.

    Raises:
        NotFound: there is no such folder, or nothing in it to load.
        Unavailable: another process is loading.
        Failed: the engine could not take the data; the graph before stays.
    """
    files = _files(source)
    store = generations(config)
    try:
        with store.build() as folder:
            building = Building(config, folder, on_progress or (lambda done, total, message: None))
            building.read(files, named=not (isinstance(source, Path) and source.is_dir()))
            if not building.nodes or any(report.failure for report in building.reports):
                raise _Nothing(building.reports)
            building.write()
            rmtree(folder / "work")
    except _Nothing as nothing:
        if isinstance(source, Path) and source.is_dir() and not nothing.reports:
            raise NotFound(
                f"The folder {str(source)!r} holds no list of nodes. Expected a CSV file with the headings id, label, name."
            ) from None
        return LoadReport(generation=None, nodes=0, edges=0, files=nothing.reports)
    return LoadReport(generation=store.current(), nodes=building.nodes, edges=building.edges, files=building.reports)


class _Nothing(Exception):
    """Nothing good to build: the generation is given up, the reports are not."""

    def __init__(self, reports: list[FileReport]) -> None:
        super().__init__()
        self.reports = reports


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
