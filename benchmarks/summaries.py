"""Measures summaries: ROUGE-2 F against summaries written by people, as long as the reference, beside lead and LexRank.

    python -m benchmarks.summaries --data DIR [--collection klexikon_dev] [--sample N] [--json FILE]

The folder holds pairs.jsonl with id, article and reference. Words are stemmed, umlauts kept.
"""

import argparse
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from agents.extractive import summary
from agents.extractive.pool import Sentence, pool
from agents.extractive.sources import paragraphs
from benchmarks.judged import Estimate, estimate, lines, sampled
from tools.language import Language, stems

__all__ = ["SYSTEMS", "Measured", "main", "measure", "rouge"]

Choose = Callable[[Sequence[Sentence], int, Language], Sequence[int]]
"""The sentences of a text that say most, best first, at least so many."""


@dataclass(frozen=True, slots=True)
class Measured:
    """ROUGE-2 F of each system, article by article; ours is 'partitur'."""

    values: Mapping[str, Sequence[float]]

    @property
    def articles(self) -> int:
        return len(self.values["partitur"])

    def means(self) -> dict[str, Estimate]:
        """Of each system."""
        return {name: estimate(values) for name, values in self.values.items()}

    def ahead(self, of: str) -> Estimate:
        """What ours is ahead of another, paired."""
        pairs = zip(self.values["partitur"], self.values[of], strict=True)
        return estimate([ours - theirs for ours, theirs in pairs])


def rouge(made: Sequence[str], reference: Sequence[str]) -> float:
    """ROUGE-2 F, 0 to 1."""
    pairs, wanted = Counter(pairwise(made)), Counter(pairwise(reference))
    shared = sum((pairs & wanted).values())
    return 2 * shared / (pairs.total() + wanted.total()) if shared else 0.0


def _embedded(sentences: Sequence[Sentence], count: int, language: Language) -> Sequence[int]:
    like = summary.likeness(sentences, language)
    return summary.choose(summary.worth(sentences, like, position=1.0), like, count, diversity=0.5)


def _lead(sentences: Sequence[Sentence], _: int, __: Language) -> Sequence[int]:
    return range(len(sentences))


def _lexrank(sentences: Sequence[Sentence], _: int, language: Language) -> Sequence[int]:
    """Continuous LexRank as in its paper (Erkan and Radev, 2004): tf-idf cosine, damping .85, nothing else."""
    terms = [Counter(stems(sentence.text, language)) for sentence in sentences]
    known = {term: at for at, term in enumerate(dict.fromkeys(term for counts in terms for term in counts))}
    weights = np.zeros((len(terms), len(known)))
    for row, counts in enumerate(terms):
        for term, count in counts.items():
            weights[row, known[term]] = count
    weights *= np.log(len(terms) / np.count_nonzero(weights, axis=0))
    weights /= np.maximum(np.linalg.norm(weights, axis=1, keepdims=True), 1e-12)
    like = weights @ weights.T
    walk = like / np.maximum(like.sum(axis=1, keepdims=True), 1e-12)
    rank = np.full(len(terms), 1 / len(terms))
    for _ in range(100):
        rank = 0.15 / len(terms) + 0.85 * (rank @ walk)
    return np.argsort(-rank, kind="stable").tolist()


SYSTEMS: Mapping[str, Choose] = {"partitur": _embedded, "lead": _lead, "LexRank": _lexrank}


def measure(pairs: Sequence[Mapping[str, object]], language: Language = "de") -> Measured:
    """Sentences are taken until the summary is as long as the reference, then put in the order of the text."""
    values: dict[str, list[float]] = {name: [] for name in SYSTEMS}
    for pair in pairs:
        sentences = pool(paragraphs(str(pair["article"]), document="article", title=""), language)
        terms = [stems(sentence.text, language) for sentence in sentences]
        reference = stems(str(pair["reference"]), language)
        for name, choose in SYSTEMS.items():
            taken: list[int] = []
            length = 0
            for index in choose(sentences, 2 + len(reference) // 5, language):
                if length >= len(reference):
                    break
                taken.append(index)
                length += len(terms[index])
            values[name].append(rouge([term for index in sorted(taken) for term in terms[index]], reference))
    return Measured(values)


def main(given: Sequence[str] | None = None) -> None:
    """Prints the figures, and writes them where --json says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the collections")
    parser.add_argument("--collection", default="klexikon_dev")
    parser.add_argument("--sample", type=int, help="only so many articles, chosen by a hash of their ids")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    arguments = parser.parse_args(given)
    pairs = lines(arguments.data / arguments.collection / "pairs.jsonl")
    measured = measure(sampled(pairs, arguments.sample, lambda pair: str(pair["id"])))
    means = measured.means()
    figures: dict[str, object] = {
        "collection": arguments.collection,
        "articles": measured.articles,
        "partitur": {"rouge-2": means["partitur"].mean, "rouge-2 interval": means["partitur"][1:]},
        "peers": {
            name: {"rouge-2": mean.mean, "rouge-2 interval": mean[1:], "difference interval": measured.ahead(name)[1:]}
            for name, mean in means.items()
            if name != "partitur"
        },
    }
    print(json.dumps(figures, indent=2, ensure_ascii=False))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
