"""Serves prompts from a folder in a Git repository: the file as it lies, with the commit that last changed it."""

import difflib
import os
import re
import threading
import time
from dataclasses import dataclass
from hashlib import sha1
from pathlib import Path

from prompts.history import History, read
from prompts.prompt import Language, Prompt
from tools.base import InvalidInput, NotFound, SetupError

__all__ = ["PromptStore"]

Stamp = tuple[int, int, int] | None

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_FILE = re.compile(r"([a-z][a-z0-9_]{0,63})(\.en)?\.md")
_SETTLED_NS = 100_000_000
"""A file written this shortly before it was read may change again without a new time stamp."""
_RETRY_S = 2.0
"""How long a repository that cannot be read is left alone."""


@dataclass(frozen=True, slots=True)
class _Entry:
    prompt: Prompt
    watched: tuple[tuple[str, Stamp], ...]
    until: float
    """Monotonic time after which it is read again in any case."""

    def fresh(self) -> bool:
        return time.monotonic() < self.until and all(_stamp(path) == stamp for path, stamp in self.watched)


class PromptStore:
    """The prompts in `root`: `<name>.md` in German (or the only language), `<name>.en.md` in English.

    A change of a file or of HEAD shows at the next `get`, in every process; nothing is kept but what can be read again.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lock = threading.Lock()
        self._entries: dict[tuple[str, Language], _Entry] = {}
        self._history: History | None = None
        self._seen: tuple[tuple[str, Stamp], ...] = ()
        self._until = 0.0

    @property
    def root(self) -> Path:
        return self._root

    @property
    def problem(self) -> str | None:
        """Why commits are not known, or not exactly; None where all is well."""
        with self._lock:
            return self._current().problem

    def names(self) -> tuple[str, ...]:
        """All names, sorted."""
        return tuple(sorted({name for name, _ in self._files()}))

    def list(self) -> tuple[Prompt, ...]:
        """Every prompt in every language it has, sorted by name.

        Raises:
            SetupError: some file is no prompt; names each with its line.
        """
        prompts: list[Prompt] = []
        faults: list[str] = []
        for name, language in sorted(self._files()):
            try:
                prompts.append(self.get(name, language))
            except SetupError as error:
                faults.append(error.message)
        if faults:
            raise SetupError("\n".join(faults), hint="Correct the files; they are served as saved.")
        return tuple(prompts)

    def get(self, name: str, language: Language = "de") -> Prompt:
        """The prompt in `language`, or in the other one where it has only that.

        Raises:
            InvalidInput: `name` is not a prompt's name.
            NotFound: there is no such prompt.
            SetupError: the file is no prompt; names file and line.
        """
        entry = self._entries.get((name, language))
        if entry is not None and entry.fresh():
            return entry.prompt
        with self._lock:
            entry = self._load(name, language)
            self._entries[name, language] = entry
        return entry.prompt

    def _load(self, name: str, language: Language) -> _Entry:
        from prompts.markdown import SIZE_LIMIT, parse

        if not _NAME.fullmatch(name):
            raise InvalidInput(
                f"Prompt name {name!r} is not a name. Expected lower-case letters, digits and '_', a letter first.",
                hint="See 'partitur list' for the names there are.",
            )
        folder = (str(self._root), _stamp(str(self._root)))
        history = self._current()
        path, spoken = self._choose(name, language)
        began = time.time_ns()
        stamp = _stamp(str(path))
        try:
            with path.open("rb") as file:
                data = file.read(SIZE_LIMIT + 1)
        except OSError as error:
            raise SetupError(
                f"{history.folder}{path.name}:1: the file cannot be read: {error.strerror}. Expected a readable file.",
                hint="Give the user that runs Partitur the right to read it.",
            ) from error
        prompt = parse(data, name=name, path=f"{history.folder}{path.name}", language=spoken)
        commit = history.commits.get(path.name) if _same(data, history.blobs.get(path.name)) else None
        prompt = prompt.model_copy(update={"commit": commit, "dirty": commit is None, "problem": history.problem})
        until = self._until if _settled(began, stamp, folder[1]) else 0.0
        return _Entry(prompt, (folder, (str(path), stamp), *self._seen), until)

    def _choose(self, name: str, language: Language) -> tuple[Path, Language]:
        files = self._files()
        other: Language = "de" if language == "en" else "en"
        for spoken in (language, other):
            if (path := files.get((name, spoken))) is not None:
                return path, spoken
        names = sorted({known for known, _ in files})
        near = difflib.get_close_matches(name[:80], names, n=1)
        raise NotFound(
            f"Prompt {name!r} is not in the library. It has {', '.join(map(repr, names)) or 'no prompts'}.",
            hint=f"Did you mean {near[0]!r}?" if near else f"Add the file {name}.md to the library.",
        )

    def _files(self) -> dict[tuple[str, Language], Path]:
        """The prompt files. Links are left out: a library serves only what lies in it."""
        found: dict[tuple[str, Language], Path] = {}
        try:
            with os.scandir(self._root) as entries:
                for entry in entries:
                    if (match := _FILE.fullmatch(entry.name)) and entry.is_file(follow_symlinks=False):
                        found[match[1], "en" if match[2] else "de"] = self._root / entry.name
        except OSError as error:
            raise SetupError(
                f"The prompt library {str(self._root)!r} cannot be read: {error.strerror}. Expected a folder.",
                hint="Set the folder of the library, or leave it out for the one that comes with Partitur.",
            ) from error
        return found

    def _current(self) -> History:
        """What Git says, read again where HEAD moved or where it failed a while ago. Called under the lock."""
        now = time.monotonic()
        history = self._history
        if history is not None and now < self._until and all(_stamp(path) == was for path, was in self._seen):
            return history
        history = History() if history is None else history
        watched, seen = history.watch, ()
        for _ in range(2):  # which files of Git to watch is known only after a look
            watched = history.watch
            seen = tuple((str(path), _stamp(str(path))) for path in watched)
            history = read(self._root, history)
            if history.watch == watched:
                break
        if not history.watch or (history.problem is not None and not history.commits):
            self._until = now + _RETRY_S
        elif history.watch != watched or not _settled(time.time_ns(), *(stamp for _, stamp in seen)):
            self._until = 0.0
        else:
            self._until = float("inf")
        self._history, self._seen = history, seen
        return history


def _stamp(path: str) -> Stamp:
    try:
        status = os.stat(path)  # noqa: PTH116 half the time of Path.stat, and each get asks a handful
    except OSError:
        return None
    return status.st_ctime_ns, status.st_size, status.st_ino


def _settled(now: int, *stamps: Stamp) -> bool:
    return all(now - stamp[0] > _SETTLED_NS for stamp in stamps if stamp is not None)


def _same(data: bytes, blob: str | None) -> bool:
    """Whether a file is what was committed; line ends that Git translated on the way out do not count."""
    return blob is not None and blob in (_blob_id(data), _blob_id(data.replace(b"\r\n", b"\n")))


def _blob_id(data: bytes) -> str:
    return sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
