"""/v1/audio/speech: read aloud by a model of the hub, or where there is none by our own speech server."""

import base64
import secrets
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from agents.kit import Act, Usage
from agents.kit.scope import Scope
from server.body import json_object, while_connected
from server.errors import InvalidParameter, UnknownModel
from server.fields import fitted
from server.house import House
from server.identity import caller_behind
from server.openai_engines import serving
from server.openai_raw import declined, trace_headers
from server.streaming import EventStream, event
from server.texts import texts
from tools.base import Caller, Words
from tools.models import Declined, Json, Pool
from tools.speech import Spoken, say

__all__ = ["ESPEAK", "VoiceApi"]

ESPEAK = "espeak-ng"
"""The model id of the voice in this house."""
_MEDIA = {"mp3": "audio/mpeg", "opus": "audio/ogg", "aac": "audio/aac", "flac": "audio/flac", "wav": "audio/wav"}
_UNKNOWN = "application/octet-stream"
_ORDINARY_RATE = 160
_PART = 65_536


class _Speech(BaseModel):
    """What our own voice reads of a request; the names of OpenAI's voices have no meaning to it."""

    model_config = ConfigDict(strict=True)

    input: Words = Field(min_length=1, max_length=20_000)
    response_format: Literal["mp3", "opus", "wav"] = "mp3"
    speed: float = Field(default=1.0, ge=0.25, le=4.0)
    stream_format: Literal["audio", "sse"] = "audio"


@dataclass(frozen=True)
class VoiceApi:
    """Speech."""

    house: House

    def routes(self) -> list[Route]:
        return [Route("/v1/audio/speech", self.speech, methods=["POST"])]

    @property
    def own(self) -> bool:
        """Whether our own voice speaks: where no model has the role."""
        return "speech" not in self.house.models.roles

    async def speech(self, request: Request) -> Response:
        """A text read aloud; the sound is sent as it comes."""
        data, body = await json_object(request)
        caller = caller_behind(request)
        model = data.get("model")
        if self.own and model in (None, ESPEAK):
            return await self._spoken(request, data, caller)
        if self.own:
            raise UnknownModel(
                f"The model {model!r:.80} does not exist for speech. Expected {ESPEAK!r}, or none.",
                hint="Set PARTITUR_SPEECH_URL, or a model of this kind under [models], for another voice.",
            )
        pool = serving("speech", model, self.house.hub, self.house.models)
        if not data.get("input"):
            raise InvalidParameter("'input' is missing. Expected the text to read.", param="input")
        return _Sound(lambda told: self._sound(request, pool, Json(data, body), caller, told))

    async def _sound(
        self, request: Request, pool: Pool, body: Json, caller: Caller, told: Callable[[str], None]
    ) -> AsyncGenerator[bytes]:
        """The bytes of an engine's sound; `told` is given their media type first."""
        gate = self.house.runtime.gate
        act = Act(kind="model", name=pool.id, caller=caller, trace_id=secrets.token_hex(16))
        gate.before(act, "\n".join(texts(body.data)))
        try:
            async with (
                pool.open(
                    "audio/speech", body, headers=trace_headers(request.scope), stream=True, tenant=caller.tenant
                ) as reply,
                aclosing(reply.parts()) as parts,
            ):
                told(reply.media_type if reply.media_type.startswith(("audio/", "text/event-stream")) else _UNKNOWN)
                async for part in parts:
                    yield part
        except Declined as error:
            raise declined(error) from error
        gate.after(act, "", spent=Usage(requests=1))  # sound holds no words to judge

    async def _spoken(self, request: Request, data: Mapping[str, Any], caller: Caller) -> Response:
        """Our own voice's sound."""
        asked = fitted(_Speech, {name: data[name] for name in _Speech.model_fields if data.get(name) is not None})
        given = Spoken(
            text=asked.input,
            formats=[asked.response_format],
            words_per_minute=round(min(max(asked.speed * _ORDINARY_RATE, 80), 300)),
        )
        scope = Scope.alone(say.name, caller)
        spoken = await while_connected(request, self.house.runtime.toolbox.call(say, given, scope))
        sound = self.house.artifacts.path(spoken.audio[0].id, caller=caller).read_bytes()
        if asked.stream_format == "audio":
            return Response(sound, media_type=_MEDIA[asked.response_format])
        return EventStream(_told(sound))


class _Sound(EventStream):
    """Sound as it comes, of the media type that its engine says."""

    def __init__(self, sound: Callable[[Callable[[str], None]], AsyncGenerator[bytes]]) -> None:
        super().__init__(sound(self._tell_type), _UNKNOWN)

    def _tell_type(self, media: str) -> None:
        self.headers["content-type"] = media


async def _told(sound: bytes) -> AsyncGenerator[bytes]:
    """Sound as OpenAI streams it in events."""
    for at in range(0, len(sound), _PART):
        yield event({"type": "speech.audio.delta", "audio": base64.b64encode(sound[at : at + _PART]).decode()})
    usage = {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
    yield event(cast("dict[str, Any]", {"type": "speech.audio.done", "usage": usage}))
