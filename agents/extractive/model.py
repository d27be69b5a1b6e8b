"""A pydantic-ai model that needs no weights: it searches with the tools marked as sources, then answers with quotes."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import anyio.to_thread
from pydantic_ai import RunContext
from pydantic_ai.messages import (
    ModelMessage,
    ModelResponse,
    ModelResponseStreamEvent,
    TextPart,
    ToolCallPart,
)
from pydantic_ai.models import Model, ModelRequestParameters, StreamedResponse
from pydantic_ai.profiles import ModelProfile
from pydantic_ai.settings import ModelSettings

from agents.extractive.respond import Reply, respond

__all__ = ["ExtractiveModel"]

_NAME = "extractive"


class ExtractiveModel(Model):
    """Quotes sources and says nothing else; the same request has the same answer, always.

    Raises:
        NoReliableSource: from a request whose sources do not carry an answer.
        InvalidInput: a parameter of the prompt is of the wrong type.
        ToolFailed: every source tool failed.
    """

    def __init__(self) -> None:
        super().__init__(profile=ModelProfile(supports_json_schema_output=True, supports_json_object_output=True))

    @property
    def model_name(self) -> str:
        return _NAME

    @property
    def system(self) -> str:
        return "partitur"

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        _, parameters = self.prepare_request(model_settings, model_request_parameters)
        reply = await anyio.to_thread.run_sync(respond, messages, parameters)
        return ModelResponse(
            parts=list(reply.parts),
            usage=reply.usage,
            model_name=_NAME,
            provider_name=self.system,
            provider_details=reply.details,
            finish_reason="tool_call" if reply.searches else "stop",
        )

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: RunContext[Any] | None = None,
    ) -> AsyncGenerator[StreamedResponse]:
        _, parameters = self.prepare_request(model_settings, model_request_parameters)
        reply = await anyio.to_thread.run_sync(respond, messages, parameters)
        yield _Stream(parameters, reply)


@dataclass
class _Stream(StreamedResponse):
    """A reply, one sentence at a time."""

    reply: Reply
    _made: datetime = field(default_factory=lambda: datetime.now(UTC), init=False)

    async def _get_event_iterator(self) -> AsyncIterator[ModelResponseStreamEvent]:
        self._usage = self.reply.usage
        self.provider_details = self.reply.details
        self.finish_reason = "tool_call" if self.reply.searches else "stop"
        for event in self._events():
            # A turn for others between two sentences, so that whoever reads can cancel.
            await anyio.lowlevel.checkpoint()
            yield event

    def _events(self) -> Iterator[ModelResponseStreamEvent]:
        for index, part in enumerate(self.reply.parts):
            if isinstance(part, TextPart):
                for piece in self.reply.pieces:
                    yield from self._parts_manager.handle_text_delta(vendor_part_id=index, content=piece)
            elif isinstance(part, ToolCallPart):
                name: str | None = part.tool_name  # only once: what comes later would be added to it
                for piece in self.reply.pieces or (part.args_as_json_str(),):
                    yield from self._parts_manager.handle_tool_call_delta_events(
                        vendor_part_id=index, tool_name=name, args=piece, tool_call_id=part.tool_call_id
                    )
                    name = None

    @property
    def model_name(self) -> str:
        return _NAME

    @property
    def provider_name(self) -> str:
        return "partitur"

    @property
    def provider_url(self) -> None:
        return None

    @property
    def timestamp(self) -> datetime:
        return self._made

    async def close_stream(self) -> None:
        """Nothing is open."""
