"""A model as a response: it is asked, the tools that run here are called, and it is asked again, until it is done."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any, Protocol

from agents.kit import Usage
from agents.kit.scope import Scope
from server.responses.calls import Calls, said
from server.responses.conversation import messages, open_approvals
from server.responses.events import Event, Events
from server.responses.format_check import FormatCheck
from server.responses.items import Item, ListedTools
from server.responses.offer import Offer
from server.responses.request import Asked
from server.responses.search import FileSearch
from server.responses.servers import McpServers
from server.responses.turn import Call, Citing, Turn, as_chunk
from tools.base import Caller, PartiturError, Refused, TooLong

__all__ = ["Chat", "ModelRun"]

_ROUNDS = 100
"""Requests to the model for one response."""
_BEHIND = 5
"""Work in the background goes behind those who wait, and before batches."""
_PASSED = ("model", "temperature", "top_p", "user", "top_logprobs")
"""Parameters that a chat completion has under the same name."""


class Chat(Protocol):
    """Chat completions of models, through the gate."""

    async def complete(self, data: dict[str, Any], caller: Caller, *, priority: int = 0) -> dict[str, Any]:
        """A whole chat completion. A higher `priority` waits longer."""
        ...

    def chunks(self, data: dict[str, Any], caller: Caller, *, priority: int = 0) -> AsyncGenerator[dict[str, Any]]:
        """Its chunks as they come, and the one with the usage. Closing the generator stops the engine."""
        ...


class ModelRun:
    """The work of one response of a model."""

    def __init__(
        self,
        asked: Asked,
        items: Sequence[Item],
        events: Events,
        *,
        chat: Chat,
        servers: McpServers,
        search: FileSearch,
        scope: Scope,
        streamed: bool,
    ) -> None:
        self._asked = asked
        self._items = items
        self._events = events
        self._chat = chat
        self._servers = servers
        self._search = search
        self._scope = scope
        self._streamed = streamed
        self._priority = _BEHIND if asked.background else 0
        self._check = FormatCheck(asked.format, asked.model)
        self._offer = Offer(asked)
        self._citing = Citing()
        self._messages: list[dict[str, Any]] = []
        self._turn: Turn | None = None

    async def events(self) -> AsyncGenerator[Event]:
        """All events between the begin and the end of the response.

        Raises:
            PartiturError: a guard refused, the engine did not serve it, a server cannot be reached.
        """
        approved = open_approvals(self._items)
        async for event in self._list():
            yield event
        self._offer.check_choice()
        found = self._citing.found
        self._messages = messages(self._items, self._asked.instructions, self._offer.name, found)
        calls = Calls(self._events, self._offer, self._servers, self._search, self._scope, self._citing)
        for request, _ in approved:
            async with aclosing(calls.approved(request, self._messages)) as told:
                async for event in told:
                    yield event
        for number in range(_ROUNDS):
            async with aclosing(self._ask(first=number == 0)) as told:
                async for event in told:
                    yield event
            turn = self._turn
            assert turn is not None
            if turn.finish in ("length", "content_filter"):
                reason = "max_output_tokens" if turn.finish == "length" else "content_filter"
                self._events.answer.end("incomplete", incomplete=reason)
                return
            for event in self._ask_user(turn.calls):
                yield event
            here = [call for call in turn.calls if call.kind in ("mcp", "search")]
            if here:
                self._messages.append(said(here, turn.text, "".join(turn.thought)))
                async with aclosing(calls.run(here, self._messages)) as told:
                    async for event in told:
                        yield event
            if not here or len(here) < len(turn.calls):
                if not turn.calls and not turn.refused:
                    self._check(turn.text)
                return
            most = self._asked.max_output_tokens
            if most is not None and self._events.answer.spent.output >= most:
                self._events.answer.end("incomplete", incomplete="max_output_tokens")
                return
        raise Refused(
            f"The model {self._asked.model!r} was asked {_ROUNDS} times for one response and wants to go on.",
            hint="Ask for less at once, or set 'max_tool_calls'.",
        )

    def keep(self) -> None:
        """The answer broke off: what there is of it stays in the response."""
        if self._turn is not None:
            self._turn.keep()

    async def _list(self) -> AsyncGenerator[Event]:
        """The tools of the servers. Where the conversation has a server's list already, it is not told again."""
        known = {item.server_label for item in self._items if isinstance(item, ListedTools)}
        for server in self._offer.servers:
            label = server.server_label
            if label in known:
                self._offer.add(server, await self._servers.tools(label))
                continue
            yield self._events.added({"type": "mcp_list_tools", "server_label": label, "tools": [], "error": None})
            index = self._events.last
            item = self._events.answer.output[index]
            yield self._events.of(index, "response.mcp_list_tools.in_progress")
            try:
                allowed = self._offer.add(server, await self._servers.tools(label))
            except PartiturError as error:
                item["error"] = error.message
                yield self._events.of(index, "response.mcp_list_tools.failed")
                raise
            item["tools"] = [tool.shown() for tool in allowed]
            yield self._events.of(index, "response.mcp_list_tools.completed")
            yield self._events.done(index)

    async def _ask(self, *, first: bool) -> AsyncGenerator[Event]:
        """One request to the model. What is too long for it is shortened where the request allows that."""
        while True:
            turn = self._turn = Turn(self._events, self._offer, self._citing)
            spent = self._events.answer.spent
            before = (spent.input, spent.output)
            begun = False
            try:
                async with aclosing(self._chunks(self._body(first=first))) as chunks:
                    async for chunk in chunks:
                        begun = True
                        for event in turn.chunk(chunk):
                            yield event
            except TooLong:
                if begun or self._asked.truncation != "auto" or not self._shorten():
                    raise
                continue
            told = turn.end()  # which counts what was spent
            used = Usage(requests=1, input_tokens=spent.input - before[0], output_tokens=spent.output - before[1])
            self._scope.spent.add(used)
            for event in told:
                yield event
            return

    def _shorten(self) -> bool:
        """Leaves out the older half of the conversation; what the system and the user said last stay."""
        head = [message for message in self._messages[:1] if message["role"] == "system"]
        rest = self._messages[len(head) :]
        users = [at for at, message in enumerate(rest) if message["role"] == "user" and at > 0]
        if not users:
            return False
        self._messages = head + rest[users[(len(users) - 1) // 2] :]
        return True

    async def _chunks(self, body: dict[str, Any]) -> AsyncGenerator[dict[str, Any]]:
        if not self._streamed:
            yield as_chunk(await self._chat.complete(body, self._scope.caller, priority=self._priority))
            return
        more = {"stream": True, "stream_options": {"include_usage": True}}
        async with aclosing(self._chat.chunks(body | more, self._scope.caller, priority=self._priority)) as chunks:
            async for chunk in chunks:
                yield chunk

    def _body(self, *, first: bool) -> dict[str, Any]:
        """The request as a chat completion; what is not known here goes along as it came."""
        asked = self._asked
        body: dict[str, Any] = dict(asked.model_extra or {})
        body |= {name: value for name in _PASSED if (value := getattr(asked, name)) is not None}
        body["messages"] = self._messages
        if asked.max_output_tokens is not None:
            body["max_completion_tokens"] = asked.max_output_tokens - self._events.answer.spent.output
        if asked.wants_logprobs:
            body["logprobs"] = True
        if asked.reasoning is not None and asked.reasoning.effort is not None:
            body["reasoning_effort"] = asked.reasoning.effort
        if asked.text is not None and asked.text.verbosity is not None:
            body["verbosity"] = asked.text.verbosity
        format = asked.format
        if format.type == "json_object":
            body["response_format"] = {"type": "json_object"}
        elif format.type == "json_schema":
            about = {"name": format.name, "schema": format.schema_, "strict": format.strict}
            about["description"] = format.description
            given = {name: value for name, value in about.items() if value is not None}
            body["response_format"] = {"type": "json_schema", "json_schema": given}
        return body | self._offer.chat(first=first)

    def _ask_user(self, calls: Sequence[Call]) -> list[Event]:
        """Calls that need the user's word become requests for it."""
        told: list[Event] = []
        for call in calls:
            if call.kind == "approval":
                about = {**self._offer.about(call.name), "arguments": call.arguments}
                told += [self._events.added({"type": "mcp_approval_request", **about})]
                told += [self._events.done(self._events.last)]
        return told
