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
            files = {file.file: file for file in await self.files.all(caller, store)}
            for query in queries:
                for passage in await self._passages(query, store, caller, files, filters, limit):
                    file = files.get(passage.document.partition("/")[0])
                    place = (store, passage.document, passage.start)
                    if file and (place not in best or best[place][0].score < passage.score):
                        best[place] = passage, file
        found = sorted(best.values(), key=lambda one: -one[0].score)[:limit]
        gate.after(act, "\n".join(passage.text for passage, _ in found))
        top = found[0][0].score if found else 0.0
        hits = [_hit(passage, file, passage.score / top if top > 0 else 0.0) for passage, file in found]
        return [hit for hit in hits if hit.score >= least]

    async def _passages(
        self,
        query: str,
        store: str,
        caller: Caller,
        files: "Mapping[str, VectorFile]",
        filters: Comparison | Compound | None,
        limit: int,
    ) -> Sequence[Passage]:
        from server.state.vector_files import source_of

        sources = None
        if filters is not None:
            kept = [file for file in files.values() if fits(filters, file.attributes)]
            sources = [source_of(file.file, file.name) for file in kept]
            if not sources:
                return []
        library = self.house.servers.library
        found = await library.search(query, caller=caller, collection=store, limit=limit, sources=sources)
        return found.passages


def _hit(passage: Passage, file: "VectorFile", score: float) -> Hit:
    return Hit(file.file, file.name, round(score, 4), file.attributes, passage)
