"""Tests of use cases as data, compositions and chains.

Deutsch: Nur ein Test.
"""

import gc
import weakref
from typing import assert_type

import pytest
from inline_snapshot import snapshot
from kit_house import ANNA, Word, answers, house
from pydantic import BaseModel

from agents.kit import Chain, Composition, Result, Run, UseCase, composition
from tools.base import SetupError


class Length(BaseModel):
    letters: int


shout = UseCase(Word, Word, name="shout")
measure = UseCase(Word, Length, name="measure")
test_kit_use_case_declared = UseCase(Word, Word)


def test_a_use_case_is_named_like_its_file_and_described_by_its_first_line() -> None:
    declared = test_kit_use_case_declared
    assert (declared.name, declared.prompt) == ("test_kit_use_case", "test_kit_use_case")
    assert declared.description == "Tests of use cases as data, compositions and chains."
    assert declared.german == "Nur ein Test."


def test_a_composition_takes_its_types_from_the_function() -> None:
    @composition
    async def twice(given: Word, run: Run) -> Word:
        """Does it twice."""
        return await run.ask(shout, given)

    assert_type(twice, Composition[Word, Word])
    assert (twice.name, twice.description, twice.input, twice.output) == ("twice", "Does it twice.", Word, Word)


def test_a_function_without_types_is_no_composition() -> None:
    with pytest.raises(SetupError) as raised:

        @composition
        async def untyped(given, run):
            return given

    assert str(raised.value) == snapshot(
        "The composition 'untyped' lacks types. Expected pydantic models. Annotate its first parameter and its result with pydantic models."
    )


def test_a_chain_that_does_not_fit_names_both_types() -> None:
    with pytest.raises(SetupError) as raised:
        measure >> shout  # pyright: ignore[reportOperatorIssue, reportUnusedExpression]
    assert str(raised.value) == snapshot(
        "The chain measure >> shout does not fit: measure gives Length, shout takes Word. Put .map(f) behind measure, where f takes Length and returns Word."
    )


def test_map_needs_to_know_what_its_function_returns() -> None:
    with pytest.raises(SetupError, match="does not say what it returns"):
        measure.map(lambda length: Word(word=str(length.letters)))


@pytest.mark.anyio
async def test_a_chain_runs_its_links_in_order_and_is_a_use_case() -> None:
    def to_word(length: Length) -> Word:
        return Word(word="x" * length.letters)

    chain = measure.map(to_word) >> shout
    assert_type(chain, Chain[Word, Word])
    assert [part.name for part in (chain >> shout).parts] == ["measure", "shout", "shout"]

    def model(messages, info):
        fields = info.output_tools[0].parameters_json_schema["properties"]
        return answers(letters=3)(messages, info) if "letters" in fields else answers(word="XXX")(messages, info)

    runtime = house(measure, shout, model=model)
    result = await runtime.ask(chain, Word(word="abc"), caller=ANNA)
    assert_type(result, Result[Word])
    assert result.output == Word(word="XXX")
    assert [step.id for step in result.steps] == snapshot(["test_kit_use_case/1:measure", "test_kit_use_case/2:shout"])


@pytest.mark.anyio
async def test_the_typed_envelope_is_made_once_and_kept() -> None:
    runtime = house(shout)
    first = weakref.ref(type(await runtime.ask(shout, Word(word="a"), caller=ANNA)))
    gc.collect()
    assert first() is type(await runtime.ask(shout, Word(word="a"), caller=ANNA))
