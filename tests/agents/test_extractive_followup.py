"""Tests of follow-up questions: which lean on an earlier one, what they are completed with, and which stay as they are."""

import pytest
from extractive_texts import task
from pydantic_ai.messages import ModelMessage, ModelRequest, ModelResponse, TextPart, UserPromptPart

from agents.extractive.asked import asked
from agents.extractive.followup import completed, leans
from tools.language import Language, detect

LEANING: dict[Language, list[str]] = {
    "de": [
        "Und am Sonntag?",
        "und abends",
        "Und wie teuer ist das?",
        "Und für Kinder?",
        "Auch am Samstag?",
        "Was ist mit Kindern?",
        "Wie viel kostet das?",
        "Und was kostet er?",
        "Warum?",
        "Bis wann?",
        "Gilt das auch für Studenten?",
        "Wo kann ich ihn beantragen?",
        "Was brauche ich dafür?",
        "Kann ich das online machen?",
        "Gibt es dort Parkplätze?",
    ],
    "en": [
        "And on Sunday?",
        "What about children?",
        "How much does it cost?",
        "Is that also for students?",
        "Where is it?",
        "Why?",
        "And how do I get there?",
    ],
}
ALONE: dict[Language, list[str]] = {
    "de": [
        "Wann hat das Bürgerbüro geöffnet?",
        "Und wann öffnet das Freibad?",
        "Und was kostet die Hundesteuer?",
        "Gibt es Parkplätze am Hallenbad?",
        "Wie lange dauert es, einen Reisepass zu bekommen?",
        "Ist es sicher zu reisen?",
        "Kann ich die Hundesteuer online bezahlen?",
        "wann öffnet das freibad",
        "Öffnungszeiten Bürgerbüro",
        "Hundesteuer",
        "Wer war Luther, als er die Thesen schrieb?",
    ],
    "en": [
        "When does the swimming pool open?",
        "How long does it take to renew a passport?",
        "Is there parking at the pool?",
        "And when does the library open?",
        "library opening hours",
    ],
}


@pytest.mark.parametrize(("language", "query"), [(language, one) for language, all in LEANING.items() for one in all])
def test_a_question_without_a_matter_of_its_own_leans(language: Language, query: str) -> None:
    assert leans(query, language)


@pytest.mark.parametrize(("language", "query"), [(language, one) for language, all in ALONE.items() for one in all])
def test_a_question_with_a_matter_stays_as_it_is(language: Language, query: str) -> None:
    assert not leans(query, language)
    assert completed(query, ["Was kostet der Eintritt?", "How much is it?"], language) == query


@pytest.mark.parametrize(
    ("query", "earlier", "expected"),
    [
        ("Und am Sonntag?", ["Wann öffnet das Freibad?"], "Wann öffnet das Freibad? Und am Sonntag?"),
        ("Und wo ist das?", ["Wann öffnet das Freibad?"], "Freibad Und wo ist das?"),
        ("Und wo ist das?", ["Wann öffnet das Freibad?", "Und am Sonntag?"], "Freibad Und wo ist das?"),
        ("Und am Sonntag?", ["Und am Montag?"], "Und am Sonntag?"),
        ("Und am Sonntag?", [], "Und am Sonntag?"),
        ("Und am Sonntag?", ["Guten Tag. Wann öffnet das Bad? Danke."], "Wann öffnet das Bad? Und am Sonntag?"),
        ("Where is it?", ["When does the library open?"], "library open Where is it?"),
        ("Und " + "x" * 400, ["Wann öffnet das Freibad?"], "Und " + "x" * 400),
    ],
)
def test_it_is_completed_with_the_nearest_question_that_has_one(query: str, earlier: list[str], expected: str) -> None:
    assert completed(query, earlier, detect(query)) == expected


def test_what_was_said_before_completes_what_is_searched_and_is_not_quoted() -> None:
    before: list[ModelMessage] = [
        ModelRequest(parts=[UserPromptPart("Wann öffnet das Freibad?")]),
        ModelResponse(parts=[TextPart("Um 10 Uhr. Das steht nirgends.")]),
    ]
    now = ModelRequest(parts=[UserPromptPart(task(query="Und am Sonntag?"))])
    found = asked([*before, now])
    assert found.query == "Wann öffnet das Freibad? Und am Sonntag?"
    assert list(found.passages) == []
    assert asked([now]).query == "Und am Sonntag?"
    merged = ModelRequest(parts=[UserPromptPart("Wann öffnet das Freibad?"), *now.parts])
    assert asked([merged]).query == found.query


@pytest.mark.parametrize("text", ["es " * 130, "das " * 70 + "?", "und " * 70, "it " * 90 + "to", "?" * 290])
def test_odd_questions_are_judged_at_once(text: str) -> None:
    for language in ("de", "en"):
        completed(text, [text, "Wann öffnet das Freibad?"] * 20, language)
