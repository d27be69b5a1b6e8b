"""Measures questions to tables: how many are answered, how many of those rightly, and whether the unanswerable are refused.

    python -m benchmarks.sql --data DIR [--url URL --name MODEL] [--sample N] [--json FILE]

DIR is a collection as benchmarks/sql_collection.py reads it. Its databases are loaded into the product's table store and
asked through the product, first by templates without a model, then, with --url, by a model that writes SQL. Rows are
compared as the collection does: in no order, each once, with more columns allowed than a right query has. Unanswerable
are the questions of each database put to the others, and those of idk.csv (question, db_name) where there is one.
"""

import argparse
import csv
import hashlib
import json
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import anyio
import numpy as np
from numpy.typing import NDArray
from pydantic import SecretStr

from benchmarks.sql_collection import Database, Question, holds, questions
from tools.base import ArtifactStore, Caller, Reach
from tools.tables import TableAnswer, TableQuestion, TablesConfig
from tools.tables.answering import Answering
from tools.tables.loading import load
from tools.tables.store import Tables

__all__ = ["Figures", "main", "measure", "table"]

REACH = Reach(Caller(subject="benchmark"))
Ask = Callable[[str, str], Awaitable[TableAnswer]]
"""Puts a question to a database."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one question that has an answer: refused, right, wrong, or not measurable here."""

    question: Question
    answer: TableAnswer
    right: bool


@dataclass(frozen=True, slots=True)
class Figures:
    """All outcomes of one way to ask."""

    outcomes: Sequence[Outcome]
    unmeasured: int
    """Questions whose right queries do not run here."""
    unanswerable: Sequence[bool]
    """Whether each of them was answered all the same."""

    def data(self) -> dict[str, object]:
        """The figures; shares as mean and the two ends of the 95 % bootstrap interval."""
        answered = np.array([one.answer.outcome == "answered" for one in self.outcomes], dtype=np.float64)
        right = np.array([one.right for one in self.outcomes], dtype=np.float64)
        false = np.array(self.unanswerable, dtype=np.float64)
        of_answered = right[answered == 1]
        kinds = Counter(one.question.category for one in self.outcomes)
        good = Counter(one.question.category for one in self.outcomes if one.right)
        return {
            "questions": len(self.outcomes),
            "not measurable": self.unmeasured,
            "answered": _mean(answered),
            "execution accuracy": _mean(right),
            "accuracy of the answered": _mean(of_answered),
            "unanswerable": len(false),
            "false answers on the unanswerable": _mean(false),
            "right by category": {kind: f"{good[kind]} of {count}" for kind, count in sorted(kinds.items())},
            "wrong": [
                {"database": one.question.database, "question": one.question.text, "sql": one.answer.sql}
                for one in self.outcomes
                if one.answer.outcome == "answered" and not one.right
            ],
        }


class Mean(NamedTuple):
    """A share with its 95 % bootstrap interval (2,000 samples, fixed seed)."""

    mean: float
    low: float
    high: float


def _mean(values: NDArray[np.float64]) -> Mean | None:
    if not len(values):
        return None
    means = np.random.default_rng(0).choice(values, (2000, len(values))).mean(axis=1)
    low, high = (round(float(np.quantile(means, at)), 4) for at in (0.025, 0.975))
    return Mean(round(float(values.mean()), 4), low, high)


async def measure(
    databases: Mapping[str, Database],
    asked: Sequence[Question],
    unanswerable: Sequence[tuple[str, str]],
    ask: Ask,
) -> Figures:
    """Asks everything once; `unanswerable` are questions with the databases they are put to."""
    outcomes: list[Outcome] = []
    unmeasured = 0
    for question in asked:
        right = databases[question.database].right(question.query)
        if not right:
            unmeasured += 1
            continue
        answer = await ask(question.database, _text(question))
        rows = [tuple(row) for row in answer.result.rows] if answer.result else []
        # "There is none" is an answer, too: where a right query finds no row, one that ran and found none is right.
        ran = answer.outcome == "answered" or (answer.outcome == "not_in_data" and answer.result is not None)
        outcomes.append(Outcome(question, answer, ran and any(holds(rows, wanted) for wanted in right)))
    answered = [(await ask(name, text)).outcome == "answered" for name, text in unanswerable]
    return Figures(outcomes, unmeasured, answered)


def _text(question: Question) -> str:
    """The question as it is put: 500 characters at most, the collection's instructions left out."""
    return " ".join(question.text.split())[:500]


def foreign(asked: Sequence[Question], names: Sequence[str], folder: Path) -> list[tuple[str, str]]:
    """Questions that a database cannot answer: those of the others, and those the collection lists as such."""
    found = [(name, _text(question)) for question in asked for name in names if name != question.database]
    listed = folder / "idk.csv"
    if listed.is_file():
        with listed.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        found += [(row["db_name"], " ".join(row["question"].split())[:500]) for row in rows if row["db_name"] in names]
    return found


def table(figures: Mapping[str, Figures]) -> str:
    """One row for each way to ask."""
    heads = ["", "questions", "answered", "right of all", "right of the answered", "answered though unanswerable"]
    lines = [heads, ["---"] * len(heads)]
    for name, one in figures.items():
        data = one.data()
        cells = ["answered", "execution accuracy", "accuracy of the answered", "false answers on the unanswerable"]
        lines.append([name, str(data["questions"]), *(_cell(data[cell]) for cell in cells)])
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines) + "\n"


def _cell(value: object) -> str:
    if not isinstance(value, Mean):
        return "–"
    return f"{value.mean:.3f} ({value.low:.3f} to {value.high:.3f})"


async def run(arguments: argparse.Namespace, home: Path) -> dict[str, Figures]:
    """Loads the collection and measures each way to ask."""
    asked = questions(arguments.data)
    if arguments.sample:
        asked = sorted(asked, key=lambda one: hashlib.sha256(one.text.encode()).digest())[: arguments.sample]
    names = list(dict.fromkeys(question.database for question in asked))
    databases = {name: Database(arguments.data, name) for name in names}
    stores: dict[str, tuple[TablesConfig, Tables]] = {}
    for name, database in databases.items():
        config = TablesConfig(
            home=home / name, workers=1, url=arguments.url, name=arguments.name, timeout=600,
            key=SecretStr(arguments.key) if arguments.key else None,
        )  # fmt: skip
        database.export(home / f"{name}.files")
        report = load(home / f"{name}.files", config=config)
        if failed := [file for file in report.files if file.failure]:
            raise SystemExit(f"The database {name!r} cannot be loaded: {failed[0].failure}")
        stores[name] = config, Tables(config)
    artifacts = ArtifactStore(home / "artifacts")

    def asking(method: str) -> Ask:
        async def ask(name: str, text: str) -> TableAnswer:
            question = TableQuestion.model_validate({"question": text, "method": method, "limit": 1000})
            return await Answering(*stores[name], artifacts=artifacts, pool=None).ask(question, REACH)

        return ask

    try:
        put = foreign(asked, names, arguments.data)
        found = {"templates": await measure(databases, asked, put, asking("templates"))}
        if arguments.url:
            # A model is asked only as many unanswerable questions as answerable ones: each costs a request or two.
            few = sorted(put, key=lambda one: hashlib.sha256("|".join(one).encode()).digest())[: len(asked)]
            found[arguments.name] = await measure(databases, asked, few, asking("model"))
        return found
    finally:
        for _, tables in stores.values():
            tables.close()
        for database in databases.values():
            database.close()


def main(given: Sequence[str] | None = None) -> None:
    """Prints the table, and writes all figures where --json says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the collection")
    parser.add_argument("--url", help="OpenAI-compatible endpoint of a model that writes SQL")
    parser.add_argument("--name", default="chat", help="model at the endpoint")
    parser.add_argument("--key", help="API key of the endpoint")
    parser.add_argument("--sample", type=int, help="only so many questions, chosen by a hash of their words")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    arguments = parser.parse_args(given)
    with tempfile.TemporaryDirectory() as home:
        figures = anyio.run(run, arguments, Path(home))
    print(table(figures))
    if arguments.json:
        data = {"collection": arguments.data.name, **{name: one.data() for name, one in figures.items()}}
        arguments.json.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
