"""BM25 and cosine in memory."""

import math

import numpy as np
import pytest

from tools.language.bm25 import BM25, Cosine

TEXTS = [["hund", "steuer"], ["hund", "hund", "leine"], ["parken", "gebühr"]]


def test_scores_follow_the_formula() -> None:
    scores = BM25(TEXTS).scores(["leine"])
    idf = math.log(1 + (3 - 1 + 0.5) / (1 + 0.5))
    mean = 7 / 3
    assert scores.tolist() == pytest.approx([0, idf * 2.2 / (1 + 1.2 * (0.25 + 0.75 * 3 / mean)), 0])


def test_an_unknown_term_scores_nothing_and_is_the_rarest() -> None:
    index = BM25(TEXTS)
    assert not index.scores(["mond"]).any()
    assert index.idf("mond") > index.idf("leine") > index.idf("hund")


def test_no_texts_and_empty_texts_are_no_error() -> None:
    assert BM25([]).scores(["a"]).size == 0
    assert BM25([[], []]).scores(["a"]).tolist() == [0, 0]
    assert Cosine([[]]).to(0).tolist() == [0]


def test_cosine_is_one_with_itself_and_nothing_with_strangers() -> None:
    like = Cosine(TEXTS)
    assert like.to(0)[0] == pytest.approx(1)
    assert like.to(0)[2] == 0
    pairs = np.array([like.to(row) for row in range(3)])
    assert like.spread(np.ones(3)).tolist() == pytest.approx(pairs.sum(axis=1).tolist())
