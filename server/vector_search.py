"""Searches vector stores for a caller: the collections of the knowledge base, by question and by attributes of files."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agents.kit import Act
from server.vector_filter import Comparison, Compound, fits
from tools.base import Caller, Passage

if TYPE_CHECKING:
    from server.house import House
    from server.state.vector_files import VectorFile, VectorFiles
    from server.state.vector_stores import VectorStores

__all__ = ["Hit", "VectorSearch"]


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage of a file in a store. `score` is relative to the best one's of the same search."""

    file: str
    name: str
    score: float
    attributes: Mapping[str, Any]
    passage: Passage


@dataclass(frozen=True)
class VectorSearch:
    """What `/v1/vector_stores/{id}/search` and the file search of responses share."""

    house: "House"
    stores: "VectorStores"
    files: "VectorFiles"

    async def __call__(
        self,
        queries: Sequence[str],
        *,
        stores: Sequence[str],
        caller: Caller,
        limit: int = 10,
        filters: Comparison | Compound | None = None,
        least: float = 0.0,
    ) -> list[Hit]:
        """The passages that fit one of `queries` best.

        Args:
            queries: questions or some words.
            stores: ids of vector stores of the caller.
            caller: who asks.
            limit: how many passages there may be.
            filters: what the attributes of a passage's file must be.
            least: the lowest score.

        Raises:
            NotFound: a store is not there, or not for this caller.
            InvalidInput: a store has expired.
            Refused: a guard refused.
        """
        gate = self.house.runtime.gate
        act = Act(kind="tool", name="knowledge.search", caller=caller, trace_id=secrets.token_hex(16))
        gate.before(act, "\n".join(queries))
        best: dict[tuple[str, str, int], tuple[Passage, VectorFile]] = {}
        for store in stores:
            await self.stores.used(caller, store)
            sources = await self._sources(caller, store, filters)
            passages = [one for query in queries for one in await self._passages(query, store, caller, sources, limit)]
            files = await self.files.named(caller, store, {_file_of(passage) for passage in passages})
            for passage in passages:
                place = (store, passage.document, passage.start)
                file = files.get(_file_of(passage))
                if file and (place not in best or best[place][0].score < passage.score):
                    best[place] = passage, file
        found = sorted(best.values(), key=lambda one: -one[0].score)[:limit]
        gate.after(act, "\n".join(passage.text for passage, _ in found))
        top = found[0][0].score if found else 0.0
        hits = [_hit(passage, file, passage.score / top if top > 0 else 0.0) for passage, file in found]
        return [hit for hit in hits if hit.score >= least]

    async def _sources(self, caller: Caller, store: str, filters: Comparison | Compound | None) -> list[str] | None:
        """The files to keep to, as the knowledge base names them; None for all."""
        from server.state.vector_files import source_of

        if filters is None:
            return None
        kept = [file for file in await self.files.all(caller, store) if fits(filters, file.attributes)]
        return [source_of(file.file, file.name) for file in kept]

    async def _passages(
        self, query: str, store: str, caller: Caller, sources: Sequence[str] | None, limit: int
    ) -> Sequence[Passage]:
        if sources is not None and not sources:
            return []
        library = self.house.servers.library
        found = await library.search(query, caller=caller, shelf=store, limit=limit, sources=sources)
        return found.passages


def _file_of(passage: Passage) -> str:
    """The upload that a passage was made of: the ids of its documents begin with it."""
    return passage.document.partition("/")[0]


def _hit(passage: Passage, file: "VectorFile", score: float) -> Hit:
    return Hit(file.file, file.name, round(score, 4), file.attributes, passage)
