"""Tests that the same use cases run on an OpenAI-compatible endpoint, and what happens when it is down."""

from collections.abc import Generator
from pathlib import Path

import pytest
from fake_engine import FakeEngine, serve_fake_engine
from pydantic_ai.models import override_allow_model_requests

from agents.answer import Answer, Question, answer
from agents.kit import Done, Piece
from agents.plain_language import Difficult, Plain, plain_language
from agents.research import Topic, research
from agents.summary import Summary, Text, summary
from server import House, Settings, open_house
from server.house import LOCAL
from tools.base import Failed, Unavailable
from tools.knowledge.library import Inline

pytestmark = pytest.mark.anyio

DOG = "# Hundesteuer\n\nDie Hundesteuer beträgt 96 Euro im Jahr. Für Assistenzhunde fällt keine Steuer an.\n"


@pytest.fixture(scope="module")
def engine() -> Generator[FakeEngine]:
    with serve_fake_engine() as fake:
        yield fake


@pytest.fixture(autouse=True)
def real_requests(engine: FakeEngine) -> Generator[None]:
    engine.bodies.clear()
    with override_allow_model_requests(True):
        yield


@pytest.fixture(scope="module")
async def house(engine: FakeEngine, tmp_path_factory: pytest.TempPathFactory):
    settings = Settings(home=tmp_path_factory.mktemp("home"), model_url=engine.url, model_name="town-model")
    async with open_house(settings) as opened:
        await opened.servers.library.ingest(documents=[Inline("hundesteuer.md", DOG.encode())], caller=LOCAL)
        yield opened


async def test_a_use_case_runs_on_the_endpoint(house: House, engine: FakeEngine) -> None:
    engine.output = {"text": "Kurz gesagt."}
    result = await house.ask(summary, Text(text="Ein langer Text. Er sagt viel."))
    assert (result.output, result.engine, result.cost) == (Summary(text="Kurz gesagt."), "town-model", None)
    assert (result.usage.input_tokens, result.usage.output_tokens, result.usage.tokenizer) == (10, 5, None)
    assert engine.bodies[0]["model"] == "town-model"
    assert "Ein langer Text. Er sagt viel." in str(engine.bodies[0]["messages"])


async def test_a_price_gives_the_cost(engine: FakeEngine, tmp_path: Path) -> None:
    engine.output = {"text": "Kurz gesagt."}
    settings = Settings(home=tmp_path, model_url=engine.url, model_price_input=100_000, model_price_output=200_000)
    async with open_house(settings) as opened:
        result = await opened.ask(summary, Text(text="Ein langer Text. Er sagt viel."))
    assert result.cost == pytest.approx(10 * 0.1 + 5 * 0.2)


async def test_what_needs_a_model_is_done_with_one(house: House, engine: FakeEngine) -> None:
    engine.output = {"text": "Das ist leicht."}
    result = await house.ask(plain_language, Difficult(text="Das ist nicht unerheblich vereinfacht worden."))
    assert (result.outcome, result.output) == ("done", Plain(text="Das ist leicht."))


async def test_a_model_searches_and_its_quotes_are_cited_with_exact_offsets(house: House, engine: FakeEngine) -> None:
    engine.search = "Hundesteuer"
    quote = "Die Hundesteuer beträgt 96 Euro im Jahr."
    forged = {"document": "x", "title": "x", "start": 1, "end": 2, "quote": "Erfunden und nirgends zu finden."}
    engine.output = {
        "result": {"kind": "Answer", "data": {"text": f"{quote} Mehr weiß ich leider nicht.", "sources": [forged]}}
    }
    result = await house.ask(answer, Question(question="Was kostet ein Hund?"))
    assert isinstance(result.output, Answer)
    assert [citation.quote for citation in result.citations] == [quote]
    assert result.output.sources == result.citations
    stored = await house.servers.library.text(result.citations[0].document, LOCAL)
    assert stored.text[result.citations[0].start : result.citations[0].end] == quote
    assert (result.usage.requests, result.usage.tool_calls) == (2, 1)


async def test_a_model_can_say_that_the_sources_carry_no_answer(house: House, engine: FakeEngine) -> None:
    engine.output = {"result": {"kind": "NoSource", "data": {"reason": "Über Katzen steht nichts da."}}}
    result = await house.ask(research, Topic(topic="Katzensteuer"))
    assert (result.outcome, result.output) == ("no_source", None)
    assert (result.message or "").startswith("Über Katzen steht nichts da.")


async def test_a_stream_gives_the_same_text_and_result(house: House, engine: FakeEngine) -> None:
    engine.output = {"text": "Zuerst dies. Dann das. Zuletzt jenes."}
    events = [event async for event in house.stream(summary, Text(text="Ein langer Text."))]
    assert (
        "".join(event.text for event in events if isinstance(event, Piece)) == "Zuerst dies. Dann das. Zuletzt jenes."
    )
    assert isinstance(events[-1], Done)
    assert events[-1].result.output == Summary(text="Zuerst dies. Dann das. Zuletzt jenes.")
    assert events[-1].result.usage.output_tokens == 5


async def test_an_engine_that_ignores_the_schema_is_caught(house: House, engine: FakeEngine) -> None:
    engine.output = {"tekst": "Falsches Feld."}
    with pytest.raises(Failed, match="gave no Summary"):
        await house.ask(summary, Text(text="Ein langer Text."))
    assert len(engine.bodies) == 3


async def test_an_engine_that_is_down_is_no_error_at_the_start(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, model_url="http://127.0.0.1:9/v1", model_name="gone")
    async with open_house(settings) as opened:
        with pytest.raises(Unavailable, match="The engine of 'gone' cannot be reached"):
            await opened.ask(summary, Text(text="Ein Text."))
