"""Places for requests: caps, order, and that none is ever lost, whoever leaves when."""

import asyncio
import random

import pytest

from tools.base import Overloaded
from tools.models.slots import Slots

pytestmark = pytest.mark.anyio


def slots(*, running: int = 1, queued: int = 10, wait: float = 30.0) -> Slots:
    return Slots("The model 'chat'", running=running, queued=queued, wait=wait)


async def turns(rounds: int = 3) -> None:
    """Lets whatever is ready run."""
    for _ in range(rounds):
        await asyncio.sleep(0)


async def test_places_are_taken_at_once_while_there_are_some() -> None:
    places = slots(running=2)
    await places.take()
    await places.take()
    assert (places.running, places.waiting) == (2, 0)
    places.free(1.0)
    places.free(1.0)
    assert places.running == 0


async def test_the_next_place_goes_by_priority_and_then_by_order() -> None:
    places, served = slots(), list[str]()

    async def one(name: str, priority: int) -> None:
        await places.take(priority)
        served.append(name)
        places.free(0.1)

    await places.take()
    waiting = [asyncio.create_task(one(*who)) for who in [("a", 5), ("b", 0), ("c", 5), ("d", 0), ("e", -1)]]
    await turns()
    assert places.waiting == 5
    places.free(0.1)
    await asyncio.gather(*waiting)
    assert served == ["e", "b", "d", "a", "c"]
    assert (places.running, places.waiting) == (0, 0)


async def test_a_newcomer_does_not_overtake_those_who_wait() -> None:
    places = slots()
    await places.take()
    first = asyncio.create_task(places.take())
    await turns()
    places.free(0.1)
    newcomer = asyncio.create_task(places.take(-9))
    await turns()
    assert first.done() and not newcomer.done()
    newcomer.cancel()


async def test_one_more_than_may_wait_is_refused_and_told_when_to_come_back() -> None:
    places = slots(queued=1)
    await places.take()
    waiting = asyncio.create_task(places.take())
    await turns()
    with pytest.raises(Overloaded) as raised:
        await places.take()
    assert raised.value.message == (
        "The model 'chat' is overloaded: 1 requests wait already. At most 1 run and 1 wait at the same time."
    )
    assert raised.value.retry_after == 2
    waiting.cancel()


async def test_nobody_waits_where_no_queue_is_allowed() -> None:
    places = slots(queued=0)
    await places.take()
    with pytest.raises(Overloaded):
        await places.take()


@pytest.mark.parametrize(("took", "after"), [(0.01, 1), (500.0, 60)])
async def test_the_time_to_come_back_follows_from_how_long_places_are_taken(took: float, after: int) -> None:
    places = slots(queued=0)
    for _ in range(50):
        await places.take()
        places.free(took)
    await places.take()
    with pytest.raises(Overloaded) as raised:
        await places.take()
    assert raised.value.retry_after == after


async def test_who_waits_too_long_is_refused_and_leaves_the_queue() -> None:
    places = slots(wait=0.01)
    await places.take()
    with pytest.raises(Overloaded, match=r"no place became free within 0.01 s"):
        await places.take()
    assert (places.running, places.waiting) == (1, 0)


async def test_those_who_leave_the_queue_are_forgotten_at_once() -> None:
    places = slots()
    await places.take()
    waiting = [asyncio.create_task(places.take()) for _ in range(10)]
    await turns()
    for one in waiting:
        one.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert places.waiting == 0
    places.free(0.1)
    assert places.running == 0


async def test_who_leaves_in_the_moment_the_place_comes_passes_it_on() -> None:
    places = slots()
    await places.take()
    leaving, staying = asyncio.create_task(places.take()), asyncio.create_task(places.take())
    await turns()
    places.free(0.1)
    leaving.cancel()
    await staying
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert (places.running, places.waiting) == (1, 0)


@pytest.mark.parametrize("seed", range(30))
async def test_no_place_is_lost_or_given_twice_whatever_happens(seed: int) -> None:
    chance = random.Random(seed)
    places = slots(running=chance.randint(1, 4), queued=chance.randint(0, 8), wait=chance.choice([0.001, 30.0]))
    most, inside = places._most, 0

    async def one() -> None:
        nonlocal inside
        try:
            await places.take(chance.randint(-2, 2))
        except Overloaded:
            return
        inside += 1
        assert inside <= most
        try:
            await turns(chance.randint(0, 6))
        finally:
            inside -= 1
            places.free(chance.random())

    tasks = list[asyncio.Task[None]]()
    for _ in range(300):
        if chance.random() < 0.6:
            tasks.append(asyncio.create_task(one()))
        elif tasks:
            chance.choice(tasks).cancel()
        if chance.random() < 0.4:
            await turns(1)
    for task, end in zip(tasks, await asyncio.gather(*tasks, return_exceptions=True), strict=True):
        assert end is None or task.cancelled()
    assert (places.running, places.waiting, inside) == (0, 0, 0)
