"""The OpenAI interface: use cases and engines as model ids, chat completions in and out, plain and streamed."""

import difflib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError
from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from agents.kit import Engine, Result, UseCase, from_text
from server.body import read_object, while_connected
from server.errors import InvalidParameter, UnknownModel
from server.house import House
from server.identity import caller_in
from server.openai_raw import RawModels
from server.openai_stream import Framing, answer_chunks, usage_of
from server.streaming import EventStream
from server.words import words
from tools.base import Caller
from tools.models import Pool

__all__ = ["CHAT", "OpenAIApi", "about_model"]

CHAT = "/v1/chat/completions"


class _Message(BaseModel):
    model_config = ConfigDict(strict=True)

    role: str
    content: JsonValue = None


class _StreamOptions(BaseModel):
    model_config = ConfigDict(strict=True)

    include_usage: bool | None = None


class _ResponseFormat(BaseModel):
    model_config = ConfigDict(strict=True)

    type: Literal["text", "json_object", "json_schema"]


class _Chat(BaseModel):
    """What a use case reads of a chat completion request; the rest does not concern it."""

    model_config = ConfigDict(strict=True)

    model: str
    messages: list[_Message]
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    n: int | None = None
    response_format: _ResponseFormat | None = None

    @property
    def as_json(self) -> bool:
        return self.response_format is not None and self.response_format.type != "text"

    @property
    def include_usage(self) -> bool:
        return bool(self.stream_options and self.stream_options.include_usage)


@dataclass(frozen=True)
class OpenAIApi:
    """The routes under /v1 that OpenAI's clients know."""

    house: House
    raw: RawModels
    began: int = field(default_factory=lambda: int(time.time()))
    """Unix time; when the models that it lists came to be."""

    def routes(self) -> list[Route]:
        return [
            Route(CHAT, Plain(self.chat), methods=["POST"]),
            Route("/v1/models", self.models, methods=["GET"]),
            Route("/v1/models/{id:path}", self.model, methods=["GET"]),
        ]

    async def models(self, request: Request) -> Response:
        """Every use case and every engine."""
        return _json({"object": "list", "data": list(self._models.values())})

    async def model(self, request: Request) -> Response:
        """One of them."""
        name = str(request.path_params["id"])
        if name not in self._models:
            raise self._unknown(name)
        return _json(self._models[name])

    async def chat(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A chat completion: a use case reads the conversation, or all of the request goes to a model."""
        data, body = await read_object(scope, receive)
        chat = _checked(data)
        use_case, caller = self.house.catalog.use_cases.get(chat.model), caller_in(scope)
        if use_case is None and (pool := self.raw.pool(chat.model)) is not None:
            await self.raw.answer(scope, receive, send, pool=pool, data=data, body=body, caller=caller)
            return
        request = Request(scope, receive)
        if use_case is not None:
            response = await self._asked(request, use_case, chat, caller)
        else:
            response = await self.raw.embedded.chat(request, engine=self._engine(chat.model), data=data, caller=caller)
        await response(scope, receive, send)

    async def _asked(self, request: Request, use_case: UseCase[Any, Any], chat: _Chat, caller: Caller) -> Response:
        """The answer of a use case."""
        if chat.n not in (None, 1):
            raise InvalidParameter(
                f"A use case gives one answer, {chat.n} were asked for. Expected 'n' to be 1.",
                param="n",
                hint="Leave 'n' out, or send the request several times.",
            )
        given = from_text(use_case.input, _text(chat.messages))
        framing = Framing(model=use_case.name, as_json=chat.as_json, include_usage=chat.include_usage)
        if chat.stream:
            events = self.house.stream(use_case, given, caller=caller)
            return EventStream(answer_chunks(events, framing))
        result = await while_connected(request, self.house.ask(use_case, given, caller=caller))
        return _json(_completion(result, chat.as_json))

    @cached_property
    def _models(self) -> dict[str, dict[str, Any]]:
        """By id; a use case goes before an engine of the same name."""
        models = {pool.id: self._model(pool.id, about_model(pool)) for pool in self.house.hub.pools.values()}
        for engine in self.house.runtime.engines.all.values():
            about = {"kind": "chat", "description": "It quotes and never invents.", "generative": engine.generative}
            models.setdefault(engine.id, self._model(engine.id, about))
        return {use_case.name: self._use_case(use_case) for use_case in self.house.catalog} | {
            name: model for name, model in models.items() if name not in self.house.catalog.use_cases
        }

    def _use_case(self, use_case: UseCase[Any, Any]) -> dict[str, Any]:
        about = {
            "kind": "use_case",
            "description": use_case.description,
            "generative": use_case.generative,
            "input_schema": use_case.input.model_json_schema(),
            "output_schema": use_case.output.model_json_schema(mode="serialization"),
        }
        return self._model(use_case.name, about)

    def _engine(self, name: str) -> Engine:
        """The engine in this process that has this id.

        Raises:
            UnknownModel: nobody has.
            InvalidParameter: who has it does not chat.
        """
        if (engine := self.house.runtime.engines.all.get(name)) is not None:
            return engine
        if name not in self._models:
            raise self._unknown(name)
        raise InvalidParameter(
            f"The model {name!r} does not chat: it is for {self._models[name]['partitur']['kind']}.",
            param="model",
            hint="GET /v1/models lists what each model is for.",
        )

    def _model(self, name: str, about: Mapping[str, Any]) -> dict[str, Any]:
        return {"id": name, "object": "model", "created": self.began, "owned_by": "partitur", "partitur": about}

    def _unknown(self, name: str) -> UnknownModel:
        near = difflib.get_close_matches(name, self._models, n=1, cutoff=0.5)
        known = ", ".join(map(repr, self._models))
        return UnknownModel(
            f"The model {name[:80]!r} does not exist. There are {known}.",
            hint=f"Did you mean {near[0]!r}?" if near else "GET /v1/models lists them.",
        )


@dataclass(frozen=True)
class Plain:
    """An ASGI app, for a route that wants no request object made."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


def about_model(pool: Pool) -> dict[str, Any]:
    """What the hub says of a model, for everybody: nothing of its engines' addresses."""
    config = pool.config
    said = config.model_dump(
        mode="json",
        include={"kind", "context", "capabilities", "description", "licence", "location", "cutoff", "parent", "price"},
        exclude_none=True,
    )
    return {"generative": config.kind == "chat", **said, "capabilities": sorted(said["capabilities"])}


def _checked(data: Mapping[str, Any]) -> _Chat:
    try:
        chat = _Chat.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = _path(first["loc"])
        raise InvalidParameter(f"The parameter {where!r} does not fit: {first['msg']}.", param=where) from None
    if not chat.messages:
        raise InvalidParameter("'messages' is empty. Expected at least one message.", param="messages")
    return chat


def _text(messages: Sequence[_Message]) -> str:
    """The text of the last user message."""
    place = next((i for i in reversed(range(len(messages))) if messages[i].role == "user"), None)
    if place is None:
        roles = ", ".join(sorted({repr(message.role[:40]) for message in messages}))
        raise InvalidParameter(
            f"No message is of the role 'user', only of {roles}. Expected one with the input.", param="messages"
        )
    content, where = messages[place].content, f"messages[{place}].content"
    if isinstance(content, str):
        return content
    if not isinstance(content, list) or not content:
        raise InvalidParameter(
            f"The last user message has no content. Expected a text or a list of text parts, got {content!r:.80}.",
            param=where,
        )
    texts: list[str] = []
    for number, part in enumerate(content):
        kind = part.get("type") if isinstance(part, dict) else type(part).__name__
        text = part.get("text") if isinstance(part, dict) else None
        if kind not in ("text", "input_text") or not isinstance(text, str):
            raise InvalidParameter(
                f"Part {number + 1} of the last user message is {kind!r:.80}. A use case reads text parts alone.",
                param=f"{where}[{number}]",
                hint="Send its text as a part of the type 'text'.",
            )
        texts.append(text)
    return "\n".join(texts)


def _completion(result: Result[Any], as_json: bool) -> dict[str, Any]:
    """A whole answer: text, or the typed output as JSON; where there is none, why."""
    message: dict[str, Any] = {"role": "assistant", "content": None, "refusal": None}
    if not as_json:
        message["content"] = words(result)
    elif result.output is None:
        message["refusal"] = result.message
    else:
        message["content"] = result.output.model_dump_json()
    return {
        "id": f"chatcmpl-{result.trace_id}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": result.use_case,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "usage": usage_of(result.usage),
        "partitur": result.model_dump(mode="json"),
    }


def _path(place: tuple[int | str, ...]) -> str:
    """A place in the request as OpenAI writes it: `messages[0].content`."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return "".join(parts).lstrip(".")


def _json(data: object) -> Response:
    return Response(to_json(data), media_type="application/json")
