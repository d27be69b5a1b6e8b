"""Tests of responses with an agent framework as their client: pydantic-ai's own model for the Responses API."""

from collections.abc import AsyncGenerator, Generator

import pytest
from pydantic import BaseModel
from pydantic_ai import Agent
from pydantic_ai.models import override_allow_model_requests
from pydantic_ai.models.openai import OpenAIResponsesModel, OpenAIResponsesModelSettings
from pydantic_ai.providers.openai import OpenAIProvider
from scripted_chat import MODEL, Town, calls, says, town
from web_house import TEXT

pytestmark = pytest.mark.anyio


class Weather(BaseModel):
    sky: str


@pytest.fixture(scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Town]:
    async with town(tmp_path_factory.mktemp("home")) as opened:
        yield opened


@pytest.fixture(autouse=True)
def allowed() -> Generator[None]:
    with override_allow_model_requests(True):
        yield


def model(place: Town, name: str = MODEL) -> OpenAIResponsesModel:
    return OpenAIResponsesModel(name, provider=OpenAIProvider(openai_client=place.sdk))


async def test_an_agent_calls_its_tools_and_fills_its_type(place: Town) -> None:
    agent = Agent(model(place), output_type=Weather, instructions="Antworte auf Deutsch.")
    towns: list[str] = []

    @agent.tool_plain
    def weather(town: str) -> str:
        towns.append(town)
        return "Regen"

    place.chat.plays(calls(("weather", '{"town": "Birkenfurt"}')), calls(("final_result", '{"sky": "Regen"}')))
    result = await agent.run("Wie ist das Wetter?")
    assert (result.output, towns) == (Weather(sky="Regen"), ["Birkenfurt"])
    assert result.usage.total_tokens == 30


async def test_an_agent_goes_on_from_what_is_stored_and_reads_along(place: Town) -> None:
    settings = OpenAIResponsesModelSettings(openai_previous_response_id="auto")
    agent = Agent(model(place), model_settings=settings)
    place.chat.plays(says("Anna.", reasoning="Hm."), says("Du heißt Anna."))
    first = await agent.run("Ich heiße Anna.")
    async with agent.run_stream("Wie heiße ich?", message_history=first.all_messages()) as stream:
        said = [text async for text in stream.stream_text(delta=True, debounce_by=None)]
    assert "".join(said) == "Du heißt Anna."
    assert len(said) > 1
    assert [m["content"] for m in place.chat.asked[1]["messages"]] == ["Ich heiße Anna.", "Anna.", "Wie heiße ich?"]


async def test_an_agent_asks_a_use_case_as_its_model(place: Town) -> None:
    result = await Agent(model(place, "summary")).run(TEXT)
    assert "Freibad" in result.output
