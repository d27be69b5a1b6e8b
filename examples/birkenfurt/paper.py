"""Prints a document of Birkenfurt as PDF, the same bytes each time."""

from __future__ import annotations

import io
from html import escape
from typing import Final

from reportlab.lib.colors import HexColor
from reportlab.lib.enums import TA_LEFT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import BaseDocTemplate, Flowable, Frame, ListFlowable, PageTemplate
from reportlab.platypus import Paragraph as Text
from reportlab.platypus import Table as Grid
from reportlab.platypus import TableStyle as GridStyle

from examples.birkenfurt.source import Heading, Items, Paragraph, Source, Table

# Helvetica is built into every reader; its encoding holds umlauts, §, € and the German dashes.
BODY: Final = ParagraphStyle("body", fontName="Helvetica", fontSize=10.5, leading=15, spaceAfter=7, alignment=TA_LEFT)
CELL: Final = ParagraphStyle("cell", BODY, fontSize=9.5, leading=12.5, spaceAfter=0)
HEAD_CELL: Final = ParagraphStyle("head cell", CELL, fontName="Helvetica-Bold")
HEADS: Final = {
    1: ParagraphStyle("h1", BODY, fontName="Helvetica-Bold", fontSize=19, leading=24, spaceAfter=12),
    2: ParagraphStyle("h2", BODY, fontName="Helvetica-Bold", fontSize=14, leading=18, spaceBefore=9, keepWithNext=1),
    3: ParagraphStyle("h3", BODY, fontName="Helvetica-Bold", fontSize=12, leading=16, spaceBefore=5, keepWithNext=1),
}
GRID: Final = GridStyle(
    [
        ("GRID", (0, 0), (-1, -1), 0.5, HexColor("#9aa5a4")),
        ("BACKGROUND", (0, 0), (-1, 0), HexColor("#e6f0ef")),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
    ]
)


class Mark(Flowable):
    """An invisible entry in the PDF's outline, at the place where it stands."""

    def __init__(self, text: str, key: str, level: int) -> None:
        super().__init__()
        self.text, self.key, self.level = text, key, level
        self.width = self.height = 0
        self.keepWithNext = 1

    def draw(self) -> None:
        """Writes the bookmark; called by reportlab when the place on the page is known."""
        self.canv.bookmarkHorizontal(self.key, 0, 20)
        self.canv.addOutlineEntry(self.text, self.key, level=self.level)


def as_pdf(source: Source) -> bytes:
    """The document as PDF, A4, with page numbers, metadata and an outline of its headings."""
    story: list[Flowable] = [Mark(source.title, "title", 0), _text(source.title, HEADS[1])]
    for number, block in enumerate(source.blocks):
        match block:
            case Heading(level, text):
                story += [Mark(text, f"h{number}", level - 1), _text(text, HEADS[level])]
            case Paragraph(text):
                story.append(_text(text, BODY))
            case Items(ordered, items):
                rows = [_text(item, BODY) for item in items]
                story.append(ListFlowable(rows, bulletType="1" if ordered else "bullet"))
            case Table(header, rows):
                story.append(_grid(header, rows))
    story.append(_text(source.as_of, BODY))
    buffer = io.BytesIO()
    paper = BaseDocTemplate(
        buffer,
        pagesize=A4,
        leftMargin=25 * mm,
        rightMargin=25 * mm,
        topMargin=22 * mm,
        bottomMargin=24 * mm,
        title=source.title,
        author="Stadt Birkenfurt",
        lang={"de": "de-DE", "en": "en-GB"}[source.language],
        invariant=1,
        pageCompression=0,  # zlib's output varies between builds
    )

    def footer(canvas: Canvas, _: BaseDocTemplate) -> None:
        word = "Seite" if source.language == "de" else "Page"
        canvas.setFont("Helvetica", 8.5)
        canvas.drawString(25 * mm, 13 * mm, "Stadt Birkenfurt")
        canvas.drawRightString(A4[0] - 25 * mm, 13 * mm, f"{word} {canvas.getPageNumber()}")

    frame = Frame(paper.leftMargin, paper.bottomMargin, paper.width, paper.height, 0, 0, 0, 0)
    # At the end of the page, so that who reads the PDF as text meets the footer after the page and not before.
    paper.addPageTemplates(PageTemplate(frames=[frame], onPageEnd=footer))
    paper.build(story)
    return buffer.getvalue()


def _text(text: str, style: ParagraphStyle) -> Flowable:
    return Text(escape(text, quote=False), style)


def _grid(header: list[str], rows: list[list[str]]) -> Flowable:
    cells = [[_text(cell, HEAD_CELL) for cell in header], *([_text(cell, CELL) for cell in row] for row in rows)]
    width = (A4[0] - 50 * mm) / len(header)
    return Grid(cells, colWidths=[width] * len(header), style=GRID, repeatRows=1, spaceBefore=4, spaceAfter=12)
