"""Chat with an engine that lives in this process, or behind a pydantic-ai model: one request through the gate."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, cast

from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response

from agents.kit import Engine, Gate
from agents.kit.scope import Scope
from agents.kit.task import SAMPLING
from server.body import while_connected
from server.errors import InvalidParameter
from server.openai_request import checked
from server.openai_stream import Framing, usage_of
from server.streaming import END, EventStream
from server.texts import texts
from tools.base import Caller, NoReliableSource, Unavailable

if TYPE_CHECKING:
    from pydantic_ai.messages import ModelMessage

    from agents.kit.agent import GatedModel

__all__ = ["EmbeddedChat"]


class EmbeddedChat:
    """Chat completions of engines that take pydantic-ai messages."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    async def chat(self, request: Request, *, engine: Engine, data: Mapping[str, Any], caller: Caller) -> Response:
        """One request to `engine`, answered whole or as a stream.

        Raises:
            InvalidParameter: a message is of a kind that it does not read.
            PartiturError: a guard refused, or the engine did not serve it.
        """
        if data.get("stream"):
            return EventStream(self.stream(engine, data, caller))
        answer = await while_connected(request, self.complete(engine, data, caller))
        return Response(to_json(answer), media_type="application/json")

    async def complete(self, engine: Engine, data: Mapping[str, Any], caller: Caller) -> dict[str, Any]:
        """A whole chat completion. Raises as `chat`."""
        model, messages, settings, scope = self._begun(engine, data, caller)
        text = await _whole(model, messages, settings)
        message = {"role": "assistant", "content": text, "refusal": None}
        framing = Framing(model=engine.id)
        return {
            "id": framing.id,
            "object": "chat.completion",
            "created": framing.created,
            "model": engine.id,
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
            "usage": usage_of(scope.usage),
        }

    async def stream(self, engine: Engine, data: Mapping[str, Any], caller: Caller) -> AsyncGenerator[bytes]:
        """The events of a chat completion. Raises as `chat`."""
        model, messages, settings, scope = self._begun(engine, data, caller)
        options = cast("dict[str, Any]", data.get("stream_options") or {})
        framing = Framing(model=engine.id, include_usage=bool(options.get("include_usage")))
        async with aclosing(_stream(model, messages, settings, framing, self._gate, scope)) as events:
            async for one in events:
                yield one

    def _begun(
        self, engine: Engine, data: Mapping[str, Any], caller: Caller
    ) -> "tuple[GatedModel, list[ModelMessage], Mapping[str, Any], Scope]":
        from agents.kit.agent import GatedModel

        form = checked(data, f"the engine {engine.id!r}").response_format
        if form is not None and form.type != "text":
            raise InvalidParameter(
                f"The engine {engine.id!r} answers in text, and {form.type!r} was asked for.",
                param="response_format",
                hint="Ask a use case for its typed output, or a language model.",
            )
        scope = Scope.alone(engine.id, caller)
        # A client tells the whole conversation each time: nothing says that its earlier turns have passed before.
        self._gate.before(scope.act("model", engine.id), "\n".join(texts(data)))
        settings = {name: data[name] for name in SAMPLING if data.get(name) is not None}
        return GatedModel(engine, self._gate, scope), _messages(data["messages"]), settings, scope


async def _whole(model: "GatedModel", messages: "list[ModelMessage]", settings: Mapping[str, Any]) -> str:
    from pydantic_ai.exceptions import ModelAPIError
    from pydantic_ai.messages import TextPart
    from pydantic_ai.models import ModelRequestParameters
    from pydantic_ai.settings import ModelSettings

    try:
        response = await model.request(messages, cast("ModelSettings", settings), ModelRequestParameters())
    except NoReliableSource as error:
        return str(error)
    except ModelAPIError as error:
        raise Unavailable(f"The engine {model.model_name!r} did not serve the request.") from error
    return "".join(part.content for part in response.parts if isinstance(part, TextPart))


async def _stream(
    model: "GatedModel",
    messages: "list[ModelMessage]",
    settings: Mapping[str, Any],
    framing: Framing,
    gate: Gate,
    scope: Scope,
) -> AsyncGenerator[bytes]:
    from pydantic_ai.exceptions import ModelAPIError
    from pydantic_ai.messages import PartDeltaEvent, PartStartEvent, TextPart, TextPartDelta
    from pydantic_ai.models import ModelRequestParameters
    from pydantic_ai.settings import ModelSettings

    pieces = gate.pieces(scope.act("model", framing.model))
    try:
        async with model.request_stream(
            messages, cast("ModelSettings", settings), ModelRequestParameters()
        ) as response:
            yield framing.chunk({"role": "assistant", "content": "", "refusal": None})
            async for event in response:
                text = ""
                if isinstance(event, PartStartEvent) and isinstance(event.part, TextPart):
                    text = event.part.content
                elif isinstance(event, PartDeltaEvent) and isinstance(event.delta, TextPartDelta):
                    text = event.delta.content_delta
                if free := pieces.add(text):
                    yield framing.chunk({"content": free})
    except NoReliableSource as error:
        yield framing.chunk({"role": "assistant", "content": str(error), "refusal": None})
    except ModelAPIError as error:
        raise Unavailable(f"The engine {framing.model!r} did not serve the request.") from error
    if rest := pieces.end():
        yield framing.chunk({"content": rest})
    yield framing.chunk({}, finish="stop")
    yield framing.spent(usage_of(scope.usage))
    yield END


def _messages(given: object) -> "list[ModelMessage]":
    """A conversation as pydantic-ai writes it; only texts."""
    from pydantic_ai.messages import ModelRequest, ModelResponse, SystemPromptPart, TextPart, UserPromptPart

    messages: list[ModelMessage] = []
    for number, message in enumerate(cast("list[dict[str, Any]]", given)):
        text = _text(message.get("content"), f"messages[{number}].content")
        match message.get("role"):
            case "assistant":
                messages.append(ModelResponse(parts=[TextPart(text)]))
            case "user":
                messages.append(ModelRequest(parts=[UserPromptPart(text)]))
            case "system" | "developer":
                messages.append(ModelRequest(parts=[SystemPromptPart(text)]))
            case role:
                raise InvalidParameter(
                    f"Message {number + 1} is of the role {role!r:.40}. Expected 'system', 'user' or 'assistant'.",
                    param=f"messages[{number}].role",
                )
    return messages


def _text(content: object, where: str) -> str:
    if isinstance(content, str):
        return content
    parts = cast("list[object]", content) if isinstance(content, list) else [content]
    texts = [cast("dict[str, object]", part).get("text") if isinstance(part, dict) else None for part in parts]
    if not all(isinstance(text, str) for text in texts):
        raise InvalidParameter("This engine reads text alone. Expected a text or a list of text parts.", param=where)
    return "\n".join(cast("list[str]", texts))
