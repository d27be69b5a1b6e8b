"""Measures whether the work on a text grows faster than the text."""

import time
from collections.abc import Callable

__all__ = ["ATOMS", "repeated", "runs_away"]

_MARKS = """
. ! … 1 1. 1, 111. a Ä au a. a- a@ a.@ ( [ { < " „ ' | # ## * ** _ - = == > @ § €
dreizehn https:// http://. 1€ ." .* ](
""".split()
_GAPS = ["\n", " ", "\t", "\u00a0", "\u1680", "\u0315\u0300", "\r\n", "x\ny\n", "X\nY\n"]
_WORDS = [
    "§ ",
    "1 ",
    "111 ",
    "| ",
    "# ",
    "> ",
    "- ",
    "a. ",
    "A b. ",
    "(a. ",
    "was ",
    "usw. ",
    "3. Mai ",
    "Was kostet es? ",
]
_LINES = [
    "# a\n",
    "- a\n",
    "| a |\n",
    "a ==\n",
    "```\n",
    "1.1.2020 10:30 ",
    "fee 1 ",
    "m@a.de ",
    "[a](",
    "![](",
    "<!--",
]
ATOMS = [*_MARKS, *_GAPS, *_WORDS, *_LINES]

_FLOOR = 0.4
"""Seconds of computing that are never too many: what is short is measured badly."""


def repeated(atom: str, size: int) -> str:
    """`size` code points of `atom`, with an end that fits nowhere."""
    return (atom * (size // len(atom) + 1))[: size - 2] + "\\x"


def runs_away(work: Callable[[str], object], atom: str, *, size: int = 100_000) -> bool:
    """Whether `size` code points take far more than four times as long as a quarter of them; quadratic work takes
    sixteen times."""
    large = _seconds(work, repeated(atom, size))
    return large > _FLOOR and large > _FLOOR + 8 * _seconds(work, repeated(atom, size // 4))


def _seconds(work: Callable[[str], object], text: str) -> float:
    """Computing time of this thread, which other work on the machine does not lengthen."""
    begun = time.thread_time()
    work(text)
    return time.thread_time() - begun
