"""Read-only generations of a store: built aside, swapped atomically, removed when the last reader has left.

A store folder holds numbered generation folders, the file `current` that names the one to read, and the locks
`writer.lock` and `sweep.lock`.
A writer builds `000004.building`, renames it to `000004` and then replaces `current`; killed before that, it leaves
nothing a reader would see. A reader holds a shared lock on `000004.lock` for as long as it reads; the last one who lets
go of an old generation removes it.
"""

import contextlib
import fcntl
import os
import re
import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Generic, TypeVar

from tools.base.errors import NotFound, SetupError, Unavailable

__all__ = ["Following", "Generation", "Generations"]

T = TypeVar("T")
_NAME = re.compile(r"\d{6,}")


class Generation:
    """A finished generation, held open: its folder stays until `close`."""

    def __init__(self, path: Path, held: int) -> None:
        self.path = path
        self._held: int | None = held

    @property
    def number(self) -> int:
        return int(self.path.name)

    def close(self) -> None:
        """Lets go of the folder; a later writer may remove it."""
        held, self._held = self._held, None
        if held is not None:
            os.close(held)


class Generations:
    """A store folder. `what` names the store in messages, `fill` says how it gets its first generation."""

    def __init__(self, root: Path, *, what: str, fill: str) -> None:
        self.root = root
        self._what = what
        self._fill = fill

    def current(self) -> int | None:
        """Number of the generation to read; None where nothing was ever built."""
        try:
            name = (self.root / "current").read_text(encoding="ascii").strip()
        except FileNotFoundError:
            return None
        return int(name)

    def folder(self) -> Path | None:
        """Where the current generation lies: for the writer, who alone may remove it."""
        number = self.current()
        return None if number is None else self._folder(number)

    def open(self) -> Generation:
        """Holds the current generation for reading.

        Raises:
            NotFound: nothing was built yet.
        """
        while (number := self.current()) is not None:
            path = self._folder(number)
            held = _hold(path.with_suffix(".lock"))
            if held is not None and path.is_dir():
                return Generation(path, held)
            if held is not None:
                os.close(held)
            if self.current() == number:
                raise NotFound(
                    f"The {self._what} at {str(self.root)!r} names generation {number}, and its folder is not there.",
                    hint=f"{self._fill} to build it again.",
                )
        raise NotFound(
            f"The {self._what} at {str(self.root)!r} is empty. Expected something to be loaded.",
            hint=f"{self._fill}.",
        )

    @contextmanager
    def build(self) -> Generator[Path]:
        """Gives an empty folder to build the next generation in; leaving the block without an error makes it current.

        Raises:
            Unavailable: another process, or another thread, is building.
            SetupError: the store's folder cannot be written.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            lock = self._lock()
        except OSError as error:
            raise SetupError(
                f"The {self._what} at {str(self.root)!r} cannot be written: {error.strerror}. "
                "Expected a folder this user may write to.",
                hint="Change its rights, or name another folder in the settings.",
            ) from error
        try:
            self._sweep()
            number = (self.current() or 0) + 1
            path = self._folder(number)
            building = path.with_suffix(".building")
            building.mkdir()
            try:
                yield building
            except BaseException:
                shutil.rmtree(building, ignore_errors=True)
                raise
            _flush(building)
            path.with_suffix(".lock").touch()
            building.rename(path)
            self._point_at(path.name)
            self._sweep()
        finally:
            # Unlocked by name: a child that another thread is starting holds a copy of the descriptor until it has begun.
            fcntl.flock(lock, fcntl.LOCK_UN)
            os.close(lock)

    def sweep(self) -> None:
        """Removes older generations that nobody holds any more; for a reader who has let go of one."""
        with contextlib.suppress(OSError), self._sweeping():
            current = self.current() or 0
            for path in list(self.root.iterdir()):
                # A newer one may be a writer's, who is about to point at it.
                if path.is_dir() and _NAME.fullmatch(path.name) and int(path.name) < current:
                    _remove(path)

    def _folder(self, number: int) -> Path:
        return self.root / f"{number:06d}"

    def _lock(self) -> int:
        lock = os.open(self.root / "writer.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(lock, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(lock)
            raise Unavailable(
                f"The {self._what} at {str(self.root)!r} is being written by process {holder}. "
                "Expected one writer at a time.",
                hint=f"Wait until process {holder} has finished, or stop it; readers are not disturbed.",
            ) from None
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode("ascii"), 0)
        return lock

    def _point_at(self, name: str) -> None:
        aside = self.root / "current.new"
        with aside.open("w", encoding="ascii") as file:
            file.write(name)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(self.root / "current")
        _sync(self.root)

    def _sweep(self) -> None:
        """Removes what a killed writer left and old generations that nobody holds; only the writer calls it."""
        with self._sweeping():
            current = self.current()
            for path in list(self.root.iterdir()):
                if path.suffix == ".building":
                    shutil.rmtree(path)
                elif path.is_dir() and _NAME.fullmatch(path.name) and int(path.name) != current:
                    _remove(path)
                elif path.suffix == ".lock" and path.stem.isdigit() and not path.with_suffix("").exists():
                    path.unlink(missing_ok=True)

    @contextmanager
    def _sweeping(self) -> Generator[None]:
        """One sweeps at a time; it does not take long."""
        lock = os.open(self.root / "sweep.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            fcntl.flock(lock, fcntl.LOCK_UN)
            os.close(lock)


class Following(Generic[T]):
    """What readers share: something opened on the current generation, opened anew when the pointer has moved.

    Who still uses the old one keeps it; it is closed when the last of them has left.
    """

    def __init__(self, generations: Generations, *, opens: Callable[[Path], T], closes: Callable[[T], None]) -> None:
        self._generations = generations
        self._opens = opens
        self._closes = closes
        self._lock = Lock()
        self._newest: _Shared[T] | None = None

    @contextmanager
    def use(self) -> Generator[T]:
        """The opened thing of the current generation, safe from any thread.

        Raises:
            NotFound: nothing was built yet.
        """
        shared = self._take()
        try:
            yield shared.thing
        finally:
            self._leave(shared)

    def close(self) -> None:
        """Closes what nobody uses now; the rest follows when its users leave."""
        with self._lock:
            self._retire()

    def refresh(self) -> None:
        """Lets go of a generation that is not the current one any more: idle readers would keep its folder."""
        with self._lock:
            outdated = self._newest is not None and self._newest.generation.number != self._generations.current()
            if outdated:
                self._retire()
        if outdated:
            self._generations.sweep()

    def _take(self) -> "_Shared[T]":
        self.refresh()
        with self._lock:
            current = self._generations.current()
            if self._newest is None or self._newest.generation.number != current:
                generation = self._generations.open()
                try:
                    thing = self._opens(generation.path)
                except BaseException:
                    generation.close()
                    raise
                self._retire()
                self._newest = _Shared(generation, thing)
            self._newest.users += 1
            return self._newest

    def _leave(self, shared: "_Shared[T]") -> None:
        with self._lock:
            shared.users -= 1
            outdated = self._close_unused(shared)
        if outdated:
            self._generations.sweep()

    def _retire(self) -> None:
        old, self._newest = self._newest, None
        if old is not None:
            self._close_unused(old)

    def _close_unused(self, shared: "_Shared[T]") -> bool:
        if shared.users == 0 and shared is not self._newest:
            self._closes(shared.thing)
            shared.generation.close()
            return True
        return False


class _Shared(Generic[T]):
    def __init__(self, generation: Generation, thing: T) -> None:
        self.generation = generation
        self.thing = thing
        self.users = 0


def _hold(lock: Path) -> int | None:
    """A shared lock on the file; None where a writer is removing, or has removed, what it guards."""
    try:
        held = os.open(lock, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(held, fcntl.LOCK_SH | fcntl.LOCK_NB)
        # The file may have been unlinked between open and flock; a lock on it would then guard nothing.
        if os.fstat(held).st_ino == lock.stat().st_ino:
            return held
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(held)
    return None


def _remove(path: Path) -> None:
    """Removes a generation's folder unless a reader holds it."""
    lock = path.with_suffix(".lock")
    held = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    else:
        # Renamed first: a reader never meets half a folder, and a kill in between leaves a '.building' to sweep.
        aside = path.with_suffix(".building")
        path.rename(aside)
        lock.unlink()
        shutil.rmtree(aside)
    finally:
        os.close(held)


def _flush(folder: Path) -> None:
    """Brings every file below `folder` to the disk, so that the pointer never names what a power cut has eaten."""
    for path in [*folder.rglob("*"), folder]:
        _sync(path)


def _sync(path: Path) -> None:
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)
