"""Cuts a stored text by its structure into chunks with exact offsets: headings, paragraphs, whole tables."""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tools.language import Language, sentences

__all__ = ["Chunk", "Section", "by_page", "cut", "sections", "trimmed"]

_WHOLE = 1500  # code points that still are one chunk
_FILL = 1100  # a longer section is cut into chunks of about this size
_SMALL = 250  # a smaller rest joins the chunk before it
_TABLE = 6000  # a table is kept whole up to here
_SENTENCE = 4000  # what has no sentence ends is cut at blanks
_LINE = re.compile(r"[^\n]*\n?")
_HEADING = re.compile(r"(#{1,6})[ \t]+(\S.*)")


@dataclass(frozen=True, slots=True)
class Chunk:
    """Code-point offsets, half-open, into the stored text, and what stands above."""

    start: int
    end: int
    headings: tuple[str, ...]
    heading_start: int | None
    """Where the last of `headings` stands."""
    page: int | None
    context: str = ""
    """Header of a table whose later rows this chunk holds: indexed with it, not part of its text."""


@dataclass(frozen=True, slots=True)
class _Block:
    start: int
    end: int
    table: bool


@dataclass(frozen=True, slots=True)
class Section:
    """What stands below one heading, up to the next."""

    start: int
    end: int
    headings: tuple[str, ...]
    heading_start: int | None


def cut(text: str, *, language: Language, pages: Sequence[int] = (), title: str = "") -> list[Chunk]:
    """Cuts `text`; `pages` are the offsets at which pages begin, ascending.

    Chunks never cross a heading, so that the heading path of a chunk holds for each quote in it. A heading that
    repeats the document's title is left out of the path.
    """
    found: list[Chunk] = []
    for headings, heading_start, blocks in _sections(text, title):
        for begin, until, context in by_page(text, _pack(text, blocks, language), pages, language):
            start, end = trimmed(text, begin, until)
            if start < end:
                page = bisect_right(pages, start) if pages else None
                found.append(Chunk(start, end, headings, heading_start, page, context))
    if not found and (whole := text.strip()):  # nothing but headings
        start = text.index(whole)
        found.append(Chunk(start, min(start + _SENTENCE, start + len(whole)), (), None, 1 if pages else None))
    return found


def sections(text: str, title: str) -> Iterator[Section]:
    """The sections of `text` that hold more than headings."""
    for headings, heading_start, blocks in _sections(text, title):
        yield Section(blocks[0].start, blocks[-1].end, headings, heading_start)


def trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """The same stretch without white space around it."""
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end


def by_page(
    text: str, packed: Iterator[tuple[int, int, str]], pages: Sequence[int], language: Language
) -> Iterator[tuple[int, int, str]]:
    """Cuts where the first sentence of a new page begins, so that a chunk's page holds for each quote in it."""
    for start, end, context in packed:
        begin = start
        for page in pages[bisect_right(pages, start) : bisect_right(pages, end - 1)]:
            spans = sentences(text[begin:end], language)
            at = next((begin + span.start for span in spans if begin + span.start >= page), end)
            if begin < at < end:
                yield begin, at, context
                begin = at
        yield begin, end, context


def _sections(text: str, title: str) -> Iterator[tuple[tuple[str, ...], int | None, list[_Block]]]:
    path: list[tuple[int, str, int]] = []
    blocks: list[_Block] = []
    begin: int | None = None
    table = False
    at = 0

    def above() -> tuple[tuple[str, ...], int | None]:
        shown = path[1:] if path and path[0][1] == title else path
        return tuple(name for _, name, _ in shown), shown[-1][2] if shown else None

    for found in _LINE.finditer(text):
        line = found.group()
        if not line:
            break
        at = found.start()
        heading = _HEADING.match(line)
        row = line.startswith("|")
        if begin is not None and (heading or not line.strip() or row != table):
            blocks.append(_Block(begin, at, table))
            begin = None
        if heading:
            if blocks:
                yield *above(), blocks
                blocks = []
            level = len(heading[1])
            while path and path[-1][0] >= level:
                path.pop()
            path.append((level, heading[2].strip(), at + heading.start(2)))
        elif line.strip() and begin is None:
            begin, table = at, row
        at = found.end()
    if begin is not None:
        blocks.append(_Block(begin, at, table))
    if blocks:
        yield *above(), blocks


def _pack(text: str, blocks: list[_Block], language: Language) -> Iterator[tuple[int, int, str]]:
    if blocks[-1].end - blocks[0].start <= _WHOLE:
        yield blocks[0].start, blocks[-1].end, ""
        return
    packed: list[tuple[int, int, str]] = []
    for start, end, context in (piece for block in blocks for piece in _pieces(text, block, language)):
        if packed and not context and not packed[-1][2]:
            before, until, _ = packed[-1]
            if end - before <= _FILL or (min(end - start, until - before) < _SMALL and end - before <= _WHOLE):
                packed[-1] = (before, end, "")
                continue
        packed.append((start, end, context))
    yield from packed


def _pieces(text: str, block: _Block, language: Language) -> Iterator[tuple[int, int, str]]:
    """Parts of a block that may stand alone: the block itself, its sentences, or rows of a very long table."""
    size = block.end - block.start
    if block.table:
        if size <= _TABLE:
            yield block.start, block.end, ""
        else:
            yield from _rows(text, block)
        return
    if size <= _FILL:
        yield block.start, block.end, ""
        return
    begin = block.start
    last = block.start
    for span in sentences(text[block.start : block.end], language):
        end = block.start + span.end
        if end - begin > _FILL and last > begin:
            yield begin, last, ""
            begin = last
        for at in _blanks(text, begin, end):  # one endless sentence
            yield begin, at, ""
            begin = at
        last = end
    if begin < block.end:
        yield begin, block.end, ""


def _blanks(text: str, start: int, end: int) -> Iterator[int]:
    while end - start > _SENTENCE:
        at = text.rfind(" ", start + _FILL, start + _SENTENCE)
        start = at + 1 if at > 0 else start + _SENTENCE
        yield start


def _rows(text: str, block: _Block) -> Iterator[tuple[int, int, str]]:
    lines = [(found.start(), found.end()) for found in _LINE.finditer(text, block.start, block.end) if found.group()]
    header = text[lines[0][0] : lines[0][1]].strip()[:_SENTENCE]
    begin = block.start
    for start, end in lines:
        if end - begin > _TABLE // 2 and start > begin:
            yield begin, start, "" if begin == block.start else header
            begin = start
        for at in _blanks(text, begin, end) if end - begin > _TABLE else ():  # one endless row
            yield begin, at, "" if begin == block.start else header
            begin = at
    yield begin, block.end, "" if begin == block.start else header
