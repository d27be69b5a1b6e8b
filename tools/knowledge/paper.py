"""Reads PDF: lines joined to paragraphs, headings told by their size, tables, and the offset at which each page begins."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tools.knowledge.facts import date_of, metadata_of
from tools.knowledge.formats import Extract, Limits, Skip, Unreadable
from tools.knowledge.grids import Grid, grids
from tools.knowledge.rows import row_line
from tools.knowledge.scan import Scanner, scanned

if TYPE_CHECKING:
    import pypdfium2 as pdfium

__all__ = ["read_pdf"]

_MAX_PAGES = 20_000
_GAP = 1.7  # line pitch in font sizes above which a paragraph ends
_FULL = 0.85  # of the widest line of a page: a shorter line was ended on purpose
_LARGER = 1.15  # of the body's font size: a heading
_UNNAMED = frozenset(("", "anonymous", "unspecified", "untitled"))  # what programs write where nobody said
_NO_TEXT = {0: None, 13: None}
_HYPHENS = "-\u00ad\u2010\ufffe\x02"


@dataclass(frozen=True, slots=True)
class _Line:
    text: str
    size: float
    """Font size in points."""
    top: float
    """Distance of its base line from the page's bottom, in points."""
    grid: Grid | None = None
    """A table, which stands here as one line."""


def read_pdf(data: bytes, limits: Limits) -> Iterator[Extract | Skip]:
    """Text of all pages in reading order as the file gives it; scanned ones are recognised, or named as skipped.

    Raises:
        Unreadable: it is no PDF, is locked with a password, has no text, or too many pages.
    """
    import pypdfium2 as pdfium

    if b"%PDF-" not in data[:1024]:
        raise Unreadable("The content is no PDF. Expected a file that begins with '%PDF-'.")
    try:
        document = pdfium.PdfDocument(data)
    except pdfium.PdfiumError as error:
        locked = "password" in str(error).lower()
        if locked:
            raise Unreadable("It is locked with a password. Expected a PDF that opens without one.") from error
        raise Unreadable(f"The PDF is damaged: {str(error).rstrip('.')}. Expected one that a viewer opens.") from error
    with document:
        if len(document) > _MAX_PAGES:
            raise Unreadable(f"The PDF has {len(document):,} pages. Expected at most {_MAX_PAGES:,}.")
        pages: list[list[_Line]] = []
        total = 0
        lost: dict[int, str] = {}
        for number in range(len(document)):
            try:
                page = document[number]
            except pdfium.PdfiumError:
                lost[number + 1] = "It is damaged."
                pages.append([])
                continue
            lines = list(_lines(page))
            if not lines and scanned(page):
                try:
                    lines = list(_recognised(page))
                except Unreadable as error:
                    lost[number + 1] = str(error)
            page.close()
            total += sum(len(line.text) for line in lines)
            if total > limits.text_chars:
                raise Unreadable(f"The text has more than {limits.text_chars:,} code points. Split the file.")
            pages.append(lines)
        facts = ((key.lower(), value.strip()) for key, value in document.get_metadata_dict().items())
        said = {key: value for key, value in facts if value.strip("()").lower() not in _UNNAMED}
    text, starts = _joined(_with_headers(_without_furniture(pages)))
    if not text:
        raise Unreadable(f"The PDF has no text. {next(iter(lost.values()), 'Its pages are empty.')}")
    heading = next((line.lstrip("# ") for line in text.split("\n") if line.startswith("#")), "")
    yield Extract(
        text,
        title=heading or said.get("title", ""),
        pages=starts,
        date=date_of(said.get("moddate")) or date_of(said.get("creationdate")),
        metadata=metadata_of((key, said[key]) for key in ("author", "subject", "keywords") if key in said),
    )
    for reason in dict.fromkeys(lost.values()):
        places = [str(number) for number, why in lost.items() if why == reason]
        shown = ", ".join(places[:20]) + (" and more" if len(places) > 20 else "")
        yield Skip(f"page{'s' * (len(places) > 1)} {shown}", reason)


def _recognised(page: "pdfium.PdfPage") -> Iterator[_Line]:
    """Lines of a scanned page, without a size: that of recognised letters tells no headings."""
    scanner = Scanner.find()
    if scanner is None:
        raise Unreadable(
            "It is scanned, and 'tesseract' with German or English is not installed here. "
            "Install it, or recognise the text first."
        )
    top = 0.0
    for block in scanner.paragraphs(page):
        for line in block:
            yield _Line(line, 0.0, top)
            top -= 1.0
        top -= 2.0


def _lines(page: object) -> Iterator[_Line]:
    import ctypes

    import pypdfium2 as pdfium
    from pypdfium2 import raw

    assert isinstance(page, pdfium.PdfPage)
    textpage = page.get_textpage()
    handle = textpage.raw
    found = grids(page, textpage)
    shown: set[int] = set()
    x, y = ctypes.c_double(), ctypes.c_double()
    begin = 0
    for piece in _characters(textpage).split("\n"):
        line = " ".join(piece.translate(_NO_TEXT).split())
        first = begin + len(piece) - len(piece.lstrip(" \u00a0\r\0"))
        begin += len(piece) + 1
        if line:
            raw.FPDFText_GetCharOrigin(handle, first, x, y)
            size = float(raw.FPDFText_GetFontSize(handle, first))
            grid = next((one for one in found if one.holds(x.value, y.value)), None)
            if grid is None:
                yield _Line(line, size, y.value)
            elif id(grid) not in shown:
                shown.add(id(grid))
                yield _Line("\n".join(map(row_line, grid.rows)), size, grid.bottom, grid)
    textpage.close()


def _characters(textpage: "pdfium.PdfTextPage") -> str:
    """The characters of a page, each at the number that pdfium knows it by."""
    from pypdfium2 import raw

    count = raw.FPDFText_CountChars(textpage.raw)
    text = textpage.get_text_range() if count else ""
    if len(text) == count:
        return text
    # Some have no Unicode, and are left out of the text: they are asked for one by one.
    codes = (raw.FPDFText_GetUnicode(textpage.raw, index) for index in range(count))
    return "".join(chr(code) if code < 0x110000 else "\ufffd" for code in codes)


def _without_furniture(pages: list[list[_Line]]) -> list[list[_Line]]:
    """Leaves out what stands first or last on most pages, digits aside: running heads and page numbers."""

    def key(line: _Line) -> str:
        return "".join("0" if char.isdigit() else char for char in line.text)

    if len(pages) < 3:
        return pages
    seen = Counter(
        key(line) for page in pages for line in {id(line): line for line in (*page[:1], *page[-1:])}.values()
    )
    often = {name for name, count in seen.items() if count >= 3 and count > len(pages) // 2}
    return [
        [line for at, line in enumerate(page) if 0 < at < len(page) - 1 or key(line) not in often] for page in pages
    ]


def _with_headers(pages: list[list[_Line]]) -> list[list[_Line]]:
    """Repeats the header of a table that runs over to the next page, where the page itself does not."""
    above: Grid | None = None
    for page in pages:
        for at, line in enumerate(page):
            grid = line.grid
            if grid is None:
                continue
            if above is not None and at < 2 and _alike(above, grid):
                header = above.rows[0]
                if grid.rows[0] != header:
                    grid = replace(grid, rows=[header, *grid.rows])
                    page[at] = replace(line, text="\n".join(map(row_line, grid.rows)), grid=grid)
            above = grid
        # At most a foot may stand between it and the page's end.
        above = next((line.grid for line in page[-2:] if line.grid is not None and line.grid is above), None)
    return pages


def _alike(one: Grid, other: Grid) -> bool:
    return len(one.columns) == len(other.columns) and all(
        abs(left - right) < 3 for left, right in zip(one.columns, other.columns, strict=True)
    )


def _joined(pages: list[list[_Line]]) -> tuple[str, list[int]]:
    sizes = Counter[float]()
    for page in pages:
        for line in page:
            if line.size:
                sizes[round(line.size, 1)] += len(line.text)
    body = sizes.most_common(1)[0][0] if sizes else 0.0
    larger = sorted({size for size in sizes if size > body * _LARGER}, reverse=True)[:4]
    parts: list[str] = []
    length = 0
    starts: list[int] = []

    def put(piece: str) -> None:
        nonlocal length
        parts.append(piece)
        length += len(piece)

    before: _Line | None = None
    for page in pages:
        widest = max((len(line.text) for line in page if line.grid is None), default=0)
        fresh = True
        for line in page:
            tabular = line.grid is not None or (before is not None and before.grid is not None)
            level = larger.index(round(line.size, 1)) + 1 if line.grid is None and round(line.size, 1) in larger else 0
            same = before is not None and not tabular and round(before.size, 1) == round(line.size, 1)
            close = before is not None and (fresh or 0 < before.top - line.top <= _GAP * max(line.size, 1.0))
            if not parts:
                pass
            elif (
                before is not None
                and same
                and close
                and _runs_on(before.text, line.text, widest, heading=level > 0, fresh=fresh)
            ):
                if before.text[-1] in _HYPHENS and line.text[0].islower():
                    length -= 1
                    parts[-1] = parts[-1][:-1]
                else:
                    put(" ")
                level = 0
            elif same and close and not level and not fresh:
                put("\n")
            else:
                put("\n\n")
            if fresh:
                starts.append(length)
                fresh = False
            put(("#" * level + " " if level else "") + line.text)
            before = line
        if fresh:  # an empty page
            starts.append(length)
    return "".join(parts), starts


def _runs_on(before: str, after: str, widest: int, *, heading: bool, fresh: bool) -> bool:
    """Whether a line continues the one before it."""
    if heading:
        return not fresh
    if after[0] in "-•–*▪|" or (fresh and before[-1] in ".!?:;"):
        return False
    # A line is full where the next word would not have fitted; German words are long.
    full = len(before) >= _FULL * widest or len(before) + len(after.split(maxsplit=1)[0]) >= _FULL * widest
    return full or before[-1] in _HYPHENS
