"""Filling schemas the engine has never seen: quotes for texts, parsed quotes for values, null for the rest."""

from collections.abc import Sequence
from datetime import date
from typing import Literal

import pytest
from extractive_texts import TEXTS, passages
from inline_snapshot import snapshot
from pydantic import BaseModel, Field

from agents.extractive.fill import fill
from agents.extractive.parameters import Parameters
from agents.extractive.pool import pool
from agents.extractive.quoting import Quoter
from agents.extractive.values import read
from tools.base import Citation, NoReliableSource
from tools.language import Language


def filled(
    model: type[BaseModel], *names: str, query: str = "", language: Language = "de", **parameters: object
) -> tuple[dict[str, object], Sequence[Citation]]:
    sentences = pool(passages(*names), language)
    quoter = Quoter(sentences, query=query, language=language, parameters=Parameters.model_validate(parameters))
    value = fill(model.model_json_schema(), quoter)
    return model.model_validate(value).model_dump(), quoter.citations


class Kennel(BaseModel):
    """Nothing that exists in the house."""

    headline: str = Field(max_length=80)
    gist: str
    second_dog_fee: float | None = Field(default=None, description="Steuer für den zweiten Hund")
    valid_from: date | None = Field(default=None, description="Gilt seit")
    days: int | None = Field(default=None, description="Frist in Tagen")
    mail: str | None = Field(default=None, json_schema_extra={"format": "email"})
    guide_dogs_free: bool | None = Field(default=None, description="Blindenführhunde befreit")
    hunting_dogs_free: bool | None = Field(default=None, description="Befreiung Jagdhunde")
    place: Literal["Bürgerbüro", "Rathaus"] | None = None
    weight: float | None = Field(default=None, description="Gewicht in Kilogramm")
    proofs: list[Citation] = []


def test_an_unseen_schema_is_filled_with_quotes_and_parsed_values() -> None:
    value, _ = filled(Kennel, "hund.md", sentences=1)
    value.pop("proofs")
    assert value == snapshot(
        {
            "headline": "Hundesteuer in Auenbrück",
            "gist": "Wer in Auenbrück einen Hund hält, meldet ihn innerhalb von 14 Tagen an.",
            "second_dog_fee": 132.5,
            "valid_from": date(2026, 5, 3),
            "days": 14,
            "mail": "steuer@auenbrueck.example",
            "guide_dogs_free": True,
            "hunting_dogs_free": False,
            "place": "Bürgerbüro",
            "weight": None,
        }
    )


def test_citations_show_what_the_rest_was_made_of() -> None:
    value, citations = filled(Kennel, "hund.md", sentences=1)
    proofs = Kennel.model_validate(value).proofs
    assert proofs == list(citations)
    assert all(TEXTS["hund.md"][proof.start : proof.end] == proof.quote for proof in proofs)
    assert value["gist"] in [proof.quote for proof in proofs]


class Page(BaseModel):
    title: str = Field(max_length=60)
    text: str
    sources: list[Citation] = Field(min_length=1)


class Paper(BaseModel):
    title: str = Field(max_length=100)
    pages: list[Page] = Field(max_length=3)


def test_a_list_of_objects_has_one_for_each_document_and_nothing_twice() -> None:
    value, citations = filled(Paper, "hund.md", "bad.md", sentences=2)
    pages = Paper.model_validate(value).pages
    assert [{source.document for source in page.sources} for page in pages] == [{"hund.md"}, {"bad.md"}]
    quotes = [citation.quote for citation in citations]
    assert len(set(quotes)) == len(quotes)


class Points(BaseModel):
    points: list[str] = Field(min_length=2, max_length=3)


def test_a_list_of_texts_has_one_quote_an_item() -> None:
    value, citations = filled(Points, "bad.md", items=9)
    assert value["points"] == [citation.quote for citation in citations]
    assert len(citations) == 3


class Visit(BaseModel):
    entry: float = Field(description="Eintritt für Kinder in Euro")


class Trip(BaseModel):
    bath: Visit
    length: int | None = Field(default=None, description="Länge des Beckens in Meter")


def test_nested_objects_take_the_number_by_their_own_words() -> None:
    value, _ = filled(Trip, "bad.md", query="Freibad")
    assert value == {"bath": {"entry": 2.0}, "length": 50}


class Tour(BaseModel):
    objects: int = Field(description="Number of objects in the collection")
    starts: str = Field(json_schema_extra={"format": "time"}, description="guided tour starts")
    free: bool = Field(description="Admission free")


def test_english_is_read_as_english_writes_it() -> None:
    value, _ = filled(Tour, "museum.md", language="en")
    assert value == {"objects": 4200, "starts": "14:30:00", "free": True}


class Strict(BaseModel):
    born: date = Field(description="Geburtsdatum der Bürgermeisterin")


def test_a_required_value_that_no_quote_holds_is_no_source() -> None:
    with pytest.raises(NoReliableSource):
        filled(Strict, "bad.md", query="Eintritt")


class Odd(BaseModel):
    code: str | None = Field(default=None, pattern="^(a+)+$")
    tuple_: list[list[int]] = []
    text: str
    again: "Odd | None" = None


def test_patterns_circles_and_the_unknown_stay_empty() -> None:
    value, _ = filled(Odd, "bad.md", sentences=1)
    assert value["code"] is None
    assert value["text"]


@pytest.mark.parametrize(
    ("form", "sentence", "language", "values"),
    [
        ("number", "Es kamen 61.300 Gäste, 2,5 % mehr.", "de", [61300.0, 2.5]),
        ("number", "It cost 1,250.50 in 3 years.", "en", [1250.5, 3.0]),
        ("number", "Das kostet 3,7 Mio. €, sagt § 5 Abs. 2 vom 3. Mai 2026 um 9 Uhr.", "de", [3700000.0]),
        ("number", "Er fiel auf −4 Grad, für zwei Tage.", "de", [-4.0, 2.0]),
        ("date", "Vom 3. Mai 2026 bis 31.12.2027, nicht am 31. 2. 2027.", "de", ["2026-05-03", "2027-12-31"]),
        ("date", "On May 3rd, 2026 and on 4 June 2027.", "en", ["2026-05-03", "2027-06-04"]),
        ("time", "Von 9 Uhr bis 17.30 Uhr.", "de", ["09:00:00", "17:30:00"]),
        ("time", "At 12 am or 2:15 pm.", "en", ["00:00:00", "14:15:00"]),
        ("date-time", "Am 3. Mai 2026 um 9 Uhr.", "de", ["2026-05-03T09:00:00"]),
        ("email", "Schreiben Sie an a.b@c.example.", "de", ["a.b@c.example"]),
        ("uri", "Siehe https://auenbrueck.example/hund.", "de", ["https://auenbrueck.example/hund"]),
        ("colour", "Rot.", "de", []),
    ],
)
def test_values_are_read_as_they_are_written(
    form: str, sentence: str, language: Language, values: list[object]
) -> None:
    assert [value.value for value in read(form, sentence, language)] == values
