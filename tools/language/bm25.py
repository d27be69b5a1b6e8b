"""A small BM25 in memory over lists of terms, for the sentences of a handful of passages or some thousand texts."""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["BM25", "Cosine"]

Vector = NDArray[np.float64]


class _Matrix:
    """Texts by terms, sparse, kept column by column."""

    def __init__(self, texts: Iterable[Sequence[str]]) -> None:
        self.terms: dict[str, int] = {}
        rows: list[int] = []
        columns: list[int] = []
        counts: list[int] = []
        lengths: list[int] = []
        for row, text in enumerate(texts):
            lengths.append(len(text))
            for term, count in Counter(text).items():
                rows.append(row)
                columns.append(self.terms.setdefault(term, len(self.terms)))
                counts.append(count)
        order = np.argsort(np.asarray(columns, dtype=np.int64), kind="stable")
        self.size = len(lengths)
        self.rows = np.asarray(rows, dtype=np.int64)[order]
        self.columns = np.asarray(columns, dtype=np.int64)[order]
        self.counts = np.asarray(counts, dtype=np.float64)[order]
        self.lengths = np.asarray(lengths, dtype=np.float64)
        self.starts = np.searchsorted(self.columns, np.arange(len(self.terms) + 1))
        self.frequency = np.diff(self.starts).astype(np.float64)
        """In how many texts each term occurs."""

    def times(self, values: Vector, by_term: Vector) -> Vector:
        """For each text the sum over its terms of `values` times `by_term`."""
        return _sums(self.rows, values * by_term[self.columns], self.size)

    def column(self, values: Vector, row: int) -> Vector:
        """The dense row `row` of the matrix `values`."""
        dense = np.zeros(len(self.terms))
        mine = self.rows == row
        dense[self.columns[mine]] = values[mine]
        return dense


def _sums(at: NDArray[np.int64], values: Vector, size: int) -> Vector:
    """Adds up `values` by their index."""
    return np.bincount(at, values, minlength=size).astype(np.float64, copy=False)


class BM25:
    """Okapi BM25 with idf never below zero; made once over a collection, then asked as often as wanted."""

    def __init__(self, texts: Iterable[Sequence[str]], *, k1: float = 1.2, b: float = 0.75) -> None:
        self._matrix = matrix = _Matrix(texts)
        mean = matrix.lengths.mean() if matrix.size and matrix.lengths.any() else 1.0
        damped = matrix.counts + k1 * (1 - b + b * matrix.lengths[matrix.rows] / mean)
        self._idf = np.log1p((matrix.size - matrix.frequency + 0.5) / (matrix.frequency + 0.5))
        self._values = self._idf[matrix.columns] * matrix.counts * (k1 + 1) / damped

    def scores(self, query: Sequence[str]) -> Vector:
        """The score of each text for `query`, in the order of the texts."""
        total = np.zeros(self._matrix.size)
        for term, times in Counter(query).items():
            column = self._matrix.terms.get(term)
            if column is not None:
                part = slice(self._matrix.starts[column], self._matrix.starts[column + 1])
                total[self._matrix.rows[part]] += times * self._values[part]
        return total

    def idf(self, term: str) -> float:
        """How rare a term is; a term that occurs nowhere is rarer than all others."""
        column = self._matrix.terms.get(term)
        return float(np.log1p(2 * self._matrix.size + 1)) if column is None else float(self._idf[column])


class Cosine:
    """Likeness of texts by tf-idf cosine, in time and memory linear in their length: no matrix of pairs is built."""

    def __init__(self, texts: Iterable[Sequence[str]]) -> None:
        self._matrix = matrix = _Matrix(texts)
        idf = np.log1p(matrix.size / np.maximum(matrix.frequency, 1.0))
        values = (1 + np.log(np.maximum(matrix.counts, 1.0))) * idf[matrix.columns]
        norms = np.sqrt(_sums(matrix.rows, values**2, matrix.size))
        self._values = values / np.maximum(norms, 1e-12)[matrix.rows]

    def __len__(self) -> int:
        return self._matrix.size

    def to(self, row: int) -> Vector:
        """The likeness, 0 to 1, of every text to the text `row`."""
        return self._matrix.times(self._values, self._matrix.column(self._values, row))

    def spread(self, weights: Vector) -> Vector:
        """For every text the sum of its likeness to all texts, each weighted."""
        matrix = self._matrix
        by_term = _sums(matrix.columns, self._values * weights[matrix.rows], len(matrix.terms))
        return matrix.times(self._values, by_term)
