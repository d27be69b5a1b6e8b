"""What one caller may see of a generation, as an engine file of its own; callers who may see the same share it.

A view is built at its first use from the readable records alone, aside, and renamed when it is done. Its folder lies in
the generation's and goes with it. `<view>.lock` is held shared by whoever reads the view, exclusively by whoever builds
or removes it. The name says which engine wrote it: after a change of the engine, views are simply built anew.
"""

import fcntl
import hashlib
import json
import os
from collections import OrderedDict
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from shutil import rmtree
from threading import Lock

from pydantic import TypeAdapter, ValidationError

from tools.base.access import Reach
from tools.base.errors import Failed, NotFound, SetupError
from tools.graph import GraphConfig, GraphSchema
from tools.graph.building import JOINED, build, engines
from tools.graph.records import Records
from tools.worker import Workers

__all__ = ["RECORDS", "View", "Views", "empty", "make"]

RECORDS = "records.db"
"""Name of the records' file in a generation's folder."""
_ASIDE = ".building"
_FORMAT = 2
"""Counted up when the same records make another view than before."""
_PAIRS = TypeAdapter(dict[str, str])


def empty() -> NotFound:
    """What is said where nothing was loaded, and where there is nothing that the caller may read: it is the same."""
    return NotFound(
        "The graph is empty. Expected something to be loaded.",
        hint="Load nodes.csv and edges.csv with 'partitur load graph FOLDER'.",
    )


class View:
    """A view, opened: what there is to ask, the engines that answer, and the scopes it was built of."""

    def __init__(
        self,
        schema: GraphSchema,
        joined: Mapping[str, str],
        workers: Workers,
        records: Path,
        scopes: tuple[int, ...],
        held: int,
    ) -> None:
        self.schema = schema
        self.joined = joined
        """For each id of a list that documents mean as well: the id that they use."""
        self.workers = workers
        self.records = records
        self.scopes = scopes
        self.users = 0
        self._held = held

    def close(self) -> None:
        """Ends the engines and lets go of the folder."""
        self.workers.close()
        os.close(self._held)


class Views:
    """The views of the generation in `folder`; safe from any thread. At most `config.views` stay open unused."""

    def __init__(self, config: GraphConfig, folder: Path) -> None:
        self._config = config
        self._folder = folder
        self._scopes: dict[str, list[tuple[int, str, tuple[str, ...] | None]]] = {}
        self._open: OrderedDict[tuple[int, ...], View] = OrderedDict()
        self._lock = Lock()
        self._closed = False
        if not (folder / RECORDS).is_file():
            raise Failed(f"The graph in {str(folder)!r} has no records. Load the lists again.")

    @contextmanager
    def use(self, reach: Reach) -> Generator[View]:
        """What `reach` may see, built first where nobody saw the same before.

        Raises:
            NotFound: it may see nothing.
        """
        scopes = self._seen(reach)
        if not scopes:
            raise empty()
        view = self._take(scopes)
        try:
            yield view
        finally:
            self._leave(view)

    def close(self) -> None:
        """Closes what nobody uses now; the rest follows when its users leave."""
        with self._lock:
            self._closed = True
            self._close_unused()

    def _seen(self, reach: Reach) -> tuple[int, ...]:
        """The scopes of the tenant that this reach admits: equal for all who see the same."""
        with self._lock:
            if reach.tenant not in self._scopes:
                records = Records.open(self._folder / RECORDS)
                self._scopes[reach.tenant] = records.scopes(reach.tenant)
                records.close()
            scopes = self._scopes[reach.tenant]
        return tuple(id for id, collection, readers in scopes if reach.admits(collection, readers))

    def _take(self, scopes: tuple[int, ...]) -> View:
        with self._lock:
            if scopes in self._open:
                return self._used(scopes, self._open[scopes])
        folder, held = make(self._config, self._folder, scopes)
        try:
            schema = GraphSchema.model_validate_json((folder / "schema.json").read_bytes())
            same = _PAIRS.validate_json((folder / JOINED).read_bytes())
        except (OSError, ValidationError) as error:
            os.close(held)
            raise Failed(
                f"The graph in {str(folder)!r} cannot be read. Expected it as it was built.",
                hint="Run 'partitur graph rebuild'.",
            ) from error
        workers = engines(self._config, folder, write=False)
        joined = {listed: id for id, listed in same.items()}
        fresh = View(schema, joined, workers, self._folder / RECORDS, scopes, held)
        with self._lock:
            if scopes in self._open:
                # Another thread was faster.
                fresh.close()
            view = self._used(scopes, self._open.setdefault(scopes, fresh))
            self._close_unused()
        return view

    def _used(self, scopes: tuple[int, ...], view: View) -> View:
        view.users += 1
        self._open.move_to_end(scopes)
        return view

    def _leave(self, view: View) -> None:
        with self._lock:
            view.users -= 1
            self._close_unused()

    def _close_unused(self) -> None:
        most = 0 if self._closed else self._config.views
        for scopes, view in list(self._open.items()):
            if len(self._open) > most and not view.users:
                del self._open[scopes]
                view.close()


def make(
    config: GraphConfig,
    generation: Path,
    scopes: Sequence[int],
    *,
    tell: Callable[[float, str], None] = lambda done, message: None,
) -> tuple[Path, int]:
    """The folder of the view of these scopes, built where it is not there yet, and the lock that keeps it there.

    Raises:
        SetupError: the generation's folder cannot be written.
        TooLarge, Failed: see `build`.
    """
    views = generation / "views"
    digest = hashlib.sha256(json.dumps([_FORMAT, sorted(scopes)]).encode()).hexdigest()[:20]
    folder = views / f"{config.engine}-{_version(config.engine)}-{digest}"
    try:
        views.mkdir(exist_ok=True)
        held = os.open(f"{folder}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise SetupError(
            f"The graph at {str(views)!r} cannot be written: {error.strerror}. Expected a folder for what callers may see.",
            hint="Let the server's user write to the store's folder.",
        ) from error
    try:
        fcntl.flock(held, fcntl.LOCK_SH)
        while not folder.is_dir():
            # Between the two locks another process may build, or remove, the same view.
            fcntl.flock(held, fcntl.LOCK_EX)
            if not folder.is_dir():
                _build(config, generation, scopes, folder, tell)
            fcntl.flock(held, fcntl.LOCK_SH)
        os.utime(folder)
        _remove_oldest(views, config.views)
    except BaseException:
        os.close(held)
        raise
    return folder, held


def _build(
    config: GraphConfig, generation: Path, scopes: Sequence[int], folder: Path, tell: Callable[[float, str], None]
) -> None:
    aside = Path(f"{folder}{_ASIDE}")
    rmtree(aside, ignore_errors=True)
    aside.mkdir()
    records = Records.open(generation / RECORDS)
    try:
        build(records, scopes, aside, config=config, tell=tell)
    except BaseException:
        rmtree(aside, ignore_errors=True)
        raise
    finally:
        records.close()
    aside.rename(folder)


def _remove_oldest(views: Path, most: int) -> None:
    """Removes the views beyond `most` that were not opened for longest, unless somebody reads them."""
    found = [Path(entry.path) for entry in os.scandir(views) if entry.is_dir() and not entry.name.endswith(_ASIDE)]
    for path in sorted(found, key=_opened)[: max(0, len(found) - most)]:
        held = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.is_dir():
                # Renamed first: nobody meets half a view.
                aside = path.rename(f"{path}{_ASIDE}")
                rmtree(aside)
        except BlockingIOError:
            continue
        finally:
            os.close(held)


def _opened(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _version(engine: str) -> str:
    """Which release writes the file: another one may not read it."""
    try:
        return version(engine)
    except PackageNotFoundError:
        return "missing"
