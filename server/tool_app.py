"""The ASGI app of one tool server that runs alone: MCP behind the door, and a probe."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from fastmcp import FastMCP
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from server.errors import http_error
from server.identity import Door, Verifier
from server.mcp_door import PATH, McpDoor
from server.serving import Stopping

__all__ = ["tool_app"]


def tool_app(
    build: Callable[[], FastMCP], verify: Verifier, *, host: str, max_body_bytes: int, stopping: Stopping | None = None
) -> Starlette:
    """The app of a tool server.

    Args:
        build: makes it.
        verify: makes callers of bearer tokens.
        host: the address it listens on.
        max_body_bytes: a longer body is refused while it is read.
        stopping: set when the server shuts down.
    """
    state = stopping or Stopping()
    mcp = McpDoor(build, host=host)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncGenerator[None]:
        async with AsyncExitStack() as closing:
            await mcp.open(closing)
            yield

    door = Middleware(
        Door,
        verify=verify,
        open_paths={"/healthz"},
        max_body_bytes=max_body_bytes,
        stopping=lambda: state.now,
    )
    return Starlette(
        routes=[Route("/healthz", _alive, methods=["GET"]), Route(PATH, mcp)],
        middleware=[door],
        exception_handlers={HTTPException: _refused},
        lifespan=lifespan,
    )


async def _alive(request: Request) -> JSONResponse:
    return JSONResponse({"status": "ok"})


async def _refused(request: Request, error: Exception) -> Response:
    return http_error(error if isinstance(error, HTTPException) else HTTPException(500))
