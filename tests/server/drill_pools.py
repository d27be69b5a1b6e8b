"""Pools over fault engines, and the ways that tests ask them."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from fault_answers import MODEL
from fault_engine import FaultEngine

from tools.models import Hub, Json, ModelConfig, Pool

__all__ = ["ASKED", "STREAMED", "ask", "counts", "hub", "stream", "town"]

ASKED: dict[str, Any] = {"model": "town", "messages": [{"role": "user", "content": "Wann?"}]}
STREAMED: dict[str, Any] = {**ASKED, "stream": True}


@asynccontextmanager
async def hub(**models: dict[str, Any]) -> AsyncGenerator[Hub]:
    """Closed at the end, when every engine and every place must be free again."""
    hub = Hub({id: ModelConfig.model_validate({"name": MODEL, **given}) for id, given in models.items()}, secret=b"s")
    try:
        yield hub
        for pool in hub.pools.values():
            assert (pool.slots.running, pool.slots.waiting) == (0, 0)
            assert [replica.outstanding for replica in pool.replicas] == [0] * len(pool.replicas)
    finally:
        await hub.close()


@asynccontextmanager
async def town(*engines: FaultEngine, **given: Any) -> AsyncGenerator[Pool]:
    """One model."""
    async with hub(town={"engines": [one.url for one in engines], **given}) as opened:
        yield opened["town"]


async def ask(pool: Pool, **how: Any) -> str:
    """What a whole answer says."""
    async with pool.open("chat/completions", Json(ASKED), **how) as reply:
        return json.loads(await reply.read())["choices"][0]["message"]["content"]


async def stream(pool: Pool, **how: Any) -> bytes:
    """All of a streamed answer."""
    async with pool.open("chat/completions", Json(STREAMED), stream=True, **how) as reply:
        return b"".join([part async for part in reply.parts()])


def counts(*engines: FaultEngine) -> list[int]:
    """Requests that came to each."""
    return [len(one.requests) for one in engines]
