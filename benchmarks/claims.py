"""Measures the judge of claims: sentences made from questions and passages, some true in other words, some made wrong.

    python -m benchmarks.claims --data DIR --collection xquad_de [--tuning] [--json FILE]

True: the question said as a statement with its answer, and the sentence of the answer shortened. Wrong: the same with
another number, another name, a denial, another question's answer, or without the passage that says it. The weights were
chosen on the half of the questions whose id hashes even; what is reported is the other half.
"""

import argparse
import json
import random
import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import anyio
import numpy as np
from numpy.typing import NDArray

from agents.kit.claims import Sources
from agents.kit.facts import names
from benchmarks.answers import CALLER, LIMIT, Question, interval, read, separation
from benchmarks.judged import even, record
from tools.base import Passage
from tools.knowledge import KnowledgeConfig
from tools.knowledge.library import Library
from tools.language import Language, detect, sentences

_ASKING: dict[Language, str] = {
    "de": r"\b(?:wie ?viele?|wann|we[rnm]|wo|wie (?:hoch|lange?|groß|alt|weit|oft)|was"
    r"|(?:(?:in|im|zu|bei|an|aus|auf|von) )?welche[mnrs]?(?: \w+)?)\b",
    "en": r"\b(?:how (?:many|much)|when|whom?|where|(?:(?:in|to|at|on) )?(?:which|what) \w+|what)\b",
}
_VERB: dict[Language, tuple[str, str]] = {
    "de": (r"\b(ist|sind|war|waren|wurden?|hat|haben|hatten?|kann|können|wird|werden)\b", r"\1 nicht"),
    "en": (r"\b(is|are|was|were|has|have|had|can|will|did|does|do)\b", r"\1 not"),
}
_STRANGERS = ("Brandauer", "Kessler", "Talheim", "Norvik")


class Claim(NamedTuple):
    kind: str
    true: bool
    text: str
    without: bool = False
    """Judged without the passage that says it."""


class Judged(NamedTuple):
    kind: str
    true: bool
    score: float
    carried: bool


def stated(question: str, answer: str, language: Language) -> str | None:
    """A question as a statement: the answer stands where it asks. The grammar is rough, the words are people's own."""
    found = re.search(_ASKING[language], question, re.IGNORECASE)
    if not found:
        return None
    text = f"{question[: found.start()]}{answer}{question[found.end() :]}".strip().rstrip("?").strip()
    return f"{text[0].upper()}{text[1:]}."


def shortened(sentence: str) -> str:
    """A sentence without its brackets and its second clause."""
    text = re.sub(r" \([^)]*\)", "", sentence)
    parts = text.split(", ")
    return ", ".join([parts[0], *parts[2:]]) if len(parts) > 2 else text


def claims(
    question: Question, gold: Passage, others: Sequence[str], language: Language, chance: random.Random
) -> Iterator[Claim]:
    """What is claimed of one question, true and wrong."""
    answer = question.answers[0]
    own = [gold.text[span.start : span.end] for span in sentences(gold.text, language)]
    said = next((one for one in own if answer.casefold() in one.casefold()), None)
    bases = {"question": stated(question.text, answer, language), "sentence": said and shortened(said)}
    for base, text in bases.items():
        if not text:
            continue
        yield Claim(base, True, text)
        yield Claim(f"{base}, source removed", False, text, without=True)
        if numbers := list(re.finditer(r"\d{1,9}", text)):
            number = chance.choice(numbers)
            other = int(number.group()) + chance.choice((1, 3, 7, 10))
            yield Claim(f"{base}, number", False, f"{text[: number.start()]}{other}{text[number.end() :]}")
        if (denied := re.sub(*_VERB[language], text, count=1)) != text:
            yield Claim(f"{base}, denied", False, denied)
        if named := sorted(names(text, language)):
            name = rf"\b{re.escape(chance.choice(named))}\b"
            yield Claim(f"{base}, name", False, re.sub(name, chance.choice(_STRANGERS), text, flags=re.IGNORECASE))
    wrong = chance.choice(others)
    if wrong.casefold() not in gold.text.casefold() and (text := stated(question.text, wrong, language)):
        yield Claim("question, other answer", False, text)


async def judged(folder: Path, questions: Sequence[Question], home: Path) -> list[Judged]:
    """Every claim with what the judge says of it, on the passages that the search finds."""
    language = detect(" ".join(question.text for question in questions[:50]))
    others, chance = [question.answers[0] for question in questions], random.Random(0)
    found: list[Judged] = []
    async with Library(KnowledgeConfig(home=home)) as library:
        await library.ingest([folder / "corpus.jsonl"], caller=CALLER)
        for question in questions:
            passages = (await library.search(question.text, caller=CALLER, limit=2 * LIMIT)).passages
            gold = next((one for one in passages[:LIMIT] if record(one.document) in question.documents), None)
            if gold is None:
                continue
            rest = [one for one in passages if record(one.document) not in question.documents]
            sources = [Sources(some[:LIMIT], query=question.text) for some in (passages, rest)]
            for claim in claims(question, gold, others, language, chance):
                verdict = sources[claim.without].judge(claim.text)
                found.append(Judged(claim.kind, claim.true, verdict.score, verdict.status != "unsupported"))
    return found


def figures(rows: Sequence[Judged]) -> dict[str, object]:
    """Precision, recall, AUROC, and the share of each kind that the judge takes for carried."""
    true: NDArray[np.bool_] = np.array([row.true for row in rows])
    carried: NDArray[np.bool_] = np.array([row.carried for row in rows])
    scores = np.array([row.score for row in rows])
    kinds = dict.fromkeys(row.kind for row in rows)
    return {
        "claims": len(rows),
        "auroc": round(separation(scores[true], scores[~true]), 4),
        "precision": _share(true[carried]),
        "recall": _share(carried[true]),
        "wrong let through": _share(carried[~true]),
        "carried": {kind: _share(np.array([row.carried for row in rows if row.kind == kind])) for kind in kinds},
    }


def _share(values: NDArray[np.bool_]) -> list[object]:
    """A share with its 95 % bootstrap interval, and of how many."""
    numbers = values.astype(np.float64)
    return [round(float(numbers.mean()), 4), *interval(numbers), len(values)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the collections")
    parser.add_argument("--collection", default="xquad_de")
    parser.add_argument("--tuning", action="store_true", help="report the half the weights were chosen on instead")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    arguments = parser.parse_args()
    folder = arguments.data / arguments.collection
    questions = [one for one in read(folder) if even(one.id) == arguments.tuning]
    with tempfile.TemporaryDirectory() as home:
        made = {"collection": folder.name, **figures(anyio.run(judged, folder, questions, Path(home)))}
    print(json.dumps(made, indent=2, ensure_ascii=False))
    if arguments.json:
        arguments.json.write_text(json.dumps(made, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
