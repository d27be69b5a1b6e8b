"""When an engine that fails is left alone, for how long, and what shows that it is well again."""

import pytest

from tools.models.breaker import Breaker


def broken(at: float = 10.0) -> Breaker:
    """One that has just opened."""
    breaker = Breaker()
    for _ in range(3):
        breaker.failed(at)
    return breaker


def test_two_failures_leave_it_closed_and_the_third_opens_it() -> None:
    breaker = Breaker()
    breaker.failed(10.0)
    breaker.failed(10.0)
    assert breaker.allows(10.0) and not breaker.open
    breaker.failed(10.0)
    assert breaker.open
    assert not breaker.allows(10.49)
    assert breaker.allows(10.5)


def test_a_whole_answer_in_between_begins_the_count_anew() -> None:
    breaker = Breaker()
    for _ in range(5):
        breaker.failed(10.0)
        breaker.failed(10.0)
        breaker.answered()
        breaker.succeeded()
    assert not breaker.open


def test_an_answer_that_only_begins_does_not_hide_that_the_engine_breaks_each_one_off() -> None:
    breaker = Breaker()
    for _ in range(3):
        breaker.begun()
        breaker.answered()
        breaker.failed(10.0)
    assert breaker.open


def test_after_its_rest_one_request_tries_and_no_second_beside_it() -> None:
    breaker = broken()
    assert breaker.begun() is True
    assert not breaker.allows(99.0)
    breaker.answered()
    assert breaker.allows(10.6) and not breaker.open


def test_a_failed_try_doubles_the_rest_up_to_half_a_minute() -> None:
    breaker, now, rests = broken(), 10.5, []
    for _ in range(8):
        breaker.failed(now, trial=breaker.begun())
        rests.append(breaker.until - now)
        now = breaker.until
    assert rests == [1, 2, 4, 8, 16, 30, 30, 30]


def test_a_try_that_told_nothing_lets_another_one_try() -> None:
    breaker = broken()
    breaker.ended(trial=breaker.begun())
    assert breaker.open
    assert breaker.allows(10.5)


def test_requests_from_before_the_rest_neither_end_the_try_nor_lengthen_the_rest() -> None:
    breaker = broken()
    breaker.failed(10.1)
    assert breaker.until == 10.5
    trial = breaker.begun()
    breaker.failed(10.6)
    breaker.ended()
    assert (breaker.until, breaker.allows(10.6)) == (10.5, False)
    breaker.failed(10.7, trial=trial)
    assert breaker.until == 11.7


@pytest.mark.parametrize(("asked", "rest"), [(7.0, 7.0), (0.0, 0.5), (3600.0, 30.0)])
def test_an_engine_that_asks_for_a_rest_gets_it_at_once_within_reason(asked: float, rest: float) -> None:
    breaker = Breaker()
    breaker.failed(10.0, rest=asked)
    assert breaker.until == 10 + rest
    assert not breaker.allows(10 + rest - 0.1)


def test_a_fault_that_shows_later_lengthens_the_rest_that_is_over() -> None:
    breaker = broken()
    breaker.ended(trial=breaker.begun())
    breaker.failed(10.6)
    assert breaker.until == 11.6
