import os
import resource
import signal
from collections.abc import Iterator

import pytest

from tools.knowledge.alone import each
from tools.knowledge.formats import Extract, Skip, Unreadable
from tools.knowledge.packed import Budget

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


def budget() -> Budget:
    return Budget(left=1000, member=1000)


def test_a_member_that_ends_the_process_is_skipped_and_the_rest_is_read() -> None:
    def read(number: int) -> Iterator[Extract | Skip]:
        yield Extract(f"Text {number}", record=str(number))
        if number == 1:
            os.kill(os.getpid(), signal.SIGTERM)
        if number == 2:
            raise MemoryError
        if number == 3:
            raise KeyError("a")
        if number == 4:
            raise SystemExit

    found = list(each([f"{number}.txt" for number in range(6)], read, budget()))
    assert [one.text for one in found if isinstance(one, Extract)] == [f"Text {number}" for number in range(6)]
    assert [(one.place, one.reason) for one in found if isinstance(one, Skip)] == [
        (
            "1.txt",
            "It made the reading process end by signal SIGTERM. It is damaged or hostile, or needs too much memory.",
        ),
        ("2.txt", "Reading it needs more memory than a file may use."),
        ("3.txt", "The file is damaged or not what its name says: KeyError: 'a'"),
        ("4.txt", "It made the reading process end with code 1. It is damaged or hostile, or needs too much memory."),
    ]


def test_a_container_whose_members_end_every_process_is_given_up() -> None:
    def read(number: int) -> Iterator[Extract | Skip]:
        os.kill(os.getpid(), signal.SIGKILL)
        yield Skip(str(number), "")

    found = each([f"{number}.txt" for number in range(30)], read, budget())
    skipped: list[str] = []
    with pytest.raises(Unreadable, match=r"^10 of its members made the reading process end\."):
        skipped.extend(one.place for one in found if isinstance(one, Skip))


def test_what_is_unpacked_is_counted_across_processes() -> None:
    spent = budget()

    def read(number: int) -> Iterator[Extract | Skip]:
        spent.left -= 300
        yield Extract("Text", record=str(number))
        if number == 1:
            os.kill(os.getpid(), signal.SIGKILL)

    found = each([f"{number}.txt" for number in range(6)], read, spent)
    with pytest.raises(Unreadable, match="unpacks to more than a file may"):
        list(found)


@pytest.mark.timeout(30)
def test_a_member_may_use_a_part_of_the_time_that_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    allowed = int(used.ru_utime + used.ru_stime) + 2
    monkeypatch.setattr(resource, "getrlimit", lambda _: (allowed, resource.RLIM_INFINITY))

    def read(number: int) -> Iterator[Extract | Skip]:
        yield Extract("Text", record=str(number))
        while number == 0:
            pass

    slow, skip, quick = each(["0.txt", "1.txt"], read, budget())
    assert isinstance(slow, Extract)
    assert skip == Skip("0.txt", "Reading it takes too long.")
    assert isinstance(quick, Extract)


def test_leaving_early_ends_the_process() -> None:
    def read(number: int) -> Iterator[Extract | Skip]:
        yield Extract(str(os.getpid()), record=str(number))

    found = each([f"{number}.txt" for number in range(1000)], read, budget())
    first = next(found)
    assert isinstance(first, Extract)
    found.close()  # pyright: ignore[reportAttributeAccessIssue] - it is a generator
    with pytest.raises(ProcessLookupError):
        os.kill(int(first.text), 0)
