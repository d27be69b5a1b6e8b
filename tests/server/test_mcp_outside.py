"""Tests of MCP servers of others as tool sources, over a real HTTP connection and a real pipe."""

import json
import sys
from collections.abc import AsyncGenerator, Callable, Generator
from pathlib import Path
from typing import Any

import pytest
from outside_server import serving
from pydantic import BaseModel, ValidationError
from pydantic_ai.messages import ModelMessage, ModelResponse, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

from agents.kit import Engine, Engines, Language, Run, Runtime, Toolbox, UseCase, composition
from prompts.prompt import Prompt, Variable
from server import House, Settings, open_house
from server.house import LOCAL
from server.settings import McpServer
from tools.base import SetupError, StepFailed, ToolRef, Unavailable

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(30)]


class City(BaseModel):
    city: str


class Sky(BaseModel):
    city: str
    sky: str


class Said(BaseModel):
    text: str


forecast = ToolRef(name="weather.forecast", input=City, output=Sky, description="The weather in a city.")


@composition
async def outing(given: City, run: Run) -> Sky:
    """Looks at the sky, twice."""
    await run.call(forecast, given)
    return await run.call(forecast, given)


@pytest.fixture(scope="module")
def url() -> Generator[str]:
    with serving() as address:
        yield address


@pytest.fixture
async def house(url: str, tmp_path: Path) -> AsyncGenerator[House]:
    settings = Settings(
        home=tmp_path, mcp_servers={"weather": McpServer(url=url, tools=("forecast", "almanac", "rain"))}
    )
    async with open_house(settings) as opened:
        yield opened


def agent(
    house: House, use_case: UseCase[Any, Any], model: Callable[[list[ModelMessage], AgentInfo], ModelResponse]
) -> Runtime:
    """A runtime over the tools of `house` with a scripted model."""

    class Prompts:
        def of(self, use_case: UseCase[Any, Any]) -> "Prompts":
            return self

        def get(self, name: str, language: Language = "de") -> Prompt:
            field = next(iter(use_case.input.model_fields))
            variables = {field: Variable(role="query")}
            update = {"body": f"{{{{ {field} | data }}}}", "variables": variables, "parameters": {}}
            return house.prompts.get("summary", "en").model_copy(update=update)

    return Runtime(
        prompts=Prompts(),
        engines=Engines({"chat": Engine(id="scripted", build=lambda: FunctionModel(model), generative=False)}),
        toolbox=house.runtime.toolbox,
        gate=house.runtime.gate,
    )


async def test_a_composition_calls_it_by_a_typed_reference_over_one_held_session(house: House) -> None:
    result = await house.ask(outing, City(city="Rome"))
    held = await house.runtime.toolbox.outside["weather"]._session()
    assert result.output == Sky(city="Rome", sky="sunny")
    assert (result.cost, result.usage.tool_calls) == (None, 2)
    await house.ask(outing, City(city="Rome"))
    assert await house.runtime.toolbox.outside["weather"]._session() is held


async def test_an_agent_gets_its_tools_and_may_mend_what_failed(house: House) -> None:
    use_case = UseCase(City, Said, name="going", tools=["weather.forecast"])
    tried: list[str] = []

    def model(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        last = messages[-1].parts[-1]
        if isinstance(last, ToolReturnPart) and last.outcome != "retried" and isinstance(last.content, dict):
            return ModelResponse(
                parts=[ToolCallPart(info.output_tools[0].name, {"text": json.loads(json.dumps(last.content))["sky"]})]
            )
        tried.append(str(last.content) if isinstance(last, ToolReturnPart) else "")
        city = "Rome" if len(tried) > 1 else "Atlantis"
        return ModelResponse(parts=[ToolCallPart(info.function_tools[0].name, {"city": city})])

    result = await agent(house, use_case, model).ask(use_case, City(city="x"), caller=LOCAL)
    assert result.output == Said(text="sunny")
    assert "no such city: Atlantis" in tried[1]


async def test_the_embedded_engine_quotes_a_tool_that_calls_itself_a_source(house: House) -> None:
    use_case = UseCase(City, Said, name="rainy", tools=["weather.almanac"])
    from agents.extractive import ExtractiveModel

    runtime = agent(house, use_case, lambda messages, info: ModelResponse(parts=[]))
    runtime.engines = Engines({"chat": Engine(id="extractive", build=ExtractiveModel, generative=False)})
    result = await runtime.ask(use_case, City(city="On how many days does it rain in Birkenfurt?"), caller=LOCAL)
    assert result.output is not None
    assert {one.document for one in result.citations} == {"weather:almanac"}
    assert "120 days" in result.output.text


async def test_a_tool_of_any_shape_is_quoted_once_the_settings_say_where_its_texts_are(
    url: str, tmp_path: Path
) -> None:
    paths = {"items": "results.hits", "text": "body", "title": "meta.name", "document": "meta.url"}
    given = {"url": url, "tools": ("archive",), "passages": {"archive": paths}}
    from agents.extractive import ExtractiveModel

    async with open_house(Settings(home=tmp_path, mcp_servers={"weather": McpServer.model_validate(given)})) as house:
        use_case = UseCase(City, Said, name="opening", tools=["weather.archive"])
        runtime = agent(house, use_case, lambda messages, info: ModelResponse(parts=[]))
        runtime.engines = Engines({"chat": Engine(id="extractive", build=ExtractiveModel, generative=False)})
        result = await runtime.ask(use_case, City(city="When does the pool open?"), caller=LOCAL)
    assert result.output is not None and "opens at eight" in result.output.text
    [citation] = result.citations
    assert citation.document.startswith("weather:https://a.example/1#")
    assert citation.title == "Hours"


async def test_a_tool_that_is_not_on_the_list_does_not_exist(house: House) -> None:
    launch = ToolRef(name="weather.launch", input=City, output=Said, description="")

    @composition
    async def starting(given: City, run: Run) -> Said:
        """Tries what it may not."""
        return await run.call(launch, given)

    with pytest.raises(StepFailed, match=r"The tool 'weather\.launch' is unknown"):
        await house.ask(starting, City(city="Rome"))


async def test_a_tool_the_server_does_not_have_is_told_when_it_is_used(house: House) -> None:
    use_case = UseCase(City, Said, name="raining", tools=["weather.rain"])
    runtime = agent(house, use_case, lambda messages, info: ModelResponse(parts=[]))
    with pytest.raises(Exception, match=r"The MCP server 'weather' has no tool 'rain'. It has 'almanac', 'archive', "):
        await runtime.ask(use_case, City(city="x"), caller=LOCAL)


async def test_a_program_on_a_pipe_serves_as_well(tmp_path: Path) -> None:
    program = (sys.executable, str(Path(__file__).with_name("outside_server.py")))
    settings = Settings(home=tmp_path, mcp_servers={"weather": McpServer(command=program, tools=("forecast",))})
    async with open_house(settings) as house:
        assert (await house.ask(outing, City(city="Rome"))).output == Sky(city="Rome", sky="sunny")


async def test_a_server_that_is_down_is_no_error_at_the_start(tmp_path: Path) -> None:
    down = McpServer(url="http://127.0.0.1:9/mcp", tools=("forecast",))
    async with open_house(Settings(home=tmp_path, mcp_servers={"weather": down})) as house:
        with pytest.raises(Unavailable, match="The MCP server 'weather' cannot be reached"):
            await house.ask(outing, City(city="Rome"))


async def test_a_name_of_ours_is_refused(tmp_path: Path) -> None:
    taken = McpServer(url="http://127.0.0.1:9/mcp", tools=("search",))
    with pytest.raises(SetupError, match="'knowledge' is named like one of our own"):
        async with open_house(Settings(home=tmp_path, mcp_servers={"knowledge": taken})):
            pass


def test_a_server_needs_one_way_to_reach_it() -> None:
    with pytest.raises(ValidationError, match="exactly one of 'url' and 'command'"):
        McpServer(tools=("forecast",))


def test_the_toolbox_knows_only_allowed_tools() -> None:
    from agents.kit import Gate, OutsideServer

    def connect() -> Any:
        raise AssertionError("nothing is to be opened")

    toolbox = Toolbox({}, Gate([]), {"weather": OutsideServer(connect=connect, tools=("forecast",))})
    assert toolbox.names == {"weather.forecast"}
