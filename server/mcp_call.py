"""One call of a use case over MCP, whatever carries it: asked for its caller, and told as a tool tells it."""

import asyncio
import base64
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import mcp_types

from agents.kit import Event, Result, StepFinished, StepStarted, UseCase, validated
from server.errors import Broken, told
from server.house import House
from server.words import words
from tools.base import Artifact, Caller, PartiturError

__all__ = ["Called", "Calls", "progress"]

log = logging.getLogger(__name__)
_INLINE = 480_000
"""Bytes of pictures and sound sent along with one answer; what is more is linked. Common clients end a connection at an
event of one mebibyte, and base64 makes four bytes of three."""


@dataclass(frozen=True)
class Called:
    """What a call brought: blocks to read, the envelope for programs, or an error that a tool tells."""

    content: list[mcp_types.ContentBlock]
    structured: dict[str, Any] | None = None
    error: bool = False
    meta: dict[str, Any] | None = None


class Calls:
    """Calls the use cases of a house."""

    def __init__(self, house: House) -> None:
        self._house = house

    async def __call__(
        self,
        use_case: UseCase[Any, Any],
        arguments: Mapping[str, Any],
        *,
        caller: Callable[[], Caller],
        ask: Callable[[Any, Caller], Awaitable[Result[Any]]],
    ) -> Called:
        """What came of it; a failure is an answer too.

        Args:
            use_case: which.
            arguments: as they came; its own model validates them, so that errors read as everywhere.
            caller: says who calls, or raises.
            ask: asks it, given its input.
        """
        try:
            who = caller()
            result = await ask(validated(use_case.input, arguments), who)
            content: list[mcp_types.ContentBlock] = [mcp_types.TextContent(type="text", text=words(result))]
            if result.artifacts:
                content += await asyncio.to_thread(self._made, result, who)
        except PartiturError as error:
            if error.code == "setup":
                log.exception("Tool %r met a fault of the installation", use_case.name)
            return _failure(error)
        except Exception:
            log.exception("Tool %r failed", use_case.name)
            return _failure(Broken(f"The use case {use_case.name!r} failed inside the server."))
        return Called(content, result.model_dump(mode="json"))

    def _made(self, result: Result[Any], caller: Caller) -> list[mcp_types.ContentBlock]:
        """Pictures and sound as such; what is larger, or neither, as a link."""
        room = _INLINE
        blocks: list[mcp_types.ContentBlock] = []
        for artifact in result.artifacts:
            inline = artifact.size <= room
            room -= artifact.size if inline else 0
            blocks.append(self._block(artifact, caller, inline=inline))
        return blocks

    def _block(self, artifact: Artifact, caller: Caller, *, inline: bool) -> mcp_types.ContentBlock:
        kind = artifact.media_type.partition("/")[0]
        if inline and kind in ("image", "audio"):
            data = base64.b64encode(self._house.artifacts.path(artifact.id, caller=caller).read_bytes()).decode()
            if kind == "image":
                return mcp_types.ImageContent(type="image", data=data, mime_type=artifact.media_type)
            return mcp_types.AudioContent(type="audio", data=data, mime_type=artifact.media_type)
        return mcp_types.ResourceLink(
            type="resource_link",
            uri=f"artifact://{artifact.id}",
            name=artifact.id,
            description=artifact.alt_text,
            mime_type=artifact.media_type,
            size=artifact.size,
        )


def progress(event: Event) -> str | None:
    """What a client that follows a run is told of an event; nothing of most."""
    match event:
        case StepStarted(name=name):
            return f"{name} …"
        case StepFinished(step):
            return f"{step.name}: {step.outcome}, {step.seconds:.1f} s"
        case _:
            return None


def _failure(error: PartiturError) -> Called:
    """Message and hint to read, the code for programs."""
    about = {"code": error.code, "status": error.status, "hint": error.hint}
    text = mcp_types.TextContent(type="text", text=told(error))
    return Called([text], error=True, meta={"partitur/error": about})
