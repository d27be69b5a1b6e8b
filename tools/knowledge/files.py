"""Finds the files below the folders to ingest, and reads their bytes without following what leads elsewhere."""

import hashlib
import os
import stat
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.base import Forbidden, InvalidInput, NotFound
from tools.knowledge import Problem
from tools.knowledge.formats import Unreadable, kind_of, suffix_of

__all__ = ["Found", "Inline", "check_ending", "content", "gone", "version", "walk"]

_READING = b"2\0"
"""Raise it when reading, cutting or analysis changes: then all files are read anew."""


@dataclass(frozen=True, slots=True)
class Inline:
    """A document that is sent rather than found."""

    name: str
    data: bytes
    source: str = ""
    """What it is recognised by when it comes again: its address, else its name."""

    def __post_init__(self) -> None:
        if not self.source:
            object.__setattr__(self, "source", f"sent:{self.name}")


@dataclass(frozen=True, slots=True)
class Found:
    """A file: where it lies, and its path below the folder that is ingested."""

    source: str
    name: str


def walk(
    paths: Sequence[Path], allowed: Sequence[Path] | None, further: Collection[str] = ()
) -> Iterator[Found | Problem]:
    """The files in and below `paths` in a stable order; hidden ones are left out, links and unknown types are named.

    Args:
        paths: files and folders.
        allowed: the folders they must lie in; null = any.
        further: endings, without dot, that are known beside ours.

    Raises:
        NotFound: a path is not there.
        Forbidden: a path lies outside of the allowed folders, or may not be read.
    """
    for given in paths:
        path = given.absolute()
        if (shown := _shown(str(given))) != str(given):
            raise InvalidInput(
                f"The name {shown!r} is not written in UTF-8. Expected one that can be kept with its documents.",
                hint="Rename it.",
            )
        if allowed is not None and not any(path.resolve().is_relative_to(root.resolve()) for root in allowed):
            folders = ", ".join(repr(str(root)) for root in allowed) or "none"
            raise Forbidden(
                f"{str(given)!r} lies outside of the folders that may be read: {folders}.",
                hint="Add the folder to the allowed ones in the settings.",
            )
        try:
            folder = stat.S_ISDIR(path.stat().st_mode)
        except FileNotFoundError as error:
            raise NotFound(
                f"{str(given)!r} is not there. Expected a file or a folder.", hint="Check the path."
            ) from error
        except PermissionError as error:
            raise _no_rights(str(given)) from error
        except OSError as error:
            raise InvalidInput(
                f"{str(given)!r} cannot be read: {error.strerror}. Expected a file or a folder."
            ) from error
        if folder:
            try:
                os.scandir(path).close()
            except PermissionError as error:
                raise _no_rights(str(given)) from error
            yield from _below(path, "", further)
        elif path.is_symlink():
            yield Problem(name=path.name, reason="It is a symbolic link. Links are not followed.")
        else:
            yield Found(str(path), path.name)


def _no_rights(name: str) -> Forbidden:
    return Forbidden(
        f"{name!r} may not be read by this process. Expected read permission.",
        hint="Give the user that runs Partitur read permission to it, and to the folders above.",
    )


def _below(root: Path, prefix: str, further: Collection[str]) -> Iterator[Found | Problem]:
    pending = [prefix]
    while pending:
        inner = pending.pop()
        try:
            with os.scandir(root / inner) as listed:
                entries = sorted(listed, key=lambda entry: entry.name)
        except OSError as error:
            yield Problem(name=inner or str(root), reason=f"The folder cannot be read: {error.strerror}.")
            continue
        folders: list[str] = []
        for entry in entries:
            name = f"{inner}/{entry.name}" if inner else entry.name
            if entry.name.startswith((".", "~$")):
                continue
            if (shown := _shown(name)) != name:
                yield Problem(name=shown, reason="Its name is not written in UTF-8. Expected one that is; rename it.")
            elif entry.is_symlink():
                yield Problem(name=name, reason="It is a symbolic link. Links are not followed.")
            elif entry.is_dir(follow_symlinks=False):
                folders.append(name)
            elif not entry.is_file(follow_symlinks=False):
                yield Problem(name=name, reason="It is no ordinary file.")
            else:
                try:
                    check_ending(entry.name, further)
                    yield Found(entry.path, name)
                except Unreadable as error:
                    yield Problem(name=name, reason=str(error))
        pending.extend(reversed(folders))


def _shown(name: str) -> str:
    """The name as it can be written; the same where it is in UTF-8."""
    return os.fsencode(name).decode("utf-8", "replace")


def check_ending(name: str, further: Collection[str]) -> None:
    """Returns where files of this name are read: their ending is known, or among the `further` ones.

    Raises:
        Unreadable: they are not.
    """
    if suffix_of(name)[1:] not in further:
        kind_of(name)


def content(path: str, most: int) -> bytes:
    """The bytes of a file.

    Raises:
        Unreadable: it is no ordinary file, too large, or may not be read.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise Unreadable(f"The file cannot be opened: {error.strerror}.") from error
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise Unreadable("It is no ordinary file.")
        if status.st_size > most:
            raise Unreadable(f"The file has {status.st_size:,} bytes. Expected at most {most:,}.")
        data = file.read(most + 1)
    if len(data) > most:
        raise Unreadable(f"The file has more than {most:,} bytes.")
    return data


def version(data: bytes, way: str = "") -> str:
    """What a file's content is recognised by; it changes when files are read in another way, as `way` says it."""
    return hashlib.sha256(_READING + (f"{way}\0".encode() if way else b"") + data).hexdigest()


def gone(source: str) -> bool:
    """Whether nothing is at this path any more; a path that cannot be looked at is not gone."""
    try:
        os.lstat(source)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False
