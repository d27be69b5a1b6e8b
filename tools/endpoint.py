"""Calls an OpenAI-compatible endpoint for a tool server; every failure names the setting that leads there."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

import httpx2
from pydantic import JsonValue, SecretStr, TypeAdapter
from pydantic_core import to_json

from tools.base import Failed, TimedOut, Unavailable

__all__ = ["Endpoint"]

_JSON: TypeAdapter[JsonValue] = TypeAdapter(JsonValue)
_BUSY = {429, 502, 503, 504}


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """Where a model answers. `setting` is the prefix of its settings, for example PARTITUR_SPEECH."""

    url: str
    key: SecretStr | None
    timeout: float
    """Seconds for one request."""
    setting: str
    http: httpx2.AsyncClient | None = None
    """A client shared with others; without one, each call opens its own."""

    async def post(self, path: str, body: Mapping[str, object], *, at_most: int) -> bytes:
        """Posts `body` as JSON to `path`; see `send`."""
        return await self.send(path, to_json(body), media_type="application/json", at_most=at_most)

    async def send(self, path: str, body: bytes, *, media_type: str, at_most: int) -> bytes:
        """Posts `body` to `path` under the endpoint and returns the answer of at most `at_most` bytes.

        A connection that fails and an endpoint that is busy get one second try.

        Raises:
            Unavailable: it cannot be reached, or is busy or broken.
            TimedOut: it took longer than `timeout`.
            Failed: it refused, or the answer is too big.
        """
        async with self._client() as http:
            try:
                return await self._once(http, path, body, media_type, at_most)
            except Unavailable:
                return await self._once(http, path, body, media_type, at_most)

    @asynccontextmanager
    async def _client(self) -> AsyncGenerator[httpx2.AsyncClient]:
        if self.http is not None:
            yield self.http
            return
        # trust_env=False: proxies and certificates come from the settings, not from the environment.
        async with httpx2.AsyncClient(trust_env=False) as http:
            yield http

    async def _once(self, http: httpx2.AsyncClient, path: str, body: bytes, media_type: str, at_most: int) -> bytes:
        headers = {"Content-Type": media_type}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key.get_secret_value()}"
        url = f"{self.url.rstrip('/')}/{path}"
        try:
            async with http.stream("POST", url, content=body, headers=headers, timeout=self.timeout) as response:
                data = bytearray()
                async for chunk in response.aiter_bytes():
                    data += chunk
                    if len(data) > at_most:
                        raise Failed(
                            f"The endpoint {self.shown!r} answered with more than {at_most} bytes.",
                            hint=f"Ask for less at once, or correct {self.setting}_URL.",
                        )
                if response.status_code != 200:
                    raise self._refusal(response.status_code, bytes(data), path)
                return bytes(data)
        except httpx2.TimeoutException as error:
            raise TimedOut(
                f"The endpoint {self.shown!r} gave no answer within {self.timeout:g} s.",
                hint=f"Send less at once, or look whether the endpoint in {self.setting}_URL is overloaded.",
            ) from error
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise Unavailable(
                f"The endpoint {self.shown!r} cannot be reached ({type(error).__name__}). Expected an "
                "OpenAI-compatible server there.",
                hint=f"Start it, or correct {self.setting}_URL.",
            ) from error

    @property
    def shown(self) -> str:
        """The address for messages: without user name, password and query."""
        parts = urlsplit(self.url)
        return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))

    def _refusal(self, status: int, data: bytes, path: str) -> Failed:
        said = f"The endpoint {self.shown!r} answered {status} to {path!r}: {_reason(data)!r}."
        if status in (401, 403):
            return Failed(f"{said} Expected it to accept the key.", hint=f"Set {self.setting}_KEY to a key it knows.")
        if status == 404:
            return Failed(
                f"{said} Expected it to offer the model.", hint=f"Correct {self.setting}_NAME or {self.setting}_URL."
            )
        if status in _BUSY or status >= 500:
            return Unavailable(f"{said} Expected 200.", hint="Try again in a moment, or look into the endpoint's log.")
        return Failed(f"{said} Expected 200.", hint=f"Look whether the model in {self.setting}_NAME can do this.")


def _reason(data: bytes) -> str:
    """What the endpoint said, in at most 200 characters."""
    try:
        said = _JSON.validate_json(data)
        for key in ("error", "message"):
            said = said.get(key, said) if isinstance(said, dict) else said
    except ValueError:
        said = data.decode(errors="replace")
    return " ".join(str(said).split())[:200]
