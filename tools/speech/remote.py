"""Speaks with a model behind an OpenAI-compatible `/audio/speech`."""

import re
from collections.abc import AsyncGenerator, Sequence

from tools.endpoint import Endpoint
from tools.speech.audio import Sound, decode

__all__ = ["remote_speech"]

_MOST = 4_000
"""Characters a request may carry; OpenAI's own limit is 4,096."""
_ORDINARY_RATE = 160


def batches(paragraphs: Sequence[str]) -> list[str]:
    """The paragraphs, each long one cut at sentences, so that every piece fits one request."""
    found: list[str] = []
    for paragraph in paragraphs:
        while len(paragraph) > _MOST:
            ends = [match.end() for match in re.finditer(r"[.!?]\s", paragraph[:_MOST])]
            cut = ends[-1] if ends else paragraph.rfind(" ", 1, _MOST) + 1 or _MOST
            found.append(paragraph[:cut].strip())
            paragraph = paragraph[cut:]
        found.append(paragraph.strip())
    return [part for part in found if part]


async def remote_speech(
    endpoint: Endpoint, paragraphs: Sequence[str], *, model: str, voice: str, rate: int, max_seconds: float
) -> AsyncGenerator[Sound]:
    """The sound of each of `paragraphs` (from `batches`); `rate` in words a minute, 160 being the model's own pace."""
    for paragraph in paragraphs:
        body = {
            "model": model,
            "input": paragraph,
            "voice": voice,
            "response_format": "wav",
            "speed": round(min(4.0, max(0.25, rate / _ORDINARY_RATE)), 3),
        }
        # 48 kHz stereo 32-bit is the most a server would send.
        yield decode(await endpoint.post("audio/speech", body, at_most=int(max_seconds * 48_000 * 8) + 4096))
