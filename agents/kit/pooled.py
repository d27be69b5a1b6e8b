"""A pool of engines as a pydantic-ai model: its own mapping of messages, our way of sending them."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, suppress
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Protocol, Self, cast

from openai import AsyncOpenAI, NotGiven, Omit
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from pydantic import ValidationError
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.output import OutputObjectDefinition
from pydantic_ai.profiles import ModelProfile
from pydantic_ai.providers import Provider
from pydantic_ai.providers.vllm import VLLMProvider
from pydantic_ai.tools import ToolDefinition
from pydantic_core import from_json

from tools.base import Failed, Unavailable, caller_of
from tools.models import Json, ModelConfig

__all__ = ["PooledModel", "Reply", "Transport"]

log = logging.getLogger(__name__)
_PATH = "chat/completions"
_END = b"[DONE]"
_MOST_FITTED = 256
_LEFT_OUT = (Omit, NotGiven)
_LAST_S = 0.5
"""Seconds that an engine has to close its stream after its last event; the connection can then be used again."""
_TRACE = TraceContextTextMapPropagator()


class Reply(Protocol):
    """An answer on its way."""

    model: str
    """The id of the model that gives it: another than was asked where a fallback does."""

    async def read(self) -> bytes:
        """All of it."""
        ...

    def parts(self) -> AsyncGenerator[bytes]:
        """Its bytes as they come."""
        ...


class Transport(Protocol):
    """What sends requests: a `tools.models.Pool`."""

    id: str
    name: str
    """The model's name at its engines."""
    config: ModelConfig

    def open(
        self, path: str, body: Json, *, headers: Mapping[str, str], stream: bool, tenant: str
    ) -> AbstractAsyncContextManager[Reply, bool | None]:
        """Sends a request. Leaving the block before the end of the answer stops the engine's work."""
        ...


class PooledModel(OpenAIChatModel):
    """The model behind `transport`. It raises what the transport raises, and asks for the caller who is acting."""

    def __init__(self, transport: Transport) -> None:
        super().__init__(transport.name, provider=_Provider(transport))
        self._fitted: dict[tuple[int, ...], _Fitted] = {}

    def customize_request_parameters(self, model_request_parameters: ModelRequestParameters) -> ModelRequestParameters:
        """As pydantic-ai does it, which copies and walks every schema: once for the same tools and the same output."""
        given = model_request_parameters
        parts = (*given.function_tools, None, *given.output_tools, given.output_object)
        key = tuple(map(id, parts))
        fitted = self._fitted.get(key)
        if fitted is None:
            made = super().customize_request_parameters(given)
            if len(self._fitted) >= _MOST_FITTED:
                self._fitted.clear()
            fitted = self._fitted[key] = _Fitted(parts, made.function_tools, made.output_tools, made.output_object)
        return replace(
            given,
            function_tools=list(fitted.function_tools),
            output_tools=list(fitted.output_tools),
            output_object=fitted.output_object,
        )

    def _validate_completion(  # pyright: ignore[reportIncompatibleMethodOverride]  # a hook whose type is private
        self, response: ChatCompletion
    ) -> ChatCompletion:
        """What fits OpenAI's own type has been validated; the rest goes pydantic-ai's lenient way."""
        return response if isinstance(response, _Valid) else super()._validate_completion(response)


@dataclass(frozen=True)
class _Fitted:
    """Definitions of tools and output with their schemas as the model takes them."""

    parts: tuple[object, ...]
    """What they were made of, kept so that nothing else gets its identity."""
    function_tools: Sequence[ToolDefinition]
    output_tools: Sequence[ToolDefinition]
    output_object: OutputObjectDefinition | None


class _Provider(Provider[AsyncOpenAI]):
    """What vLLM's models can do, with a client of our own."""

    def __init__(self, transport: Transport) -> None:
        # pydantic-ai uses of a client what `_Client` has, and no more.
        self._client = cast("AsyncOpenAI", _Client(transport))

    @property
    def name(self) -> str:
        return "vllm"

    @property
    def base_url(self) -> str:
        return str(self._client.base_url)

    @property
    def client(self) -> AsyncOpenAI:
        return self._client

    @staticmethod
    def model_profile(model_name: str) -> ModelProfile | None:
        return VLLMProvider.model_profile(model_name)


class _Client:
    """Looks like an `AsyncOpenAI` whose `chat.completions.create` sends through a transport."""

    def __init__(self, transport: Transport) -> None:
        self.base_url = f"pool:{transport.id}"
        self.completions = _Completions(transport)

    @property
    def chat(self) -> Self:
        return self


class _Valid(ChatCompletion):
    """One that fits OpenAI's type."""


class _Completions:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def create(
        self,
        *,
        stream: bool,
        extra_headers: Mapping[str, str] | None = None,
        extra_body: Mapping[str, object] | None = None,
        timeout: object = None,
        **asked: object,
    ) -> "ChatCompletion | _Chunks":
        """A chat completion. How long it may take is the transport's business, not `timeout`'s.

        Raises:
            PartiturError: what the transport raises; Failed where the answer is no JSON object.
        """
        body = {name: value for name, value in asked.items() if not isinstance(value, _LEFT_OUT)}
        if self._transport.config.server == "vllm":
            _constrain(cast("list[dict[str, dict[str, object]]]", body.get("tools") or []))
        if stream:
            body["stream"] = True
        if extra_body:
            body |= extra_body
        headers = {name: value for name, value in (extra_headers or {}).items() if name.lower() != "user-agent"}
        _TRACE.inject(headers)
        opening = self._transport.open(_PATH, Json(body), headers=headers, stream=stream, tenant=caller_of(self).tenant)
        if stream:
            return _Chunks(opening, await opening.__aenter__(), self._transport.id)
        async with opening as reply:
            data = await reply.read()
        try:
            answer = _Valid.model_validate_json(data)
        except ValidationError:
            answer = ChatCompletion.construct(None, **_object(data, self._transport.id))
        answer.model = reply.model
        return answer


def _constrain(tools: list[dict[str, dict[str, object]]]) -> None:
    """Has vLLM keep the arguments of tools to their schemas, whatever its `--tool-strict-level`: without it, vLLM lets the
    schema of the answer win over the tools, and an agent that has both never calls one."""
    for tool in tools:
        tool["function"].setdefault("strict", True)


class _Chunks:
    """A streamed answer, as OpenAI's `AsyncStream` looks. Closing it before its end stops the engine's work."""

    def __init__(self, opening: AbstractAsyncContextManager[Reply, bool | None], reply: Reply, model: str) -> None:
        self._opening, self._model = opening, model
        self._chunks = self._read(reply)
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._closed:
            self._closed = True
            await self._chunks.aclose()
            await self._opening.__aexit__(kind, error, trace)

    def __aiter__(self) -> AsyncGenerator[ChatCompletionChunk]:
        return self._chunks

    async def close(self) -> None:
        await self.__aexit__(None, None, None)

    async def _read(self, reply: Reply) -> AsyncGenerator[ChatCompletionChunk]:
        finished = False
        async with aclosing(reply.parts()) as parts, aclosing(_events(parts)) as events:
            async for data in events:
                if data == _END:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(_LAST_S):
                            async for _ in parts:
                                pass
                    return
                chunk = self._chunk(data)
                chunk.model = reply.model
                finished = finished or any(choice.finish_reason for choice in chunk.choices or ())
                yield chunk
        if not finished:
            raise Unavailable(f"The engine of {self._model!r} ended its answer before it was whole.")

    def _chunk(self, data: bytes) -> ChatCompletionChunk:
        try:
            return ChatCompletionChunk.model_validate_json(data)
        except ValidationError:
            found = _object(data, self._model)
        if found.get("error"):
            log.warning("The engine of %r broke off its answer: %r", self._model, data[:500])
            raise Failed(
                f"The engine of {self._model!r} broke off its answer with an error.", hint="The log has the reason."
            )
        return ChatCompletionChunk.construct(None, **found)


async def _events(parts: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """The data of each server-sent event."""
    rest, held = b"", list[bytes]()
    async for part in parts:
        *lines, rest = (rest + part).split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                held.append(line[5:].strip())
            elif held and not line.strip():
                yield b"\n".join(held)
                held.clear()
    if held:
        yield b"\n".join(held)


def _object(data: bytes, model: str) -> dict[str, object]:
    """The JSON object that an engine sent.

    Raises:
        Failed: it is none.
    """
    try:
        found: object = from_json(data)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Failed(f"The engine of {model!r} answered with something else than a JSON object: {data[:80]!r}.")
    return cast("dict[str, object]", found)
