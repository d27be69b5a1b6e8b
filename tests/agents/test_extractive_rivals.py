"""Tests of documents that contradict each other: both are quoted, the newer first where the dates are known."""

from datetime import UTC, datetime

import pytest
from extractive_texts import searched, task
from pydantic_ai.messages import TextPart
from pydantic_ai.models import ModelRequestParameters

from agents.extractive.respond import respond
from tools.base import Passage

OLD = "Die Hundesteuer beträgt 96 Euro im Jahr. Zuständig ist das Bürgerbüro."
NEW = "Die Hundesteuer beträgt 120 Euro im Jahr. Der Rat hat das beschlossen."
QUESTION = "Wie viel kostet die Hundesteuer im Jahr?"


def found(text: str, document: str, score: float, year: int | None = None, *, zone: bool = True) -> Passage:
    date = datetime(year, 5, 1, tzinfo=UTC if zone else None) if year else None
    return Passage(document=document, title="Satzung", start=0, end=len(text), text=text, score=score, date=date)


def said(*passages: Passage, question: str = QUESTION, sentences: int = 3) -> str:
    content = task(query=question, sentences=sentences, threshold=0.0)
    part = respond(searched(content, passages), ModelRequestParameters()).parts[0]
    assert isinstance(part, TextPart)
    return part.content


@pytest.mark.parametrize("zone", [True, False])
def test_the_newer_rule_comes_first_and_both_are_quoted(zone: bool) -> None:
    text = said(found(OLD, "alt.md", 10, 2024, zone=zone), found(NEW, "neu.md", 9, 2026))
    assert text == "Die Hundesteuer beträgt 120 Euro im Jahr.\n\nDie Hundesteuer beträgt 96 Euro im Jahr."


def test_without_dates_the_better_found_comes_first() -> None:
    text = said(found(OLD, "alt.md", 10), found(NEW, "neu.md", 9, 2026))
    assert text == "Die Hundesteuer beträgt 96 Euro im Jahr.\n\nDie Hundesteuer beträgt 120 Euro im Jahr."


def test_both_are_quoted_even_where_one_sentence_was_asked_for() -> None:
    text = said(found(OLD, "alt.md", 10, 2024), found(NEW, "neu.md", 9, 2026), sentences=1)
    assert text.count("Die Hundesteuer beträgt") == 2


def test_the_same_figure_twice_is_no_contradiction() -> None:
    again = "Die Hundesteuer beträgt jährlich 96 Euro. Sie ist im Mai fällig."
    assert "jährlich" not in said(found(OLD, "alt.md", 10, 2024), found(again, "neu.md", 9, 2026))


def test_the_figure_of_something_else_is_no_contradiction() -> None:
    cats = "Das Freibad kostet für Kinder 2 Euro am Tag. Im Sommer kamen viele."
    assert (
        said(found(OLD, "alt.md", 10, 2024), found(cats, "bad.md", 9, 2026))
        == "Die Hundesteuer beträgt 96 Euro im Jahr."
    )


def test_a_question_for_no_figure_is_answered_as_ever() -> None:
    text = said(found(OLD, "alt.md", 10, 2024), found(NEW, "neu.md", 9, 2026), question="Wer ist zuständig?")
    assert text.startswith("Zuständig ist das Bürgerbüro.")
