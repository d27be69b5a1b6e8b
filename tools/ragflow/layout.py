"""The text of a document of RAGFlow: its chunks joined in their order, and where each of them stands in it.

RAGFlow keeps no offsets into an original text. What citations point into is therefore this text, which is the same
each time as long as the chunks are.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from tools.base import Around
from tools.knowledge.formats import suffix_of
from tools.ragflow.shapes import Chunk

__all__ = ["Layout", "Span", "lay_out"]

_BETWEEN = "\n\n"
_PAGED = {".pdf", ".ppt", ".pptx"}
"""Files whose chunks tell a page; for all others RAGFlow puts the number of the chunk in its place."""


@dataclass(frozen=True, slots=True)
class Span:
    """Where a chunk stands."""

    start: int
    end: int
    page: int | None


@dataclass(frozen=True, slots=True)
class Layout:
    """A document's text with the places of its chunks, in their order."""

    text: str
    spans: dict[str, Span]
    listed: int = 0
    """Chunks that RAGFlow lists, with those that are switched off or empty."""

    @property
    def pages(self) -> int | None:
        """The last page that a chunk stands on; null where there are none."""
        return max((span.page for span in self.spans.values() if span.page is not None), default=None)

    def around(self, chunk: str, reach: int) -> Around:
        """The chunk with up to `reach` neighbours on each side."""
        order = list(self.spans)
        at = order.index(chunk)
        start = self.spans[order[max(0, at - reach)]].start
        end = self.spans[order[min(len(order) - 1, at + reach)]].end
        return Around(start=start, end=end, text=self.text[start:end])


def _order(numbered: tuple[int, Chunk]) -> tuple[int, float, int, str]:
    """By place, then by id: of two at one place RAGFlow lists now this first, now that. As listed where there is none."""
    at, chunk = numbered
    return (1 << 30, 0.0, at, "") if chunk.place is None else (*chunk.place, 0, chunk.id)


def lay_out(chunks: Iterable[Chunk], name: str) -> Layout:
    """Joins `chunks`, as they were listed, by their places; what is switched off or empty is left out."""
    paged = suffix_of(name) in _PAGED
    listed = list(chunks)
    known = [(at, chunk) for at, chunk in enumerate(listed) if chunk.available and chunk.content.strip()]
    known.sort(key=_order)
    parts: list[str] = []
    spans: dict[str, Span] = {}
    start = 0
    for _, chunk in known:
        if chunk.id in spans:
            continue
        if parts:
            start += len(_BETWEEN)
        page = chunk.place[0] if paged and chunk.place is not None and chunk.place[0] > 0 else None
        spans[chunk.id] = Span(start, start + len(chunk.content), page)
        parts.append(chunk.content)
        start += len(chunk.content)
    return Layout(_BETWEEN.join(parts), spans, len(listed))
