"""Makes the calls of tools that run here, tells what came of them, and hands it to the model."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Any

from agents.kit.scope import Scope
from server.errors import InvalidParameter, told
from server.responses.conversation import found_text
from server.responses.events import CallItem, Event, Events
from server.responses.items import ApprovalRequest
from server.responses.offer import Offer
from server.responses.search import FileSearch, query_of
from server.responses.servers import McpServers
from server.responses.turn import Call, Citing
from tools.base import Cancelled, PartiturError, Refused, SetupError

__all__ = ["Calls", "said"]

_AT_ONCE = 8
"""Calls that one response makes at the same time."""


@dataclass(frozen=True)
class _Came:
    """What came of a call."""

    text: str = ""
    failed: bool = False
    query: str | None = None
    results: list[dict[str, Any]] | None = None


class Calls:
    """Calls for one response. Each passes the gate as the caller."""

    def __init__(
        self, events: Events, offer: Offer, servers: McpServers, search: FileSearch, scope: Scope, citing: Citing
    ) -> None:
        self._events = events
        self._offer = offer
        self._servers = servers
        self._search = search
        self._scope = scope
        self._citing = citing
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def run(self, calls: Sequence[Call], messages: list[dict[str, Any]]) -> AsyncGenerator[Event]:
        """Makes calls at once and tells of each in its order; what they gave is added to `messages`.

        Raises:
            PartiturError: a guard refused. What a model may mend or work around is told to it instead.
        """
        for call in calls:
            if call.kind == "search":
                yield self._events.added(
                    {"type": "file_search_call", "status": "in_progress", "queries": [], "results": None}
                )
                call.index = self._events.last
                yield self._events.of(call.index, "response.file_search_call.in_progress")
                yield self._events.of(call.index, "response.file_search_call.searching")
        tasks = [asyncio.create_task(self._made(call)) for call in calls]
        try:
            for call, task in zip(calls, tasks, strict=True):
                came = await task
                first = len(self._citing.found) + 1
                for event in (
                    self._searched(call.index, came) if call.kind == "search" else self._called(call.index, came)
                ):
                    yield event
                text = came.text if came.results is None else found_text(came.results, first)
                messages.append({"role": "tool", "tool_call_id": call.id, "content": text})
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def approved(self, request: ApprovalRequest, messages: list[dict[str, Any]]) -> AsyncGenerator[Event]:
        """Makes a call that the user has allowed.

        Raises:
            InvalidParameter: its tool is not among those of the request any more.
            PartiturError: as `run`.
        """
        name = self._offer.name(request.server_label, request.name)
        if name not in self._offer.hosted:
            raise InvalidParameter(
                f"The tool {request.name!r} of the MCP server {request.server_label!r} was allowed and is not among "
                "the tools of the request.",
                param="tools",
                hint="Send the same 'tools' as in the request before.",
            )
        about = {**self._offer.about(name), "approval_request_id": request.id, "output": None, "error": None}
        item, told = CallItem.begin(self._events, "mcp_call", about)
        for event in told + item.add(request.arguments) + item.end():
            yield event
        call = Call("mcp", request.id or name, name, [request.arguments], item, item.index)
        messages.append(said([call], None))
        async for event in self.run([call], messages):
            yield event

    async def _made(self, call: Call) -> _Came:
        async with self._slots:
            return await self._tried(call)

    async def _tried(self, call: Call) -> _Came:
        query = None
        try:
            if call.kind == "search" and (tool := self._offer.search) is not None:
                query = query_of(call.arguments)
                results = await self._search(query, tool, self._scope)
                return _Came(query=query, results=results)
            hosted = self._offer.hosted[call.name]
            text = await self._servers.call(hosted.label, hosted.tool.name, call.arguments, self._scope)
            return _Came(text)
        except (Refused, SetupError, Cancelled):
            raise  # nothing that a model could mend
        except PartiturError as error:
            return _Came(told(error), failed=True, query=query)

    def _called(self, index: int, came: _Came) -> list[Event]:
        item = self._events.answer.output[index]
        if came.failed:
            content = [{"type": "text", "text": came.text}]
            item |= {"status": "failed", "error": {"type": "mcp_tool_execution_error", "content": content}}
        else:
            item |= {"status": "completed", "output": came.text}
        kind = f"response.mcp_call.{item['status']}"
        return [self._events.of(index, kind), self._events.done(index)]

    def _searched(self, index: int, came: _Came) -> list[Event]:
        item = self._events.answer.output[index]
        item |= {"queries": [came.query] if came.query else [], "status": "failed" if came.failed else "completed"}
        if came.failed:
            return [self._events.done(index)]
        item["results"] = came.results
        self._citing.found += came.results or []
        return [self._events.of(index, "response.file_search_call.completed"), self._events.done(index)]


def said(calls: Sequence[Call], text: str | None, thought: str = "") -> dict[str, Any]:
    """What a model said, as a message with its calls."""
    message: dict[str, Any] = {"role": "assistant", "content": text or None}
    if thought:
        message |= {"reasoning": thought, "reasoning_content": thought}
    message["tool_calls"] = [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for call in calls
    ]
    return message
