"""The official TypeScript client of MCP meets the server over both transports."""

from typing import Any

import pytest
from outside import KEY, PARTITUR, Node, Served


@pytest.fixture(scope="session")
def over_http(node: Node, served: Served) -> dict[str, Any]:
    return node("mcp.mjs", "http", f"{served.url}/mcp", KEY)


@pytest.fixture(scope="session")
def over_stdio(node: Node, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return node("mcp.mjs", "stdio", PARTITUR, env={"PARTITUR_HOME": str(tmp_path_factory.mktemp("stdio"))})


@pytest.mark.parametrize("way", ["over_http", "over_stdio"])
def test_every_use_case_is_a_tool_with_both_schemas(way: str, request: pytest.FixtureRequest) -> None:
    tools = {tool["name"]: tool for tool in request.getfixturevalue(way)["tools"]}
    assert {"summary", "answer", "newsletter", "research", "chat"} <= tools.keys()
    assert all(tool["input"] and tool["output"] for tool in tools.values())


def test_both_transports_give_the_same_result(over_http: dict[str, Any], over_stdio: dict[str, Any]) -> None:
    differing = ("trace_id", "steps")
    one, other = ({k: v for k, v in way["summary"].items() if k not in differing} for way in (over_http, over_stdio))
    assert one == other
    assert one["outcome"] == "done"
    assert len(one["prompt_commit"] or "x" * 40) == 40


@pytest.mark.parametrize("way", ["over_http", "over_stdio"])
def test_a_wrong_argument_is_a_readable_tool_error(way: str, request: pytest.FixtureRequest) -> None:
    wrong = request.getfixturevalue(way)["wrong"]
    assert wrong["failed"]
    assert "text" in wrong["text"]


def test_prompts_are_listed_and_filled(over_http: dict[str, Any]) -> None:
    assert "summary" in over_http["prompts"]
    assert "Die Stadt hat ein neues Bad." in over_http["prompt"]


def test_without_a_key_the_door_stays_shut(node: Node, served: Served) -> None:
    assert "refused" in node("mcp.mjs", "http", f"{served.url}/mcp")
