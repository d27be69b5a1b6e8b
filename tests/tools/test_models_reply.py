"""How an answer is read: its limits of time and size, on a clock that needs no waiting."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import aiohttp
import pytest
import virtual_time
from aiohttp.base_protocol import BaseProtocol

from tools.base import Failed, TimedOut, Unavailable
from tools.models.connections import Answer
from tools.models.reply import Reply


class Connection:
    """Stands for the connection under a stream."""

    connected = True

    def pause_reading(self) -> None: ...
    def resume_reading(self, resume_parser: bool = True) -> None: ...


class Response:
    """An answer whose body the test feeds."""

    def __init__(self, length: int | None = None, media_type: str = "text/event-stream") -> None:
        self.content = aiohttp.StreamReader(cast("BaseProtocol", Connection()), 2**16)
        self.content_length = length
        self.headers = {"Content-Type": media_type}
        self.closed = False

    def close(self) -> None:
        self.closed = True

    def feed(self, data: bytes) -> None:
        self.content.feed_data(data)


def drill(test: Callable[..., Awaitable[None]], *, silence: float = 10.0, until: float = 100.0, **given: Any) -> Reply:
    """Runs `test(response, reply)` in virtual time, begun at 0; returns the reply."""

    async def main() -> Reply:
        response = Response(**given)
        loop = asyncio.get_running_loop()
        reply = Reply(cast("Answer", response), model="town", silence=silence, until=until, loop=loop)
        await test(response, reply)
        reply.close()
        assert response.closed is not reply.whole
        return reply

    return virtual_time.run(main())


async def pieces(response: Response, *, every: float, count: int, end: bool = True) -> None:
    for at in range(count):
        await asyncio.sleep(every)
        response.feed(b"%d," % at)
    if end:
        response.content.feed_eof()


def now() -> float:
    return asyncio.get_running_loop().time()


def test_a_stream_whose_pieces_come_in_time_is_read_to_its_end() -> None:
    async def test(response: Response, reply: Reply) -> None:
        feeding = asyncio.create_task(pieces(response, every=9.9, count=10))
        assert b"".join([part async for part in reply.parts()]) == b"0,1,2,3,4,5,6,7,8,9,"
        await feeding

    reply = drill(test)
    assert reply.whole and not reply.broke


def test_an_engine_that_falls_silent_is_given_up_when_the_silence_is_over() -> None:
    async def test(response: Response, reply: Reply) -> None:
        feeding = asyncio.create_task(pieces(response, every=3, count=3, end=False))
        with pytest.raises(TimedOut) as raised:
            async for _ in reply.parts():
                pass
        assert now() == pytest.approx(9 + 10, abs=0.1)
        assert raised.value.message == "The engine of 'town' said nothing for 10 s."
        await feeding

    reply = drill(test)
    assert reply.broke and not reply.whole


def test_a_stream_that_goes_on_and_on_is_given_up_without_blame_for_the_engine() -> None:
    async def test(response: Response, reply: Reply) -> None:
        feeding = asyncio.create_task(pieces(response, every=3, count=99))
        with pytest.raises(TimedOut, match=r"took longer for its answer than it may"):
            async for _ in reply.parts():
                pass
        assert now() == pytest.approx(100, abs=0.1)
        feeding.cancel()

    assert not drill(test).broke


def test_a_whole_answer_has_the_whole_time_and_no_limit_between_its_pieces() -> None:
    async def test(response: Response, reply: Reply) -> None:
        feeding = asyncio.create_task(pieces(response, every=30, count=3))
        assert await reply.read() == b"0,1,2,"
        await feeding

    assert drill(test).whole


def test_a_whole_answer_that_does_not_come_is_the_engine_s_fault() -> None:
    async def test(response: Response, reply: Reply) -> None:
        with pytest.raises(TimedOut):
            await reply.read()
        assert now() == pytest.approx(100, abs=0.1)

    assert drill(test).broke


def test_a_reader_that_takes_its_time_is_no_silent_engine() -> None:
    async def test(response: Response, reply: Reply) -> None:
        got = list[bytes]()
        response.feed(b"a")
        async for part in reply.parts():
            got.append(part)
            await asyncio.sleep(25)  # the reader's own time
            response.feed(b"b") if len(got) < 3 else response.content.feed_eof()
        assert got == [b"a", b"b", b"b"]

    reply = drill(test)
    assert reply.whole and not reply.broke


def test_after_a_slow_reader_the_engine_s_silence_counts_from_when_it_reads_again() -> None:
    async def test(response: Response, reply: Reply) -> None:
        response.feed(b"a")
        parts = reply.parts()
        await anext(parts)
        await asyncio.sleep(33)
        with pytest.raises(TimedOut, match=r"said nothing"):
            await anext(parts)
        assert now() == pytest.approx(43, abs=0.1)

    assert drill(test).broke


def test_a_slow_reader_does_not_lengthen_the_time_for_all_of_it() -> None:
    async def test(response: Response, reply: Reply) -> None:
        response.feed(b"a")
        parts = reply.parts()
        await anext(parts)
        await asyncio.sleep(95)
        with pytest.raises(TimedOut, match=r"took longer"):
            await anext(parts)
        assert now() == pytest.approx(100, abs=0.1)

    assert not drill(test, silence=60).broke


def test_what_is_there_to_its_end_may_be_read_at_leisure() -> None:
    async def test(response: Response, reply: Reply) -> None:
        response.feed(b"a")
        parts = reply.parts()
        await anext(parts)
        response.feed(b"b")
        response.content.feed_eof()
        await asyncio.sleep(1000)
        assert [part async for part in parts] == [b"b"]

    assert drill(test).whole


@pytest.mark.parametrize("length", [None, 11])
@pytest.mark.parametrize("how", ["read", "parts"])
def test_an_answer_longer_than_allowed_is_refused(length: int | None, how: str) -> None:
    async def test(response: Response, reply: Reply) -> None:
        response.feed(b"12345")
        response.feed(b"678901")
        response.content.feed_eof()
        with pytest.raises(Failed, match=r"The engine of 'town' answered with more than 10 bytes\."):
            if how == "read":
                await reply.read(10)
            else:
                async for _ in reply.parts(10):
                    pass

    assert not drill(test, length=length).broke


def test_an_answer_as_long_as_allowed_is_read() -> None:
    async def test(response: Response, reply: Reply) -> None:
        response.feed(b"1234567890")
        response.content.feed_eof()
        assert await reply.read(10) == b"1234567890"

    assert drill(test, length=10).whole


@pytest.mark.parametrize("error", [aiohttp.ClientPayloadError("cut"), ConnectionResetError(104, "reset")])
def test_an_answer_that_breaks_off_is_told_as_such(error: Exception) -> None:
    async def test(response: Response, reply: Reply) -> None:
        parts = reply.parts()
        response.feed(b"a")
        assert await anext(parts) == b"a"
        response.content.set_exception(error)
        with pytest.raises(Unavailable) as raised:
            await anext(parts)
        assert raised.value.message == f"The engine of 'town' broke off its answer ({type(error).__name__})."

    assert drill(test).broke


def test_its_clock_stops_with_it() -> None:
    async def main() -> None:
        response = Response()
        loop = asyncio.get_running_loop()
        reply = Reply(cast("Answer", response), model="town", silence=10, until=100, loop=loop)
        response.feed(b"a")
        await anext(reply.parts())
        reply.close()
        assert reply._clock is not None and reply._clock._timer.cancelled()
        await asyncio.sleep(1000)
        assert response.content.exception() is None

    virtual_time.run(main())


@pytest.mark.parametrize("said", ["Text/Event-Stream; charset=utf-8", "text/event-stream"])
def test_its_media_type_has_no_parameters(said: str) -> None:
    async def test(response: Response, reply: Reply) -> None:
        assert reply.media_type == "text/event-stream"

    drill(test, media_type=said)
