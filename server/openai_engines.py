"""Models of the hub that do not chat: embeddings, reranking, speech, transcription, pictures; and plain completions."""

import secrets
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, cast, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json, to_json
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from agents.kit import Act, Gate, Usage
from server.body import json_object, while_connected
from server.errors import InvalidParameter, UnknownModel, UnsupportedMedia
from server.identity import caller_behind
from server.models import Models
from server.openai_filter import StreamFilter
from server.openai_raw import declined, spent_of, trace_headers
from server.streaming import END, EventStream
from server.texts import texts
from tools.base import Caller, Failed, NeedsModel
from tools.models import Declined, Hub, Json, Kind, Pool

__all__ = ["OtherEngines", "serving"]

_HINTS: Mapping[str, str] = {
    kind: f"Set PARTITUR_{'MODEL' if kind == 'chat' else kind.upper()}_URL, or a model of this kind under [models]."
    for kind in get_args(Kind)
} | {"rerank": "Set a model of the kind 'rerank' under [models]."}


class _Spent(BaseModel):
    prompt_tokens: int = 0
    total_tokens: int = 0


class _Answer(BaseModel):
    """What is read of an engine's answer; the rest is passed on as it came."""

    model: str | None = None
    usage: _Spent | None = None


@dataclass(frozen=True)
class OtherEngines:
    """The models of every kind but chat, under OpenAI's paths; a request that names none goes to the role of its kind."""

    hub: Hub
    models: Models
    gate: Gate

    def routes(self) -> list[Route]:
        """One for each path; one that nobody serves says which setting it needs."""
        return [
            Route("/v1/embeddings", self.embeddings, methods=["POST"]),
            Route("/v1/rerank", self.rerank, methods=["POST"]),
            Route("/v1/completions", self.completions, methods=["POST"]),
            Route("/v1/audio/transcriptions", self.transcription, methods=["POST"]),
            Route("/v1/images/generations", self.image, methods=["POST"]),
        ]

    async def embeddings(self, request: Request) -> Response:
        """Vectors for texts, as floats or in base64."""
        return await self._json(request, "embedding", "embeddings", needs="input")

    async def rerank(self, request: Request) -> Response:
        """Documents in the order in which they fit a query."""
        data, body = await json_object(request)
        if not isinstance(data.get("query"), str):
            raise InvalidParameter(f"'query' is {data.get('query')!r:.80}. Expected a text.", param="query")
        return await self._whole(request, "rerank", "rerank", data, body, needs="documents")

    async def image(self, request: Request) -> Response:
        """A picture for a prompt."""
        return await self._json(request, "image", "images/generations", needs="prompt")

    async def completions(self, request: Request) -> Response:
        """The continuation of a text, by a chat model as it is."""
        data, body = await json_object(request)
        if not isinstance(stream := data.get("stream"), bool | None):
            raise InvalidParameter(f"The parameter 'stream' is {stream!r:.60}. Expected true or false.", param="stream")
        if not stream:
            return await self._whole(request, "chat", "completions", data, body, needs="prompt")
        pool = self._pool("chat", data, needs="prompt")
        return EventStream(self._chunks(request, pool, Json(data, body), caller_behind(request)))

    async def transcription(self, request: Request) -> Response:
        """The words of a recording."""
        media = request.headers.get("content-type", "")
        if not media.lower().startswith("multipart/form-data"):
            raise UnsupportedMedia(
                f"The body is {media[:80]!r}. Expected 'multipart/form-data' with the recording.",
                hint="Send the recording as the form field 'file'.",
            )
        body = await request.body()
        async with request.form() as form:
            pool = self._pool("transcription", dict(form), needs="file")
            act = self._act(request, pool)
            self.gate.before(act, "\n".join([text async for text in _form_texts(form)]))
            if form.getlist("model") not in ([], [pool.name]):
                body, media = await _with_model(form, pool.name)
        answer, model = await self._sent(request, pool, "audio/transcriptions", body, act, media)
        self.gate.after(act, answer.decode("utf-8", "replace"), spent=Usage(requests=1))
        kind = "application/json" if answer.lstrip().startswith(b"{") else "text/plain; charset=utf-8"
        return Response(answer, media_type=kind, headers={"x-partitur-model": model})

    async def _json(self, request: Request, kind: Kind, path: str, *, needs: str) -> Response:
        data, body = await json_object(request)
        return await self._whole(request, kind, path, data, body, needs=needs)

    async def _whole(
        self, request: Request, kind: Kind, path: str, data: dict[str, Any], body: bytes, *, needs: str
    ) -> Response:
        pool = self._pool(kind, data, needs=needs)
        act = self._act(request, pool)
        self.gate.before(act, "\n".join(texts(data)))
        answer, model = await self._sent(request, pool, path, Json(data, body), act, "application/json")
        try:
            found = _Answer.model_validate_json(answer)
        except ValidationError as error:
            raise Failed(f"The engine of {pool.id!r} answered with something else than was asked for.") from error
        if found.model is not None and found.model != model:
            answer = to_json({**cast("dict[str, Any]", from_json(answer)), "model": model})
        # vectors and pictures hold no words to judge; a completion does
        said = answer.decode("utf-8", "replace") if path == "completions" else ""
        self.gate.after(act, said, spent=spent_of(found.usage.model_dump() if found.usage else None))
        return Response(answer, media_type="application/json", headers={"x-partitur-model": model})

    async def _sent(
        self, request: Request, pool: Pool, path: str, body: Json | bytes, act: Act, media: str
    ) -> tuple[bytes, str]:
        """An engine's answer, and the id of the model that gave it; `request` is watched meanwhile."""

        async def work() -> tuple[bytes, str]:
            headers = trace_headers(request.scope)
            try:
                async with pool.open(path, body, headers=headers, media_type=media, tenant=act.caller.tenant) as reply:
                    return await reply.read(), reply.model
            except Declined as error:
                raise declined(error) from error

        return await while_connected(request, work())

    async def _chunks(self, request: Request, pool: Pool, body: Json, caller: Caller) -> AsyncGenerator[bytes]:
        """The events of a completion, through the gate."""
        act = Act(kind="model", name=pool.id, caller=caller, trace_id=secrets.token_hex(16))
        self.gate.before(act, "\n".join(texts(body.data)))
        try:
            async with pool.open(
                "completions", body, headers=trace_headers(request.scope), stream=True, tenant=caller.tenant
            ) as reply:
                passing = StreamFilter(self.gate, act, model=reply.model, usage=True)
                async with aclosing(reply.parts()) as parts:
                    async for part in parts:
                        yield passing.take(part)
                        if passing.done or passing.error is not None:
                            break
        except Declined as error:
            raise declined(error) from error
        if not passing.done:
            raise Failed(f"The engine of {pool.id!r} broke off its answer. Expected '[DONE]' at its end.")
        self.gate.after(act, passing.text, spent=spent_of(passing.spent))
        yield END

    def _pool(self, kind: Kind, data: Mapping[str, Any], *, needs: str) -> Pool:
        """Who serves a request. Raises as `serving`, and InvalidParameter where it lacks what it is about."""
        pool = serving(kind, data.get("model"), self.hub, self.models)
        if needs not in data:
            raise InvalidParameter(f"{needs!r} is missing. Expected what the request is about.", param=needs)
        return pool

    def _act(self, request: Request, pool: Pool) -> Act:
        return Act(kind="model", name=pool.id, caller=caller_behind(request), trace_id=secrets.token_hex(16))


def serving(kind: Kind, name: object, hub: Hub, models: Models) -> Pool:
    """The model of `kind` that a request names, else the one that has the role.

    Raises:
        NeedsModel: nobody does that here.
        UnknownModel: not the one that it names.
    """
    served = models.roles.get(kind)
    if served is None:
        raise NeedsModel(f"No model for {kind} is set. Expected one in the hub.", hint=_HINTS[kind])
    pool = hub.pools.get(served if name is None else str(name))
    if pool is None or pool.config.kind != kind:
        raise UnknownModel(
            f"The model {name!r:.80} does not exist for {kind}. Expected {served!r}, or none.",
            hint="GET /v1/models lists what each model is for.",
        )
    return pool


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


async def _with_model(form: FormData, name: str) -> tuple[bytes, str]:
    """The form once more, with the name that the model has at its engine; and its media type."""
    border = secrets.token_hex(16)
    parts: list[bytes] = []
    others = [(field, value) for field, value in form.multi_items() if field != "model"]
    for field, value in [("model", name), *others]:
        about, data = f'form-data; name="{_quoted(field)}"', b""
        if isinstance(value, UploadFile):
            await value.seek(0)
            data = await value.read()
            about += f'; filename="{_quoted(value.filename or "")}"'
            about += f"\r\nContent-Type: {value.content_type or 'application/octet-stream'}"
        else:
            data = value.encode()
        parts.append(f"--{border}\r\nContent-Disposition: {about}\r\n\r\n".encode() + data + b"\r\n")
    return b"".join([*parts, f"--{border}--\r\n".encode()]), f"multipart/form-data; boundary={border}"


def _quoted(text: str) -> str:
    """As the HTML standard writes names in forms."""
    return text.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
