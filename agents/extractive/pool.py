"""The sentences that may be quoted, each with its passage and its place."""

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tools.base import Citation, Passage
from tools.language import Language, Span, sentences, tokens

__all__ = ["Form", "Sentence", "pool"]

Form = Literal["prose", "heading", "item", "row"]

_FINISHED = re.compile(r"""[.!…:;]["'»«“”‘’)\]*_]*$""")
_STOPS = re.compile(r"""[.!?…:;,]["'»«“”‘’)\]*_]*$""")
_ITEM = re.compile(r"[-*+•–·▪◦](?: \[[ xX]\])?|\(?(?:\d{1,3}|[a-z])[.)]")
_HEADING = 120
"""Code points; a line without an end mark that is longer is prose."""
_MARK = 200
"""Code points before a sentence that are looked at for the mark of a heading or an item."""
_ABOVE = 1000
"""Code points of the head of a table that its rows carry with them."""
_RULE = re.compile(r"[ \t]*\|?[ \t]*:?-{2,}:?[ \t]*(?:\||\n|$)")
_DIGIT = re.compile(r"\d")
_ASKS = re.compile(r"""\?["'»«“”‘’)\]*_]*$""")


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence, heading, list item or table row of a passage."""

    passage: Passage
    source: int
    """Index of the passage in the list it came from."""
    span: Span
    """Code points within the passage."""
    order: int
    """Its place within its passage, from 0."""
    text: str
    form: Form
    context: str
    """What stands above it and says what it is about: headings, and for a row the head of the table."""

    @property
    def asks(self) -> bool:
        return _ASKS.search(self.text) is not None

    @property
    def finished(self) -> bool:
        """It ends as a sentence does."""
        return _FINISHED.search(self.text) is not None

    @property
    def tells(self) -> bool:
        """It says something by itself: no heading, no question."""
        return self.form != "heading" and not self.asks

    @property
    def whole(self) -> bool:
        """It is no scrap of running text, such as a line of a column that a PDF tore apart."""
        return self.form != "prose" or self.finished or self.asks

    @property
    def leads(self) -> float:
        """1 at the very beginning of a document, less further down its first passage, half of that below a heading."""
        heading = self.passage.heading
        return (1.0 if heading is None or heading == self.passage.title else 0.5) / (1 + self.order)

    def cite(self, start: int = 0, end: int | None = None) -> Citation:
        """Cites it, or the code points from `start` to `end` of it."""
        return self.passage.cite(self.span.start + start, self.span.end if end is None else self.span.start + end)


def pool(passages: Sequence[Passage], language: Language) -> list[Sentence]:
    """All sentences of `passages` in order; what overlaps or repeats an earlier one is left out."""
    found: list[Sentence] = []
    taken: dict[str, list[tuple[int, int]]] = {}
    said: set[tuple[str, ...]] = set()
    for source, passage in enumerate(passages):
        head, last, line, before = "", 0, 0, 0
        for order, span in enumerate(sentences(passage.text, language)):
            text = passage.text[span.start : span.end]
            line = passage.text.rfind("\n", before, span.start) + 1 or line
            before = span.start
            form = _form(passage.text, span, line)
            if form != "row":
                head = ""
            elif not head or "\n\n" in passage.text[last : span.start]:
                head = text
            last = span.end
            if form == "row" and head == text and _is_head(passage.text, span):
                continue  # the head of a table says something only together with a row
            start, end = passage.start + span.start, passage.start + span.end
            words = tuple(tokens(text))
            places = taken.setdefault(passage.document, [])
            at = bisect_left(places, (start, end))
            if words in said or any(start < until and begin < end for begin, until in places[max(0, at - 1) : at + 1]):
                continue
            said.add(words)
            places.insert(at, (start, end))
            above = " ".join(part for part in (passage.title, passage.heading, head[:_ABOVE]) if part and part != text)
            found.append(Sentence(passage, source, span, order, text, form, above))
    return found


def _is_head(text: str, span: Span) -> bool:
    """Whether the first row of a table names its columns: a rule follows, or a row with numbers where it has none."""
    line = text.find("\n", span.end) + 1
    if not line:
        return False
    end = text.find("\n", line)
    following = text[line : end if end >= 0 else len(text)]
    if _RULE.match(following):
        return True
    return (
        following.lstrip().startswith("|") and not _DIGIT.search(text, *span) and _DIGIT.search(following) is not None
    )


def _form(text: str, span: Span, line: int) -> Form:
    """`line` is where the line begins that the sentence begins in."""
    mark = text[line : min(span.start, line + _MARK)].strip()
    if mark.startswith("|") or " | " in text[span.start : span.end]:
        return "row"
    if mark.startswith(("#", "==")):
        return "heading"
    if _ITEM.fullmatch(mark):
        return "item"
    after = text[span.end : span.end + 3].lstrip(" \t*_#")
    alone = not mark.strip("*_") and (not after or after.startswith("\n"))
    short = span.end - span.start <= _HEADING and "\n" not in text[span.start : span.end]
    return "heading" if alone and short and not _STOPS.search(text, span.start, span.end) else "prose"
