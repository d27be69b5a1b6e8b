"""Measures search on judged collections, through the product's own ingestion and search, beside bm25s, tantivy and LanceDB.

    python -m benchmarks.retrieval --data DIR --collection xquad_de [--distractors wiki_de_distractors] [--all] [--json FILE]

A collection is a folder with corpus.jsonl (id, title, text), queries.jsonl (id, text) and qrels.tsv (query, document,
grade). Weights were chosen on the half of the questions whose id hashes even (`--tune` shows that search again); what
is reported is the other half, or with `--all` every question. Peers that are not installed (`uv sync --group peers`)
are left out.
"""

import argparse
import itertools
import json
import math
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio

from benchmarks.judged import Estimate, Tell, estimate, even, judgements, lines, quiet, record, sampled
from benchmarks.search_peers import Ask, Chunk, peers
from tools.base import Caller
from tools.knowledge import KnowledgeConfig
from tools.knowledge.library import Library
from tools.knowledge.ranking import COLUMNS, query_terms
from tools.knowledge.scope import Readable
from tools.language import Language

__all__ = ["METRICS", "Figures", "Measured", "language_of", "main", "measure", "score", "table"]

DEPTH = 300  # passages fetched: documents of several passages must not shorten the list of 100 documents
CALLER = Caller(subject="benchmark")
METRICS = ("ndcg@10", "recall@100", "mrr@10")
Question = Mapping[str, object]
Judged = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Figures:
    """One metric: ours, the peers', and what we are ahead of the best of them, question by question."""

    ours: Estimate
    peers: Mapping[str, Estimate]
    best: str
    ahead: Estimate


@dataclass(frozen=True, slots=True)
class Measured:
    """A collection, measured."""

    questions: int
    documents: int
    seconds: float
    """Of ingestion."""
    values: Mapping[str, Sequence[Sequence[float]]]
    """For each system the values of each metric, question by question; ours is 'partitur'."""

    def figures(self, metric: str) -> Figures:
        """What the questions say of one metric."""
        at = METRICS.index(metric)
        ours = self.values["partitur"][at]
        others = {name: columns[at] for name, columns in self.values.items() if name != "partitur"}
        means = {name: estimate(values) for name, values in others.items()}
        best = max(means, key=lambda name: means[name].mean)
        ahead = estimate([mine - theirs for mine, theirs in zip(ours, others[best], strict=True)])
        return Figures(estimate(ours), means, best, ahead)

    def data(self) -> dict[str, Any]:
        """All figures, for JSON."""
        rows: dict[str, Any] = {"questions": self.questions, "documents": self.documents, "partitur": {}, "peers": {}}
        for metric in METRICS:
            one = self.figures(metric)
            rows["partitur"] |= {metric: one.ours.mean, f"{metric} interval": one.ours[1:]}
            for name, theirs in one.peers.items():
                rows["peers"].setdefault(name, {}).update({metric: theirs.mean, f"{metric} interval": theirs[1:]})
            rows["partitur"][f"{metric} ahead of {one.best}"] = one.ahead
        return rows


def score(ranked: Sequence[str], relevant: Mapping[str, int]) -> tuple[float, float, float]:
    """nDCG@10, recall@100 and MRR@10 of one question."""
    gains = [relevant.get(name, 0) / math.log2(at + 2) for at, name in enumerate(ranked[:10])]
    best = sum(grade / math.log2(at + 2) for at, grade in enumerate(sorted(relevant.values(), reverse=True)[:10]))
    found = len(relevant.keys() & set(ranked[:100])) / len(relevant)
    first = next((1 / (at + 1) for at, name in enumerate(ranked[:10]) if name in relevant), 0.0)
    return sum(gains) / best, found, first


async def measure(
    folders: Sequence[Path],
    questions: Sequence[Question],
    judged: Judged,
    library: Library,
    tell: Tell = quiet,
    language: Language | None = None,
) -> Measured:
    """Reads the collections into `library` and asks it and its peers everything; peers are told the language."""
    language = language or language_of(folders[0].name)
    begin = time.perf_counter()
    tell("reading")
    report = await library.ingest([folder / "corpus.jsonl" for folder in folders], caller=CALLER)
    seconds = time.perf_counter() - begin

    async def ask(text: str) -> list[str]:
        found = await library.search(text, caller=CALLER, limit=DEPTH)
        return [passage.document for passage in found.passages]

    with tempfile.TemporaryDirectory() as scratch:
        systems = {"partitur": ask, **await peers(await _chunks(library), language, DEPTH, Path(scratch))}
        values = {name: await _values(system, questions, judged, name, tell) for name, system in systems.items()}
    return Measured(len(questions), report.read, seconds, values)


async def _chunks(library: Library) -> list[Chunk]:
    """All that we search in."""
    store = await library.opened(CALLER.tenant)
    everything = Readable.of(await library.reaches.of(CALLER))
    rows = await store.chunks(everything, columns=["document", "title", "text"])
    return [Chunk(row["document"], row["title"], row["text"]) for row in rows]


async def _values(ask: Ask, questions: Sequence[Question], judged: Judged, name: str, tell: Tell) -> list[list[float]]:
    """For each metric the values of all questions, in order."""
    rows: list[tuple[float, float, float]] = []
    for at, question in enumerate(questions):
        if at % 100 == 0:
            tell(f"{name}: {at} of {len(questions)} questions")
        found = dict.fromkeys(map(record, await ask(str(question["text"]))))
        rows.append(score(list(found), judged[str(question["id"])]))
    return [list(column) for column in zip(*rows, strict=True)]


async def _tune(
    library: Library, language: Language, questions: Sequence[Question], judged: Mapping[str, Mapping[str, int]]
) -> None:
    """Prints the best weights of a grid on the tuning half; each column is asked once."""
    store = await library.opened(CALLER.tenant)
    everything = Readable.of(await library.reaches.of(CALLER))
    held: list[tuple[str, dict[str, dict[str, float]]]] = []
    for question in questions:
        columns: dict[str, dict[str, float]] = {}
        for term in query_terms(str(question["text"]), language, dict.fromkeys(COLUMNS, 1.0)):
            best: dict[str, float] = {}
            for row in await store.search(everything, [term], 400):
                name = record(row["document"])
                best[name] = max(best.get(name, 0.0), row["_score"])
            columns[term[0]] = best
        held.append((str(question["id"]), columns))
    results: list[tuple[float, float, float, tuple[float, ...]]] = []
    grid = ((0.0, 1.0, 2.0), (0.3, 0.5, 0.7), (1.0,), (0.5, 0.8), (0.0, 0.5, 0.8))
    for weights in itertools.product(*grid):
        named: dict[str, float] = dict(zip(COLUMNS, weights, strict=True))
        values: list[tuple[float, float, float]] = []
        for question, columns in held:
            total: dict[str, float] = {}
            for column, scores in columns.items():
                for name, value in scores.items():
                    total[name] = total.get(name, 0.0) + named[column] * value
            ranked = sorted(total, key=lambda name: (-total[name], name))[:100]
            values.append(score(ranked, judged[question]))
        ndcg, recall, mrr = (statistics.fmean(column) for column in zip(*values, strict=True))
        results.append((ndcg, recall, mrr, weights))
    print(f"tuning half, {len(held)} questions; weights of {', '.join(COLUMNS)}")
    for ndcg, recall, mrr, weights in sorted(results, reverse=True)[:12]:
        print(f"  nDCG@10 {ndcg:.4f}  R@100 {recall:.4f}  MRR@10 {mrr:.4f}  {weights}")


def table(measured: Measured) -> str:
    """One row for each metric, one column for each system."""
    names = [name for name in measured.values if name != "partitur"]
    rows = [["metric", "Partitur", *names, "ahead of the best"], ["---"] * (len(names) + 3)]
    for metric in METRICS:
        one = measured.figures(metric)
        peers = [_cell(one.peers[name]) for name in names]
        rows.append(
            [metric, _cell(one.ours), *peers, f"{one.ahead.mean:+.4f} [{one.ahead.low:+.4f}, {one.ahead.high:+.4f}]"]
        )
    return "\n".join("| " + " | ".join(cells) + " |" for cells in rows) + "\n"


def _cell(one: Estimate) -> str:
    return f"{one.mean:.4f} [{one.low:.4f}, {one.high:.4f}]"


def language_of(collection: str) -> Language:
    """Of a collection's questions, by its name."""
    return "en" if "_en" in collection else "de"


async def run(arguments: argparse.Namespace) -> Measured:
    """What the command line asks for."""
    folders = [arguments.data / name for name in (arguments.collection, arguments.distractors) if name]
    judged = judgements(folders[0])
    asked = [one for one in lines(folders[0] / "queries.jsonl") if one["id"] in judged]
    chosen = asked if arguments.all else [one for one in asked if not even(str(one["id"]))]
    chosen = sampled(chosen, arguments.sample, lambda one: str(one["id"]))
    with tempfile.TemporaryDirectory() as home:
        async with Library(KnowledgeConfig(home=Path(home))) as library:
            measured = await measure(folders, chosen, judged, library, _told, arguments.language)
            if arguments.tune:
                tuning = [one for one in asked if even(str(one["id"]))]
                await _tune(library, arguments.language or language_of(arguments.collection), tuning, judged)
    return measured


def main(given: Sequence[str] | None = None) -> None:
    """Prints the table, and writes all figures where --json says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the collections")
    parser.add_argument("--collection", required=True, help="folder with corpus.jsonl, queries.jsonl, qrels.tsv")
    parser.add_argument("--distractors", help="folder whose corpus.jsonl is added, unjudged")
    parser.add_argument("--language", choices=["de", "en"], help="of the questions; read from the name otherwise")
    parser.add_argument("--tune", action="store_true", help="also search for weights on the tuning half")
    parser.add_argument("--all", action="store_true", help="report on all questions, the tuning half included")
    parser.add_argument("--sample", type=int, help="only so many questions, chosen by a hash of their ids")
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args(given)
    measured = anyio.run(run, arguments)
    print(
        f"{measured.documents} documents, {measured.documents / measured.seconds:.0f} a second, most memory {_memory()}"
    )
    print(f"{measured.questions} questions, mean and 95 % bootstrap interval; differences are paired")
    print(table(measured))
    if arguments.json:
        arguments.json.write_text(json.dumps(measured.data(), indent=2) + "\n", encoding="utf-8")


def _told(said: str) -> None:
    print(f"  {said}", file=sys.stderr, flush=True)


def _memory() -> str:
    own, child = (resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return f"{own:.0f} MB, of a child process {child:.0f} MB"


if __name__ == "__main__":
    main()
