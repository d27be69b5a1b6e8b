"""Tests of the MCP interface in memory: tools with their schemas and progress, prompts, resources, errors."""

import json
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from fastmcp import Client
from fastmcp.exceptions import ToolError
from jsonschema import validate
from mcp.shared.exceptions import MCPError
from web_house import TEXT

from agents.kit import Result
from agents.summary import Summary
from server import House, Settings, open_house
from server.house import LOCAL
from server.mcp_api import build_mcp
from tools.base import Artifact
from tools.knowledge.library import Inline

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def opened(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[tuple[House, Client[Any]]]:
    async with AsyncExitStack() as stack:
        house = await stack.enter_async_context(open_house(Settings(home=tmp_path_factory.mktemp("home"))))
        document = Inline("bäder/frei bad.md", f"# Freibad\n\n{TEXT}\n".encode())
        await house.servers.library.ingest(documents=[document], caller=LOCAL)
        client = await stack.enter_async_context(Client(build_mcp(house, local=LOCAL)))
        yield house, client


@pytest.fixture
def house(opened: tuple[House, Client[Any]]) -> House:
    return opened[0]


@pytest.fixture
def client(opened: tuple[House, Client[Any]]) -> Client[Any]:
    return opened[1]


async def test_each_use_case_is_a_tool_with_both_schemas(house: House, client: Client[Any]) -> None:
    tools = {tool.name: tool for tool in await client.list_tools()}
    assert set(tools) == {use_case.name for use_case in house.catalog}
    for use_case in house.catalog:
        tool = tools[use_case.name]
        assert tool.description == use_case.description
        assert set(tool.input_schema["properties"]) == set(use_case.input.model_fields)
        assert set((tool.output_schema or {})["properties"]) == set(Result.model_fields)
        assert tool.annotations is not None
        assert (tool.annotations.read_only_hint, tool.annotations.destructive_hint) == (True, False)


async def test_a_tool_returns_the_envelope_and_words_to_read(client: Client[Any]) -> None:
    answer = await client.call_tool("summary", {"text": TEXT, "sentences": 2})
    result = Result[Summary].model_validate(answer.structured_content)
    assert (result.use_case, result.outcome) == ("summary", "done")
    assert result.output is not None
    assert [block.text for block in answer.content] == [result.output.text]  # pyright: ignore[reportAttributeAccessIssue]  # texts alone
    schema = next(tool for tool in await client.list_tools() if tool.name == "summary").output_schema
    validate(answer.structured_content, schema or {})


async def test_sound_comes_as_sound(client: Client[Any]) -> None:
    answer = await client.call_tool("speech", {"text": "Guten Tag.", "formats": ["wav"]})
    kinds = [block.type for block in answer.content]
    assert kinds == ["text", "audio"]
    artifact = Artifact.model_validate((answer.structured_content or {})["artifacts"][0])
    (content,) = await client.read_resource(f"artifact://{artifact.id}")
    assert content.mime_type == "audio/wav"
    assert len(content.blob) == len(answer.content[1].data)  # pyright: ignore[reportAttributeAccessIssue]  # its kind is checked above


async def test_a_composition_tells_of_its_steps(client: Client[Any]) -> None:
    """Tools inside it report to the run alone, so that progress only ever grows."""
    told: list[tuple[float, str | None]] = []

    async def listen(progress: float, total: float | None, message: str | None) -> None:
        told.append((progress, message))

    given = {"text": TEXT, "sentences": 1}
    answer = await client.call_tool("briefing", given, progress_handler=listen)
    assert [progress for progress, _ in told] == sorted({progress for progress, _ in told})
    steps = [step["name"] for step in (answer.structured_content or {})["steps"]]
    assert len(told) == 2 * len(steps) > 0
    assert {message.split(" ")[0].rstrip(":") for _, message in told if message} == set(steps)


async def test_what_needs_a_model_is_an_outcome_and_no_error(client: Client[Any]) -> None:
    answer = await client.call_tool("plain_language", {"text": TEXT})
    assert not answer.is_error
    assert (answer.structured_content or {})["outcome"] == "needs_model"
    assert "PARTITUR_MODEL_URL" in answer.content[0].text  # pyright: ignore[reportAttributeAccessIssue]  # text


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "'text' does not fit"),
        ({"text": ""}, "'text' does not fit"),
        ({"text": 7}, "'text' does not fit"),
        ({"text": TEXT, "colour": "red"}, "'colour' does not fit"),
        ({"text": "x" * 500_001}, "'text' does not fit"),
    ],
)
async def test_arguments_that_do_not_fit_are_named(client: Client[Any], given: dict[str, Any], says: str) -> None:
    answer = await client.call_tool("summary", given, raise_on_error=False)
    assert answer.is_error
    assert says in answer.content[0].text  # pyright: ignore[reportAttributeAccessIssue]  # text
    assert (answer.meta or {})["partitur/error"] == {
        "code": "invalid_input",
        "status": 400,
        "hint": "Correct the input and send it again.",
    }


async def test_a_refusal_is_a_tool_error(client: Client[Any]) -> None:
    with pytest.raises(ToolError, match="holds a Partitur API key"):
        await client.call_tool("summary", {"text": "pt-" + "a" * 43})


async def test_an_unknown_tool_is_an_error(client: Client[Any]) -> None:
    with pytest.raises(ToolError, match="sumary"):
        await client.call_tool("sumary", {})


async def test_without_a_caller_nothing_is_done(house: House) -> None:
    async with Client(build_mcp(house)) as stranger:
        answer = await stranger.call_tool("summary", {"text": TEXT}, raise_on_error=False)
        with pytest.raises(MCPError):
            await stranger.read_resource("document://b%C3%A4der/frei%20bad.md")
    assert answer.is_error
    assert "no verified caller" in answer.content[0].text  # pyright: ignore[reportAttributeAccessIssue]  # text


async def test_prompts_of_the_library_are_prompts_with_arguments(client: Client[Any]) -> None:
    prompts = {prompt.name: prompt for prompt in await client.list_prompts()}
    arguments = {one.name: one.required for one in prompts["summary"].arguments or []}
    assert arguments == {"text": True, "sentences": False, "language": False}
    filled = await client.get_prompt("summary", {"text": "Hallo.", "sentences": "3"})
    assert "in höchstens 3 Sätzen" in filled.messages[0].content.text  # pyright: ignore[reportAttributeAccessIssue]  # text
    assert "Hallo." in filled.messages[0].content.text  # pyright: ignore[reportAttributeAccessIssue]  # text
    english = await client.get_prompt("summary", {"text": "Hello.", "sentences": "3", "language": "en"})
    assert "at most 3" in english.messages[0].content.text  # pyright: ignore[reportAttributeAccessIssue]  # text
    assert (english.meta or {})["partitur/prompt"]["path"].endswith("summary.en.md")


@pytest.mark.parametrize(
    ("given", "says"),
    [({}, "got no"), ({"text": "a", "sentences": "drei"}, "Expected integer"), ({"text": "a", "x": "y"}, "'x'")],
)
async def test_prompt_arguments_that_do_not_fit_are_named(
    client: Client[Any], given: dict[str, str], says: str
) -> None:
    with pytest.raises(MCPError, match=says):
        await client.get_prompt("summary", given)


async def test_the_catalog_is_a_resource(house: House, client: Client[Any]) -> None:
    (content,) = await client.read_resource("partitur://use-cases")
    listed = json.loads(getattr(content, "text", ""))["use_cases"]
    assert [one["name"] for one in listed] == [use_case.name for use_case in house.catalog]


async def test_documents_are_resources_whatever_their_names(client: Client[Any]) -> None:
    listed = {str(one.uri): one for one in await client.list_resources()}
    (uri,) = set(listed) - {"partitur://use-cases"}
    (content,) = await client.read_resource(uri)
    assert TEXT in getattr(content, "text", "")
    assert listed[uri].title == "Freibad"
    templates = {template.uri_template for template in await client.list_resource_templates()}
    assert templates == {"document://{id*}", "artifact://{id}"}


@pytest.mark.parametrize(
    "uri",
    ["document://nowhere.md", "document://../keys.json", "artifact://keys.json", "artifact://" + "a" * 64 + ".png"],
)
async def test_a_resource_that_is_not_there_says_so_without_a_path(house: House, client: Client[Any], uri: str) -> None:
    with pytest.raises(MCPError) as caught:
        await client.read_resource(uri)
    assert str(house.settings.home) not in str(caught.value)
