"""Answers leave in few pieces, in order, and none is lost when the connection closes."""

import asyncio
from collections.abc import Callable
from functools import partial

import pytest

from server.joined import Joining

pytestmark = pytest.mark.anyio


class Sink(asyncio.Transport):
    """Notes what reaches it."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[bytes | str] = []
        self.left = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.pieces.append(bytes(data))

    def close(self) -> None:
        self.pieces.append("closed")

    def abort(self) -> None:
        self.pieces.append("aborted")

    def get_write_buffer_size(self) -> int:
        return self.left

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.pieces.append("other protocol")


@pytest.fixture
async def ends() -> tuple[Sink, Joining]:
    sink = Sink()
    return sink, Joining(sink, asyncio.get_running_loop())


async def test_what_is_written_in_one_turn_leaves_as_one(ends: tuple[Sink, Joining]) -> None:
    sink, joining = ends
    joining.write(b"head ")
    joining.write(bytearray(b"body"))
    assert sink.pieces == []
    await asyncio.sleep(0)
    joining.write(b"next")
    await asyncio.sleep(0)
    assert sink.pieces == [b"head body", b"next"]


async def test_much_leaves_at_once_so_that_a_slow_reader_is_noticed(ends: tuple[Sink, Joining]) -> None:
    sink, joining = ends
    joining.write(b"a")
    joining.write(b"b" * 65_536)
    assert sink.pieces == [b"a" + b"b" * 65_536]
    joining.write(b"c")
    await asyncio.sleep(0)
    assert sink.pieces[1:] == [b"c"]


async def test_the_last_words_leave_before_the_connection_closes_or_changes(ends: tuple[Sink, Joining]) -> None:
    sink, joining = ends
    joining.write(b"a")
    joining.set_protocol(asyncio.Protocol())
    joining.write(b"b")
    joining.close()
    await asyncio.sleep(0)
    assert sink.pieces == [b"a", "other protocol", b"b", "closed"]


async def test_an_aborted_connection_says_nothing_more(ends: tuple[Sink, Joining]) -> None:
    sink, joining = ends
    joining.write(b"a")
    joining.abort()
    await asyncio.sleep(0)
    assert sink.pieces == ["aborted"]


@pytest.mark.parametrize(("takes", "looks"), [(0, 1), (10, 3)])
async def test_a_closed_connection_waits_for_its_reader_as_long_as_it_reads(
    ends: tuple[Sink, Joining], monkeypatch: pytest.MonkeyPatch, takes: int, looks: int
) -> None:
    sink, joining = ends
    planned: list[partial[None]] = []

    class Loop:
        def call_later(self, seconds: float, call: Callable[[int], None], left: int) -> None:
            planned.append(partial(call, left))

    monkeypatch.setattr(joining, "_loop", Loop())
    sink.left = 30
    joining.close()
    for look in range(looks):
        sink.left -= takes
        planned[look]()
    assert len(planned) == looks
    assert sink.pieces == (["closed"] if takes else ["closed", "aborted"])
