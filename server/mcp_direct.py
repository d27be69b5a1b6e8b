"""Answers `tools/call` of a use case at /mcp without the library's transport; whatever is not plain is left to the library.

The library takes a call through a session, streams, tasks and four readings of the same message, some twenty times what
the use case itself costs. Here the message is read once and checked by the library's own rules of the protocol; what does
not pass them goes on to the library, which tells the client why. Both ways give the same answers, which a test compares.
"""

import asyncio
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

import mcp_types
from fastmcp.telemetry import extract_trace_context
from mcp.shared.inbound import InboundModernRoute, classify_inbound_request
from mcp_types import methods
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from opentelemetry import trace
from pydantic import BaseModel, ValidationError
from pydantic_core import from_json, to_json
from starlette.requests import HTTPConnection

from agents.kit import Event, Result, UseCase
from server.identity import caller_behind
from server.mcp_call import Called, Calls, progress
from tools.base import Caller, Cancelled

if TYPE_CHECKING:
    from fastmcp import FastMCP
    from starlette.types import Receive, Scope, Send

    from server.house import House

__all__ = ["Direct", "DirectCalls"]

_METHOD = "tools/call"
_REVISIONS = ("2025-06-18", "2025-11-25", *MODERN_PROTOCOL_VERSIONS)
"""Of the protocol, whose results can be all that ours are. Clients of older ones are the library's."""
_ONCE = frozenset({b"accept", b"content-type", b"mcp-protocol-version", b"mcp-method", b"mcp-name"})
"""Headers whose second copy another reader might believe."""
_MODERN = (b"mcp-protocol-version", b"mcp-method", b"mcp-name")
_PING_S = 15.0
"""Silence after which a stream shows that it is alive."""
_JSON = [(b"content-type", b"application/json")]
_EVENTS = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
]


@dataclass(frozen=True)
class Direct:
    """A call that was read and may be answered."""

    id: str | int
    use_case: UseCase[Any, Any]
    arguments: dict[str, Any]
    meta: dict[str, Any]
    revision: str

    @property
    def token(self) -> str | int | None:
        """Set where the client wants to be told of progress."""
        return self.meta.get("progressToken")


class DirectCalls:
    """Reads calls and answers them.

    Args:
        house: whose use cases are called.
        server: the library's server of the same house, which answers everything else.
    """

    def __init__(self, house: "House", server: "FastMCP") -> None:
        self._house = house
        self._calls = Calls(house)
        self._tracer = trace.get_tracer("partitur")
        about = mcp_types.Implementation(name=server.name, version=server.version or "")
        self._stamp = {mcp_types.SERVER_INFO_META_KEY: about.model_dump(by_alias=True, mode="json", exclude_none=True)}

    def read(self, scope: "Scope", body: bytes) -> Direct | None:
        """The call in a request; None where the library is to answer, because it is none, or not plainly a right one."""
        found: dict[bytes, bytes] = {}
        for name, value in scope["headers"]:
            if name.startswith(b"mcp-param-") or (name in found and name in _ONCE):
                return None
            found.setdefault(name, value)
        revision = found.get(b"mcp-protocol-version", b"").decode("latin-1")
        json, stream = _accepted(found.get(b"accept", b""))
        if revision not in _REVISIONS or not json or not _is_json(found.get(b"content-type", b"")):
            return None
        call = _read(body)
        if call is None or (use_case := self._house.catalog.use_cases.get(call["params"]["name"])) is None:
            return None
        params = call["params"]
        try:
            methods.validate_client_request(_METHOD, revision, params)
        except ValidationError:
            return None
        if revision in MODERN_PROTOCOL_VERSIONS:
            headers = {name.decode(): found[name].decode("latin-1") for name in _MODERN if name in found}
            if not isinstance(classify_inbound_request(call, headers=headers), InboundModernRoute):
                return None
        meta: dict[str, Any] = params.get("_meta") or {}
        if "fastmcp" in meta or not _is_token(meta.get("progressToken"), stream=stream):
            return None
        return Direct(call["id"], use_case, params.get("arguments") or {}, meta, revision)

    async def answer(self, call: Direct, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Answers: with one JSON, or with a stream once there is progress to tell. The run ends when the client goes.

        Raises:
            Cancelled: nobody waits for the answer any more.
        """
        caller = caller_behind(HTTPConnection(scope))
        events: asyncio.Queue[Event | None] = asyncio.Queue()
        work = asyncio.create_task(self._called(call, caller, events))
        work.add_done_callback(lambda _: events.put_nowait(None))
        gone = asyncio.create_task(_until_gone(receive, events))
        out = _Out(call, send)
        try:
            while not (work.done() or gone.done()):
                await out.next(events)
            if not work.done():
                raise Cancelled("The client went away before the answer was ready.")
            await out.end(self._message(call, work.result()))
        finally:
            work.cancel()
            gone.cancel()
            await asyncio.gather(work, gone, return_exceptions=True)

    async def _called(self, call: Direct, caller: Caller, events: "asyncio.Queue[Event | None]") -> Called:
        name = call.use_case.name

        def listen(event: Event) -> None:
            if call.token is not None:
                events.put_nowait(event)

        async def ask(given: BaseModel, who: Caller) -> Result[Any]:
            return await self._house.ask(call.use_case, given, caller=who, listen=listen)

        with self._tracer.start_as_current_span(
            f"{_METHOD} {name}",
            context=extract_trace_context(call.meta),
            kind=trace.SpanKind.SERVER,
            attributes={
                "mcp.method.name": _METHOD,
                "mcp.protocol.version": call.revision,
                "gen_ai.tool.name": name,
                "enduser.id": caller.subject,
            },
        ) as span:
            called = await self._calls(call.use_case, call.arguments, caller=lambda: caller, ask=ask)
            if called.error:
                span.set_status(trace.Status(trace.StatusCode.ERROR))
            return called

    def _message(self, call: Direct, called: Called) -> dict[str, Any]:
        """The answer as its revision of the protocol writes it."""
        result: dict[str, Any] = {
            "content": [block.model_dump(by_alias=True, mode="json", exclude_none=True) for block in called.content],
            "isError": called.error,
        }
        if called.structured is not None:
            result["structuredContent"] = called.structured
        meta = called.meta or {}
        if call.revision in MODERN_PROTOCOL_VERSIONS:
            result["resultType"] = "complete"
            meta = {**meta, **self._stamp}
        if meta:
            result["_meta"] = meta
        return {"jsonrpc": "2.0", "id": call.id, "result": result}


class _Out:
    """The answer on its way: one JSON, or a stream as soon as there is something to tell before the end."""

    def __init__(self, call: Direct, send: "Send") -> None:
        self._token = call.token
        self._send = send
        self._streams = False
        self._count = 0

    async def next(self, events: "asyncio.Queue[Event | None]") -> None:
        """Waits for the next event and tells it; after a long silence, a comment keeps the stream alive."""
        if self._token is None:
            await events.get()
            return
        try:
            async with asyncio.timeout(_PING_S):
                event = await events.get()
        except TimeoutError:
            await self._part(b": ping\r\n\r\n")
            return
        if event is not None and (said := progress(event)):
            self._count += 1
            params = {"progressToken": self._token, "progress": self._count, "message": said}
            await self._part(_event({"jsonrpc": "2.0", "method": "notifications/progress", "params": params}))

    async def end(self, message: dict[str, Any]) -> None:
        if self._streams:
            await self._send({"type": "http.response.body", "body": _event(message)})
            return
        body = to_json(message, inf_nan_mode="null")
        headers = [*_JSON, (b"content-length", str(len(body)).encode())]
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})

    async def _part(self, data: bytes) -> None:
        if not self._streams:
            self._streams = True
            await self._send({"type": "http.response.start", "status": 200, "headers": _EVENTS})
        await self._send({"type": "http.response.body", "body": data, "more_body": True})


def _event(message: dict[str, Any]) -> bytes:
    return b"event: message\r\ndata: " + to_json(message, inf_nan_mode="null") + b"\r\n\r\n"


def _read(body: bytes) -> dict[str, Any] | None:
    """The message, where it is a request of ours and nothing besides."""
    try:
        message: object = from_json(body)
    except ValueError:
        return None
    match message:
        case {"jsonrpc": "2.0", "id": str() | int() as id, "method": "tools/call", "params": {"name": str()}}:
            call = cast("dict[str, Any]", message)
        case _:
            return None
    plain = len(call) == 4 and not isinstance(id, bool) and call["params"].keys() <= {"name", "arguments", "_meta"}
    return call if plain else None


def _is_token(token: object, *, stream: bool) -> bool:
    """Whether a token of progress is one, and its client reads what it asks for."""
    return token is None or (isinstance(token, str | int) and not isinstance(token, bool) and stream)


@lru_cache(maxsize=64)
def _accepted(accept: bytes) -> tuple[bool, bool]:
    """Whether a client that sent this Accept header reads JSON, and a stream of events."""
    kinds = {kind.partition(";")[0].strip().lower() for kind in accept.decode("latin-1").split(",")}
    return bool(kinds & {"*/*", "application/*", "application/json"}), bool(
        kinds & {"*/*", "text/*", "text/event-stream"}
    )


@lru_cache(maxsize=64)
def _is_json(media_type: bytes) -> bool:
    return media_type.partition(b";")[0].strip().lower() == b"application/json"


async def _until_gone(receive: "Receive", events: "asyncio.Queue[Event | None]") -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    events.put_nowait(None)
