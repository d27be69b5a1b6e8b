"""The embedded engine on the sample documents: every sentence it says stands in its source, and off topic it is silent."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from agents.answer import Question, answer
from agents.kit import Result
from agents.kit.grounding import texts_in
from compositions.newsletter import Brief, newsletter
from server import House
from server.house import LOCAL
from tools.base import Citation

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]

TOWN = Path(__file__).parents[2] / "examples" / "birkenfurt"
TOPICS = yaml.safe_load((TOWN / "topics.yaml").read_text("utf-8"))
QUESTIONS = yaml.safe_load((TOWN / "questions.yaml").read_text("utf-8"))


async def quoted(house: House, result: Result[Any], texts: list[str]) -> int:
    """Checks that `texts` consist of the citations of `result` and these stand where they say; how many there are."""
    by_document: dict[str, str] = {}
    for one in result.citations:
        if one.document not in by_document:
            by_document[one.document] = (await house.servers.library.text(one.document, LOCAL)).text
        assert by_document[one.document][one.start : one.end] == one.quote
    for text in texts:
        assert _without(text, result.citations).strip() == "", f"{text!r} says more than its sources"
    return len(result.citations)


def _without(text: str, citations: list[Citation]) -> str:
    for quote in sorted({one.quote for one in citations}, key=len, reverse=True):
        text = text.replace(quote, "")
    return text


async def test_every_word_of_every_answer_is_a_quote_at_its_place(house: House) -> None:
    answered = right = 0
    for case in QUESTIONS["answered"]:
        result = await house.ask(answer, Question(question=case["question"]))
        if result.output is not None:
            assert await quoted(house, result, [result.output.text]) > 0
            answered += 1
            right += case["answer"] in result.output.text
    assert answered >= 0.75 * len(QUESTIONS["answered"])
    assert right >= 0.75 * answered


async def test_questions_that_the_documents_do_not_answer_get_no_answer(house: House) -> None:
    outcomes = [
        (await house.ask(answer, Question(question=case["question"]))).outcome for case in QUESTIONS["unanswered"]
    ]
    assert outcomes.count("no_source") >= 0.5 * len(outcomes)  # near misses on purpose: a museum, a passport, a doctor


async def test_every_word_of_every_newsletter_is_a_quote_and_none_stands_twice(house: House) -> None:
    documents = 0
    for topic in TOPICS["inside"]:
        result = await house.ask(newsletter, Brief(topic=topic["topic"], picture=False, speech=False))
        assert result.output is not None, topic
        made = result.output
        texts = texts_in([made.title, made.lead, *made.sections])
        assert await quoted(house, result, texts) > 0
        said = [source.quote for section in made.sections for source in section.sources]
        assert len(said) == len(set(said)), topic
        documents += len({source.document for section in made.sections for source in section.sources})
    assert documents >= 2.5 * len(TOPICS["inside"])


async def test_topics_outside_the_documents_get_no_newsletter(house: House) -> None:
    for topic in TOPICS["outside"]:
        result = await house.ask(newsletter, Brief(topic=topic["topic"], picture=False, speech=False))
        assert (result.outcome, result.output) == ("no_source", None), topic
