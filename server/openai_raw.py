"""Models of the hub as they are: a chat completion goes to an engine as it came, through the gate both ways."""

import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, cast

from pydantic_core import from_json, to_json
from starlette.types import Receive, Scope, Send

from agents.kit import Act, Engines, Gate, Usage
from server.errors import InvalidParameter, UnknownModel
from server.identity import new_id, request_id_of
from server.openai_embedded import EmbeddedChat
from server.openai_filter import StreamFilter
from server.schemas import Schema
from server.streaming import END, EventStream, watched
from server.texts import texts
from tools.base import Caller, Failed, PartiturError, TooLong
from tools.models import Declined, Hub, Json, Pool
from tools.models.refusal import is_too_long

__all__ = ["RawModels", "declined", "spent_of", "trace_headers"]

_PATH = "chat/completions"
_NOTHING = Usage()
"""What a request has spent before it was sent; it gets an object of its own after."""
_CALLERS_FAULT = (400, 413, 415, 422)
_ID = re.compile(r"(?!0{32})[0-9a-f]{32}")
_TRACE = re.compile(rb"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


@dataclass(frozen=True)
class RawModels:
    """Chat completions of models."""

    hub: Hub
    engines: Engines
    """Those that use cases run on; one that is not in the hub lives in this process."""
    gate: Gate

    def pool(self, name: object) -> Pool | None:
        """The pool of the chat model `name`; None where it is none."""
        pool = self.hub.pools.get(name) if isinstance(name, str) else None
        return pool if pool is not None and pool.config.kind == "chat" else None

    async def answer(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        *,
        pool: Pool,
        data: dict[str, Any],
        body: bytes,
        caller: Caller,
    ) -> None:
        """Answers a request over HTTP; a client that goes away stops the engine.

        Args:
            scope: of the request.
            receive: watched, once the body has been read.
            send: where the answer goes.
            pool: whom it is for.
            data: the request, parsed.
            body: the same as it came.
            caller: who asks.

        Raises:
            PartiturError: a guard refused, or no engine served it.
        """
        headers = trace_headers(scope)
        if data.get("stream"):
            await EventStream(self._stream(pool, Json(data, body), caller, headers))(scope, receive, send)
        else:
            await watched(receive, self._sent(send, pool, Json(data, body), caller, headers))

    async def complete(self, data: Mapping[str, Any], caller: Caller, *, priority: int = 0) -> dict[str, Any]:
        """A whole chat completion, for what is built on chat. Raises as `answer` does; UnknownModel for what is no chat model."""
        if (pool := self.pool(data.get("model"))) is None:
            return await self.embedded.complete(self._engine(data), data, caller)
        plain = {name: value for name, value in data.items() if name not in ("stream", "stream_options")}
        answer, _ = await self._whole(pool, Json(plain), caller, {}, priority)
        return cast("dict[str, Any]", from_json(answer))

    async def chunks(
        self, data: Mapping[str, Any], caller: Caller, *, priority: int = 0
    ) -> AsyncGenerator[dict[str, Any]]:
        """The chunks of a streamed chat completion, with that of its usage. Raises as `complete`."""
        asked = {**data, "stream": True, "stream_options": {"include_usage": True}}
        if (pool := self.pool(data.get("model"))) is None:
            events = self.embedded.stream(self._engine(data), asked, caller)
        else:
            events = self._stream(pool, Json(asked), caller, {}, priority)
        async with aclosing(events):
            async for part in events:
                for one in part.split(b"\n\n"):
                    if one.startswith(b"data: {"):
                        yield cast("dict[str, Any]", from_json(one[6:]))

    @property
    def embedded(self) -> EmbeddedChat:
        """Chat with engines of this process."""
        return EmbeddedChat(self.gate)

    def _engine(self, data: Mapping[str, Any]) -> Any:
        name = data.get("model")
        if name not in self.engines.all:
            raise UnknownModel(f"The model {name!r:.80} does not exist, or does not chat.")
        return self.engines.all[str(name)]

    async def _sent(self, send: Send, pool: Pool, body: Json, caller: Caller, headers: Mapping[str, str]) -> None:
        answer, model = await self._whole(pool, body, caller, headers)
        about = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(answer)).encode()),
            (b"x-partitur-model", model.encode()),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": about})
        await send({"type": "http.response.body", "body": answer})

    async def _whole(
        self, pool: Pool, body: Json, caller: Caller, headers: Mapping[str, str], priority: int = 0
    ) -> tuple[bytes, str]:
        """The answer as the engine gave it, and the id of the model that did."""
        act, schema = self._begun(pool, body.data, caller)
        try:
            async with pool.open(
                _PATH, body, headers=headers or act_headers(act), tenant=caller.tenant, priority=priority
            ) as reply:
                answer = await reply.read()
        except Declined as error:
            raise declined(error) from error
        data = _parsed(answer, act)
        choices = cast("list[dict[str, Any]]", data.get("choices") or ())
        act.spent = spent_of(data.get("usage"))
        self.gate.after(act, _said(choices))
        if schema is not None:
            for choice in choices:
                if choice.get("finish_reason") == "stop":
                    schema.check(cast("dict[str, Any]", choice["message"]).get("content") or "", reply.model)
        if data.get("model") != reply.model:
            answer = to_json({**data, "model": reply.model})
        return answer, reply.model

    async def _stream(
        self, pool: Pool, body: Json, caller: Caller, headers: Mapping[str, str], priority: int = 0
    ) -> AsyncGenerator[bytes]:
        """The events of an engine; an answer without its end is an error."""
        act, schema = self._begun(pool, body.data, caller)
        wanted = cast("dict[str, Any]", body.data.get("stream_options") or {})
        usage = bool(wanted.get("include_usage"))
        sent = body if usage else body.having({"stream_options": {**wanted, "include_usage": True}})
        try:
            async with pool.open(
                _PATH, sent, headers=headers or act_headers(act), stream=True, tenant=caller.tenant, priority=priority
            ) as reply:
                passing = StreamFilter(self.gate, act, model=reply.model, usage=usage)
                async with aclosing(reply.parts()) as parts:
                    async for part in parts:
                        if free := passing.take(part):
                            yield free
                        if passing.error is not None:
                            raise _broken(passing.error, act)
                        if passing.done:
                            await reply.finish()
                            break
                if not passing.done and (free := passing.take(b"\n\n")):  # the last event may lack its blank line
                    yield free
        except Declined as error:
            raise declined(error) from error
        if not passing.done:
            raise Failed(f"The engine of {act.name!r} broke off its answer. Expected '[DONE]' at its end.")
        act.spent = spent_of(passing.spent)
        self.gate.after(act, passing.text)
        if schema is not None:
            for index in passing.finished:
                schema.check(passing.content(index), reply.model)
        yield END

    def _begun(self, pool: Pool, data: Mapping[str, Any], caller: Caller) -> tuple[Act, Schema | None]:
        act = Act(kind="model", name=pool.id, caller=caller, trace_id=new_id(), spent=_NOTHING)
        self.gate.before(act, "\n".join(texts(data)))
        return act, Schema.of(data) if "response_format" in data else None


def trace_headers(scope: Scope) -> dict[str, str]:
    """What an engine is told of a request: its id, and the trace it belongs to."""
    request_id = request_id_of(scope)
    for name, value in cast("list[tuple[bytes, bytes]]", scope["headers"]):
        if name == b"traceparent" and _TRACE.fullmatch(value):
            return {"x-request-id": request_id, "traceparent": value.decode()}
    return {"x-request-id": request_id, "traceparent": _trace(request_id if _ID.fullmatch(request_id) else new_id())}


def act_headers(act: Act) -> dict[str, str]:
    """The same for work that no request waits for."""
    return {"x-request-id": act.trace_id, "traceparent": _trace(act.trace_id)}


def _trace(id: str) -> str:
    """The header of a trace that begins here."""
    return f"00-{id}-{new_id()[:16]}-01"


def declined(error: Declined) -> PartiturError:
    """What an engine's no means to a caller: whose fault it is, and in the engine's words where it is the caller's."""
    if error.answered in _CALLERS_FAULT and error.said:
        if error.too_long:
            return TooLong(f"{error.said.rstrip('. ')}.", hint="Send less, or ask for fewer tokens.")
        said = f"The engine of {error.model!r} refused the request: {error.said}"
        return InvalidParameter(said, param=error.param or "body", hint="")
    return Failed(
        f"The engine of {error.model!r} refused to serve (status {error.answered}).",
        hint="Its operator finds the reason.",
    )


def spent_of(usage: object) -> Usage:
    """Usage as OpenAI counts it."""
    counted = cast("dict[str, object]", usage) if isinstance(usage, dict) else {}
    read, written = counted.get("prompt_tokens"), counted.get("completion_tokens")
    return Usage(
        input_tokens=read if isinstance(read, int) else 0,
        output_tokens=written if isinstance(written, int) else 0,
        requests=1,
    )


def _parsed(data: bytes, act: Act) -> dict[str, Any]:
    try:
        parsed: object = from_json(data)
    except ValueError:
        parsed = None
    answer = cast("dict[str, Any]", parsed) if isinstance(parsed, dict) else {}
    choices: object = answer.get("choices")
    if not isinstance(choices, list) or not all(
        isinstance(choice, dict) and isinstance(cast("dict[str, object]", choice).get("message"), dict)
        for choice in cast("list[object]", choices)
    ):
        raise Failed(f"The engine of {act.name!r} answered with something else than a chat completion.")
    return answer


def _said(choices: Sequence[Mapping[str, Any]]) -> str:
    """What came out: the text of each choice, and whatever else its message holds."""
    if len(choices) == 1 and type(message := choices[0].get("message")) is dict:
        content = cast("dict[str, Any]", message).get("content")
        if type(content) is str and all(
            value is None or name in ("role", "content") or value == []
            for name, value in cast("dict[str, Any]", message).items()
        ):
            return content
    return "\n".join(text for choice in choices for text in texts(choice.get("message")))


def _broken(said: Mapping[str, Any], act: Act) -> PartiturError:
    """An error in the midst of a stream."""
    about = said.get("error")
    message = cast("dict[str, Any]", about).get("message") if isinstance(about, dict) else about
    if isinstance(message, str) and is_too_long(message):
        return TooLong(message[:500], hint="Send less, or ask for fewer tokens.")
    return Failed(f"The engine of {act.name!r} broke off its answer with an error.", hint="The log has the reason.")
