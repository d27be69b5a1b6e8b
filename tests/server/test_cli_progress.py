"""Live progress: steps in a tree where a person watches, plain lines elsewhere, nothing when quiet."""

from io import StringIO

import pytest

from agents.kit import Step, StepFinished, StepStarted
from server.progress import Steps, seconds


class Terminal(StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


class File(StringIO):
    encoding = "utf-8"


def walk(steps: Steps) -> None:
    """A run of two steps, one of them below the other."""
    steps(StepStarted("news/1:research", "research", "use_case"))
    steps(StepStarted("news/1:research/1:search", "search", "tool"))
    steps(StepFinished(Step(id="news/1:research/1:search", name="search", kind="tool", seconds=0.25)))
    steps(StepFinished(Step(id="news/1:research", name="research", kind="use_case", seconds=12.34)))


def test_without_a_terminal_each_step_is_a_line_when_it_ends() -> None:
    stream = File()
    with Steps("news", stream=stream) as steps:
        walk(steps)
        steps(
            StepFinished(
                Step(id="news/2:say", name="say", kind="tool", seconds=0, outcome="failed", message="No voice.")
            )
        )
    assert stream.getvalue().splitlines()[:3] == [
        "    ✓ search 0.25 s",
        "  ✓ research 12.3 s",
        "  ✗ say 0.00 s  No voice.",
    ]


def test_a_terminal_shows_each_step_below_the_one_it_is_part_of() -> None:
    stream = Terminal()
    with Steps("news", stream=stream) as steps:
        walk(steps)
    last = stream.getvalue().rpartition("news")[2]
    assert last.index("research") < last.index("search")
    assert "12.3 s" in last


def test_quiet_is_silent_on_a_terminal_too() -> None:
    stream = Terminal()
    with Steps("news", quiet=True, stream=stream) as steps:
        walk(steps)
    assert stream.getvalue() == ""


def test_a_terminal_without_unicode_gets_words() -> None:
    class Ascii(StringIO):
        encoding = "ascii"

    stream = Ascii()
    with Steps("news", stream=stream) as steps:
        walk(steps)
    assert stream.getvalue().isascii()
    assert "ok research" in stream.getvalue()


@pytest.mark.parametrize(("value", "said"), [(0.421, "0.42 s"), (12.34, "12.3 s"), (125.0, "2:05 min")])
def test_durations_read_like_durations(value: float, said: str) -> None:
    assert seconds(value) == said
