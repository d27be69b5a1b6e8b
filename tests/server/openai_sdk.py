"""OpenAI's own client in front of an app in memory, and waiting on what goes on in the background."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import httpx2
import openai
from web_house import Web

T = TypeVar("T")


def sdk_of(site: Web, key: str) -> openai.AsyncOpenAI:
    http = httpx2.AsyncClient(transport=httpx2.ASGITransport(site.app))
    return openai.AsyncOpenAI(base_url="http://test/v1", api_key=key, max_retries=0, http_client=http)


async def until(look: Callable[[], Awaitable[T]], holds: Callable[[T], bool], *, seconds: float = 45) -> T:
    """What `look` sees once `holds` it to be so."""
    deadline = time.monotonic() + seconds
    while not holds(seen := await look()):
        assert time.monotonic() < deadline, seen
        await asyncio.sleep(0.02)
    return seen
