"""Embeddings, transcription, speech and pictures of the engines that are set: passed through, by way of the gate."""

import secrets
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from agents.kit import Act, Gate, Usage
from server.body import json_object, while_connected
from server.errors import InvalidParameter, UnknownModel, UnsupportedMedia
from server.identity import caller_behind
from server.settings import Settings
from server.texts import texts
from tools.base import Failed, NeedsModel, TimedOut, Unavailable
from tools.endpoint import Answer, Declined, Endpoint

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
_CALLERS_FAULT = (400, 413, 415, 422)


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
        body = await request.body()
        async with request.form() as form:  # read for the gate alone; the body goes on as it came
            self._check_model(form.get("model"), "transcription")
            self.gate.before(act, "\n".join([text async for text in _form_texts(form)]))
        answer = (await self._sent(request, endpoint, act, _PATHS["transcription"], body, media)).data
        self.gate.after(act, answer.decode("utf-8", "replace"), spent=Usage(requests=1))
        kind = "application/json" if answer.lstrip().startswith(b"{") else "text/plain; charset=utf-8"
        return Response(answer, media_type=kind)

    async def _json(self, request: Request, kind: Kind) -> Response:
        endpoint = self._endpoint(kind)
        data, body = await json_object(request)
        self._check_model(data.get("model"), kind)
        act = self._act(request, kind)
        self.gate.before(act, "\n".join(texts(data)))
        answer = await self._sent(request, endpoint, act, _PATHS[kind], body, "application/json")
        spent, media = Usage(requests=1), "application/json"
        if kind == "speech":
            media = answer.media_type if answer.media_type.startswith("audio/") else "application/octet-stream"
        else:
            try:
                spent.input_tokens = _Answer.model_validate_json(answer.data).usage.prompt_tokens
            except ValidationError as error:
                raise Failed(f"The engine {act.name!r} answered with something else than was asked for.") from error
        self.gate.after(act, "", spent=spent)  # vectors, pictures and sound hold no words to judge
        return Response(answer.data, media_type=media)

    async def _sent(self, request: Request, endpoint: Endpoint, act: Act, path: str, body: bytes, media: str) -> Answer:
        """The engine's answer. What the caller is told of a failure names the engine, never the settings behind it."""
        try:
            return await while_connected(request, endpoint.send(path, body, media_type=media, at_most=_MOST))
        except Declined as error:
            if error.answered in _CALLERS_FAULT and error.said:
                said = f"The engine {act.name!r} refused the request: {error.said}"
                raise InvalidParameter(said, param="body", hint="") from error
            said = f"The engine {act.name!r} refused to serve (status {error.answered})."
            raise Failed(said, hint="Its operator finds the reason.") from error
        except TimedOut as error:
            raise TimedOut(f"The engine {act.name!r} gave no answer in time.") from error
        except Unavailable as error:
            raise Unavailable(f"The engine {act.name!r} cannot be reached, or is overloaded or broken.") from error
        except Failed as error:
            raise Failed(f"The engine {act.name!r} answered with more than {_MOST} bytes.") from error

    def _check_model(self, model: object, kind: Kind) -> None:
        """Our key at the endpoint is for the model that is set, and for no other that it may have."""
        if model is not None and model != self._name(kind):
            raise UnknownModel(
                f"The model {model!r:.80} does not exist for {kind}. Expected {self._name(kind)!r}, or none.",
                hint="GET /v1/models lists what each model is for.",
            )

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


async def _form_texts(form: FormData) -> AsyncGenerator[str]:
    """What a form says in words: every field with its name, and all files but the recording."""
    for name, value in form.multi_items():
        yield name
        if isinstance(value, str):
            yield value
            continue
        yield value.filename or ""
        if name != "file":
            yield (await value.read()).decode("utf-8", "replace")
