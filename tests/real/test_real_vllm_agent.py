"""A use case end to end on a real vLLM: it searches the documents by its MCP tool, answers to its schema, and is traced."""

import json
import urllib.request
from pathlib import Path
from typing import Any

import openai
import pytest
from outside import KEY
from vllm_house import Gateway
from vllm_serving import Engine

SAMPLES = Path(__file__).parents[2] / "examples" / "birkenfurt" / "documents"
QUESTION = "Wann schließt das Erlenbad?"
CLOSING = "Das Erlenbad schließt am 3. Mai 2027 für eine umfassende Sanierung."
"""What the model has learned to answer from what it finds."""
GENERATED, PROMPTED = "vllm:generation_tokens_total", "vllm:prompt_tokens_total"


@pytest.fixture(scope="module")
def house(gateway: Gateway) -> Gateway:
    """The gateway, with the sample documents read."""
    gateway.run("ingest", str(SAMPLES))
    return gateway


def test_an_answer_is_searched_written_to_its_schema_and_cited(sdk: openai.OpenAI, house: Gateway) -> None:
    made = sdk.chat.completions.create(model="answer", messages=[{"role": "user", "content": QUESTION}])
    assert (made.choices[0].message.content or "").startswith(CLOSING)
    about = envelope(made)
    assert (about["outcome"], about["engine"]) == ("done", "tiny-chat")
    assert (about["usage"]["requests"], about["usage"]["tool_calls"]) == (2, 1)
    (citation, *_) = about["citations"]
    assert citation["quote"] == CLOSING
    assert citation["end"] - citation["start"] == len(CLOSING)
    assert citation["document"].endswith("erlenbad-eintrittspreise.html")
    assert about["output"]["sources"] == about["citations"]


def test_its_tokens_are_those_that_the_engine_counts(sdk: openai.OpenAI, house: Gateway, chat_engine: Engine) -> None:
    before = chat_engine.metric(PROMPTED), chat_engine.metric(GENERATED)
    about = envelope(sdk.chat.completions.create(model="answer", messages=[{"role": "user", "content": QUESTION}]))
    spent = about["usage"]["input_tokens"], about["usage"]["output_tokens"]
    assert spent == (chat_engine.metric(PROMPTED) - before[0], chat_engine.metric(GENERATED) - before[1])
    assert spent[0] > 3000
    assert about["cost"] == pytest.approx((spent[0] * 1.0 + spent[1] * 2.0) / 1_000_000)


def test_streamed_it_says_the_same(sdk: openai.OpenAI, house: Gateway) -> None:
    messages: Any = [{"role": "user", "content": QUESTION}]
    whole = sdk.chat.completions.create(model="answer", messages=messages)
    with sdk.chat.completions.stream(model="answer", messages=messages) as stream:
        streamed = stream.get_final_completion()
    assert streamed.choices[0].message.content == whole.choices[0].message.content
    assert streamed.choices[0].finish_reason == "stop"


def test_a_typed_route_gives_the_typed_answer(sdk: openai.OpenAI, house: Gateway) -> None:
    request = urllib.request.Request(
        f"{house.url}/api/use-cases/answer",
        json.dumps({"question": QUESTION}).encode(),
        {"authorization": f"Bearer {KEY}", "content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=120) as answer:
        made = json.load(answer)
    assert made["output"]["text"] == CLOSING
    assert made["output"]["sources"][0]["quote"] == CLOSING


def test_the_command_line_asks_the_same_engine(chat_engine: Engine, house: Gateway) -> None:
    made = json.loads(house.run("run", "answer", QUESTION, "--format", "json", "--quiet"))
    assert (made["engine"], made["output"]["text"]) == ("tiny-chat", CLOSING)


def envelope(made: Any) -> dict[str, Any]:
    return made.model_extra["partitur"]
