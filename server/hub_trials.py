"""One small real request of each kind, to see whether a model does what the settings promise of it."""

import json
from contextlib import aclosing
from typing import Any, cast

from pydantic_core import from_json

from tools.base import Failed
from tools.models import Json, Pool

__all__ = ["chat", "embedding", "image", "rerank", "schema", "speech", "stream", "tools", "transcription"]

_TOKENS = 64
_TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
_SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string", "maxLength": 40}},
    "required": ["city"],
    "additionalProperties": False,
}


async def chat(pool: Pool) -> str:
    """Asks for one word."""
    answer = await _asked(pool, messages=_said("Say: ready"))
    return f"says {_content(answer)[:60]!r}, {answer.get('usage', {}).get('completion_tokens', '?')} tokens"


async def stream(pool: Pool) -> str:
    """The same in pieces."""
    body = Json({"model": pool.name, "messages": _said("Say: ready"), "max_tokens": _TOKENS, "stream": True})
    data = b""
    async with pool.open("chat/completions", body, stream=True) as reply, aclosing(reply.parts()) as parts:
        async for part in parts:
            data += part
    if b"data: [DONE]" not in data:
        raise Failed("The stream ended without '[DONE]'.", hint="Look into the engine's log.")
    return f"{data.count(b'data: {')} chunks"


async def tools(pool: Pool) -> str:
    """Asks for a tool call that cannot be avoided."""
    answer = await _asked(pool, messages=_said("How is the weather in Rome?"), tools=[_TOOL], tool_choice="required")
    calls = cast("list[dict[str, Any]]", answer["choices"][0]["message"].get("tool_calls") or [])
    if not calls:
        raise Failed(
            "It called no tool though it had to.",
            hint="Start vLLM with --enable-auto-tool-choice and the parser of this model, or take 'tools' from its capabilities.",
        )
    return f"calls {calls[0]['function']['name']}({calls[0]['function']['arguments'][:60]})"


async def schema(pool: Pool) -> str:
    """Asks for JSON in a schema, and looks whether it is kept to."""
    from server.schemas import Schema

    form = {"type": "json_schema", "json_schema": {"name": "place", "schema": _SCHEMA, "strict": True}}
    answer = await _asked(pool, messages=_said("Name a city as JSON."), response_format=form)
    text = _content(answer)
    Schema(_SCHEMA, param="schema").check(text, pool.id)
    return f"keeps to it: {text[:60]}"


async def embedding(pool: Pool) -> str:
    """A vector for a sentence."""
    answer = await _posted(pool, "embeddings", {"model": pool.name, "input": ["Das Freibad öffnet am 1. Mai."]})
    return f"{len(answer['data'][0]['embedding'])} dimensions"


async def rerank(pool: Pool) -> str:
    """Two documents for a query."""
    documents = ["Das Freibad öffnet am 1. Mai.", "Die Bücherei ist montags zu."]
    body = {"model": pool.name, "query": "Wann öffnet das Freibad?", "documents": documents}
    answer = await _posted(pool, "rerank", body)
    scores = {one["index"]: one["relevance_score"] for one in answer["results"]}
    return ", ".join(f"{scores[index]:.3f}" for index in sorted(scores))


async def speech(pool: Pool) -> str:
    """A sentence read aloud."""
    body = Json({"model": pool.name, "input": "Guten Tag.", "voice": "alloy", "response_format": "wav"})
    async with pool.open("audio/speech", body) as reply:
        return f"{len(await reply.read())} bytes of {reply.media_type}"


async def transcription(pool: Pool, sound: bytes) -> str:
    """The words of a second of silence."""
    border = "partitur-check"
    head = f'--{border}\r\nContent-Disposition: form-data; name="model"\r\n\r\n{pool.name}\r\n--{border}\r\n'
    head += 'Content-Disposition: form-data; name="file"; filename="silence.wav"\r\nContent-Type: audio/wav\r\n\r\n'
    body = head.encode() + sound + f"\r\n--{border}--\r\n".encode()
    media = f"multipart/form-data; boundary={border}"
    async with pool.open("audio/transcriptions", body, media_type=media) as reply:
        return f"hears {(await reply.read()).decode('utf-8', 'replace')[:60]!r}"


async def image(pool: Pool) -> str:
    """A small picture."""
    body = {"model": pool.name, "prompt": "A blue circle", "n": 1, "response_format": "b64_json"}
    answer = await _posted(pool, "images/generations", body)
    return f"{len(answer['data'])} picture"


def _said(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def _content(answer: dict[str, Any]) -> str:
    return str(answer["choices"][0]["message"].get("content") or "")


async def _asked(pool: Pool, **more: object) -> dict[str, Any]:
    return await _posted(
        pool, "chat/completions", {"model": pool.name, "max_tokens": _TOKENS, "temperature": 0, **more}
    )


async def _posted(pool: Pool, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """An engine's JSON.

    Raises:
        Failed: it is no such answer.
    """
    async with pool.open(path, Json(body)) as reply:
        data = await reply.read()
    try:
        answer: object = from_json(data)
    except ValueError:
        answer = None
    if not isinstance(answer, dict) or not any(name in answer for name in ("choices", "data", "results")):
        raise Failed(f"It answered with something else than was asked for: {json.dumps(data[:60].decode('latin-1'))}.")
    return cast("dict[str, Any]", answer)
