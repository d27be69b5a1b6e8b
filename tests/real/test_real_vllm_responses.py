"""Responses on a real vLLM through the gateway, with OpenAI's own SDK: text, conversation, tools, schemas, background."""

import json
import time
from typing import Any

import openai
from test_real_vllm_chat import CHAT, Sky
from vllm_house import until
from vllm_serving import Engine

ASKED = "What is the weather in {} today?"
TOOL: Any = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather in a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    "strict": None,
}


def test_whole_and_streamed_say_the_same_and_count_the_same(sdk: openai.OpenAI) -> None:
    whole = sdk.responses.create(model=CHAT, input=ASKED.format("Rome"), temperature=0)
    assert whole.output_text == "The weather in Rome is sunny."
    with sdk.responses.stream(model=CHAT, input=ASKED.format("Rome"), temperature=0) as stream:
        deltas = [event.delta for event in stream if event.type == "response.output_text.delta"]
        streamed = stream.get_final_response()
    assert "".join(deltas) == streamed.output_text == whole.output_text
    assert len(deltas) > 3
    assert whole.usage is not None and streamed.usage is not None
    assert streamed.usage.total_tokens == whole.usage.total_tokens > 10


def test_a_function_is_called_streamed_and_its_result_continues_the_conversation(sdk: openai.OpenAI) -> None:
    with sdk.responses.stream(model=CHAT, input=ASKED.format("Vienna"), tools=[TOOL], temperature=0) as stream:
        made = stream.get_final_response()
    call = made.output[-1]
    assert call.type == "function_call"
    assert (call.name, json.loads(call.arguments)) == ("get_weather", {"city": "Vienna"})
    result: Any = [
        {"type": "function_call_output", "call_id": call.call_id, "output": '{"city": "Vienna", "sky": "sunny"}'}
    ]
    told = sdk.responses.create(model=CHAT, input=result, previous_response_id=made.id, tools=[TOOL], temperature=0)
    assert told.output_text == "The weather in Vienna is sunny."


def test_a_tool_of_ours_is_called_by_the_model(sdk: openai.OpenAI) -> None:
    server: Any = {
        "type": "mcp",
        "server_label": "knowledge",
        "allowed_tools": ["documents"],
        "require_approval": "never",
    }
    choice: Any = {"type": "mcp", "server_label": "knowledge", "name": "documents"}
    made = sdk.responses.create(
        model=CHAT,
        input="List the documents.",
        tools=[server],
        tool_choice=choice,
        max_tool_calls=1,
        max_output_tokens=400,
        temperature=0,
    )
    assert [item.type for item in made.output][:2] == ["mcp_list_tools", "mcp_call"]
    call = made.output[1]
    assert call.type == "mcp_call"
    assert (call.server_label, call.name) == ("knowledge", "documents")
    assert isinstance(json.loads(call.arguments), dict)


def test_a_schema_is_filled(sdk: openai.OpenAI) -> None:
    asked = "Describe the weather in Berlin as a JSON object."
    parsed = sdk.responses.parse(model=CHAT, input=asked, text_format=Sky, temperature=0)
    assert parsed.output_parsed == Sky(city="Berlin", sky="sunny")


def test_a_short_answer_is_incomplete(sdk: openai.OpenAI) -> None:
    made = sdk.responses.create(model=CHAT, input=ASKED.format("Rome"), max_output_tokens=3, temperature=0)
    assert made.status == "incomplete"
    assert made.incomplete_details is not None
    assert made.incomplete_details.reason == "max_output_tokens"


def test_a_cancelled_response_leaves_the_engine(sdk: openai.OpenAI, chat_engine: Engine) -> None:
    running = "vllm:num_requests_running"
    made = sdk.responses.create(
        model=CHAT,
        input=ASKED.format("Rome"),
        background=True,
        max_output_tokens=6000,
        extra_body={"ignore_eos": True, "min_tokens": 6000},
    )
    until(lambda: chat_engine.metric(running) == 1, "the engine computes")
    assert sdk.responses.cancel(made.id).status == "cancelled"
    until(lambda: chat_engine.metric(running) == 0, "the engine is idle")
    assert sdk.responses.retrieve(made.id).status == "cancelled"


def test_what_was_begun_in_the_background_is_there_when_it_is_done(sdk: openai.OpenAI) -> None:
    made = sdk.responses.create(model=CHAT, input=ASKED.format("Paris"), background=True, temperature=0)
    deadline = time.monotonic() + 120
    while (seen := sdk.responses.retrieve(made.id)).status in ("queued", "in_progress"):
        assert time.monotonic() < deadline
        time.sleep(0.1)  # another process, on which nothing can be awaited
    assert (seen.status, seen.output_text) == ("completed", "The weather in Paris is sunny.")
