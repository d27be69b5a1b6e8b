"""The embedded engine stays on the matter: tables for fees and hours, places nobody knows, documents about a topic."""

import pytest
from extractive_texts import searched, task
from pydantic_ai.messages import TextPart
from pydantic_ai.models import ModelRequestParameters

from agents.extractive.pool import pool
from agents.extractive.respond import respond
from agents.extractive.topic import Topic
from tools.base import NoReliableSource, Passage


def passage(document: str, title: str, text: str, heading: str | None = None, at: int = 0, score: float = 0) -> Passage:
    return Passage(
        document=document, title=title, heading=heading, start=at, end=at + len(text), text=text, score=score
    )


FEES = passage(
    "dogs.md",
    "Hundesteuer anmelden",
    "| Hund | Steuer im Jahr |\n|---|---|\n| erster Hund | 96,00 € |\n| zweiter Hund | 132,00 € |",
    "Höhe der Hundesteuer",
    at=300,
)
INCOME = passage(
    "dogs.md",
    "Hundesteuer anmelden",
    "Im Jahr 2025 nahm die Stadt 191.000 € aus der Hundesteuer ein. Ende Juli waren 1.870 Hunde registriert.",
    "Woran die Steuer gebunden ist",
    at=900,
)
MARKET = passage("market.md", "Weihnachtsmarkt", "Der Markt öffnet um 17 Uhr auf dem Rathausplatz in Birkenfurt.")


def said(query: str, *passages: Passage) -> str:
    part = respond(searched(task(query=query), list(passages)), ModelRequestParameters()).parts[0]
    assert isinstance(part, TextPart)
    return part.content


def test_a_fee_is_quoted_from_the_table_whose_heading_names_it() -> None:
    answer = said("Was kostet die Hundesteuer?", FEES, INCOME, MARKET)
    assert answer == "erster Hund | 96,00 €\nzweiter Hund | 132,00 €"


def test_how_many_is_answered_by_the_sentence_that_counts_them() -> None:
    assert said("Wie viele Hunde gibt es?", FEES, INCOME, MARKET) == "Ende Juli waren 1.870 Hunde registriert."


def test_a_place_that_no_passage_knows_has_no_source() -> None:
    with pytest.raises(NoReliableSource):
        said("Was kostet die Hundesteuer in München?", FEES, INCOME, MARKET)


def fits(query: str, *passages: Passage) -> list[str]:
    found = Topic(query, pool(passages, "de"), "de").fits
    return sorted(found, key=lambda name: -found[name])


def test_a_title_on_the_topic_weighs_more_than_a_shared_word() -> None:
    cafe = passage("cafe.md", "Repair-Café", "Der Ausbau der Werkstatt beginnt in Birkenfurt.", score=1.0)
    ways = passage("ways.md", "Radwege bis 2035", "Die Stadt baut ein Netz. Sie rechnet mit zehn Jahren.", score=0.7)
    assert fits("Ausbau der Radwege", cafe, ways)[0] == "ways.md"


def test_each_side_of_a_topic_counts() -> None:
    feast = passage("feast.md", "Stadtfest im Juni", "Die Stadt feiert drei Tage.", score=0.5)
    pool_ = passage("pool.md", "Neue Preise im Freibad", "Ein Schwimmkurs kostet mehr.", score=0.5)
    tax = passage("tax.md", "Grundsteuer", "Die Kämmerei verschickt Bescheide.", score=0.5)
    assert fits("Feste und Schwimmkurse", feast, pool_, tax)[-1] == "tax.md"
