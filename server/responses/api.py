"""Responses over HTTP: made, told while they come, read again, listed item by item, cancelled and deleted."""

import asyncio
import difflib
import importlib
import logging
import time
from collections.abc import Awaitable, Callable, Collection
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from agents.kit.scope import Scope
from server.body import json_object, while_connected
from server.errors import InvalidParameter, UnknownModel
from server.house import House
from server.identity import caller_behind
from server.responses.answer import Answer, shown
from server.responses.background import Background
from server.responses.events import Events
from server.responses.history import Conversation, conversation, sent_items
from server.responses.items import response_id
from server.responses.loop import Chat, ModelRun
from server.responses.request import Asked, FileSearchTool, McpTool, parsed
from server.responses.run import Run, Work
from server.responses.search import FileSearch
from server.responses.servers import McpServers
from server.responses.stream import KeptStream, LiveStream
from server.responses.use_case_run import UseCaseRun
from server.vector_search import VectorSearch
from tools.base import Caller, NotFound, PartiturError

if TYPE_CHECKING:
    from server.state.responses import ResponseStore

__all__ = ["ResponsesApi"]

Endpoint = Callable[[Request], Awaitable[Response]]
log = logging.getLogger(__name__)
_SWEEP_S = 60.0
_MOST_ITEMS = 100


@dataclass
class ResponsesApi:
    """The routes of responses."""

    house: House
    chat: Chat
    chats: Callable[[], Collection[str]]
    """The ids of the models that chat."""
    vectors: Callable[[], VectorSearch]
    """The search in vector stores, opened at first use."""
    _imported: bool = field(default=False, init=False)
    _swept: float = field(default=float("-inf"), init=False)

    def routes(self) -> list[Route]:
        one = "/v1/responses/{id}"
        return [
            Route("/v1/responses", self._prepared(self.create), methods=["POST"]),
            Route(one, self._prepared(self.retrieve), methods=["GET"]),
            Route(one, self._prepared(self.delete), methods=["DELETE"]),
            Route(f"{one}/cancel", self._prepared(self.cancel), methods=["POST"]),
            Route(f"{one}/input_items", self._prepared(self.input_items), methods=["GET"]),
        ]

    def _prepared(self, endpoint: Endpoint) -> Endpoint:
        """The same, once what the store is made of has been imported: that is dear, and must not hold up the event loop."""

        async def prepared(request: Request) -> Response:
            if not self._imported:
                await asyncio.to_thread(importlib.import_module, "server.state.responses")
                self._imported = True
            return await endpoint(request)

        return prepared

    @cached_property
    def store(self) -> "ResponseStore":
        from server.state.responses import ResponseStore

        return ResponseStore(self.house.state, days=self.house.settings.responses_days)

    @cached_property
    def _search(self) -> FileSearch:
        return FileSearch(self.house.runtime.toolbox, self.vectors)

    @cached_property
    def background(self) -> Background:
        background = Background(self.store)
        self.house.closing.push_async_callback(background.close)
        return background

    async def create(self, request: Request) -> Response:
        """A response: whole, as a stream, or begun in the background."""
        data, _ = await json_object(request)
        asked = parsed(data)
        caller = caller_behind(request)
        await self._check(asked, caller)
        keeps = asked.store is not False and self.house.settings.responses_days > 0
        answer = Answer(
            response_id(), asked.shown(), stored=keeps, status="queued" if asked.background else "in_progress"
        )
        said = await conversation(asked, answer.id, self.store, caller)
        events = Events(answer, asked.include or ())
        work = self._work(asked, said, events, caller)
        await self._sweep()
        if asked.background:
            return await self._begun(Run(events, work), said, asked, caller)

        async def keep(answer: Answer) -> None:
            await self.store.put(caller, answer.body(), said.sent)

        run = Run(events, work, keep if keeps else None)
        if asked.stream:
            return LiveStream(run)
        await while_connected(request, _whole(run))
        return _json(shown(answer.body(), asked.include or ()))

    async def retrieve(self, request: Request) -> Response:
        """A stored response as it is now; the events of one in the background, from any place on."""
        caller, id = caller_behind(request), request.path_params["id"]
        stored = await self.store.get(caller, id)
        if request.query_params.get("stream", "").lower() != "true":
            return _json(shown(stored.body, _include(request)))
        if not stored.streamed:
            raise InvalidParameter(
                f"The response {id!r} was not made in the background as a stream. Its events are not kept.",
                param="stream",
                hint="Read it without 'stream', or make it with 'background' and 'stream'.",
            )
        after = request.query_params.get("starting_after", "-1")
        if not after.removeprefix("-").isdecimal():
            raise InvalidParameter(f"'starting_after' is {after[:40]!r}. Expected a number.", param="starting_after")
        return KeptStream(self.store, caller, id, after=int(after))

    async def delete(self, request: Request) -> Response:
        """Deletes a stored response; work on it stops."""
        id = request.path_params["id"]
        await self.store.delete(caller_behind(request), id)
        self.background.stop(id)
        return _json({"id": id, "object": "response", "deleted": True})

    async def cancel(self, request: Request) -> Response:
        """Cancels a response in the background; one that is done stays as it is."""
        caller, id = caller_behind(request), request.path_params["id"]
        if not (await self.store.get(caller, id)).background:
            raise InvalidParameter(
                f"The response {id!r} is not one in the background. Only those can be cancelled.",
                param="response_id",
                hint="Close the connection to stop a response that you wait for.",
            )
        stored = await self.store.cancel(caller, id)
        self.background.stop(id)
        return _json(shown(stored.body, _include(request)))

    async def input_items(self, request: Request) -> Response:
        """The items a response was made of, what was said before it too, page by page."""
        caller, id = caller_behind(request), request.path_params["id"]
        stored = await self.store.get(caller, id)
        before = await self._before(caller, stored.previous)
        items = [*before, *stored.items]
        query = request.query_params
        limit, order = query.get("limit", "20"), query.get("order", "desc")
        if not limit.isdecimal() or not 1 <= int(limit) <= _MOST_ITEMS:
            raise InvalidParameter(f"'limit' is {limit[:40]!r}. Expected 1 to {_MOST_ITEMS}.", param="limit")
        if order not in ("asc", "desc"):
            raise InvalidParameter(f"'order' is {order[:40]!r}. Expected 'asc' or 'desc'.", param="order")
        if order == "desc":
            items.reverse()
        if (after := query.get("after")) is not None:
            places = [at for at, item in enumerate(items) if item["id"] == after]
            if not places:
                raise InvalidParameter(f"The item {after[:80]!r} is not in this list.", param="after")
            items = items[places[0] + 1 :]
        page = [shown(item, _include(request)) for item in items[: int(limit)]]
        ends = {"first_id": page[0]["id"] if page else "", "last_id": page[-1]["id"] if page else ""}
        return _json({"object": "list", "data": page, "has_more": len(items) > len(page), **ends})

    async def _before(self, caller: Caller, previous: str | None) -> list[dict[str, Any]]:
        """What was said before, as far as it is still there."""
        if previous is None:
            return []
        try:
            chain = await self.store.chain(caller, previous)
        except NotFound:
            return []
        return [item for one in chain for item in sent_items(one)]

    async def _check(self, asked: Asked, caller: Caller) -> None:
        """That what it names is there."""
        chats = self.chats()
        if asked.model not in self.house.catalog.use_cases and asked.model not in chats:
            known = sorted({*self.house.catalog.use_cases, *chats})
            near = difflib.get_close_matches(asked.model[:80], known, n=1, cutoff=0.5)
            raise UnknownModel(
                f"The model {asked.model[:80]!r} does not exist, or does not answer. There are "
                f"{', '.join(map(repr, known))}.",
                hint=f"Did you mean {near[0]!r}?" if near else "GET /v1/models lists them.",
            )
        if asked.background and self.house.settings.responses_days == 0:
            raise InvalidParameter(
                "A response in the background is stored, and this installation stores none.",
                param="background",
                hint="Wait for the answer, without 'background'.",
            )
        servers = McpServers(self.house)
        for at, tool in enumerate(asked.tools or ()):
            if isinstance(tool, McpTool):
                servers.check(tool, f"tools[{at}]")
            elif isinstance(tool, FileSearchTool):
                await self._search.check(tool, f"tools[{at}]", caller)

    def _work(self, asked: Asked, said: Conversation, events: Events, caller: Caller) -> Work:
        use_case, streamed = self.house.catalog.use_cases.get(asked.model), bool(asked.stream)
        if use_case is not None:
            return UseCaseRun(use_case, asked, said.items, events, house=self.house, caller=caller, streamed=streamed)
        return ModelRun(
            asked,
            said.items,
            events,
            chat=self.chat,
            servers=McpServers(self.house),
            search=self._search,
            scope=Scope.alone(asked.model, caller),
            streamed=streamed,
        )

    async def _begun(self, run: Run, said: Conversation, asked: Asked, caller: Caller) -> Response:
        self.background.check_room()
        body = run.answer.body()
        await self.store.put(caller, body, said.sent, streamed=bool(asked.stream))
        self.background.start(run, streamed=bool(asked.stream))
        if asked.stream:
            return KeptStream(self.store, caller, run.answer.id)
        return _json(body)

    async def _sweep(self) -> None:
        """Takes away what has expired, now and then."""
        if time.monotonic() - self._swept > _SWEEP_S:
            self._swept = time.monotonic()
            try:
                await self.store.sweep()
            except PartiturError:
                log.warning("Old responses could not be taken away", exc_info=True)


async def _whole(run: Run) -> None:
    """Brings a response to its end, or to the error that it ends with."""
    async with aclosing(run.events()) as events:
        async for _ in events:
            pass


def _include(request: Request) -> list[str]:
    return [*request.query_params.getlist("include"), *request.query_params.getlist("include[]")]


def _json(data: object) -> Response:
    return Response(to_json(data), media_type="application/json")
