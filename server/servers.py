"""The tool servers of this installation, each built at its first use."""

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from agents.kit import HouseServer
from server.settings import Settings
from tools import knowledge, speech
from tools.base import ArtifactStore, ToolRef

if TYPE_CHECKING:
    from types import ModuleType

    from fastmcp import FastMCP

    from tools.knowledge.library import Library

__all__ = ["Servers"]


class Servers:
    """What the tool servers are made of; the shelf of documents is shared by all who need it in this process."""

    def __init__(self, settings: Settings, artifacts: ArtifactStore, closing: AsyncExitStack) -> None:
        self._settings = settings
        self._artifacts = artifacts
        self._closing = closing
        self._library: Library | None = None

    @property
    def knowledge(self) -> knowledge.KnowledgeConfig:
        return knowledge.KnowledgeConfig(
            home=self._settings.home / "knowledge", max_file_bytes=self._settings.max_file_bytes
        )

    @property
    def speech(self) -> speech.SpeechConfig:
        given = self._settings
        config = speech.SpeechConfig(url=given.speech_url, key=given.speech_key, timeout=given.request_timeout)
        return config.model_copy(update={"name": given.speech_name}) if given.speech_name else config

    @property
    def library(self) -> "Library":
        """The documents, opened once."""
        if self._library is None:
            from tools.knowledge.library import Library

            self._library = Library(self.knowledge)
            self._closing.push_async_exit(self._library)
        return self._library

    def all(self) -> dict[str, HouseServer]:
        """By name."""
        return {
            "knowledge": HouseServer(_refs(knowledge), self._build_knowledge),
            "speech": HouseServer(_refs(speech), self._build_speech, priced=self._settings.speech_url is None),
        }

    def _build_knowledge(self) -> "FastMCP":
        from tools.knowledge.server import build

        return build(self.knowledge, library=self.library)

    def _build_speech(self) -> "FastMCP":
        from tools.speech.server import build

        return build(self.speech, artifacts=self._artifacts)


def _refs(package: "ModuleType") -> list[ToolRef[Any, Any]]:
    """The tools that a server's folder declares."""
    return [value for value in vars(package).values() if isinstance(value, ToolRef)]
