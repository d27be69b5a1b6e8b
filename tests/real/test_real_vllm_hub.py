"""The commands about models, in front of a real vLLM: what they show and check, and that the flags they print are those in use."""

import asyncio
import json
import shlex
from typing import Any

import openai
import pytest
from outside import KEY
from vllm_house import Gateway, until
from vllm_serving import LORA, QUEUE, Engine, command

EXAMPLES = {"--max-num-queued-reqs", "--max-model-len", "--lora-modules", "--served-model-name"}
"""Flags whose values are an installation's own."""


def flags(words: list[str]) -> dict[str, str]:
    """Values by flag, whichever way they are written."""
    found: dict[str, str] = {}
    name = ""
    for word in words:
        if word.startswith("--"):
            name, _, value = word.partition("=")
            found[name] = value
        elif name:
            found[name] += word
    return found


@pytest.mark.parametrize(("model", "kind"), [("tiny-chat", "chat"), ("tiny-embed", "embed"), ("tiny-rank", "embed")])
def test_the_flags_that_are_printed_are_those_the_tests_run_with(gateway: Gateway, model: str, kind: str) -> None:
    printed = flags(shlex.split(gateway.run("models", "command", model).replace("\\\n", " ")))
    printed.pop("--otlp-traces-endpoint")  # set by what starts the collector
    used = flags(command(kind, 0))
    assert set(printed) - set(used) - EXAMPLES == set()
    for name in set(printed) - EXAMPLES:
        plain = printed[name].replace(" ", "")
        assert (name, plain) == (name, used[name].replace(" ", ""))


def test_each_model_does_what_the_settings_promise(gateway: Gateway, chat_engine: Engine) -> None:
    tried = json.loads(gateway.run("models", "check", "tiny-chat", LORA, "--format", "json"))
    assert {(one["model"], one["what"]): one["state"] for one in tried} == {
        (model, what): "ok" for model in ("tiny-chat", LORA) for what in ("chat", "stream", "tools", "json_schema")
    }


@pytest.mark.anyio
async def test_running_and_waiting_requests_are_shown_as_the_engine_counts_them(
    gateway: Gateway, chat_engine: Engine
) -> None:
    further: Any = {"ignore_eos": True, "min_tokens": 7000}
    async with openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=KEY, max_retries=0, timeout=300) as client:
        asking = [
            asyncio.ensure_future(
                client.chat.completions.create(
                    model="tiny-chat",
                    messages=[{"role": "user", "content": "What is the weather in Rome today?"}],
                    max_tokens=7000,
                    extra_body=further,
                )
            )
            for _ in range(QUEUE - 4)
        ]
        shown = await asyncio.to_thread(until, lambda: busy(gateway), "8 run and 4 wait")
        for one in asking:
            one.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
    assert shown["healthy"]
    assert 0 < shown["cache"] <= 1


def busy(gateway: Gateway) -> dict[str, Any] | None:
    """The chat engine as 'partitur models' shows it, once eight run and four wait."""
    shown = json.loads(gateway.run("models", "--format", "json", expected=1))  # that for embeddings does not run now
    rows = {row["id"]: row for row in shown}
    (engine,) = rows["tiny-chat"]["engines"]
    return engine if (engine["running"], engine["waiting"]) == (8, QUEUE - 12) else None
