"""A gateway as everyone writes it first, Starlette and httpx: the yardstick `bare` of benchmarks/gateway.py.

python -m benchmarks.bare --engine http://127.0.0.1:8000/v1 [--port N]
"""

import argparse
from collections.abc import AsyncGenerator

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

__all__ = ["create_app"]


def create_app(engine: str) -> Starlette:
    """The app; one client for all requests, otherwise as the libraries come."""
    client = httpx.AsyncClient(base_url=engine, timeout=None)

    async def chat(request: Request) -> Response:
        data = await request.json()
        if not data.get("stream"):
            answer = await client.post("/chat/completions", json=data)
            return JSONResponse(answer.json(), status_code=answer.status_code)

        async def pieces() -> AsyncGenerator[str]:
            async with client.stream("POST", "/chat/completions", json=data) as answer:
                async for line in answer.aiter_lines():
                    if line:
                        yield f"{line}\n\n"

        return StreamingResponse(pieces(), media_type="text/event-stream")

    async def health(request: Request) -> Response:
        return JSONResponse({})

    return Starlette(routes=[Route("/v1/chat/completions", chat, methods=["POST"]), Route("/health", health)])


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", required=True, help="with /v1")
    parser.add_argument("--port", type=int, default=8000)
    given = parser.parse_args()
    uvicorn.run(create_app(given.engine), port=given.port, log_level="error")


if __name__ == "__main__":
    main()
