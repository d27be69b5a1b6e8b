"""Measures all that is said of the quality of the knowledge base and of speech, as one table beside targets and peers.

    python -m benchmarks.quality --data DIR [--only retrieval,speech] [--quick] [--json FILE] [--write]

DIR holds the collections: xquad_de, xquad_en, wiki_de_distractors, covidfaq_de, covidfaq_en, klexikon, defog_sql, each
with or without something after its name (covidfaq_de_dev); what is not there is left out. All questions count. With
--json the rows are kept as they come, and those of parts that are not measured now stay in the file; --write puts the
table into docs/benchmarks.md. --quick takes 25 questions of each collection and no distractors.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

import anyio
from pydantic import TypeAdapter

from benchmarks import answers, retrieval, speech, sql, summaries
from benchmarks.judged import Estimate, judgements, lines, sampled
from benchmarks.process import ROOT
from benchmarks.report import into_page
from tools.knowledge import KnowledgeConfig
from tools.knowledge.library import Library

__all__ = ["Row", "main", "table"]

PAGE = ROOT / "docs" / "benchmarks.md"
DISTRACTORS = "wiki_de_distractors"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure with what it is to reach."""

    part: str
    collection: str
    metric: str
    measured: Estimate
    least: float | None = None
    most: float | None = None
    peers: Mapping[str, float] = field(default_factory=dict[str, float])
    ahead: Estimate | None = None
    """Of the best peer, question by question."""

    @property
    def reached(self) -> bool | None:
        """Null where nothing is to be reached."""
        if self.least is None and self.most is None:
            return None
        mean = self.measured.mean
        return (self.least is None or mean >= self.least) and (self.most is None or mean <= self.most)


@dataclass(frozen=True, slots=True)
class Given:
    """What to measure on."""

    data: Path
    home: Path
    """Where libraries are kept: what is read once is not read again for another part."""
    sample: int | None
    distractors: bool

    def folders(self, name: str) -> list[Path]:
        """Collections of this name."""
        return [path for path in (self.data / name, *sorted(self.data.glob(f"{name}_*"))) if path.is_dir()]

    def sets(self, names: Sequence[str]) -> list[list[Path]]:
        """Each collection alone, then the German questions of XQuAD among all distractors."""
        found = [[folder] for name in names for folder in self.folders(name)]
        if self.distractors and (more := self.folders(DISTRACTORS)):
            found += [[*self.folders("xquad_de"), *more]]
        return [folders for folders in found if (folders[0] / "queries.jsonl").is_file()]


SAID: Mapping[str, str] = {
    "ndcg@10": "nDCG@10",
    "recall@100": "R@100",
    "mrr@10": "MRR@10",
    "document": "cited document right",
    "faithfulness": "faithful: verbatim, offsets right",
    "auroc": "answerability, AUROC",
    "false answers at 70 %": "false answers when 70 % are answered",
}
"""How a metric is called in the table."""
WANTED: Mapping[tuple[str, str], float] = {
    (f"xquad_de + {DISTRACTORS}", "ndcg@10"): 0.91,
    ("xquad_de", "mrr@10"): 0.955,
    ("covidfaq_de", "ndcg@10"): 0.39,
    ("covidfaq_de", "recall@100"): 0.9,
    ("covidfaq_en", "ndcg@10"): 0.68,
}
"""What search is to reach at least."""


async def _retrieval(given: Given) -> AsyncIterator[Row]:
    for folders in given.sets(["xquad_de", "covidfaq_de", "covidfaq_en", "xquad_en"]):
        name = _name(folders)
        judged = judgements(folders[0])
        asked = [one for one in lines(folders[0] / "queries.jsonl") if one["id"] in judged]
        chosen = sampled(asked, given.sample, lambda one: str(one["id"]))
        async with Library(KnowledgeConfig(home=given.home / name)) as library:
            measured = await retrieval.measure(folders, chosen, judged, library, _teller(name))
        for metric in retrieval.METRICS:
            one = measured.figures(metric)
            wanted = [least for (of, what), least in WANTED.items() if what == metric and _is(name, of)]
            yield Row(
                part="retrieval", collection=name, metric=SAID[metric], measured=one.ours, least=next(iter(wanted), None),
                peers={peer: theirs.mean for peer, theirs in one.peers.items()}, ahead=one.ahead,
            )  # fmt: skip


async def _answers(given: Given) -> AsyncIterator[Row]:
    for folders in given.sets(["xquad_de", "xquad_en"]):
        name = _name(folders)
        asked = sampled(answers.read(folders[0]), given.sample, lambda one: one.id)
        home = given.home / name
        found = cast("dict[str, Any]", await answers.measure(folders, asked, home, _teller(name)))
        ours, peer = found["partitur"], found["peers"]["word BM25 over sentences"]
        wanted = {**answers.TARGETS.get(name, {}), "faithfulness": 1.0}
        for metric in ("hit@1", "hit@3", "document", "faithfulness", "auroc", "false answers at 70 %"):
            target, below = wanted.get(metric), metric.startswith("false")
            mean = float(ours[metric])
            yield Row(
                part="answers", collection=name, metric=SAID.get(metric, metric),
                measured=Estimate(mean, *ours["intervals"].get(metric, (mean, mean))),
                least=None if below else target, most=target if below else None,
                peers={"words": peer[metric]} if metric in peer else {},
                ahead=Estimate(round(mean - peer[metric], 4), *peer[f"difference {metric}"]) if metric in peer else None,
            )  # fmt: skip


async def _summaries(given: Given) -> AsyncIterator[Row]:
    for folder in given.folders("klexikon"):
        _teller(folder.name)("summaries")
        pairs = sampled(lines(folder / "pairs.jsonl"), given.sample, lambda pair: str(pair["id"]))
        measured = await anyio.to_thread.run_sync(summaries.measure, pairs)
        means = measured.means()
        peers = {name: mean.mean for name, mean in means.items() if name != "partitur"}
        ahead = measured.ahead(max(peers, key=lambda name: peers[name]))
        yield Row(
            part="summaries", collection=folder.name, metric="ROUGE-2 F", measured=means["partitur"],
            least=max(0.065, *peers.values()), peers=peers, ahead=ahead,
        )  # fmt: skip


async def _speech(given: Given) -> AsyncIterator[Row]:
    _teller("speech")("speaking")
    for figure in await speech.measure(given.sample):
        yield Row(
            part="speech", collection="own sentences", metric=figure.name, measured=figure.measured,
            least=figure.least, most=figure.most,
        )  # fmt: skip


async def _sql(given: Given) -> AsyncIterator[Row]:
    for folder in given.folders("defog_sql"):
        _teller(folder.name)("questions to tables")
        asked = argparse.Namespace(data=folder, sample=given.sample, url=None, name="", key=None)
        with tempfile.TemporaryDirectory() as home:
            found = (await sql.run(asked, Path(home)))["templates"].data()
        for metric in ("execution accuracy", "accuracy of the answered", "false answers on the unanswerable"):
            if (mean := cast("Sequence[float] | None", found[metric])) is not None:
                yield Row(part="tables", collection=folder.name, metric=metric, measured=Estimate(*mean))


PARTS: Mapping[str, Callable[[Given], AsyncIterator[Row]]] = {
    "retrieval": _retrieval, "answers": _answers, "summaries": _summaries, "speech": _speech, "tables": _sql,
}  # fmt: skip


def _name(folders: Sequence[Path]) -> str:
    return " + ".join(folder.name for folder in folders)


def _is(name: str, wanted: str) -> bool:
    """Whether a set of collections is the one meant, whatever stands after its name."""
    return name == wanted or (" + " not in name and name.startswith(f"{wanted}_"))


def _teller(name: str) -> Callable[[str], None]:
    return lambda said: print(f"{name}: {said}", file=sys.stderr, flush=True)


def table(rows: Sequence[Row]) -> str:
    """All rows, in Markdown."""
    heads = ["collection", "metric", "to reach", "Partitur", "beside", "ahead of the best", "reached"]
    lines = [heads, ["---"] * len(heads)]
    for row in rows:
        target = "–" if row.least is None else f"≥ {row.least:g}"
        if row.most is not None:
            target = f"≤ {row.most:g}" if row.least is None else f"{row.least:g} to {row.most:g}"
        low, high = _short(row.measured.low), _short(row.measured.high)
        ours = _short(row.measured.mean) + (f" [{low}, {high}]" if low != high else "")
        beside = ", ".join(f"{name} {_short(value)}" for name, value in row.peers.items())
        ahead = f"{row.ahead.mean:+.3f} [{row.ahead.low:+.3f}, {row.ahead.high:+.3f}]" if row.ahead else ""
        reached = {True: "yes", False: "**no**", None: ""}[row.reached]
        lines.append([row.collection, row.metric, target, ours, beside, ahead, reached])
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines) + "\n"


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 20 else f"{value:.4f}" if value < 0.1 else f"{value:.3f}"


def _kept(file: Path | None) -> list[Row]:
    """The rows of an earlier measurement."""
    if file is None or not file.is_file():
        return []
    return TypeAdapter(list[Row]).validate_json(file.read_bytes())


async def run(given: Given, parts: Sequence[str], file: Path | None) -> list[Row]:
    """Measures these parts; the rows of others are those of an earlier measurement."""
    rows = [row for row in _kept(file) if row.part not in parts]
    for part in parts:
        async for row in PARTS[part](given):
            rows.append(row)
            if file:
                made = [{**asdict(one), "reached": one.reached} for one in rows]
                file.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return sorted(rows, key=lambda row: list(PARTS).index(row.part))


def main(given: Sequence[str] | None = None) -> None:
    """Prints the table; exits with 1 where a row is not reached."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the collections")
    parser.add_argument("--only", default=",".join(PARTS), help="parts, of %(default)s")
    parser.add_argument("--quick", action="store_true", help="25 questions of each collection, no distractors")
    parser.add_argument("--json", type=Path, help="file that keeps the rows")
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks.md")
    arguments = parser.parse_args(given)
    parts = [part for part in str(arguments.only).split(",") if part]
    if unknown := set(parts) - set(PARTS):
        parser.error(f"The parts {sorted(unknown)} are unknown. Expected some of {list(PARTS)}.")
    with tempfile.TemporaryDirectory() as home:
        sample = 25 if arguments.quick else None
        setting = Given(arguments.data, Path(home), sample, distractors=not arguments.quick)
        rows = anyio.run(run, setting, parts, arguments.json)
    lines = table(rows)
    print(lines)
    if arguments.write:
        into_page(PAGE, "quality", lines)
    if not all(row.reached is not False for row in rows):
        sys.exit(1)


if __name__ == "__main__":
    main()
