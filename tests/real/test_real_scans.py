"""Scanned pages, recognised by a real tesseract through the real ingestion."""

import io
from importlib.util import find_spec
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from tools.base import Caller
from tools.knowledge import KnowledgeConfig
from tools.knowledge.library import Inline, Library

pytestmark = [pytest.mark.anyio, pytest.mark.real, pytest.mark.timeout(300)]
ANNA = Caller(subject="anna")
LINES = (
    "Die Gebühr für den Anwohnerparkplatz beträgt",
    "einunddreißig Euro im Jahr. Anträge nimmt das",
    "Bürgerbüro entgegen.",
)


def scan() -> bytes:
    """A page of text, and one that is nothing but a picture of some."""
    picture = Image.new("L", (2480, 1200), 255)
    draw = ImageDraw.Draw(picture)
    spec = find_spec("font_source_sans_pro")
    assert spec is not None
    assert spec.origin is not None
    font = ImageFont.truetype(Path(spec.origin).parent / "files" / "SourceSansPro-Regular.otf", 64)
    for number, line in enumerate(LINES):
        draw.text((200, 150 + 90 * number), line, fill=0, font=font)
    out = io.BytesIO()
    canvas = Canvas(out)
    canvas.drawString(50, 700, "Die erste Seite hat Text.")
    canvas.showPage()
    canvas.drawImage(ImageReader(picture), 0, 400, width=595, height=288)
    canvas.save()
    return out.getvalue()


async def test_a_scanned_page_is_found_and_cited_by_its_number(tmp_path: Path) -> None:
    library = Library(KnowledgeConfig(home=tmp_path, parse_seconds=200))
    report = await library.ingest(documents=[Inline("satzung.pdf", scan())], caller=ANNA)
    assert (report.read, report.failed, report.skipped) == (1, [], [])
    [hit] = (await library.search("Was kostet ein Anwohnerparkplatz im Jahr?", caller=ANNA, limit=1)).passages
    assert "Gebühr für den Anwohnerparkplatz beträgt einunddreißig Euro" in hit.text
    assert hit.page == 2
    stored = (await library.text("satzung.pdf", ANNA)).text
    assert stored[hit.start : hit.end] == hit.text
