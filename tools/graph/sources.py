"""What the graph is built of: nodes and edges, each with the passage or the line that says so, kept source by source.

A source is a set of lists, or what was taken from one document. It belongs to a tenant and a collection and may narrow
the collection's readers; all it brings is readable for whom the source is. The same node or edge may come from several
sources.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from tools.base.access import DEFAULT

__all__ = ["Counts", "Edge", "Node", "Origin", "Source"]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a node or an edge was found, and who may read it: a passage of a document, or a line of a file."""

    tenant: str
    collection: str = DEFAULT
    readers: tuple[str, ...] | None = None
    """Principals that may read it; None = whoever reads the collection."""
    document: str | None = None
    title: str | None = None
    heading: str | None = None
    page: int | None = None
    start: int | None = None
    """Code points into the stored text, half-open, as in `Citation`: `quote == stored_text[start:end]`."""
    end: int | None = None
    quote: str | None = None
    file: str | None = None
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Node:
    """A thing. `(tenant, label, id)` says which: where several origins name it, it is one node."""

    id: str
    label: str
    """As people write it; in Cypher it loses spaces and umlauts."""
    name: str
    description: str
    properties: Mapping[str, str]
    origin: Origin


@dataclass(frozen=True, slots=True)
class Edge:
    """A relation between the nodes with the ids `source` and `target`. Where an id stands under several labels, the
    node of the edge's own source is meant."""

    source: str
    type: str
    target: str
    since: str
    properties: Mapping[str, str]
    origin: Origin


@dataclass(frozen=True, slots=True)
class Source:
    """What is replaced and forgotten as one: `(tenant, collection, document, name)` says which."""

    tenant: str
    collection: str = DEFAULT
    name: str = "lists"
    """Which lists; for a document, who took it out: 'rules', 'model'."""
    document: str | None = None
    title: str | None = None
    readers: tuple[str, ...] | None = None
    version: str = ""
    """What the document was when it was read, to see whether it must be read again."""

    def origin(
        self,
        *,
        heading: str | None = None,
        page: int | None = None,
        start: int | None = None,
        end: int | None = None,
        quote: str | None = None,
        file: str | None = None,
        line: int | None = None,
    ) -> Origin:
        """A place in this source."""
        return Origin(
            tenant=self.tenant,
            collection=self.collection,
            readers=self.readers,
            document=self.document,
            title=self.title,
            heading=heading,
            page=page,
            start=start,
            end=end,
            quote=quote,
            file=file,
            line=line,
        )


@dataclass(frozen=True, slots=True)
class Counts:
    """How much there is, or was."""

    sources: int = 0
    nodes: int = 0
    edges: int = 0
