"""Measures search on judged collections, through the product's own ingestion and search, beside LanceDB's own BM25.

    python benchmarks/retrieval.py --data DIR --collection xquad_de [--distractors wiki_de_distractors] [--json FILE]

A collection is a folder with corpus.jsonl (id, title, text), queries.jsonl (id, text) and qrels.tsv (query, document,
grade). Weights were chosen on the half of the questions whose id hashes even (`--tune` shows that search again); what
is reported is the other half.
"""

import argparse
import hashlib
import itertools
import json
import math
import resource
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import anyio
import numpy as np

from tools.base import Caller
from tools.knowledge import KnowledgeConfig
from tools.knowledge.library import Library
from tools.knowledge.ranking import COLUMNS, query_terms
from tools.language import Language

DEPTH = 300  # passages fetched: documents of several passages must not shorten the list of 100 documents
CALLER = Caller(subject="benchmark")
Ranked = list[str]
Ask = Callable[[str], Awaitable[Ranked]]
METRICS = ("ndcg@10", "recall@100", "mrr@10")


def _lines(path: Path) -> list[dict[str, str]]:
    return [cast(dict[str, str], json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines() if line]


def _even(name: str) -> bool:
    return hashlib.sha256(name.encode()).digest()[0] % 2 == 0


def _record(document: str) -> str:
    return document.rpartition("/")[2]


def _once(names: Iterable[str]) -> Ranked:
    return list(dict.fromkeys(names))


def score(ranked: Ranked, relevant: Mapping[str, int]) -> tuple[float, float, float]:
    """nDCG@10, recall@100 and MRR@10 of one question."""
    gains = [relevant.get(name, 0) / math.log2(at + 2) for at, name in enumerate(ranked[:10])]
    best = sum(grade / math.log2(at + 2) for at, grade in enumerate(sorted(relevant.values(), reverse=True)[:10]))
    found = len(relevant.keys() & set(ranked[:100])) / len(relevant)
    first = next((1 / (at + 1) for at, name in enumerate(ranked[:10]) if name in relevant), 0.0)
    return sum(gains) / best, found, first


def interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean with its 95 % bootstrap interval (2,000 samples, fixed seed)."""
    array = np.asarray(values)
    means = np.random.default_rng(0).choice(array, (2000, len(array))).mean(axis=1)
    return float(array.mean()), float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))


async def evaluate(
    ask: Ask, questions: Sequence[dict[str, str]], judged: Mapping[str, Mapping[str, int]]
) -> list[list[float]]:
    """For each metric the values of all questions, in order."""
    rows = [score(await ask(question["text"]), judged[question["id"]]) for question in questions]
    return [list(column) for column in zip(*rows, strict=True)]


async def _peer(library: Library, language: Language, folder: Path) -> Ask:
    """LanceDB's own full text over the same chunks: title and text in one stemmed column, its default options."""
    import lancedb
    from lancedb.index import FTS
    from lancedb.query import MatchQuery

    match = cast(Any, MatchQuery)  # it declares none of its defaults
    db = await lancedb.connect_async(library.config.home / "lance")
    chunks = cast(Any, await db.open_table("chunks"))
    rows = cast(list[dict[str, str]], await chunks.query().select(["document", "title", "text"]).to_list())
    other = await lancedb.connect_async(folder / "peer")
    table = await other.create_table(
        "chunks", [{"document": row["document"], "text": f"{row['title']}\n{row['text']}"} for row in rows]
    )
    await table.create_index("text", config=FTS(language="German" if language == "de" else "English"))

    async def ask(text: str) -> Ranked:
        query = cast(Any, table.query().nearest_to_text(match(text, "text")))
        found = cast(list[dict[str, str]], await query.select(["document", "_score"]).limit(DEPTH).to_list())
        return _once(_record(row["document"]) for row in found)

    return ask


async def _latency(library: Library, language: Language, questions: Sequence[str]) -> tuple[float, float]:
    """Median milliseconds of our search and of LanceDB's bare query for the same terms, taken in turn, limit 8."""
    import lancedb
    from lancedb.query import BooleanQuery, MatchQuery, Occur

    db = await lancedb.connect_async(library.config.home / "lance", read_consistency_interval=timedelta(days=1))
    table = cast(Any, await db.open_table("chunks"))
    match, boolean = cast(Any, MatchQuery), cast(Any, BooleanQuery)
    ours: list[float] = []
    bare: list[float] = []
    for text in questions:
        begin = time.perf_counter()
        await library.search(text, caller=CALLER, limit=8, language=language)
        ours.append(time.perf_counter() - begin)
        terms = query_terms(text, language)
        query = boolean([(Occur.SHOULD, match(words, column, boost=weight)) for column, words, weight in terms])
        begin = time.perf_counter()
        await table.query().nearest_to_text(query).select(["document", "text", "_score"]).limit(8).to_list()
        bare.append(time.perf_counter() - begin)
    return statistics.median(ours) * 1000, statistics.median(bare) * 1000


async def _tune(
    library: Library, language: Language, questions: Sequence[dict[str, str]], judged: Mapping[str, Mapping[str, int]]
) -> None:
    """Prints the best weights of a grid on the tuning half; each column is asked once."""
    from tools.knowledge.scope import Scope
    from tools.knowledge.store import Store

    store = await Store.open(library.config.home)
    held: list[tuple[str, dict[str, dict[str, float]]]] = []
    for question in questions:
        columns: dict[str, dict[str, float]] = {}
        for term in query_terms(question["text"], language, dict.fromkeys(COLUMNS, 1.0)):
            rows = await store.search(Scope(CALLER), [term], 400)
            best: dict[str, float] = {}
            for row in rows:
                name = _record(row["document"])
                best[name] = max(best.get(name, 0.0), row["_score"])
            columns[term[0]] = best
        held.append((question["id"], columns))
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


async def run(arguments: argparse.Namespace) -> dict[str, Any]:
    data, collection = Path(arguments.data), str(arguments.collection)
    folder = data / collection
    language: Language = arguments.language or ("en" if "_en" in collection else "de")
    judged: dict[str, dict[str, int]] = {}
    for line in (folder / "qrels.tsv").read_text().splitlines():
        question, document, grade = line.split("\t")
        judged.setdefault(question, {})[document] = int(grade)
    questions = [question for question in _lines(folder / "queries.jsonl") if question["id"] in judged]
    tuning = [question for question in questions if _even(question["id"])]
    held_out = questions if arguments.all else [question for question in questions if not _even(question["id"])]
    with tempfile.TemporaryDirectory() as scratch:
        async with Library(KnowledgeConfig(home=Path(scratch) / "home")) as library:
            begin = time.perf_counter()
            report = await library.ingest([folder / "corpus.jsonl"], caller=CALLER)
            count = report.read
            if arguments.distractors:
                count += (await library.ingest([data / arguments.distractors / "corpus.jsonl"], caller=CALLER)).read
            seconds = time.perf_counter() - begin
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            readers = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
            print(f"{count} documents in {seconds:.1f} s: {count / seconds:.0f}/s")
            print(f"peak memory {memory:.0f} MB, of a child process {readers:.0f} MB")
            if arguments.tune:
                await _tune(library, language, tuning, judged)

            async def ask(text: str) -> Ranked:
                found = await library.search(text, caller=CALLER, limit=DEPTH)
                return _once(_record(passage.document) for passage in found.passages)

            systems = {"partitur": ask, "bm25_stemmed": await _peer(library, language, Path(scratch))}
            result: dict[str, Any] = {"partitur": {}, "peers": {"bm25_stemmed": {}}, "questions": len(held_out)}
            values: dict[str, list[list[float]]] = {}
            print(f"{collection} {arguments.distractors or ''}: {len(held_out)} questions, mean and 95 % interval")
            for name, system in systems.items():
                values[name] = await evaluate(system, held_out, judged)
                place = result["partitur"] if name == "partitur" else result["peers"][name]
                for metric, column in zip(METRICS, values[name], strict=True):
                    mean, low, high = interval(column)
                    place[metric] = round(mean, 4)
                    place[f"{metric} interval"] = [round(low, 4), round(high, 4)]
                    print(f"  {name:14} {metric:11} {mean:.4f} [{low:.4f}, {high:.4f}]")
            for at, metric in enumerate(METRICS):
                gains = [
                    ours - theirs
                    for ours, theirs in zip(values["partitur"][at], values["bm25_stemmed"][at], strict=True)
                ]
                mean, low, high = interval(gains)
                print(f"  difference     {metric:11} {mean:+.4f} [{low:+.4f}, {high:+.4f}]")
            ours, bare = await _latency(library, language, [question["text"] for question in held_out[:150]])
            print(f"  search {ours:.1f} ms, LanceDB's query alone {bare:.1f} ms: {ours / bare:.2f} x")
            result |= {
                "documents_per_second": round(count / seconds, 1),
                "peak_memory_mb": round(memory),
                "latency_ratio": round(ours / bare, 3),
            }
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", required=True, help="folder of the collections")
    parser.add_argument("--collection", required=True, help="folder with corpus.jsonl, queries.jsonl, qrels.tsv")
    parser.add_argument("--distractors", help="folder whose corpus.jsonl is added, unjudged")
    parser.add_argument(
        "--language", choices=["de", "en"], help="of the questions; read from the collection's name otherwise"
    )
    parser.add_argument("--json", help="file for the figures")
    parser.add_argument("--tune", action="store_true", help="also search for weights on the tuning half")
    parser.add_argument(
        "--all", action="store_true", help="report on all questions: for collections nothing was tuned on"
    )
    arguments = parser.parse_args()
    result = anyio.run(run, arguments)
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
