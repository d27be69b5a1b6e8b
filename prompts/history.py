"""Reads from Git which commit last changed each file of a folder, without the git binary and without writing."""

import heapq
import itertools
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pygit2 import Commit, Oid, Repository, Tree

__all__ = ["History", "read"]


@dataclass(frozen=True)
class History:
    """A folder as its repository's HEAD has it."""

    folder: str = ""
    """The folder within the repository, with '/' at its end; empty at the top."""
    head: str | None = None
    blobs: dict[str, str] = field(default_factory=dict[str, str])
    """File name → id of its content, 40 hex digits."""
    commits: dict[str, str] = field(default_factory=dict[str, str])
    """File name → the last commit that changed it, 40 hex digits."""
    watch: tuple[Path, ...] = ()
    """Files of Git that change when HEAD moves."""
    problem: str | None = None
    """Why commits are not known, or not exactly."""


def read(root: Path, before: History | None = None) -> History:
    """Reads the history of the files directly in `root`.

    Args:
        root: a folder, in a repository or not.
        before: an earlier answer for the same folder; only what came after it is walked.
    """
    import pygit2

    root = root.resolve()
    try:
        found = pygit2.discover_repository(str(root))
        repository = None if found is None else pygit2.Repository(found)
    except (pygit2.GitError, KeyError, ValueError, OSError) as error:
        return History(problem=f"The Git repository of {root.name!r} cannot be opened: {error}.")
    if repository is None:
        return History(problem=f"The folder {root.name!r} is in no Git repository, so its prompts have no commit.")
    if not repository.workdir or not root.is_relative_to(top := Path(repository.workdir).resolve()):
        return History(problem=f"The Git repository of {root.name!r} has no working tree around it.")
    folder = "".join(f"{part}/" for part in root.relative_to(top).parts)
    watch = ()
    try:
        watch = _watch(repository)
        if repository.head_is_unborn:
            return History(folder=folder, watch=watch)
        head = repository.head.peel(pygit2.Commit)
        tree = _subtree(head.tree, folder)
        blobs = {entry.name or "": str(entry.id) for entry in tree or () if isinstance(entry, pygit2.Blob)}
        if before is not None and before.head == str(head.id) and before.folder == folder and not before.problem:
            return History(folder, str(head.id), blobs, before.commits, watch)
        commits = _Walk(repository, folder, before).last_changes(head, set(blobs))
    except (pygit2.GitError, KeyError, ValueError, OSError, UnicodeError) as error:
        return History(folder=folder, watch=watch, problem=f"The Git repository of {root.name!r} is damaged: {error}.")
    problem = None
    if repository.is_shallow:
        problem = (
            "The clone is shallow: a commit beyond its border is named by the border. 'git fetch --unshallow' mends it."
        )
    return History(folder, str(head.id), blobs, commits, watch, problem)


class _Walk:
    """Follows each file back to its last change; at a merge along a parent with the same content, as `git log` does."""

    def __init__(self, repository: "Repository", folder: str, before: History | None) -> None:
        self._repository = repository
        self._folder = folder
        self._before = before if before is not None and before.folder == folder else None
        self._open: dict[Oid, set[str]] = {}
        self._queue: list[tuple[int, int, Oid]] = []
        self._trees: dict[Oid, Tree | None] = {}
        self._order = itertools.count()

    def last_changes(self, head: "Commit", names: set[str]) -> dict[str, str]:
        result: dict[str, str] = {}
        self._follow(head, names)
        while self._queue:
            _, _, oid = heapq.heappop(self._queue)
            names = self._open.pop(oid)
            commit = self._commit(oid)
            if commit is None:  # queued, so it was there a moment ago
                raise KeyError(f"commit {oid} is missing")
            if self._before is not None and str(oid) == self._before.head:
                known = self._before.commits
                result.update((name, known[name]) for name in names if name in known)
                names = {name for name in names if name not in known}
            for name in self._pass_on(commit, names):
                result[name] = str(oid)
        return result

    def _pass_on(self, commit: "Commit", names: set[str]) -> set[str]:
        """Hands files that the commit left alone to its parents; returns those it changed."""
        here = self._tree(commit)
        del self._trees[commit.id]
        for parent in filter(None, map(self._commit, commit.parent_ids)):
            if not names:
                break
            there = self._tree(parent)
            changed = names & self._difference(here, there)
            self._follow(parent, names - changed)
            names = changed
        return names

    def _follow(self, commit: "Commit", names: set[str]) -> None:
        if not names:
            return
        if commit.id in self._open:
            self._open[commit.id] |= names
            return
        self._open[commit.id] = names
        # Newest first, so that branches are joined before their common past is walked.
        heapq.heappush(self._queue, (-commit.commit_time, next(self._order), commit.id))

    def _difference(self, here: "Tree | None", there: "Tree | None") -> set[str]:
        if here is None or (there is not None and here.id == there.id):
            return set()
        mine = {entry.name or "": entry.id for entry in here}
        if there is None:
            return set(mine)
        theirs = {entry.name or "": entry.id for entry in there}
        return {name for name, oid in mine.items() if theirs.get(name) != oid}

    def _tree(self, commit: "Commit") -> "Tree | None":
        """The folder in a commit."""
        if commit.id not in self._trees:
            self._trees[commit.id] = _subtree(commit.tree, self._folder)
        return self._trees[commit.id]

    def _commit(self, oid: "Oid") -> "Commit | None":
        """A commit, or None beyond the border of a shallow clone."""
        import pygit2

        found = self._repository.get(oid)
        if found is None and not self._repository.is_shallow:
            raise KeyError(f"commit {oid} is missing")
        return None if found is None else found.peel(pygit2.Commit)


def _subtree(tree: "Tree", folder: str) -> "Tree | None":
    import pygit2

    for part in folder.split("/")[:-1]:
        if part not in tree or not isinstance(inner := tree[part], pygit2.Tree):
            return None
        tree = inner
    return tree


def _watch(repository: "Repository") -> tuple[Path, ...]:
    """HEAD, the branch it points to, and where packed branches stand."""
    own = Path(repository.path)
    pointer = own / "commondir"  # only in a worktree: refs are kept with the main one
    common = own / pointer.read_text(encoding="utf-8").strip() if pointer.is_file() else own
    target = repository.references["HEAD"].target
    branch = (common / target,) if isinstance(target, str) and target.startswith("refs/") else ()
    return (own / "HEAD", *branch, common / "packed-refs")
