"""Talks to RAGFlow's HTTP API: one session, every fault an error of ours, only reads tried again."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel, JsonValue, ValidationError

from tools.base import Failed, Overloaded, TimedOut, TooLarge, Unavailable
from tools.ragflow import RagflowConfig

if TYPE_CHECKING:
    import aiohttp

__all__ = ["Answer", "Client"]

_PAUSES_S = (0.2, 0.8)
"""Before the second and the third try of a read."""
_PASSING = (502, 503, 504)
_KEY = (401, 403, 108, 109)
"""Of HTTP, and of the envelope: 108 permission, 109 authentication."""
_ABSENT = (102, 404)
"""Of the envelope: what is asked for is not there, or is not in this dataset."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the envelope holds: `code` 0 is success whatever the status of HTTP is."""

    status: int
    code: int
    said: str
    data: JsonValue


class Client:
    """Opened at its first request; closed by whoever made it."""

    def __init__(self, config: RagflowConfig) -> None:
        self.config = config
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Ends the session."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def read(self, path: str, *, query: Mapping[str, str | int] | None = None, body: object = None) -> JsonValue:
        """The data of an answer that changes nothing: GET, or POST where there is a body. Tried again when that may help.

        Raises:
            Failed: RAGFlow refuses, or answers something that is none of its API.
            Unavailable: it cannot be reached.
            Overloaded: more is asked of it than it does now.
            TimedOut: no answer came in time.
        """
        return self.data(await self._try(path, query, body))

    async def look(self, path: str, *, query: Mapping[str, str | int] | None = None) -> JsonValue:
        """As `read`; None where what is asked for is not there."""
        answer = await self._try(path, query, None)
        return None if answer.code in _ABSENT else self.data(answer)

    async def write(self, method: str, path: str, body: object) -> Answer:
        """Sends a change, once; `data` tells whether it was made."""
        return await self._send(method, path, json=body)

    async def upload(self, path: str, name: str, data: bytes) -> Answer:
        """Sends a file, once."""
        import aiohttp

        form = aiohttp.FormData()
        form.add_field("file", data, filename=name, content_type="application/octet-stream")
        return await self._send("POST", path, form=form, seconds=self.config.parse_seconds)

    def data(self, answer: Answer) -> JsonValue:
        """What a successful answer holds.

        Raises:
            Failed: it is a refusal.
            Overloaded: more is asked of RAGFlow than it does now.
        """
        if answer.code == 0:
            return answer.data
        said = f"RAGFlow refused with code {answer.code}: {answer.said[:200]!r}."
        if answer.status == 429 or answer.code == 429:
            raise Overloaded(said)
        if answer.code in _KEY or answer.status in _KEY:
            raise Failed(
                f"{said} Expected it to accept the key.", hint="Set ragflow.key in the settings to one it knows."
            )
        raise Failed(
            f"{said} Expected code 0.",
            hint="Look into RAGFlow's log, and whether ragflow.collections name its datasets.",
        )

    async def _try(self, path: str, query: Mapping[str, str | int] | None, body: object) -> Answer:
        method = "GET" if body is None else "POST"
        for pause in _PAUSES_S:
            try:
                return await self._send(method, path, query=query, json=body)
            except Unavailable:
                await asyncio.sleep(pause)
        return await self._send(method, path, query=query, json=body)

    async def _send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | int] | None = None,
        json: object = None,
        form: object = None,
        seconds: float | None = None,
    ) -> Answer:
        status, body = await self._bytes(method, path, query=query, json=json, form=form, seconds=seconds)
        return _envelope(status, body)

    async def _bytes(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | int] | None = None,
        json: object = None,
        form: object = None,
        seconds: float | None = None,
    ) -> tuple[int, bytes]:
        import aiohttp

        try:
            async with self._opened().request(
                method,
                f"{self.config.url}/api/v1{path}",
                params=query,
                json=json,
                data=form,
                headers={"Authorization": f"Bearer {self.config.key.get_secret_value()}"},
                timeout=aiohttp.ClientTimeout(total=max(seconds or 0, self.config.timeout)),
                allow_redirects=False,
            ) as response:
                if response.status in _PASSING:
                    raise Unavailable(f"RAGFlow did not serve: it answered {response.status}.")
                body = await _within(response.content, self.config.max_answer_bytes)
                return response.status, body
        except TimeoutError as error:
            raise TimedOut(
                "RAGFlow gave no answer in time.",
                hint="Look whether it is overloaded, or raise ragflow.timeout in the settings.",
            ) from error
        except (aiohttp.ClientError, OSError) as error:
            raise Unavailable(
                f"RAGFlow cannot be reached ({type(error).__name__}).",
                hint="Start it, or correct ragflow.url in the settings.",
            ) from error

    def _opened(self) -> "aiohttp.ClientSession":
        if self._session is None:
            import aiohttp

            self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), trust_env=False)
        return self._session


async def _within(content: "aiohttp.StreamReader", at_most: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in content.iter_any():
        size += len(part)
        if size > at_most:
            raise TooLarge(
                f"RAGFlow's answer has more than {at_most:,} bytes.",
                hint="Ask for less, or raise ragflow.max_answer_bytes in the settings.",
            )
        parts.append(part)
    return b"".join(parts)


class _Envelope(BaseModel):
    """What every answer of RAGFlow is wrapped in; 1.0 leaves out `data` of what it merely did."""

    code: int
    message: str | None = None
    data: JsonValue = None


def _envelope(status: int, body: bytes) -> Answer:
    try:
        told = _Envelope.model_validate_json(body)
    except ValidationError as error:
        if status in (*_KEY, 404):
            return Answer(status, status, "", None)
        raise Failed(
            f"RAGFlow answered {status} with something that is none of its API. Expected JSON with a 'code'.",
            hint="Look whether ragflow.url in the settings is the address of RAGFlow, version 0.27 or later.",
        ) from error
    code = told.code or (status if status >= 400 else 0)
    return Answer(status, code, told.message or "", told.data)
