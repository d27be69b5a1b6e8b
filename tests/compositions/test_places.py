"""Tests of how answers and newsletters name the places they rest on."""

import pytest

from agents.answer import Answer
from agents.editor import Section
from compositions.newsletter import Newsletter
from tools.base import Citation

PLACE = Citation(document="a.pdf", title="Satzung", heading=None, page=3, start=0, end=1, quote="x")
TEXTS = [
    ("Für den ersten Hund sind 96 Euro im Jahr zu zahlen.", "Satzung · S. 3"),
    ("The tax for the first dog is 96 euros and it must be paid every year.", "Satzung · p. 3"),
]


@pytest.mark.parametrize(("text", "place"), TEXTS)
def test_an_answer_names_pages_in_its_language(text: str, place: str) -> None:
    assert Answer(text=text, sources=[PLACE]).markdown() == f"{text}\n\n1. {place}"


@pytest.mark.parametrize(("text", "place"), TEXTS)
def test_a_newsletter_names_pages_in_its_language(text: str, place: str) -> None:
    section = Section(heading="Hund", text=text, sources=[PLACE])
    assert Newsletter(title="Hund", lead="", sections=[section]).markdown().endswith(f"[^1]: {place}")
