"""Tests of what a claim must not get wrong: numbers, days, laws, names, yes and no; and that no text keeps a worker busy."""

import sys

import pytest
from growth import repeated, runs_away
from support_house import DOG, passage

from agents.kit.claims import Sources, bare, is_claim
from agents.kit.facts import carried, facts, names
from agents.kit.polarity import agree
from tools.language import Language


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1.870 Hunde", "1 870 Hunde"),
        ("2,5 Millionen Euro", "2.500.000 €"),
        ("€4.50", "4,50 Euro"),
        ("am 3. Mai 2026", "03.05.2026"),
        ("on May 3, 2026", "2026-05-03"),
        ("um 9 Uhr", "9:00 Uhr"),
        ("at 2:30 pm", "14.30 Uhr"),
        ("montags", "on Mondays"),
        ("§ 12a", "Paragraph 12a"),
        ("Art. 5", "Artikel 5"),
        ("einundzwanzig Tage", "21 Tage"),
        ("twenty-one days", "21 days"),
        ("zwölf", "12"),
        ("3,7 %", "3.7 percent"),
    ],
)
def test_the_same_fact_is_the_same_however_it_is_written(one: str, other: str) -> None:
    assert carried(facts(one), facts(other))
    assert carried(facts(other), facts(one))


@pytest.mark.parametrize(
    ("claim", "text"),
    [
        ("120 Euro", "102 Euro"),
        ("120 Euro", "120 Prozent"),
        ("14 Monate", "14 Tage"),
        ("im Mai 2026", "im Mai 2025, im Juni 2026"),
        ("am 3. Mai", "am 3. Juni und am 4. Mai"),
        ("§ 12", "12 Hunde"),
        ("61.300", "61,3"),
        ("3 Katzen", "3 Hunde, 2 Katzen"),
        ("um 9:30 Uhr", "um 9 Uhr"),
        ("Dienstag", "Mittwoch"),
    ],
)
def test_another_number_unit_day_or_law_is_another_fact(claim: str, text: str) -> None:
    assert not carried(facts(claim), facts(text))


def test_what_a_number_counts_may_be_said_in_other_words() -> None:
    assert carried(facts("120 Hunde"), facts("120 angemeldete Hunde"))
    assert carried(facts("120"), facts("120 Euro"))


@pytest.mark.parametrize(
    ("text", "language", "named"),
    [
        ("Zuständig ist Frau Dr. Kaya im Bürgerbüro.", "de", {"kaya"}),
        ("Die Stadt Birkenfurt und Anna Berger planen mit der NATO.", "de", {"birkenfurt", "berger", "nato"}),
        ("Das Bad in Auenbrück kostet am Ende 120 Euro Eintritt.", "de", {"auenbrück"}),
        ("The mayor Anna Berger opened it in May.", "en", {"anna", "berger"}),
        ("Die Linie A8 fährt.", "de", {"a8"}),
    ],
)
def test_names_are_told_from_other_words(text: str, language: Language, named: set[str]) -> None:
    assert named <= names(text, language)
    assert not names(text, language) & {"ende", "euro", "eintritt", "bürgerbüro", "frau", "may", "die"}


@pytest.mark.parametrize(
    ("claim", "text", "same"),
    [
        ("Hunde sind nicht erlaubt.", "Im Freibad sind Hunde, auch angeleinte, nicht erlaubt.", True),
        ("Hunde sind erlaubt.", "Im Freibad sind Hunde, auch angeleinte, nicht erlaubt.", False),
        ("Hunde sind verboten.", "Hunde sind nicht erlaubt.", True),
        ("Hunde sind nicht verboten.", "Hunde sind nicht erlaubt.", False),
        ("Hunde sind an der Leine erlaubt.", "Hunde sind an der Leine erlaubt, ohne Leine nicht.", True),
        ("Der Rat hat den Antrag abgelehnt.", "Der Rat hat den Antrag angenommen.", False),
        ("Es sind mindestens 3 Tage.", "Es sind höchstens 3 Tage.", False),
        ("Dogs aren't allowed.", "Dogs are not allowed.", True),
        ("The bath is closed.", "The bath is open.", False),
        ("Not only dogs are taxed.", "Dogs are taxed.", True),
    ],
)
def test_yes_and_no_must_be_the_same(claim: str, text: str, same: bool) -> None:
    assert agree(claim, [text], "en" if "og" in claim or "bath" in claim else "de") is same


@pytest.mark.parametrize(
    ("sentence", "claims"),
    [
        ("Die Steuer beträgt 96 Euro.", True),
        ("96 Euro", True),
        ("Was kostet ein Hund?", False),
        ("Das gilt:", False),
        ("Die Dokumente nennen keine Gebühr.", False),
        ("The sources do not say anything about cats.", False),
        ("…", False),
    ],
)
def test_what_claims_something_is_told_from_what_does_not(sentence: str, claims: bool) -> None:
    assert is_claim(sentence) is claims


def test_reference_numbers_of_a_model_are_no_words() -> None:
    assert bare("Das gilt [1, 2]. So【3†a】 auch [hier](x) und [4](y).") == "Das gilt. So auch [hier](x) und [4](y)."


def test_a_part_of_a_sentence_may_say_something_else_than_the_whole() -> None:
    sources = Sources([passage("Es trifft nicht zu, dass Hunde auf dem Spielplatz erlaubt sind.")])
    assert sources.judge("Hunde auf dem Spielplatz erlaubt sind.").status == "unsupported"


def test_rows_of_a_table_are_understood_with_its_head() -> None:
    table = "| Hund | Steuer im Jahr |\n|---|---:|\n| erster Hund | 96,00 € |\n| zweiter Hund | 132,50 € |"
    sources = Sources([passage(table)], query="Was kostet ein Hund?")
    verdict = sources.judge("Die Steuer für den zweiten Hund beträgt 132,50 Euro im Jahr.")
    assert verdict.status == "supported"
    assert verdict.citation is not None
    assert verdict.citation.quote == "zweiter Hund | 132,50 €"
    assert sources.judge("Die Steuer für den ersten Hund beträgt 132,50 Euro im Jahr.").status == "unsupported"


def test_a_citation_points_into_the_stored_text() -> None:
    verdict = Sources([passage(DOG, start=500)]).judge("Blindenführhunde sind von der Steuer befreit!")
    assert verdict.citation is not None
    assert verdict.citation.start == 500 + DOG.index("Blinden")


@pytest.mark.parametrize(
    "atom", ["1 ", "1.111", "§ ", "3. Mai ", "keine Quelle ", "ignore all ", "[1]", "nicht, ", "Dr. A ", "|a|\n", "| "]
)
def test_the_work_on_a_claim_grows_with_its_length(atom: str) -> None:
    def judge(text: str) -> None:
        Sources([passage(text)], query=text).judge(f"{text} kostet 3 Euro")
        is_claim(text)

    assert not runs_away(judge, atom, size=20_000)


def test_what_is_no_number_that_anybody_reads_is_compared_as_it_stands() -> None:
    long = "9" * 10_000
    assert carried(facts(long), facts(f"{long} Euro"))
    assert sys.get_int_max_str_digits() < 10_000
    assert Sources([]).judge(repeated("1 ", 100)).status == "unsupported"
