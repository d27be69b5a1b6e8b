"""The tool servers of this installation, each built at its first use."""

from asyncio import sleep, to_thread
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from functools import cached_property
from typing import TYPE_CHECKING, Any

from agents.kit import HouseServer, OutsideServer
from server.models import Models
from server.outside import outside_servers
from server.settings import Settings
from server.state import Database
from tools import graph, image, knowledge, speech, tables, translation
from tools.base import ArtifactStore, ToolRef, Unavailable
from tools.models import Hub, Pool

if TYPE_CHECKING:
    from types import ModuleType

    from fastmcp import FastMCP

    from server.state.collections import Collections
    from tools.knowledge.library import Library
    from tools.knowledge.searching import Models as Meaning
    from tools.knowledge.shelf import Shelf

__all__ = ["Servers"]


class Servers:
    """What the tool servers are made of; the shelf of documents is shared by all who need it in this process."""

    def __init__(
        self,
        settings: Settings,
        models: Models,
        hub: Hub,
        artifacts: ArtifactStore,
        state: Database,
        closing: AsyncExitStack,
    ) -> None:
        self._settings = settings
        self._state = state
        self._models = models
        self._hub = hub
        self._artifacts = artifacts
        self._closing = closing
        self._library: Library | None = None
        self._refreshing: list[Callable[[], None]] = []

    def refresh(self) -> None:
        """Lets go of generations of graph and tables that have been replaced, so that what was taken out leaves the disk."""
        for refresh in self._refreshing:
            refresh()

    @property
    def knowledge(self) -> knowledge.KnowledgeConfig:
        options = dict(self._settings.knowledge)
        home, most = self._settings.home / "knowledge", self._settings.max_file_bytes
        return knowledge.KnowledgeConfig(home=home, max_file_bytes=most, **options)

    @property
    def speech(self) -> speech.SpeechConfig:
        return speech.SpeechConfig.model_validate(self._endpoint("speech"))

    @property
    def image(self) -> image.ImageConfig:
        brand = self._settings.brand
        colours = {"primary": brand.primary, "accent": brand.accent, "brand": brand.name}
        return image.ImageConfig.model_validate({**self._endpoint("image"), **colours})

    @property
    def translation(self) -> translation.TranslationConfig:
        return translation.TranslationConfig.model_validate(self._endpoint("chat"))

    @property
    def graph(self) -> graph.GraphConfig:
        return graph.GraphConfig.model_validate({**dict(self._settings.graph), "home": self._settings.home / "graph"})

    @property
    def tables(self) -> tables.TablesConfig:
        return tables.TablesConfig.model_validate(
            {**dict(self._settings.tables), "home": self._settings.home / "tables"}
        )

    def pool(self, role: str) -> Pool | None:
        """The model that serves a role; None where nothing does."""
        id = self._models.roles.get(role)
        return self._hub[id] if id is not None else None

    def _endpoint(self, role: str) -> dict[str, object]:
        """What a tool server is told of the model behind it; nothing where there is none."""
        pool = self.pool(role)
        return {"url": pool.config.engines[0], "name": pool.name} if pool is not None else {}

    @cached_property
    def collections(self) -> "Collections":
        """Who may read and change what, in documents, graph and tables."""
        from server.state.collections import Collections

        return Collections(self._state)

    @property
    def library(self) -> "Library":
        """The documents, opened once."""
        if self._library is None:
            from tools.knowledge.library import Library

            self._library = Library(self.knowledge, self.collections, self._meaning(), self._forget)
            self._closing.push_async_exit(self._library)
        return self._library

    @cached_property
    def shelf(self) -> "Shelf":
        """What the tools of the knowledge base work on: our own tables, or the RAGFlow server of the settings."""
        if self._settings.ragflow is None:
            return self.library
        from tools.ragflow.library import RagflowLibrary

        shelf = RagflowLibrary(self._settings.ragflow, self.collections)
        self._closing.push_async_exit(shelf)
        return shelf

    def all(self) -> dict[str, HouseServer]:
        """By name."""
        return {
            "graph": HouseServer(_refs(graph), self._build_graph, priced=self.pool("chat") is None),
            "image": HouseServer(_refs(image), self._build_image, priced=self.pool("image") is None),
            "knowledge": HouseServer(_refs(knowledge), self._build_knowledge),
            "speech": HouseServer(_refs(speech), self._build_speech, priced=self.pool("speech") is None),
            "tables": HouseServer(_refs(tables), self._build_tables, priced=self.pool("chat") is None),
            "translation": HouseServer(_refs(translation), self._build_translation, priced=self.pool("chat") is None),
        }

    def outside(self) -> dict[str, OutsideServer]:
        """The MCP servers of others that the settings name."""
        return outside_servers(self._settings.mcp_servers)

    async def _forget(self, tenant: str, collection: str, documents: Sequence[str]) -> None:
        """The graph lets go of what it has of documents that were deleted."""
        from tools.graph.loading import forget

        for wait in (0.1, 0.5, 2.0, 10.0, 30.0, 0.0):
            try:
                await to_thread(forget, tenant, collection, documents, config=self.graph)
                await to_thread(self.refresh)
                return
            except Unavailable:  # somebody is loading
                if not wait:
                    raise
            await sleep(wait)

    def _meaning(self) -> "Meaning":
        """The models that search asks, where the hub has them."""
        from tools.endpoint import Endpoint
        from tools.knowledge.meaning import EndpointEmbedder, EndpointReranker
        from tools.knowledge.searching import Models

        options = self._settings.knowledge
        embedding, rerank = self.pool("embedding"), self.pool("rerank")
        return Models(
            EndpointEmbedder(
                Endpoint(pool=embedding, setting="PARTITUR_EMBEDDING"),
                embedding.id,
                query_prefix=options.query_prefix,
                passage_prefix=options.passage_prefix,
            )
            if embedding
            else None,
            EndpointReranker(Endpoint(pool=rerank, setting=f"[models.{rerank.id}]")) if rerank else None,
            options.embedding_weight,
        )

    def _build_graph(self) -> "FastMCP":
        from tools.graph.server import build
        from tools.graph.store import Graph

        store = Graph(self.graph)
        self._closing.callback(store.close)
        self._refreshing.append(store.refresh)
        return build(
            self.graph, graph=store, reaches=self.collections, artifacts=self._artifacts, pool=self.pool("chat")
        )

    def _build_image(self) -> "FastMCP":
        from tools.image.server import build

        return build(self.image, artifacts=self._artifacts, pool=self.pool("image"))

    def _build_knowledge(self) -> "FastMCP":
        from tools.knowledge.server import build

        return build(self.knowledge, library=self.shelf)

    def _build_speech(self) -> "FastMCP":
        from tools.speech.server import build

        return build(self.speech, artifacts=self._artifacts, pool=self.pool("speech"))

    def _build_tables(self) -> "FastMCP":
        from tools.tables.server import build
        from tools.tables.store import Tables

        store = Tables(self.tables)
        self._closing.callback(store.close)
        self._refreshing.append(store.refresh)
        return build(
            self.tables, tables=store, reaches=self.collections, artifacts=self._artifacts, pool=self.pool("chat")
        )

    def _build_translation(self) -> "FastMCP":
        from tools.translation.server import build

        return build(self.translation, pool=self.pool("chat"))


def _refs(package: "ModuleType") -> list[ToolRef[Any, Any]]:
    """The tools that a server's folder declares."""
    return [value for value in vars(package).values() if isinstance(value, ToolRef)]
