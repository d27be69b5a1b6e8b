"""A fake OpenAI engine that costs next to nothing: what stands behind every gateway that benchmarks/gateway.py measures.

    python -m benchmarks.engine [--port N]

Asyncio protocols, httptools, uvloop; bodies shaped as vLLM's, made beforehand. The prompt says how a stream is paced:
`#20x50#` is 20 chunks, one each 50 ms, and `#40x250x16000#` such chunks with 16,000 bytes of text in each. Without it
a stream has 20 chunks at once.
"""

import argparse
import asyncio
import json
import re
import signal
from typing import Any, cast

import httptools
import uvloop

__all__ = ["MODEL", "TOKEN", "Engine"]

MODEL = "town-model"
TOKEN = " Rathaus"
"""The text of one streamed chunk, its space in front as tokenizers have it."""
CHUNKS = 20

_ID, _CREATED = "chatcmpl-7f1d2c0e9b6a4f53a1c8e0d4b92f6a17", 1_790_000_000
_PACE = re.compile(rb"#(\d+)x(\d+)(?:x(\d+))?#")
_STREAM = re.compile(rb'"stream":\s*true')
_USAGE = re.compile(rb'"include_usage":\s*true')
_SSE = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
    b"x-request-id: 1\r\ntransfer-encoding: chunked\r\n\r\n"
)
_LAST = b"0\r\n\r\n"
_METRICS = (
    b'vllm:num_requests_running{model_name="town-model"} 0.0\n'
    b'vllm:num_requests_waiting{model_name="town-model"} 0.0\n'
    b'vllm:kv_cache_usage_perc{model_name="town-model"} 0.0\n'
)


def _response(body: bytes, *, status: str = "200 OK", media_type: str = "application/json") -> bytes:
    head = f"HTTP/1.1 {status}\r\ncontent-type: {media_type}\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _whole() -> bytes:
    message: dict[str, Any] = {
        "role": "assistant",
        "content": "Das Freibad öffnet am 1. Mai." + TOKEN * CHUNKS,
        "refusal": None,
        "annotations": None,
        "audio": None,
        "function_call": None,
        "tool_calls": [],
        "reasoning": None,
    }
    choice: dict[str, Any] = {
        "index": 0,
        "message": message,
        "logprobs": None,
        "finish_reason": "stop",
        "stop_reason": None,
        "token_ids": None,
    }
    body: dict[str, Any] = {
        "id": _ID,
        "object": "chat.completion",
        "created": _CREATED,
        "model": MODEL,
        "choices": [choice],
        "service_tier": None,
        "system_fingerprint": None,
        "usage": _usage(CHUNKS),
        "prompt_logprobs": None,
        "prompt_token_ids": None,
        "kv_transfer_params": None,
    }
    return _response(json.dumps(body, ensure_ascii=False).encode())


def _usage(tokens: int) -> dict[str, Any]:
    details = {"cached_tokens": 16}
    return {
        "prompt_tokens": 25,
        "total_tokens": 25 + tokens,
        "completion_tokens": tokens,
        "prompt_tokens_details": details,
    }


def _chunk(delta: dict[str, Any] | None, *, finish: str | None = None, usage: dict[str, Any] | None = None) -> bytes:
    """One event as an HTTP chunk of its own; without `delta` the usage chunk."""
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish, "token_ids": None}
    data: dict[str, Any] = {
        "id": _ID,
        "object": "chat.completion.chunk",
        "created": _CREATED,
        "model": MODEL,
        "choices": [] if delta is None else [choice],
    }
    if usage is not None:
        data["usage"] = usage
    return _framed(b"data: " + json.dumps(data, separators=(",", ":")).encode() + b"\n\n")


def _framed(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


_WHOLE = _whole()
_ROLE = _chunk({"role": "assistant", "content": ""})
_TEXT = _chunk({"content": TOKEN})
_FINISH = _chunk({"content": ""}, finish="stop")
_DONE = _framed(b"data: [DONE]\n\n") + _LAST
_AT_ONCE = {
    usage: _SSE + _ROLE + _TEXT * CHUNKS + _FINISH + (_chunk(None, usage=_usage(CHUNKS)) if usage else b"") + _DONE
    for usage in (True, False)
}
_OTHERS = {
    b"/v1/models": _response(json.dumps({"object": "list", "data": [{"id": MODEL, "object": "model"}]}).encode()),
    b"/health": _response(b""),
    b"/metrics": _response(_METRICS, media_type="text/plain; version=0.0.4; charset=utf-8"),
}
_UNKNOWN = _response(b'{"error": {"message": "Not Found", "code": 404}}', status="404 Not Found")


class Engine(asyncio.Protocol):
    """One connection; a request at a time."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._parser: Any = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport
        self._path = b""
        self._body: list[bytes] = []
        self._timer: asyncio.TimerHandle | None = None
        self._left = 0
        self._total = 0
        self._next = 0.0
        self._pace = 0.0
        self._text = b""
        self._usage = False
        self._full = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._transport.close()

    def pause_writing(self) -> None:
        """A slow reader slows its stream, as it would a real engine's."""
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        if self._left and self._timer is None:
            self._tick()

    def on_url(self, url: bytes) -> None:
        self._path = url

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        self._body.clear()
        if not self._path.endswith(b"/chat/completions"):
            self._transport.write(_OTHERS.get(self._path, _UNKNOWN))
            return
        if not _STREAM.search(body):
            self._transport.write(_WHOLE)
            return
        self._usage = _USAGE.search(body) is not None
        paced = _PACE.search(body)
        if paced is None:
            self._transport.write(_AT_ONCE[self._usage])
            return
        count, milliseconds, size = (int(part or 0) for part in paced.groups())
        self._total = self._left = count
        self._pace, self._next = milliseconds / 1000, self._loop.time()
        self._text = _chunk({"content": TOKEN.ljust(size, ".")}) if size else _TEXT
        self._transport.write(_SSE)
        self._wait()

    def _wait(self) -> None:
        self._next = max(self._next + self._pace, self._loop.time())
        self._timer = self._loop.call_at(self._next, self._tick)

    def _tick(self) -> None:
        self._timer = None
        if self._full:
            return
        first = _ROLE if self._left == self._total else b""
        self._left -= 1
        self._transport.write(first + self._text)
        if self._left:
            self._wait()
        else:
            usage = _chunk(None, usage=_usage(self._total)) if self._usage else b""
            self._transport.write(_FINISH + usage + _DONE)


async def _serve(port: int) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    server = await loop.create_server(Engine, "127.0.0.1", port, backlog=2048)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    await stop.wait()
    server.close()


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0, help="0 = any free one; the address is printed")
    uvloop.run(_serve(parser.parse_args().port))


if __name__ == "__main__":
    main()
