"""Brings the graph up to date with documents: reads those that are new or changed, forgets those that are gone."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from anyio.to_thread import run_sync

from tools.base.citation import Passage
from tools.endpoint import Endpoint
from tools.graph import GraphConfig
from tools.graph.extracting import ADMINISTRATION, Extraction, Report, read
from tools.graph.loading import Brought, forget, keep
from tools.graph.records import Records
from tools.graph.rules import Paper
from tools.graph.sources import Edge, Node, Source
from tools.graph.store import generations
from tools.graph.views import RECORDS
from tools.language import Language

__all__ = ["NAME", "Gathered", "Offer", "gather"]

NAME = "text"
"""The source of what was taken out of a document's text."""
_RULES = 3
"""Counted up when the rules find, or cite, other things than before: every document is then read again."""
_AT_ONCE = 2_000
"""Documents whose findings are held in memory and written together."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A document that is there now; `read` gives its passages in their order, where it must be read."""

    document: str
    title: str
    language: Language
    version: str
    """Another one after each change of the document or of its readers."""
    readers: tuple[str, ...] | None
    read: Callable[[], Awaitable[Sequence[Passage]]]


@dataclass(slots=True)
class Gathered:
    """What was done."""

    unchanged: int = 0
    removed: int = 0
    taken: Report = field(default_factory=Report)


async def gather(
    offers: Sequence[Offer],
    *,
    config: GraphConfig,
    tenant: str,
    collection: str,
    town: str | None = None,
    endpoint: Endpoint | None = None,
    schema: Extraction = ADMINISTRATION,
    again: bool = False,
    on_progress: Callable[[float, float, str], None] = lambda done, total, message: None,
) -> Gathered:
    """Reads what is new or changed among all documents of a collection into the graph, and takes out what is gone.

    `town` is that of `findings`; `again` reads the unchanged ones, too. Killed at any time, what was written stays, and
    the next call goes on from there.

    Raises:
        Unavailable: another process is loading.
    """
    done = Gathered()
    how = f"rules {_RULES}, town {town or '-'}, model {endpoint.pool.id if endpoint else '-'}"
    before = await run_sync(_versions, config, tenant, collection)
    if gone := before.keys() - {offer.document for offer in offers}:
        await run_sync(lambda: forget(tenant, collection, sorted(gone), config=config))
        done.removed = len(gone)
    due = [offer for offer in offers if again or before.get(offer.document) != f"{offer.version}, {how}"]
    done.unchanged = len(offers) - len(due)
    for first in range(0, len(due), _AT_ONCE):
        held: list[Brought] = []
        for number, offer in enumerate(due[first : first + _AT_ONCE], first):
            on_progress(number, len(due), offer.document)
            source = Source(
                tenant, collection, NAME, offer.document, offer.title, offer.readers, f"{offer.version}, {how}"
            )
            paper = Paper(source, offer.language, await offer.read())
            nodes: list[Node] = []
            edges: list[Edge] = []
            async for item in read(paper, town=town, endpoint=endpoint, schema=schema, report=done.taken):
                if isinstance(item, Node):
                    nodes.append(item)
                else:
                    edges.append(item)
            held.append(Brought(source, nodes, edges))
        on_progress(min(first + _AT_ONCE, len(due)), len(due), "writing")
        await run_sync(lambda held=held: keep(held, config=config))
    return done


def _versions(config: GraphConfig, tenant: str, collection: str) -> dict[str, str]:
    folder = generations(config).folder()
    if folder is None or not (folder / RECORDS).is_file():
        return {}
    records = Records.open(folder / RECORDS)
    try:
        return records.versions(tenant, collection, NAME)
    finally:
        records.close()
