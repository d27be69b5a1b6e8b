"""The HTTP server: one process that serves the OpenAI interface, MCP, the typed routes, health and documentation."""

import asyncio
import importlib
import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from server.docs_page import docs_page
from server.errors import http_error
from server.health import Health
from server.house import House, open_house
from server.identity import Door, Verifier
from server.inside import Inside
from server.keys import KeyStore, KeyVerifier
from server.mcp_door import PATH, McpDoor
from server.openai_api import CHAT, OpenAIApi
from server.openai_engines import OtherEngines
from server.openai_raw import RawModels
from server.openai_voice import VoiceApi
from server.openapi import OpenApi
from server.responses import ResponsesApi
from server.rest_api import RestApi
from server.serving import Stopping, say
from server.settings import Settings
from server.stored import Stored
from server.tools_api import ToolsApi

if TYPE_CHECKING:
    from fastmcp import FastMCP

    from server.mcp_direct import DirectCalls

__all__ = ["OPEN_PATHS", "create_app", "greeting", "opened"]

OPEN_PATHS = frozenset({"/healthz", "/readyz", "/docs"})
"""Served without a key: two probes, and a page that holds nothing of the installation."""
log = logging.getLogger(__name__)


def create_app(
    house: House, verify: Verifier, *, stopping: Stopping | None = None, loaded: Callable[[], None] = lambda: None
) -> Starlette:
    """The app over an open house.

    Args:
        house: what it serves.
        verify: makes callers of bearer tokens; the same one for every interface.
        stopping: set when the server shuts down, so that requests which are cut off are told so.
        loaded: called when everything that is dear has been loaded.
    """
    settings, state = house.settings, stopping or Stopping()
    health = Health(house)

    def build() -> "FastMCP":
        from server.mcp_api import build_mcp

        return build_mcp(house)

    def direct(server: "FastMCP") -> "DirectCalls":
        from server.mcp_direct import DirectCalls

        return DirectCalls(house, server)

    mcp = McpDoor(build, host=settings.host, allowed=settings.allowed_hosts, direct=direct)
    raw = RawModels(house.hub, house.runtime.engines, house.runtime.gate)
    others, voice = OtherEngines(house.hub, house.models, house.runtime.gate), VoiceApi(house)
    api, rest = OpenAIApi(house, raw), RestApi(house)
    stored = Stored(house, raw, Inside(lambda: app.router))
    responses = ResponsesApi(
        house, raw, lambda: {*raw.engines.all, *filter(raw.pool, raw.hub.pools)}, lambda: stored.search
    )

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncGenerator[None]:
        enough = asyncio.Event()
        opened = asyncio.create_task(_open(house, mcp, health, enough, loaded))
        watching = asyncio.create_task(_watch(house, health))
        try:
            async with stored.going_on(health.loaded):
                yield
        finally:
            watching.cancel()
            enough.set()
            await opened

    app = _App(
        direct={("POST", CHAT): api.chat},
        routes=[
            *health.routes(),
            *api.routes(),
            *others.routes(),
            *voice.routes(),
            *stored.routes(),
            *responses.routes(),
            *rest.routes(),
            *ToolsApi(house).routes(),
            Route(
                "/openapi.json", OpenApi(house.catalog, house.runtime.toolbox.refs.values()).document, methods=["GET"]
            ),
            Route("/docs", docs_page, methods=["GET"]),
            Route(PATH, mcp),
        ],
        middleware=[
            Middleware(
                Door,
                verify=verify,
                open_paths=OPEN_PATHS,
                max_body_bytes=settings.max_body_bytes,
                larger={"/v1/files": settings.max_file_bytes + 1_000_000},  # a file, and the form around it
                stopping=lambda: state.now,
            )
        ],
        exception_handlers={HTTPException: _refused},
        lifespan=lifespan,
    )
    app.state.health = health
    return app


class _App(Starlette):
    """An app whose door is the outermost part, and whose busiest paths lie right behind it.

    Args:
        direct: ASGI apps by method and path; they raise errors of our tree, which the door tells.
        given: as for Starlette.
    """

    def __init__(self, *, direct: Mapping[tuple[str, str], ASGIApp], **given: Any) -> None:
        super().__init__(**given)
        self.router.redirect_slashes = False  # an address that is not there is not there: nobody is sent elsewhere
        self._direct = direct

    def build_middleware_stack(self) -> ASGIApp:
        (door,) = self.user_middleware
        others = ExceptionMiddleware(self.router, handlers=self.exception_handlers)

        async def inside(scope: Scope, receive: Receive, send: Send) -> None:
            direct = self._direct.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
            await (direct or others)(scope, receive, send)

        return door.cls(inside, *door.args, **door.kwargs)


async def _open(house: House, mcp: McpDoor, health: Health, enough: asyncio.Event, loaded: Callable[[], None]) -> None:
    """Loads what is dear while the first requests are already answered; closes it in the same task."""
    async with AsyncExitStack() as closing:
        for what, opening in (("The MCP interface", mcp.open(closing)), ("A part", asyncio.to_thread(_warm, house))):
            try:
                await opening
            except Exception:  # it serves what it can, and readyz says what it cannot
                log.exception("%s did not start", what)
                health.faults.append(f"{what} did not start; the log has the reason.")
        loaded()
        health.loaded.set()
        await enough.wait()


async def _watch(house: House, health: Health) -> None:
    """Looks after the engines, once what is dear has been loaded."""
    await health.loaded.wait()
    if house.hub.pools:
        await house.hub.watch()


def _warm(house: House) -> None:
    """Imports what the first request would wait for: the agent loop, the engines' libraries, the tool servers."""
    if house.hub.pools:
        importlib.import_module("aiohttp")
    importlib.import_module("agents.kit.agent")
    for engine in house.runtime.engines.all.values():
        _ = engine.model
    for name in sorted({ref.server for ref in house.runtime.toolbox.refs.values()}):
        if find_spec(f"tools.{name}.server"):
            importlib.import_module(f"tools.{name}.server")


async def _refused(request: Request, error: Exception) -> Response:
    return http_error(error if isinstance(error, HTTPException) else HTTPException(500))


@asynccontextmanager
async def opened(
    settings: Settings, stopping: Stopping, loaded: Callable[[], None]
) -> AsyncGenerator[tuple[Starlette, House]]:
    """The app over a newly opened house, with everything running that belongs to it; the first key has been shown.

    Raises:
        SetupError: the settings, a use case or the key file is wrong.
    """
    async with open_house(settings, workers=settings.workers) as house:
        keys = KeyStore(settings.home)
        if not settings.api_key:
            _show_key(keys.first())
        app = create_app(house, KeyVerifier(keys, settings.api_key), stopping=stopping, loaded=loaded)
        async with app.router.lifespan_context(app):
            yield app, house


def _show_key(key: str | None) -> None:
    """Shows the first key, this once and at once: whatever fails later in the start, it is never made again."""
    if key:
        say(f"API key, shown this once: {key}\n  Send it as 'Authorization: Bearer <key>'.")


def greeting(house: House, url: str) -> str:
    """What is said on the console: where it listens, and what it cannot do without a model."""
    lines = [f"Partitur serves at {url}", f"  OpenAI {url}/v1   MCP {url}/mcp   documentation {url}/docs"]
    if house.engine.generative:
        lines.append(f"  The model {house.engine.id!r} answers.")
    else:
        lines.append("  No model is set: the embedded engine quotes from sources and never invents.")
        if waiting := [use_case.name for use_case in house.catalog if use_case.generative]:
            lines.append(f"  Only with a model: {', '.join(waiting)}. Set PARTITUR_MODEL_URL for them.")
    return "\n".join(lines)
