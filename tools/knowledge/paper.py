"""Reads PDF: lines joined to paragraphs, headings told by their size, and the offset at which each page begins."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from tools.knowledge.formats import Extract, Limits, Unreadable

__all__ = ["read_pdf"]

_MAX_PAGES = 20_000
_GAP = 1.7  # line pitch in font sizes above which a paragraph ends
_FULL = 0.85  # of the widest line of a page: a shorter line was ended on purpose
_LARGER = 1.15  # of the body's font size: a heading
_HYPHENS = "-\u00ad\u2010\ufffe\x02"


@dataclass(frozen=True, slots=True)
class _Line:
    text: str
    size: float
    """Font size in points."""
    top: float
    """Distance of its base line from the page's bottom, in points."""
    cells: bool
    """Whether wide gaps part it, as in a table."""


def read_pdf(data: bytes, limits: Limits) -> Extract:
    """Text of all pages in reading order as the file gives it.

    Raises:
        Unreadable: it is no PDF, is locked with a password, or has too many pages.
    """
    import pypdfium2 as pdfium

    if b"%PDF-" not in data[:1024]:
        raise Unreadable("The content is no PDF. Expected a file that begins with '%PDF-'.")
    try:
        document = pdfium.PdfDocument(data)
    except pdfium.PdfiumError as error:
        locked = "password" in str(error).lower()
        reason = "It is locked with a password" if locked else f"The PDF is damaged: {error}"
        raise Unreadable(f"{reason}. Expected a PDF that opens without one.") from error
    with document:
        if len(document) > _MAX_PAGES:
            raise Unreadable(f"The PDF has {len(document):,} pages. Expected at most {_MAX_PAGES:,}.")
        pages: list[list[_Line]] = []
        total = 0
        for number in range(len(document)):
            page = document[number]
            lines = list(_lines(page))
            page.close()
            total += sum(len(line.text) for line in lines)
            if total > limits.text_chars:
                raise Unreadable(f"The text has more than {limits.text_chars:,} code points. Split the file.")
            pages.append(lines)
        title = str(document.get_metadata_dict().get("Title") or "").strip()
    text, starts = _joined(_without_furniture(pages))
    if not text:
        raise Unreadable("The PDF has no text. A scanned document needs text recognition first.")
    heading = next((line.lstrip("# ") for line in text.split("\n") if line.startswith("#")), "")
    return Extract(text, title=heading or title, pages=starts)


def _lines(page: object) -> Iterator[_Line]:
    import ctypes

    import pypdfium2 as pdfium
    from pypdfium2 import raw

    assert isinstance(page, pdfium.PdfPage)
    textpage = page.get_textpage()
    handle = textpage.raw
    x, y = ctypes.c_double(), ctypes.c_double()
    words: list[str] = []
    first = -1
    for index in range(raw.FPDFText_CountChars(handle) + 1):
        code = raw.FPDFText_GetUnicode(handle, index) if index < raw.FPDFText_CountChars(handle) else 10
        if code == 13 or (code == 0 and index):
            continue
        if code != 10:
            if first < 0 and code not in (32, 160):
                first = index
            words.append(chr(code) if code < 0x110000 else "\ufffd")
            continue
        line = "".join(words)
        words.clear()
        if first >= 0 and line.strip():
            raw.FPDFText_GetCharOrigin(handle, first, x, y)
            size = float(raw.FPDFText_GetFontSize(handle, first))
            yield _Line(" ".join(line.split()), size, y.value, "   " in line)
        first = -1
    textpage.close()


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


def _joined(pages: list[list[_Line]]) -> tuple[str, list[int]]:
    sizes = Counter[float]()
    for page in pages:
        for line in page:
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
        widest = max((len(line.text) for line in page), default=0)
        fresh = True
        for line in page:
            level = larger.index(round(line.size, 1)) + 1 if round(line.size, 1) in larger else 0
            same = before is not None and round(before.size, 1) == round(line.size, 1)
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
