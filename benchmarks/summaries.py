"""Measures summaries: ROUGE-2 F against summaries written by people, as long as the reference, beside the lead.

    python benchmarks/summaries.py --data DIR [--collection klexikon_dev] [--sample N] [--json FILE]

The folder holds pairs.jsonl with id, article and reference. Words are stemmed, umlauts kept.
"""

import argparse
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agents.extractive import summary
from agents.extractive.pool import Sentence, pool
from agents.extractive.sources import paragraphs
from tools.language import stems


def rouge(made: Sequence[str], reference: Sequence[str]) -> float:
    """ROUGE-2 F, 0 to 1."""
    pairs, wanted = Counter(pairwise(made)), Counter(pairwise(reference))
    shared = sum((pairs & wanted).values())
    return 2 * shared / (pairs.total() + wanted.total()) if shared else 0.0


def interval(values: NDArray[np.float64]) -> list[float]:
    """The 95 % bootstrap interval of the mean (2,000 samples, fixed seed)."""
    means = np.random.default_rng(0).choice(values, (2000, len(values))).mean(axis=1)
    return [round(float(np.quantile(means, at)), 4) for at in (0.025, 0.975)]


def lead(sentences: Sequence[Sentence], _: int) -> Sequence[int]:
    return range(len(sentences))


def embedded(sentences: Sequence[Sentence], count: int) -> Sequence[int]:
    like = summary.likeness(sentences, "de")
    return summary.choose(summary.worth(sentences, like, position=1.0), like, count, diversity=0.5)


def measure(pairs: Sequence[dict[str, str]], choose: Callable[[Sequence[Sentence], int], Sequence[int]]) -> list[float]:
    scores: list[float] = []
    for pair in pairs:
        sentences = pool(paragraphs(pair["article"], document="article", title=""), "de")
        terms = [stems(sentence.text, "de") for sentence in sentences]
        reference = stems(pair["reference"], "de")
        taken: list[int] = []
        # Sentences are chosen until the summary is as long as the reference, then put in the order of the text.
        for index in choose(sentences, 2 + len(reference) // 5):
            if sum(len(terms[other]) for other in taken) >= len(reference):
                break
            taken.append(index)
        scores.append(rouge([term for index in sorted(taken) for term in terms[index]], reference))
    return scores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the collections")
    parser.add_argument("--collection", default="klexikon_dev")
    parser.add_argument("--sample", type=int, help="only so many articles, chosen by a hash of their ids")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    arguments = parser.parse_args()
    lines = (arguments.data / arguments.collection / "pairs.jsonl").read_text(encoding="utf-8").splitlines()
    pairs: list[dict[str, str]] = [json.loads(line) for line in lines if line.strip()]
    if arguments.sample:
        pairs = sorted(pairs, key=lambda pair: hashlib.sha256(pair["id"].encode()).digest())[: arguments.sample]
    ours, theirs = np.array(measure(pairs, embedded)), np.array(measure(pairs, lead))
    figures = {
        "collection": arguments.collection,
        "articles": len(pairs),
        "partitur": {"rouge-2": round(float(ours.mean()), 4), "rouge-2 interval": interval(ours)},
        "peers": {"lead": {"rouge-2": round(float(theirs.mean()), 4), "difference interval": interval(ours - theirs)}},
    }
    print(json.dumps(figures, indent=2, ensure_ascii=False))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
