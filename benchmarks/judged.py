"""Judged collections: their questions and judgements, halves to tune on and to report, and means with their intervals."""

import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple, TypeVar, cast

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["Estimate", "Tell", "estimate", "even", "judgements", "lines", "quiet", "record", "sampled"]

T = TypeVar("T")
Tell = Callable[[str], None]
"""Hears how far a long measurement is."""


class Estimate(NamedTuple):
    """A mean with its 95 % bootstrap interval."""

    mean: float
    low: float
    high: float


def estimate(values: ArrayLike) -> Estimate:
    """The mean of values, one for each question (2,000 samples, fixed seed); of differences it is the paired bootstrap."""
    array = np.asarray(values, dtype=np.float64)
    means = np.random.default_rng(0).choice(array, (2000, len(array))).mean(axis=1)
    low, high = (round(float(np.quantile(means, at)), 4) for at in (0.025, 0.975))
    return Estimate(round(float(array.mean()), 4), low, high)


def lines(path: Path) -> list[dict[str, object]]:
    """The objects of a JSON Lines file."""
    return [
        cast("dict[str, object]", json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines() if line
    ]


def judgements(folder: Path) -> dict[str, dict[str, int]]:
    """For each question of a collection the relevant documents with their grades."""
    judged: dict[str, dict[str, int]] = {}
    for line in (folder / "qrels.tsv").read_text(encoding="utf-8").splitlines():
        question, document, grade = line.split("\t")[:3]
        if grade.isdigit() and int(grade) > 0:
            judged.setdefault(question, {})[document] = int(grade)
    return judged


def even(name: str) -> bool:
    """Whether a question is of the half that weights were chosen on."""
    return hashlib.sha256(name.encode()).digest()[0] % 2 == 0


def sampled(items: Iterable[T], count: int | None, name: Callable[[T], str]) -> list[T]:
    """So many of them, chosen by a hash of their names; all where `count` is null."""
    found = list(items)
    return (
        found if count is None else sorted(found, key=lambda one: hashlib.sha256(name(one).encode()).digest())[:count]
    )


def record(document: str) -> str:
    """The id of a record of a collection, of its document's id."""
    return document.rpartition("/")[2]


def quiet(_: str) -> None:
    """Tells nobody."""
