"""What a real vLLM sees of the gateway's traffic: who left, who waits, whose cache, and which request it belongs to."""

import asyncio
import secrets
from collections.abc import AsyncGenerator
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam
from outside import KEY
from vllm_house import Collector, Gateway, until
from vllm_serving import QUEUE, Engine

CHAT = "tiny-chat"
RUNNING, WAITING, WRITTEN = "vllm:num_requests_running", "vllm:num_requests_waiting", "vllm:generation_tokens_total"
ASKED: list[ChatCompletionMessageParam] = [{"role": "user", "content": "What is the weather in Rome today?"}]
LONG = 7000
"""Tokens: a minute's work and more."""


@pytest.fixture
async def client(chat_engine: Engine, gateway: Gateway) -> AsyncGenerator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=KEY, max_retries=0, timeout=300) as opened:
        yield opened


async def endless(client: openai.AsyncOpenAI, *, stream: bool) -> Any:
    """A request that somebody has to stop."""
    further = {"ignore_eos": True, "min_tokens": LONG}
    return await client.chat.completions.create(
        model=CHAT, messages=ASKED, max_tokens=LONG, extra_body=further, stream=stream
    )


@pytest.mark.anyio
async def test_a_client_that_leaves_a_stream_stops_the_engine(client: openai.AsyncOpenAI, chat_engine: Engine) -> None:
    written = chat_engine.metric(WRITTEN)
    stream = await endless(client, stream=True)
    async for _ in stream:
        break
    assert chat_engine.metric(RUNNING) == 1
    await stream.close()
    await idle(chat_engine)
    assert chat_engine.metric(WRITTEN) < written + LONG


@pytest.mark.anyio
async def test_a_client_that_does_not_wait_for_its_whole_answer_stops_the_engine(
    client: openai.AsyncOpenAI, chat_engine: Engine
) -> None:
    written = chat_engine.metric(WRITTEN)
    asking = asyncio.ensure_future(endless(client, stream=False))
    await asyncio.to_thread(until, lambda: chat_engine.metric(RUNNING) == 1, "the engine computes")
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await idle(chat_engine)
    assert chat_engine.metric(WRITTEN) < written + LONG


@pytest.mark.anyio
async def test_what_is_too_much_for_the_engine_is_refused_and_told_when_to_come_back(
    client: openai.AsyncOpenAI, chat_engine: Engine
) -> None:
    """vLLM itself says 503 and names no time; a client of ours is told one."""
    waiting = [asyncio.ensure_future(endless(client, stream=False)) for _ in range(QUEUE)]
    await asyncio.to_thread(
        until, lambda: chat_engine.metric(RUNNING) + chat_engine.metric(WAITING) == QUEUE, "the engine is full"
    )
    with pytest.raises(openai.APIStatusError) as refused:
        await endless(client, stream=True)
    with pytest.raises(openai.APIStatusError) as refused_whole:
        await endless(client, stream=False)
    for asking in waiting:
        asking.cancel()
    left = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(each, asyncio.CancelledError) for each in left)
    for error in (refused.value, refused_whole.value):
        assert error.status_code in (429, 503)
        assert int(error.response.headers["retry-after"]) >= 1
        body: Any = error.body
        assert body["message"]
        assert body["code"]
    await idle(chat_engine)
    again = await client.chat.completions.create(model=CHAT, messages=ASKED, temperature=0)
    assert again.choices[0].message.content == "The weather in Rome is sunny."


@pytest.mark.anyio
async def test_an_urgent_request_is_never_jumped_by_its_client(client: openai.AsyncOpenAI) -> None:
    """The engine takes the priority (without '--scheduling-policy priority' it answers 400), whatever its sign."""
    for priority in (5, -5):
        made = await client.chat.completions.create(
            model=CHAT, messages=ASKED, temperature=0, extra_body={"priority": priority}
        )
        assert made.choices[0].message.content == "The weather in Rome is sunny."


@pytest.mark.anyio
async def test_trace_and_request_id_arrive_at_the_engine(client: openai.AsyncOpenAI, collector: Collector) -> None:
    trace, span = secrets.token_hex(16), secrets.token_hex(8)
    answer = await client.chat.completions.with_raw_response.create(
        model=CHAT, messages=ASKED, temperature=0, extra_headers={"traceparent": f"00-{trace}-{span}-01"}
    )
    request_id = answer.headers["x-request-id"]
    assert answer.parse().id == f"chatcmpl-{request_id}"
    wanted = bytes.fromhex(trace), f"chatcmpl-{request_id}".encode()
    await asyncio.to_thread(until, lambda: collector.holds(*wanted), "the engine's span of this trace is exported")


@pytest.mark.anyio
async def test_the_prefix_cache_is_shared_within_a_tenant_alone(
    client: openai.AsyncOpenAI, chat_engine: Engine
) -> None:
    """The salt that the gateway sends is nobody's to foretell; a client can only keep its own requests further apart."""
    front = f"{secrets.token_hex(8)} " + "The library opens at ten, and the museum at noon. " * 120
    messages: list[ChatCompletionMessageParam] = [{"role": "system", "content": front}, *ASKED]

    async def cached(asked: openai.AsyncOpenAI, **further: Any) -> int:
        made = await asked.chat.completions.create(
            model=CHAT, messages=messages, temperature=0, max_tokens=4, extra_body=further
        )
        assert made.usage is not None and made.usage.prompt_tokens > 1000
        details = made.usage.prompt_tokens_details
        return (details.cached_tokens or 0) if details else 0

    assert await cached(client) == 0
    assert await cached(client) > 500
    assert await cached(client, cache_salt="mine") == 0
    assert await cached(client, cache_salt="mine") > 500
    async with openai.AsyncOpenAI(base_url=chat_engine.url, api_key="none", max_retries=0) as direct:
        assert await cached(direct) == 0
        assert await cached(direct, cache_salt="mine") == 0


async def idle(engine: Engine) -> None:
    """Waits until the engine computes nothing and nobody waits there."""
    await asyncio.to_thread(
        until, lambda: engine.metric(RUNNING) == engine.metric(WAITING) == 0, "the engine is at rest"
    )
