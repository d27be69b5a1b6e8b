"""Footnotes of a page: every quote gets a number, a place where it is called, and a way back."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import groupby
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from tools.base import Citation

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

__all__ = ["Note", "Notes", "by_document", "of_input"]

_OPEN, _CLOSE = "\ue000", "\ue001"
"""Around a note's number while the text around it becomes HTML; private-use characters, taken out of texts before."""


@dataclass
class Note:
    """A quote with its number."""

    number: int
    citation: Citation
    calls: list[str] = field(default_factory=list[str])
    """Ids of the places in the text that call it."""

    @property
    def quotes_input(self) -> bool:
        return of_input(self.citation)


class Notes:
    """Collects the notes of one page, numbered in the order in which the text calls them.

    Args:
        label: what a screen reader says before a number, for example 'Quelle'.
        markdown: the texts are Markdown; otherwise they are shown as they are.
    """

    def __init__(self, label: str, *, markdown: bool) -> None:
        self._label = label
        self._markdown = markdown
        self._notes: dict[tuple[str, int, int], Note] = {}

    @property
    def all(self) -> list[Note]:
        return list(self._notes.values())

    def add(self, citations: Sequence[Citation]) -> None:
        """Lists quotes that no text calls."""
        for citation in citations:
            self._note(citation)

    def text(self, text: str, sources: Sequence[Citation] = (), *, calls_all: bool = True) -> Markup:
        """A text as paragraphs; after each quote its number. A quote that is not found is called at the end.

        Args:
            text: plain text or Markdown; never trusted.
            sources: the quotes it may hold.
            calls_all: also call those that are not found in it.
        """
        marked = self._with_numbers(text.translate({0xE000: None, 0xE001: None}), sources, calls_all)
        if self._markdown:
            html = _renderer().render(marked)
        else:
            blocks = re.split(r"\n\s*\n", marked.strip())
            html = "\n".join(f"<p>{escape(' '.join(block.split()))}</p>" for block in blocks if block.strip())
        return Markup(re.sub(rf"\s*{_OPEN}(\d+){_CLOSE}", lambda match: self._call(int(match[1])), html))

    def line(self, text: str, sources: Sequence[Citation] = ()) -> Markup:
        """A text within a paragraph, plain, with its numbers."""
        marked = self._with_numbers(text.translate({0xE000: None, 0xE001: None}), sources, calls_all=False)
        html = str(escape(" ".join(marked.split())))
        return Markup(re.sub(rf"\s*{_OPEN}(\d+){_CLOSE}", lambda match: self._call(int(match[1])), html))

    @staticmethod
    def holds(text: str, citation: Citation) -> bool:
        """Whether the quote stands in `text`."""
        return _end_of(citation.quote, text) is not None

    def _with_numbers(self, text: str, sources: Sequence[Citation], calls_all: bool) -> str:
        places: list[tuple[int, Citation]] = []
        left: list[Citation] = []
        for citation in {(one.document, one.start, one.end): one for one in sources}.values():
            end = _end_of(citation.quote, text)
            if end is None:
                left.append(citation)
            else:
                places.append((end, citation))
        places.sort(key=lambda place: place[0])
        parts: list[str] = []
        at = 0
        for end, citation in places:
            parts += [text[at:end], self._token(citation)]
            at = end
        parts.append(text[at:].rstrip())
        return "".join(parts) + "".join(self._token(citation) for citation in left if calls_all)

    def _token(self, citation: Citation) -> str:
        return f"{_OPEN}{self._note(citation).number}{_CLOSE}"

    def _note(self, citation: Citation) -> Note:
        key = (citation.document, citation.start, citation.end)
        return self._notes.setdefault(key, Note(len(self._notes) + 1, citation))

    def _call(self, number: int) -> str:
        note = self.all[number - 1]
        place = f"z{number}" if not note.calls else f"z{number}-{len(note.calls) + 1}"
        note.calls.append(place)
        label = escape(f"{self._label} {number}")
        return f'<sup class="call"><a id="{place}" href="#q{number}" aria-label="{label}">{number}</a></sup>'


def by_document(notes: Sequence[Note]) -> list[list[Note]]:
    """Notes that follow each other and come from the same document, together."""
    return [list(group) for _, group in groupby(notes, key=lambda note: note.citation.document)]


def of_input(citation: Citation) -> bool:
    """Whether it quotes what was sent, which needs no list of sources."""
    return citation.document == "input" or citation.document.startswith("input:")


def _end_of(quote: str, text: str) -> int | None:
    """Where `quote` ends in `text`; blanks and line ends count alike."""
    words = quote.split()
    found = re.search(r"\s+".join(map(re.escape, words)), text) if words else None
    return found.end() if found else None


@cache
def _renderer() -> "MarkdownIt":
    """Markdown without HTML and without pictures: nothing a text says can load anything."""
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
