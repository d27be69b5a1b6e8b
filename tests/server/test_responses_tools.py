"""Tests of tools that run here: which servers may be named, who must allow a call, what a model is told, what is cited."""

import json
from collections.abc import AsyncGenerator
from typing import Any

import openai
import pytest
from requirements import requirement
from responses_contract import misfits
from scripted_chat import MODEL, Town, calls, says, town

from tools.base import Unavailable
from tools.knowledge import Ingest, ingest

pytestmark = pytest.mark.anyio

POOL = "Das Freibad in Birkenfurt wird saniert. Die Kosten betragen 2,4 Millionen Euro. Der Bau beginnt im Jahr 2027."
SECRET = "sk-" + "a" * 24


def mcp(label: str, **more: Any) -> Any:
    return {"type": "mcp", "server_label": label, "require_approval": "never", **more}


@pytest.fixture(scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Town]:
    async with town(tmp_path_factory.mktemp("home")) as opened:
        yield opened


@pytest.fixture(scope="module")
async def informed(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Town]:
    """A house with a document that its caller has put there."""
    async with town(tmp_path_factory.mktemp("home")) as opened:
        given = Ingest(name="freibad.md", text=f"# Freibad\n\n{POOL}")
        opened.chat.plays(calls(("knowledge_ingest", given.model_dump_json(exclude_none=True))), says("Gelesen."))
        answer = await opened.sdk.responses.create(
            model=MODEL, input="Lies das.", tools=[mcp("knowledge", allowed_tools=[ingest.tool])]
        )
        assert answer.output[1].type == "mcp_call"
        assert answer.output[1].error is None
        yield opened


@requirement("RESP-8")
async def test_a_model_gets_what_a_tool_gave_and_goes_on(informed: Town) -> None:
    informed.chat.plays(calls(("knowledge_search", '{"query": "Freibad"}'), reasoning="Hm."), says("2,4 Millionen."))
    answer = await informed.sdk.responses.create(
        model=MODEL, input="Was kostet es?", tools=[mcp("knowledge", allowed_tools={"read_only": True})]
    )
    listed, thought, call, said = answer.output
    assert listed.type == "mcp_list_tools"
    assert {tool.name for tool in listed.tools} == {"search", "similar", "collections", "documents", "document"}
    assert (thought.type, said.type) == ("reasoning", "message")
    assert call.type == "mcp_call"
    assert "2,4 Millionen" in (call.output or "")
    asked = informed.chat.asked[1]["messages"]
    assert asked[1]["reasoning"] == "Hm."
    assert asked[1]["tool_calls"][0]["function"]["name"] == "knowledge_search"
    assert asked[2] == {"role": "tool", "tool_call_id": "call-0", "content": call.output}
    assert answer.usage is not None
    assert answer.usage.total_tokens == 30


async def test_what_was_called_before_is_part_of_the_conversation(informed: Town) -> None:
    informed.chat.plays(calls(("knowledge_search", '{"query": "Freibad"}')), says("2,4 Millionen."), says("2027."))
    tools = [mcp("knowledge", allowed_tools=["search"])]
    first = await informed.sdk.responses.create(model=MODEL, input="Was kostet es?", tools=tools)
    second = await informed.sdk.responses.create(
        model=MODEL, input="Und wann?", tools=tools, previous_response_id=first.id
    )
    assert [item.type for item in second.output] == ["message"]  # the list of tools is known
    roles = [message["role"] for message in informed.chat.asked[2]["messages"]]
    assert roles == ["user", "assistant", "tool", "assistant", "user"]


async def test_wrong_arguments_are_told_to_the_model(place: Town) -> None:
    made = calls(("knowledge_search", '{"limit": 5}'), ("knowledge_search", "{nonsense"))
    place.chat.plays(made, says("Das ging nicht."))
    answer = await place.sdk.responses.create(model=MODEL, input="Suche.", tools=[mcp("knowledge")])
    failed = [item for item in answer.output if item.type == "mcp_call"]
    assert [item.status for item in failed] == ["failed", "failed"]
    told = [message["content"] for message in place.chat.asked[1]["messages"] if message["role"] == "tool"]
    assert "query" in told[0]
    assert "JSON object" in told[1]


async def test_what_a_guard_refuses_ends_the_response(place: Town) -> None:
    place.chat.plays(calls(("knowledge_search", json.dumps({"query": SECRET}))), says("Nie."))
    with pytest.raises(openai.PermissionDeniedError):
        await place.sdk.responses.create(model=MODEL, input="Suche.", tools=[mcp("knowledge")])
    assert len(place.chat.asked) == 1


@requirement("RESP-9")
async def test_a_call_waits_for_the_users_word(informed: Town) -> None:
    tools = [{"type": "mcp", "server_label": "knowledge", "allowed_tools": ["search"]}]
    informed.chat.plays(calls(("knowledge_search", '{"query": "Freibad"}')), says("2,4 Millionen."))
    first: Any = await informed.sdk.responses.create(model=MODEL, input="Was kostet es?", tools=tools)  # pyright: ignore[reportArgumentType]  # a list of plain data
    request = first.output[-1]
    assert (request.type, request.server_label, request.name) == ("mcp_approval_request", "knowledge", "search")
    yes: Any = [{"type": "mcp_approval_response", "approval_request_id": request.id, "approve": True}]
    second: Any = await informed.sdk.responses.create(
        model=MODEL,
        input=yes,
        previous_response_id=first.id,
        tools=tools,  # pyright: ignore[reportArgumentType]  # a list of plain data
    )
    call, said = second.output
    assert (call.type, call.approval_request_id, call.status) == ("mcp_call", request.id, "completed")
    assert said.content[0].text == "2,4 Millionen."
    assert [m["role"] for m in informed.chat.asked[1]["messages"]] == ["user", "assistant", "tool"]
    informed.chat.plays(says("Gern."))
    await informed.sdk.responses.create(model=MODEL, input="Danke", previous_response_id=second.id)
    assert [m["role"] for m in informed.chat.asked[0]["messages"]] == ["user", "assistant", "tool", "assistant", "user"]


@requirement("RESP-9")
async def test_a_call_that_is_not_allowed_is_not_made(place: Town) -> None:
    tools: Any = [mcp("knowledge", require_approval={"never": {"tool_names": ["documents"]}})]
    place.chat.plays(calls(("knowledge_search", '{"query": "a"}'), ("knowledge_documents", "{}")), says("Schade."))
    first: Any = await place.sdk.responses.create(model=MODEL, input="Suche.", tools=tools)
    assert [item.type for item in first.output] == ["mcp_list_tools", "mcp_call", "mcp_approval_request"]
    no: Any = [
        {
            "type": "mcp_approval_response",
            "approval_request_id": first.output[-1].id,
            "approve": False,
            "reason": "Nein.",
        }
    ]
    second = await place.sdk.responses.create(model=MODEL, input=no, previous_response_id=first.id, tools=tools)
    assert [item.type for item in second.output] == ["message"]
    assert place.chat.asked[1]["messages"][-1]["content"].endswith("The reason: Nein.")


async def test_an_approval_of_what_was_not_asked_is_refused(place: Town) -> None:
    wild: Any = [{"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": True}]
    with pytest.raises(openai.BadRequestError):
        await place.sdk.responses.create(model=MODEL, input=wild, tools=[mcp("knowledge")])


@pytest.mark.parametrize(
    ("tool", "param"),
    [
        (mcp("stranger", server_url="https://example.org/mcp"), "tools[0].server_label"),
        (mcp("knowledge", server_url="https://example.org/mcp"), "tools[0].server_url"),
        (mcp("knowledge", headers={"Authorization": "Bearer a"}), "tools[0].headers"),
        (mcp("knowledge", authorization="a"), "tools[0].authorization"),
        (mcp("knowledge", connector_id="connector_gmail"), "tools[0].connector_id"),
        (mcp("knowledge", require_approval="sometimes"), "tools[0].require_approval"),
        ({"type": "file_search", "vector_store_ids": [], "max_num_results": 99}, "tools[0].max_num_results"),
    ],
)
async def test_no_request_makes_the_server_call_a_stranger(place: Town, tool: Any, param: str) -> None:
    place.chat.plays()
    answer = await place.client.post("/v1/responses", json={"model": MODEL, "input": "a", "tools": [tool]})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


async def test_a_server_that_cannot_be_reached_is_told(tmp_path_factory: pytest.TempPathFactory) -> None:
    home, server = tmp_path_factory.mktemp("home"), {"url": "http://127.0.0.1:9/mcp", "tools": ("a",)}
    async with town(home, mcp_servers={"far": server}) as opened:
        opened.chat.plays()
        body = {"model": MODEL, "input": "a", "tools": [mcp("far", server_url="http://127.0.0.1:9/mcp")]}
        answer = await opened.client.post("/v1/responses", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (Unavailable.status, Unavailable.code)


@requirement("RESP-11")
async def test_calls_beyond_the_limit_are_ignored(place: Town) -> None:
    two = calls(("knowledge_documents", "{}"), ("knowledge_documents", "{}"))
    place.chat.plays(two, says("Genug."))
    answer = await place.sdk.responses.create(model=MODEL, input="Suche.", tools=[mcp("knowledge")], max_tool_calls=1)
    assert [item.type for item in answer.output] == ["mcp_list_tools", "mcp_call", "message"]
    assert "tools" not in place.chat.asked[1]
    assert len(place.chat.asked[1]["messages"][1]["tool_calls"]) == 1


async def test_a_tool_that_must_be_called_must_be_once(place: Town) -> None:
    place.chat.plays(calls(("knowledge_documents", "{}")), says("Keine."))
    choice: Any = {"type": "mcp", "server_label": "knowledge", "name": "documents"}
    await place.sdk.responses.create(model=MODEL, input="Was?", tools=[mcp("knowledge")], tool_choice=choice)
    choices = [asked["tool_choice"] for asked in place.chat.asked]
    assert choices == [{"type": "function", "function": {"name": "knowledge_documents"}}, "auto"]


async def test_calls_of_the_client_and_of_tools_here_may_come_together(place: Town) -> None:
    function: Any = {"type": "function", "name": "weather", "parameters": {}, "strict": False}
    place.chat.plays(calls(("weather", "{}"), ("knowledge_documents", "{}")), says("Sonne."))
    tools: Any = [function, mcp("knowledge")]
    first: Any = await place.sdk.responses.create(model=MODEL, input="Was?", tools=tools)
    assert [item.type for item in first.output] == ["mcp_list_tools", "function_call", "mcp_call"]
    told: Any = [{"type": "function_call_output", "call_id": first.output[1].call_id, "output": "Sonne"}]
    await place.sdk.responses.create(model=MODEL, input=told, previous_response_id=first.id, tools=tools)
    user, assistant, *results = place.chat.asked[1]["messages"]
    assert len(assistant["tool_calls"]) == 2
    assert {call["id"] for call in assistant["tool_calls"]} == {result["tool_call_id"] for result in results}
    assert user["role"] == "user"


@requirement("RESP-10")
async def test_passages_are_cited_by_their_number(informed: Town) -> None:
    informed.chat.plays(
        calls(("file_search", '{"query": "Kosten Freibad"}')), says("2,4 Millionen Euro [1], nicht [99].")
    )
    search: Any = {"type": "file_search", "vector_store_ids": [], "max_num_results": 3}
    body = {"model": MODEL, "input": "Was kostet es?", "tools": [search], "include": ["file_search_call.results"]}
    answer = (await informed.client.post("/v1/responses", json=body)).json()
    assert misfits("Response", answer) == []
    call, said = answer["output"]
    assert (call["status"], call["queries"]) == ("completed", ["Kosten Freibad"])
    assert "2,4 Millionen" in call["results"][0]["text"]
    assert call["results"][0]["score"] == 1.0
    (annotation,) = said["content"][0]["annotations"]
    assert annotation == {
        "type": "file_citation",
        "index": len("2,4 Millionen Euro "),
        "file_id": call["results"][0]["file_id"],
        "filename": "Freibad",
    }
    plain = (await informed.client.get(f"/v1/responses/{answer['id']}")).json()
    assert plain["output"][0]["results"] is None
    query = {"include[]": "file_search_call.results"}
    assert (await informed.client.get(f"/v1/responses/{answer['id']}", params=query)).json() == answer


@requirement("RESP-10")
async def test_what_was_found_before_keeps_its_number(informed: Town) -> None:
    search: Any = {"type": "file_search", "vector_store_ids": []}
    look = calls(("file_search", '{"query": "Freibad"}'))
    informed.chat.plays(look, says("[1]"), look, says("[1] und [2]"))
    first = await informed.sdk.responses.create(model=MODEL, input="Was?", tools=[search])
    second: Any = await informed.sdk.responses.create(
        model=MODEL, input="Und?", tools=[search], previous_response_id=first.id
    )
    found = [m["content"] for m in informed.chat.asked[3]["messages"] if m["role"] == "tool"]
    assert ("[1] Freibad" in found[0], "[2] Freibad" in found[1]) == (True, True)
    assert len(second.output[-1].content[0].annotations) == 2
