"""Reads zip archives: each member of a known kind is a document under its path, the others are named as skipped."""

from collections.abc import Callable, Iterator

from tools.knowledge.alone import each
from tools.knowledge.formats import Extract, Skip, Unreadable, kind_of
from tools.knowledge.packed import Budget, inflate, members, opened

__all__ = ["read_zip"]

_PLACE = 300  # characters of a path that are told


def read_zip(
    data: bytes, budget: Budget, inner: Callable[[str, bytes], Iterator[Extract | Skip]]
) -> Iterator[Extract | Skip]:
    """The documents in an archive; hidden members and folders are left out.

    Args:
        budget: what it may unpack to.
        inner: reads a member of this path and content.

    Raises:
        Unreadable: it is no archive, has too many members, or unpacks to more than the budget.
    """
    archive = opened(data, "a zip archive")
    found = [one for one in members(data, archive) if not _hidden(one.name)]

    def read(at: int) -> Iterator[Extract | Skip]:
        member = found[at]
        if member.problem:
            raise Unreadable(member.problem)
        kind_of(member.name)
        yield from inner(member.name, inflate(archive, member.info, budget))

    yield from each([one.name[:_PLACE] for one in found], read, budget)


def _hidden(name: str) -> bool:
    return any(part.startswith((".", "~$", "__MACOSX")) and part != ".." for part in name.split("/"))
