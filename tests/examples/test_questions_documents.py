"""The test set on the town's documents: 100 questions answered by the embedded engine, and 40 near misses refused."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from agents.answer import Question, answer
from agents.kit.scope import Scope
from server import House
from server.house import LOCAL
from tools.base import Citation
from tools.knowledge import Search, search

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]

QUESTIONS = Path(__file__).parents[2] / "examples" / "birkenfurt" / "questions"

CASES: list[dict[str, Any]] = yaml.safe_load((QUESTIONS / "documents.yaml").read_text("utf-8"))["questions"]

FOUND = {"document_first": 76, "document": 90, "passage": 83}
"""Least of 100 questions. Measured: for 78 a right document is the first, for 92 among eight passages; for 85 one of these says it."""
FLOORS = {"answered": 39, "document": 38, "first": 27, "third": 30}
"""Least of 100 questions. Measured: 41 are answered, 40 with a right document, 29 by the first sentence, 32 within three."""
MOST_WRONG = 10
"""Most of 100 that quote something and not the answer. Measured: 9."""
REFUSED = 23
"""Least of 40 near misses. Measured: 24."""


@dataclass(frozen=True)
class Judged:
    """What one answer was worth."""

    answered: bool
    document: bool
    first: bool
    third: bool
    right: bool


def judged(case: Mapping[str, Any], citations: Sequence[Citation]) -> Judged:
    """Holds the quotes of an answer against the gold; a heading that is quoted above its table is no sentence of its own."""
    gold: dict[str, str | list[str]] = case["gold"]
    said = [one for one in citations if one.quote != (one.heading or "").rpartition(" › ")[2]]

    def holds(among: Sequence[Citation]) -> bool:
        hit = {one.document for one in among if one.document in gold and _says(one.quote, gold[one.document])}
        return hit == set(gold) if case.get("all") else bool(hit)

    cited = any(one.document in gold for one in citations)
    return Judged(bool(citations), cited, holds(said[:1]), holds(said[:3]), holds(said))


def _says(quote: str, answers: str | list[str]) -> bool:
    flat = re.sub(r"[\s|]+", " ", quote)
    return any(one in flat for one in ([answers] if isinstance(answers, str) else answers))


async def test_the_search_finds_the_passage_that_answers(house: House) -> None:
    reached = dict.fromkeys(FOUND, 0)
    for case in CASES:
        gold = case["gold"]
        given = Search(query=case["question"], limit=8)
        found = (await house.runtime.toolbox.call(search, given, Scope.alone("test", LOCAL))).passages
        named = [one.document for one in found]
        reached["document_first"] += named[0] in gold
        reached["document"] += any(name in gold for name in named)
        reached["passage"] += any(one.document in gold and _says(one.text, gold[one.document]) for one in found)
        if not any(name in gold for name in named):
            print(f"{case['question']}\n  expected {list(gold)}\n  got {named}")
    print(f"{reached} of {len(CASES)}")
    assert {name: reached[name] for name, floor in FOUND.items() if reached[name] < floor} == {}


async def test_questions_in_the_words_of_citizens_are_answered_by_the_sentence_that_says_it(house: House) -> None:
    marks: list[Judged] = []
    missed: list[str] = []
    for case in CASES:
        result = await house.ask(answer, Question(question=case["question"]))
        marks.append(judged(case, result.citations))
        if not marks[-1].third:
            got = [f"{one.document}: {one.quote!r}" for one in result.citations] or [result.outcome]
            missed.append(f"{case['question']}\n  expected {case['gold']}\n  got {'; '.join(got)}")
    reached = {name: sum(getattr(mark, name) for mark in marks) for name in FLOORS}
    wrong = sum(mark.answered and not mark.right for mark in marks)
    print(f"{reached} of {len(CASES)}, {wrong} wrong", *missed, sep="\n")
    assert {name: reached[name] for name, floor in FLOORS.items() if reached[name] < floor} == {}
    assert wrong <= MOST_WRONG


async def test_near_misses_are_refused(house: House) -> None:
    cases = yaml.safe_load((QUESTIONS / "unanswerable.yaml").read_text("utf-8"))["questions"]
    refused = 0
    for case in cases:
        result = await house.ask(answer, Question(question=case["question"]))
        refused += result.outcome == "no_source"
        if result.outcome != "no_source":
            quotes = "; ".join(f"{one.document}: {one.quote!r}" for one in result.citations)
            print(f"{case['question']}\n  expected no answer: {case['why']}\n  got {quotes}")
    print(f"{refused} of {len(cases)} refused")
    assert refused >= REFUSED
