"""Calls an OpenAI-compatible endpoint for a tool server; every failure names the setting that leads there.

Messages travel to whoever asked, so they say neither the address nor more than the endpoint's own error message; the
log has both.
"""

import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import cast
from urllib.parse import urlsplit, urlunsplit

import httpx2
from pydantic import SecretStr
from pydantic_core import from_json, to_json

from tools.base import Failed, TimedOut, Unavailable

__all__ = ["Answer", "Declined", "Endpoint"]

_BUSY = {429, 502, 503, 504}
log = logging.getLogger(__name__)


class Declined(Failed):
    """The endpoint said no to what it was sent. `answered` is its HTTP status, `said` its own sentence or nothing."""

    def __init__(self, message: str, *, hint: str, answered: int, said: str) -> None:
        super().__init__(message, hint=hint)
        self.answered = answered
        self.said = said


@dataclass(frozen=True)
class Answer:
    """What the endpoint gave."""

    data: bytes
    media_type: str
    """Without parameters, lower case; empty where it says none."""


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
        return (await self.send(path, to_json(body), media_type="application/json", at_most=at_most)).data

    async def send(self, path: str, body: bytes, *, media_type: str, at_most: int) -> Answer:
        """Posts `body` to `path` under the endpoint and returns the answer of at most `at_most` bytes.

        A connection that fails and an endpoint that is busy get one second try.

        Raises:
            Unavailable: it cannot be reached, or is busy or broken.
            TimedOut: it took longer than `timeout`.
            Declined: it refused.
            Failed: the answer is too big.
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

    async def _once(self, http: httpx2.AsyncClient, path: str, body: bytes, media_type: str, at_most: int) -> Answer:
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
                return Answer(bytes(data), response.headers.get("content-type", "").partition(";")[0].strip().lower())
        except httpx2.TimeoutException as error:
            log.info("%s gave no answer within %g s", self._address, self.timeout)
            raise TimedOut(
                f"The endpoint {self.shown!r} gave no answer within {self.timeout:g} s.",
                hint=f"Send less at once, or look whether the endpoint in {self.setting}_URL is overloaded.",
            ) from error
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            log.warning("%s cannot be reached: %s", self._address, error)
            raise Unavailable(
                f"The endpoint {self.shown!r} cannot be reached ({type(error).__name__}). Expected an "
                "OpenAI-compatible server there.",
                hint=f"Start it, or correct {self.setting}_URL.",
            ) from error

    @property
    def shown(self) -> str:
        """What messages call it: the setting that has its address."""
        return f"{self.setting}_URL"

    @property
    def _address(self) -> str:
        """For the log: without user name, password and query."""
        parts = urlsplit(self.url)
        return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))

    def _refusal(self, status: int, data: bytes, path: str) -> Failed:
        reason = _reason(data)
        log.warning("%s answered %d to %r: %r", self._address, status, path, data[:500])
        said = f"The endpoint {self.shown!r} answered {status} to {path!r}" + (f": {reason!r}." if reason else ".")
        if status in _BUSY or status >= 500:
            return Unavailable(f"{said} Expected 200.", hint="Try again in a moment, or look into the endpoint's log.")
        expected, hint = "Expected 200.", f"Look whether the model in {self.setting}_NAME can do this."
        if status in (401, 403):
            expected, hint = "Expected it to accept the key.", f"Set {self.setting}_KEY to a key it knows."
        elif status == 404:
            expected = "Expected it to offer the model."
            hint = f"Correct {self.setting}_NAME or {self.setting}_URL."
        return Declined(f"{said} {expected}", hint=hint, answered=status, said=reason)


def _reason(data: bytes) -> str:
    """The endpoint's error message, in at most 200 characters; nothing where it has none."""
    try:
        said: object = from_json(data)
    except ValueError:
        return ""
    for key in ("error", "message"):
        if isinstance(said, dict):
            held = cast("dict[str, object]", said)
            said = held.get(key, held)
    return " ".join(said.split())[:200] if isinstance(said, str) else ""
