"""Engines as models: a request goes to an OpenAI-compatible endpoint as it came, through the gate both ways."""

import logging
import secrets
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from typing import TYPE_CHECKING, Any, cast

from pydantic_core import from_json, to_json
from starlette.requests import Request
from starlette.responses import Response

from agents.kit import Act, Engine, Gate, Usage
from server.body import while_connected
from server.engines import model_id
from server.errors import InvalidParameter
from server.openai_embedded import EmbeddedChat
from server.openai_filter import StreamFilter
from server.openai_stream import END, begun, event
from server.settings import Settings
from server.texts import texts
from tools.base import Caller, Failed, PartiturError, TimedOut, Unavailable

if TYPE_CHECKING:
    import httpx2

__all__ = ["RawModels"]

log = logging.getLogger(__name__)
_MOST = 64_000_000
"""Bytes of one answer."""


class RawModels:
    """Chat completions of engines. One HTTP client serves all requests."""

    def __init__(self, settings: Settings, gate: Gate, closing: AsyncExitStack) -> None:
        self._settings = settings
        self._gate = gate
        self._closing = closing
        self._http: httpx2.AsyncClient | None = None
        self._embedded = EmbeddedChat(gate)

    async def chat(
        self, request: Request, *, engine: Engine, data: dict[str, Any], body: bytes, caller: Caller
    ) -> Response:
        """Passes a request on and its answer back.

        Args:
            request: watched, so that a client that goes away stops the engine.
            engine: whom it is for.
            data: the request, parsed.
            body: the same as it came.
            caller: who asks.

        Raises:
            PartiturError: a guard refused, or the engine did not serve it.
        """
        if self._settings.model_url is None or engine.id != model_id(self._settings):
            return await self._embedded.chat(request, engine=engine, data=data, caller=caller)
        act = Act(kind="model", name=engine.id, caller=caller, trace_id=secrets.token_hex(16))
        self._gate.before(act, "\n".join(texts(data)))
        if data.get("stream"):
            wanted = cast("dict[str, Any]", data.get("stream_options") or {})
            sent = to_json(data | {"stream_options": {**wanted, "include_usage": True}})
            chunks = self._stream(sent, act, usage=bool(wanted.get("include_usage")))
            return await begun(request, chunks)
        answer = await while_connected(request, self._whole(body, act))
        return Response(answer, media_type="application/json")

    async def _whole(self, body: bytes, act: Act) -> bytes:
        async with aclosing(self._read(body, act)) as parts:
            answer = b"".join([part async for part in parts])
        data = _parsed(answer, act)
        said = texts([choice.get("message") for choice in _objects(data.get("choices"))])
        self._gate.after(act, "\n".join(said), spent=_spent(data))
        return answer

    async def _stream(self, body: bytes, act: Act, *, usage: bool) -> AsyncGenerator[bytes]:
        """The chunks of an engine, each text through the gate; an answer without its end is an error."""
        passing = StreamFilter(self._gate, act)
        line, spent = b"", Usage(requests=1)
        async with aclosing(self._read(body, act)) as parts:
            async for part in parts:
                *lines, line = (line + part).split(b"\n")
                for one in lines:
                    if not one.startswith(b"data:"):
                        continue
                    value = one[5:].strip()
                    if value == b"[DONE]":
                        self._gate.after(act, passing.text, spent=spent)
                        yield END
                        return
                    chunk = _parsed(value, act)
                    if "error" in chunk:
                        raise _refused(502, value, act)
                    if chunk.get("usage"):
                        spent = _spent(chunk)
                    if not usage:
                        chunk.pop("usage", None)
                        if not chunk.get("choices"):
                            continue
                    for passed in passing.chunk(chunk):
                        yield event(passed)
        raise Failed(f"The engine {act.name!r} broke off its answer. Expected '[DONE]' at its end.")

    async def _read(self, body: bytes, act: Act) -> AsyncGenerator[bytes]:
        """The body of the engine's answer, as it comes."""
        import httpx2

        url = f"{str(self._settings.model_url).rstrip('/')}/chat/completions"
        size = 0
        try:
            async with self._client().stream("POST", url, content=body) as response:
                if response.status_code != 200:
                    raise _refused(response.status_code, await response.aread(), act)
                async for part in response.aiter_bytes():
                    size += len(part)
                    if size > _MOST:
                        raise Failed(f"The engine {act.name!r} answered with more than {_MOST} bytes.")
                    yield part
        except httpx2.TimeoutException as error:
            raise TimedOut(f"The engine {act.name!r} gave no answer in time.") from error
        except httpx2.HTTPError as error:
            raise Unavailable(f"The engine {act.name!r} cannot be reached ({type(error).__name__}).") from error

    def _client(self) -> "httpx2.AsyncClient":
        if self._http is None:
            import httpx2

            key = self._settings.model_key
            headers = {"Content-Type": "application/json"}
            if key is not None:
                headers["Authorization"] = f"Bearer {key.get_secret_value()}"
            # trust_env=False: proxies and certificates come from the settings, not from the environment.
            timeout = httpx2.Timeout(self._settings.request_timeout, connect=10.0)
            self._http = httpx2.AsyncClient(headers=headers, timeout=timeout, trust_env=False)
            self._closing.push_async_callback(self._http.aclose)
        return self._http


def _parsed(data: bytes, act: Act) -> dict[str, Any]:
    try:
        parsed: object = from_json(data)
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict):
        raise Failed(f"The engine {act.name!r} answered with something else than a JSON object.")
    return cast("dict[str, Any]", parsed)


def _refused(status: int, body: bytes, act: Act) -> PartiturError:
    """What the engine says no to: the caller's fault is told as such, everything else is the engine's."""
    log.warning("The engine %r answered %d: %r", act.name, status, body[:500])
    try:
        said = from_json(body)["error"]["message"]
    except (ValueError, KeyError, TypeError):
        said = ""
    if status in (400, 413, 422) and isinstance(said, str) and said:
        return InvalidParameter(f"The engine {act.name!r} refused the request: {said[:500]}", param="body", hint="")
    if status == 429 or status >= 500:
        return Unavailable(f"The engine {act.name!r} is overloaded or broken (status {status}).")
    return Failed(f"The engine {act.name!r} refused to serve (status {status}).", hint="Its operator finds the reason.")


def _objects(value: object) -> Sequence[Mapping[str, Any]]:
    items = cast("list[object]", value) if isinstance(value, list) else []
    return [cast("dict[str, Any]", item) for item in items if isinstance(item, dict)]


def _spent(data: Mapping[str, Any]) -> Usage:
    usage = cast("dict[str, object]", data.get("usage") or {})
    counts = [
        value if isinstance(value := usage.get(name), int) else 0 for name in ("prompt_tokens", "completion_tokens")
    ]
    return Usage(input_tokens=counts[0], output_tokens=counts[1], requests=1)
