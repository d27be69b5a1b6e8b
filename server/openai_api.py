"""The OpenAI interface: use cases and engines as model ids, chat completions in and out, plain and streamed."""

import difflib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, cast

from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from agents.kit import Engine, UseCase
from server.body import read_object
from server.errors import InvalidParameter, UnknownModel
from server.house import House
from server.identity import caller_in
from server.openai_case import CaseChat
from server.openai_raw import RawModels
from tools.models import Pool

__all__ = ["CHAT", "OpenAIApi", "about_model"]

CHAT = "/v1/chat/completions"
_MOST_MESSAGES = 10_000
_LONGEST_NAME = 80
"""Letters of an unknown name that are looked at and told."""


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
        """One of them; with nothing behind the slash, all."""
        name = str(request.path_params["id"])
        if not name:
            return await self.models(request)
        if name not in self._models:
            raise self._unknown(name)
        return _json(self._models[name])

    async def chat(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A chat completion: a use case reads the conversation, or all of the request goes to a model."""
        data, body = await read_object(scope, receive)
        model = _checked(data)
        use_case, caller = self.house.catalog.use_cases.get(model), caller_in(scope)
        if use_case is None and (pool := self.raw.pool(model)) is not None:
            await self.raw.answer(scope, receive, send, pool=pool, data=data, body=body, caller=caller)
            return
        request = Request(scope, receive)
        if use_case is not None:
            response = await CaseChat(self.house).answer(request, use_case=use_case, data=data, caller=caller)
        else:
            response = await self.raw.embedded.chat(request, engine=self._engine(model), data=data, caller=caller)
        await response(scope, receive, send)

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
        name = name[:_LONGEST_NAME]
        near = difflib.get_close_matches(name, self._models, n=1, cutoff=0.5)
        known = ", ".join(map(repr, self._models))
        return UnknownModel(
            f"The model {name!r} does not exist. There are {known}.",
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


def _checked(data: Mapping[str, Any]) -> str:
    """The model that is asked for, by name; what else every chat completion needs is looked at too.

    It is on the hot path of models, whose engines judge the rest.
    """
    model, messages = data.get("model"), data.get("messages")
    if not isinstance(model, str):
        raise _unfit("model", "a text", model)
    if not isinstance(messages, list) or not messages:
        raise _unfit("messages", "a list of at least one message", cast("object", messages))
    if len(cast("list[object]", messages)) > _MOST_MESSAGES:
        raise InvalidParameter(
            f"'messages' has {len(cast('list[object]', messages))} of them. Expected {_MOST_MESSAGES} at most.",
            param="messages",
        )
    for number, message in enumerate(cast("list[object]", messages)):
        if not isinstance(message, dict):
            raise _unfit(f"messages[{number}]", "an object", message)
        if not isinstance(role := cast("dict[str, object]", message).get("role"), str):
            raise _unfit(f"messages[{number}].role", "a text", role)
    if not isinstance(stream := data.get("stream"), bool | None):
        raise _unfit("stream", "true or false", stream)
    if not isinstance(options := data.get("stream_options"), dict | None):
        raise _unfit("stream_options", "an object", options)
    return model


def _unfit(param: str, expected: str, got: object) -> InvalidParameter:
    shown = "missing" if got is None else f"{got!r:.60}"
    return InvalidParameter(f"The parameter {param!r} is {shown}. Expected {expected}.", param=param)


def _json(data: object) -> Response:
    return Response(to_json(data), media_type="application/json")
