"""Opens packed files without trust: names and places are checked, and members are inflated piece by piece under limits."""

import io
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise

from tools.knowledge.formats import Limits, Unreadable

__all__ = ["Budget", "Member", "inflate", "members", "office_parts", "opened", "repacked"]

_MEMBERS = 20_000
_SIGNATURE = b"PK\x01\x02"  # of each entry in the list of members
_PIECE = 65_536
_RATIO = 200  # times that packed content may grow
_SMALL = 10_000_000  # bytes up to which the ratio does not matter
_INFLATED = 20  # bytes that a code point of text may cost
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_ENTITIES = tuple(
    mark.encode(code) for mark in ("<!DOCTYPE", "<!ENTITY") for code in ("utf-8", "utf-16-le", "utf-16-be")
)


@dataclass(slots=True)
class Budget:
    """Bytes that may still be unpacked."""

    left: int
    member: int
    """Of one member."""

    @classmethod
    def of(cls, limits: Limits) -> "Budget":
        """What one file may unpack to."""
        return cls(left=10 * _INFLATED * limits.text_chars, member=_INFLATED * limits.text_chars)


@dataclass(frozen=True, slots=True)
class Member:
    """A file in an archive."""

    name: str
    info: zipfile.ZipInfo
    problem: str
    """Why it must not be opened; empty where it may."""


def opened(data: bytes, expected: str) -> zipfile.ZipFile:
    """The archive in `data`, its list of members read.

    Raises:
        Unreadable: it is none, or has too many members.
    """
    if (count := data.count(_SIGNATURE)) > 5 * _MEMBERS:  # before they are read: each costs half a kilobyte
        raise Unreadable(f"It has about {count:,} members. Expected at most {_MEMBERS:,}.")
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError, struct.error) as error:
        raise Unreadable(f"The content is not what its name says: {error}. Expected {expected}.") from error
    if (count := len(archive.infolist())) > _MEMBERS:
        raise Unreadable(f"It has {count:,} members. Expected at most {_MEMBERS:,}.")
    return archive


def members(data: bytes, archive: zipfile.ZipFile) -> Iterator[Member]:
    """The files of an archive in its order, folders left out."""
    shared = _shared(data, archive.infolist())
    for info in archive.infolist():
        if not info.is_dir():
            name = _name(info)
            yield Member(name, info, _problem(name, info, overlaps=info.header_offset in shared))


def inflate(archive: zipfile.ZipFile, info: zipfile.ZipInfo, budget: Budget) -> bytes:
    """The bytes of a member, counted while they are inflated: what its header says is not believed.

    Raises:
        Unreadable: it is damaged, or grows more than the budget allows.
    """
    most = min(budget.member, max(_SMALL, _RATIO * info.compress_size))
    pieces: list[bytes] = []
    size = 0
    try:
        with archive.open(info) as stream:
            while piece := stream.read(_PIECE):
                size += len(piece)
                budget.left -= len(piece)
                if budget.left < 0:
                    raise Unreadable("What is packed in it unpacks to more than a file may.")
                if size > most:
                    raise Unreadable(
                        f"It unpacks from {info.compress_size:,} to more than {most:,} bytes, as a packed bomb does."
                    )
                pieces.append(piece)
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, struct.error) as error:
        raise Unreadable(f"It cannot be unpacked: {error}.") from error
    return b"".join(pieces)


def office_parts(data: bytes, limits: Limits, what: str, main: str, wanted: Callable[[str], bool]) -> dict[str, bytes]:
    """The parts of an office file; those not `wanted`, such as pictures, are left empty.

    Raises:
        Unreadable: it is no such file, is unsafe, or grows too large when it is unpacked.
    """
    expected = f"a file of {what} as office programs write it"
    archive = opened(data, expected)
    shared = _shared(data, archive.infolist())
    budget = Budget(left=_INFLATED * limits.text_chars, member=_INFLATED * limits.text_chars)
    parts: dict[str, bytes] = {}
    for info in archive.infolist():
        if info.is_dir():
            continue
        content = b""
        if wanted(info.filename):
            if problem := _problem(info.filename, info, overlaps=info.header_offset in shared):
                raise Unreadable(f"Its part {info.filename!r} is unsafe. {problem}")
            content = inflate(archive, info, budget)
            if any(mark in content for mark in _ENTITIES):
                raise Unreadable(f"Its part {info.filename!r} declares entities, which no office file does.")
        parts[info.filename] = content
    if main not in parts:
        raise Unreadable(f"The content is not what its name says: {main!r} is missing. Expected {expected}.")
    return parts


def repacked(parts: dict[str, bytes]) -> io.BytesIO:
    """The parts as a zip file that holds nothing else and inflates to nothing more."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, content in parts.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    out.seek(0)
    return out


def _name(info: zipfile.ZipInfo) -> str:
    """The path inside, with slashes. Programs that forget to mark a name as UTF-8 are forgiven."""
    name = info.orig_filename
    if not info.flag_bits & 0x800:
        with suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    return "/".join(part for part in name.replace("\\", "/").split("/") if part != ".")


def _problem(name: str, info: zipfile.ZipInfo, *, overlaps: bool) -> str:
    mode = info.external_attr >> 16
    if _UNSAFE.search(name):
        return "Its name has control characters."
    if name.startswith("/") or name[1:3] == ":/" or ".." in name.split("/"):
        return "Its name leads out of the archive. Expected a relative path without '..'."
    if len(name) > 1000:
        return f"Its name has {len(name):,} characters. Expected at most 1,000."
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        return "It is a symbolic link or no ordinary file. Links are not followed."
    if info.flag_bits & 0x1:
        return "It is encrypted. Expected members that open without a password."
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return f"It is packed by method {info.compress_type}. Expected 'stored' or 'deflate'."
    if overlaps:
        return "Its bytes are those of another member too, as in a packed bomb."
    return ""


def _shared(data: bytes, infos: list[zipfile.ZipInfo]) -> set[int]:
    """Offsets of the members whose bytes reach into the next one."""
    found: set[int] = set()
    ordered = sorted(infos, key=lambda info: info.header_offset)
    for info, after in pairwise(ordered):
        head = data[info.header_offset + 26 : info.header_offset + 30]
        name, extra = struct.unpack("<HH", head) if len(head) == 4 else (0, 0)
        if info.header_offset + 30 + name + extra + info.compress_size > after.header_offset:
            found |= {info.header_offset, after.header_offset}
    return found
