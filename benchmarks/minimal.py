"""The leanest gateway in Python that parses no more than it must: the yardstick `min` of benchmarks/gateway.py.

    python -m benchmarks.minimal --engine http://127.0.0.1:8000/v1 [--port N]

Raw ASGI on uvicorn, httptools and uvloop, an aiohttp client. It reads the model's name and whether to stream; it has
no key, no gate, no limits and no errors of its own.
"""

import argparse
from typing import Any

import aiohttp
import uvicorn
from pydantic_core import from_json

from benchmarks.engine import MODEL

__all__ = ["Minimal"]

_JSON = [(b"content-type", b"application/json")]
_SSE = [(b"content-type", b"text/event-stream; charset=utf-8")]


class Minimal:
    """The ASGI app."""

    def __init__(self, engine: str) -> None:
        self._url = f"{engine}/chat/completions"
        self._http: aiohttp.ClientSession | None = None

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        if scope["path"] != "/v1/chat/completions":
            await _answer(send, 200 if scope["path"] == "/health" else 404, b"{}")
            return
        parts: list[bytes] = []
        while (message := await receive()).get("more_body"):
            parts.append(message["body"])
        body = b"".join([*parts, message["body"]])
        data = from_json(body)
        if data["model"] != MODEL:
            await _answer(send, 404, b'{"error": {"code": "model_not_found"}}')
            return
        self._http = self._http or aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        async with self._http.post(self._url, data=body, headers={"content-type": "application/json"}) as reply:
            if not data.get("stream"):
                await _answer(send, reply.status, await reply.read())
                return
            await send({"type": "http.response.start", "status": reply.status, "headers": _SSE})
            async for piece in reply.content.iter_any():
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})


async def _answer(send: Any, status: int, body: bytes) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*_JSON, length]})
    await send({"type": "http.response.body", "body": body})


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", required=True, help="with /v1")
    parser.add_argument("--port", type=int, default=8000)
    given = parser.parse_args()
    app = Minimal(given.engine)
    uvicorn.run(app, port=given.port, http="httptools", loop="uvloop", lifespan="off", log_level="error", backlog=2048)


if __name__ == "__main__":
    main()
