"""Chat on a real vLLM through the gateway, with OpenAI's own SDK: text, tools, schemas, choices, LoRA, and what does not fit."""

import json
from typing import Any, Literal

import openai
import pytest
from openai.types.chat import ChatCompletionChunk, ChatCompletionMessageParam
from pydantic import BaseModel
from vllm_serving import LORA

CHAT = "tiny-chat"
CITIES = ["Paris", "Berlin", "Rome", "Vienna"]
TOOL: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


class Sky(BaseModel):
    city: str
    sky: str


class Ticket(BaseModel):
    """Of a shape that the model has never seen."""

    kind: Literal["complaint", "praise"]
    urgent: bool
    numbers: list[Literal[1, 2, 3]]


def asked(city: str = "Rome") -> list[ChatCompletionMessageParam]:
    return [{"role": "user", "content": f"What is the weather in {city} today?"}]


def text_of(chunks: list[ChatCompletionChunk], index: int = 0) -> str:
    choices = [choice for chunk in chunks for choice in chunk.choices if choice.index == index]
    return "".join(choice.delta.content or "" for choice in choices)


@pytest.mark.parametrize("city", CITIES)
def test_a_whole_answer_comes_with_its_usage(sdk: openai.OpenAI, city: str) -> None:
    made = sdk.chat.completions.create(model=CHAT, messages=asked(city), temperature=0)
    (choice,) = made.choices
    assert (choice.message.content, choice.finish_reason) == (f"The weather in {city} is sunny.", "stop")
    assert (made.object, made.model) == ("chat.completion", CHAT)
    usage = made.usage
    assert usage is not None
    assert usage.prompt_tokens + usage.completion_tokens == usage.total_tokens
    assert min(usage.prompt_tokens, usage.completion_tokens) > 5


def test_a_stream_says_the_same_piece_by_piece(sdk: openai.OpenAI) -> None:
    whole = sdk.chat.completions.create(model=CHAT, messages=asked(), temperature=0)
    options: Any = {"include_usage": True}
    chunks = list(
        sdk.chat.completions.create(model=CHAT, messages=asked(), temperature=0, stream=True, stream_options=options)
    )
    assert text_of(chunks) == whole.choices[0].message.content
    assert {(chunk.id, chunk.model, chunk.object) for chunk in chunks} == {
        (chunks[0].id, CHAT, "chat.completion.chunk")
    }
    *said, last = chunks
    assert last.choices == []
    assert last.usage is not None and whole.usage is not None
    assert last.usage.total_tokens == whole.usage.total_tokens
    assert all(chunk.usage is None for chunk in said)
    assert said[-1].choices[0].finish_reason == "stop"
    assert len([chunk for chunk in said if chunk.choices[0].delta.content]) > 3


def test_a_stream_that_was_not_asked_for_usage_has_none(sdk: openai.OpenAI) -> None:
    chunks = list(sdk.chat.completions.create(model=CHAT, messages=asked(), temperature=0, stream=True))
    assert text_of(chunks) == "The weather in Rome is sunny."
    assert all(chunk.usage is None for chunk in chunks)
    assert all(chunk.choices for chunk in chunks)


def test_a_tool_is_called_and_its_result_becomes_the_answer(sdk: openai.OpenAI) -> None:
    made, again = (
        sdk.chat.completions.create(model=CHAT, messages=asked("Vienna"), tools=[TOOL], temperature=0).choices[0]
        for _ in range(2)
    )
    (call,), (same,) = made.message.tool_calls or [], again.message.tool_calls or []
    assert call.type == "function"
    assert same.type == "function"
    assert made.finish_reason == "tool_calls"
    assert (call.function.name, json.loads(call.function.arguments)) == ("get_weather", {"city": "Vienna"})
    assert call.function == same.function
    assert call.id != same.id
    result: Any = {"role": "tool", "tool_call_id": call.id, "content": json.dumps({"city": "Vienna", "sky": "sunny"})}
    said: Any = made.message.model_dump(exclude_none=True)
    told = sdk.chat.completions.create(
        model=CHAT, messages=[*asked("Vienna"), said, result], tools=[TOOL], temperature=0
    )
    assert told.choices[0].message.content == "The weather in Vienna is sunny."


def test_a_streamed_tool_call_adds_up_to_the_whole_one(sdk: openai.OpenAI) -> None:
    with sdk.chat.completions.stream(model=CHAT, messages=asked("Paris"), tools=[TOOL], temperature=0) as stream:
        made = stream.get_final_completion()
    assert made.choices[0].finish_reason == "tool_calls"
    (call,) = made.choices[0].message.tool_calls or []
    assert (call.function.name, json.loads(call.function.arguments)) == ("get_weather", {"city": "Paris"})
    assert call.id


def test_a_tool_can_be_demanded(sdk: openai.OpenAI) -> None:
    """The model has never seen this tool and this question: the engine holds it to the schema of the arguments."""
    tool: Any = {
        "type": "function",
        "function": {
            "name": "set_level",
            "parameters": {
                "type": "object",
                "properties": {"level": {"type": "string", "enum": ["low", "high"]}},
                "required": ["level"],
                "additionalProperties": False,
            },
        },
    }
    for choice in ("required", {"type": "function", "function": {"name": "set_level"}}):
        demanded: Any = choice
        made = sdk.chat.completions.create(
            model=CHAT, messages=asked(), tools=[tool], tool_choice=demanded, temperature=0, max_tokens=200
        )
        (call, *_) = made.choices[0].message.tool_calls or []
        assert call.type == "function"
        assert call.function.name == "set_level"
        assert json.loads(call.function.arguments)["level"] in ("low", "high")


def test_a_schema_is_filled(sdk: openai.OpenAI) -> None:
    parsed = sdk.chat.completions.parse(
        model=CHAT,
        messages=[{"role": "user", "content": "Describe the weather in Berlin as a JSON object."}],
        response_format=Sky,
        temperature=0,
    )
    assert parsed.choices[0].message.parsed == Sky(city="Berlin", sky="sunny")


def test_a_schema_holds_what_the_model_has_never_seen(sdk: openai.OpenAI) -> None:
    with sdk.chat.completions.stream(
        model=CHAT, messages=asked(), response_format=Ticket, temperature=0, max_tokens=400, seed=1
    ) as stream:
        made = stream.get_final_completion()
    if made.choices[0].finish_reason == "stop":
        assert isinstance(made.choices[0].message.parsed, Ticket)
    else:  # a list without end is still the beginning of such a ticket
        assert (made.choices[0].message.content or "").startswith('{"kind":"')


def test_several_choices_are_told_apart_whole_and_streamed(sdk: openai.OpenAI) -> None:
    made = sdk.chat.completions.create(model=CHAT, messages=asked(), n=3, temperature=0.2, seed=7)
    assert sorted(choice.index for choice in made.choices) == [0, 1, 2]
    assert all(choice.message.content for choice in made.choices)
    chunks = list(sdk.chat.completions.create(model=CHAT, messages=asked(), n=2, temperature=0.2, seed=7, stream=True))
    ends = [choice.index for chunk in chunks for choice in chunk.choices if choice.finish_reason]
    assert sorted(ends) == [0, 1]
    assert all(text_of(chunks, index) for index in (0, 1))


def test_the_likelihood_of_each_token_is_passed_on(sdk: openai.OpenAI) -> None:
    made = sdk.chat.completions.create(model=CHAT, messages=asked(), logprobs=True, top_logprobs=3, temperature=0)
    about = made.choices[0].logprobs
    assert about is not None
    tokens = about.content or []
    assert "".join(token.token for token in tokens).startswith("The weather in Rome is sunny.")
    assert all(token.logprob <= 0 and len(token.top_logprobs) >= 3 for token in tokens)
    chunks = list(sdk.chat.completions.create(model=CHAT, messages=asked(), logprobs=True, temperature=0, stream=True))
    assert any(choice.logprobs for chunk in chunks for choice in chunk.choices)


def test_parameters_of_vllm_alone_arrive(sdk: openai.OpenAI) -> None:
    further = {"ignore_eos": True, "min_tokens": 30, "top_k": 1}
    made = sdk.chat.completions.create(model=CHAT, messages=asked(), max_tokens=30, extra_body=further)
    assert made.usage is not None
    assert (made.usage.completion_tokens, made.choices[0].finish_reason) == (30, "length")
    chosen = sdk.chat.completions.create(
        model=CHAT, messages=asked(), extra_body={"structured_outputs": {"choice": ["yes", "no"]}}
    )
    assert chosen.choices[0].message.content in ("yes", "no")


@pytest.mark.parametrize("stream", [False, True])
def test_what_is_longer_than_the_model_can_read_is_said_as_openai_says_it(sdk: openai.OpenAI, stream: bool) -> None:
    messages: list[ChatCompletionMessageParam] = [{"role": "user", "content": "a stone, " * 9000}]
    with pytest.raises(openai.BadRequestError) as refused:
        sdk.chat.completions.create(model=CHAT, messages=messages, stream=stream)
    assert refused.value.code == "context_length_exceeded"
    assert "8192" in refused.value.message


def test_a_parameter_that_the_engine_refuses_is_the_callers_fault(sdk: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        sdk.chat.completions.create(model=CHAT, messages=asked(), temperature=-1)
    assert "temperature" in refused.value.message


def test_a_lora_is_a_model_of_its_own(sdk: openai.OpenAI) -> None:
    assert LORA in {model.id for model in sdk.models.list()}
    said = {
        model: sdk.chat.completions.create(model=model, messages=asked("Paris"), temperature=0)
        for model in (CHAT, LORA)
    }
    assert said[LORA].choices[0].message.content == "Das Wetter in Paris ist sonnig."
    assert said[CHAT].choices[0].message.content == "The weather in Paris is sunny."
    assert said[LORA].model == LORA


def test_plain_completions_go_through_too(sdk: openai.OpenAI) -> None:
    made = sdk.completions.create(model=CHAT, prompt="The weather in Rome", max_tokens=8, temperature=0)
    assert made.usage is not None
    assert 1 <= made.usage.completion_tokens <= 8
    pieces = list(
        sdk.completions.create(model=CHAT, prompt="The weather in Rome", max_tokens=8, temperature=0, stream=True)
    )
    assert "".join(choice.text for piece in pieces for choice in piece.choices) == made.choices[0].text
