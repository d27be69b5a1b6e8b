"""Makes the packaged prompts a repository of the user's own; later versions leave the user's changes alone."""

import fcntl
import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from prompts.history import read
from tools.base import SetupError

if TYPE_CHECKING:
    from pygit2 import Oid, Repository

__all__ = ["Seeded", "library", "seed"]

_SHIPPED = "refs/partitur/library"
"""The library as it was last shipped: what differs from it is the user's own."""


@dataclass(frozen=True)
class Seeded:
    """What `seed` did, as file names."""

    added: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    """Shipped in a new version and left alone, because the user changed or deleted the file."""


def library(home: Path, packaged: Path = Path(__file__).parent / "library") -> Path:
    """The folder to serve: the packaged library where it lies in a clone, else `home/prompts`, seeded from it.

    Raises:
        SetupError: the repository under `home` cannot be written.
    """
    if read(packaged).blobs:
        return packaged
    seed(packaged, home / "prompts", version=metadata.version("partitur"))
    return home / "prompts"


def seed(packaged: Path, target: Path, *, version: str) -> Seeded:
    """Makes `target` a Git repository with the packaged prompts, or adds to it what a newer version brings.

    Files that the user changed or deleted stay as they are. Several processes may do this at once.

    Raises:
        SetupError: `target` cannot be written, or is something else.
    """
    import pygit2

    shipped = {path.name: path.read_bytes() for path in sorted(packaged.glob("*.md"))}
    message = f"Prompt library of Partitur {version}"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _alone(target):
            if not target.exists():
                return _first(shipped, target, message)
            if not (target / ".git").exists():
                raise SetupError(
                    f"{str(target)!r} is there and is no Git repository. Expected nothing, or a repository of prompts.",
                    hint="Move the folder away, or run 'git init' in it.",
                )
            return _upgrade(pygit2.Repository(str(target)), shipped, target, message)
    except (OSError, pygit2.GitError, KeyError) as error:
        raise SetupError(
            f"The prompt library {str(target)!r} cannot be written: {error}. Expected a folder with room and rights.",
            hint="Set PARTITUR_HOME to a folder you may write.",
        ) from error


@contextmanager
def _alone(target: Path) -> Generator[None]:
    """One process at a time."""
    with target.with_name(f".{target.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _first(shipped: dict[str, bytes], target: Path, message: str) -> Seeded:
    """Builds the repository aside and moves it in whole, so that a crash leaves none or all of it."""
    import pygit2

    aside = target.with_name(f".{target.name}.{os.getpid()}")
    shutil.rmtree(aside, ignore_errors=True)
    repository = pygit2.init_repository(str(aside), initial_head="main")
    for name, data in shipped.items():
        (aside / name).write_bytes(data)
        repository.index.add(name)
    repository.index.write()
    _commit(repository, repository.index.write_tree(), message, [])
    _remember(repository, shipped, message)
    repository.free()
    aside.rename(target)
    return Seeded(added=tuple(shipped))


def _upgrade(repository: "Repository", shipped: dict[str, bytes], target: Path, message: str) -> Seeded:
    import pygit2

    before = repository.references.get(_SHIPPED)
    was = {} if before is None else {entry.name: str(entry.id) for entry in before.peel(pygit2.Commit).tree}
    new = {name: data for name, data in shipped.items() if str(pygit2.hash(data)) != was.get(name)}
    if not new:
        return Seeded()
    added = [name for name in new if name not in was and not (target / name).exists()]
    updated = [name for name in new if name in was and _untouched(target / name, was[name])]
    parents = [] if repository.head_is_unborn else [repository.head.peel(pygit2.Commit)]
    # Made from HEAD, not from the user's index: what they have staged stays theirs.
    tree = pygit2.Index()
    if parents:
        tree.read_tree(parents[0].tree)
    for name in (*added, *updated):
        (target / name).write_bytes(new[name])
        entry = pygit2.IndexEntry(name, repository.create_blob(new[name]), pygit2.enums.FileMode.BLOB)
        tree.add(entry)
        repository.index.add(entry)
    if added or updated:
        _commit(repository, tree.write_tree(repository), message, [parent.id for parent in parents])
        repository.index.write()
    _remember(repository, shipped, message)
    kept = [name for name in new if name not in added and name not in updated]
    return Seeded(tuple(added), tuple(updated), tuple(kept))


def _untouched(path: Path, blob: str) -> bool:
    import pygit2

    return path.is_file() and str(pygit2.hash(path.read_bytes())) == blob


def _commit(repository: "Repository", tree: "Oid", message: str, parents: "list[Oid]", ref: str = "HEAD") -> "Oid":
    import pygit2

    who = pygit2.Signature("Partitur", "partitur@localhost")
    return repository.create_commit(ref, who, who, message, tree, [*parents])


def _remember(repository: "Repository", shipped: dict[str, bytes], message: str) -> None:
    import pygit2

    tree = pygit2.Index()
    for name, data in shipped.items():
        tree.add(pygit2.IndexEntry(name, repository.create_blob(data), pygit2.enums.FileMode.BLOB))
    before = repository.references.get(_SHIPPED)
    parents = [] if before is None else [before.peel(pygit2.Commit).id]
    _commit(repository, tree.write_tree(repository), message, parents, _SHIPPED)
