"""Embeddings, transcription, speech and pictures of the engines that are set: passed through, by way of the gate."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from agents.kit import Act, Gate, Usage
from server.body import json_object, while_connected
from server.errors import UnsupportedMedia
from server.identity import caller_behind
from server.settings import Settings
from tools.base import Failed, NeedsModel
from tools.endpoint import Endpoint

__all__ = ["Kind", "OtherEngines"]

Kind = Literal["embedding", "transcription", "speech", "image"]

_PATHS: dict[Kind, str] = {
    "embedding": "embeddings",
    "transcription": "audio/transcriptions",
    "speech": "audio/speech",
    "image": "images/generations",
}
_MOST = 64_000_000
"""Bytes of one answer."""
_TEXTS = ("input", "prompt", "instructions", "text")
"""What a request or an answer says in words."""
_SOUNDS = {"mp3": "audio/mpeg", "opus": "audio/ogg", "wav": "audio/wav", "flac": "audio/flac", "aac": "audio/aac"}


class _Spent(BaseModel):
    prompt_tokens: int = 0


class _Answer(BaseModel):
    """What is read of an engine's answer; the rest is passed on as it came."""

    usage: _Spent = _Spent()


@dataclass(frozen=True)
class OtherEngines:
    """What `PARTITUR_EMBEDDING_…`, `…_TRANSCRIPTION_…`, `…_SPEECH_…` and `…_IMAGE_…` point at, under the same paths here."""

    settings: Settings
    gate: Gate

    def routes(self) -> list[Route]:
        """One for each kind; one that is not set says which setting it needs."""
        return [
            Route(f"/v1/{_PATHS['embedding']}", self.embedding, methods=["POST"]),
            Route(f"/v1/{_PATHS['transcription']}", self.transcription, methods=["POST"]),
            Route(f"/v1/{_PATHS['speech']}", self.speech, methods=["POST"]),
            Route(f"/v1/{_PATHS['image']}", self.image, methods=["POST"]),
        ]

    @cached_property
    def ids(self) -> dict[str, Kind]:
        """The models that are set, by their id."""
        return {self._name(kind): kind for kind in _PATHS if self._setting(kind, "url")}

    async def embedding(self, request: Request) -> Response:
        """Vectors for texts."""
        return await self._json(request, "embedding")

    async def image(self, request: Request) -> Response:
        """A picture for a prompt."""
        return await self._json(request, "image")

    async def speech(self, request: Request) -> Response:
        """A text read aloud."""
        return await self._json(request, "speech")

    async def transcription(self, request: Request) -> Response:
        """The words of a recording."""
        endpoint = self._endpoint("transcription")
        media = request.headers.get("content-type", "")
        if not media.lower().startswith("multipart/form-data"):
            raise UnsupportedMedia(
                f"The body is {media[:80]!r}. Expected 'multipart/form-data' with the recording.",
                hint="Send the recording as the form field 'file'.",
            )
        act = self._act(request, "transcription")
        self.gate.before(act, "")
        body = await request.body()
        sent = endpoint.send(_PATHS["transcription"], body, media_type=media, at_most=_MOST)
        answer = await while_connected(request, sent)
        self.gate.after(act, answer.decode("utf-8", "replace"), spent=Usage(requests=1))
        kind = "application/json" if answer.lstrip().startswith(b"{") else "text/plain; charset=utf-8"
        return Response(answer, media_type=kind)

    async def _json(self, request: Request, kind: Kind) -> Response:
        endpoint = self._endpoint(kind)
        data, body = await json_object(request)
        act = self._act(request, kind)
        self.gate.before(act, "\n".join(_words(data)))
        sent = endpoint.send(_PATHS[kind], body, media_type="application/json", at_most=_MOST)
        answer = await while_connected(request, sent)
        spent, media = Usage(requests=1), _SOUNDS.get(str(data.get("response_format", "mp3")), "audio/mpeg")
        if kind != "speech":
            try:
                spent.input_tokens = _Answer.model_validate_json(answer).usage.prompt_tokens
            except ValidationError as error:
                raise Failed(f"The engine {act.name!r} answered with something else than was asked for.") from error
            media = "application/json"
        self.gate.after(act, "", spent=spent)  # vectors, pictures and sound hold no words to judge
        return Response(answer, media_type=media)

    def _act(self, request: Request, kind: Kind) -> Act:
        return Act(kind="model", name=self._name(kind), caller=caller_behind(request), trace_id=secrets.token_hex(16))

    def _endpoint(self, kind: Kind) -> Endpoint:
        url, setting = self._setting(kind, "url"), f"PARTITUR_{kind.upper()}"
        if url is None:
            raise NeedsModel(
                f"No engine for {kind} is set. Expected an OpenAI-compatible endpoint.", hint=f"Set {setting}_URL."
            )
        key = self._setting(kind, "key")
        return Endpoint(url=url, key=key, timeout=self.settings.request_timeout, setting=setting)

    def _name(self, kind: Kind) -> str:
        return self._setting(kind, "name") or kind

    def _setting(self, kind: Kind, part: Literal["url", "name", "key"]) -> Any:
        return getattr(self.settings, f"{kind}_{part}")


def _words(data: dict[str, Any]) -> Sequence[str]:
    """What a request says, in its fields for text."""
    found: list[str] = []
    for name in _TEXTS:
        value = data.get(name)
        found += [value] if isinstance(value, str) else [item for item in value or () if isinstance(item, str)]
    return found
