"""Small files of every format, made on the spot, and a library over an empty folder."""

import io
import zlib
from pathlib import Path

import docx
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.platypus import Flowable, PageBreak, Paragraph, SimpleDocTemplate

MARKDOWN = """\
---
title: Hundesteuer in Birkenfurt
---
# Hundesteuer in Birkenfurt

Die **Hundesteuer** beträgt [90 Euro](https://birkenfurt.example/gebuehren) im Jahr.
Sie wird im Februar fällig.

## Ermäßigung

- Blindenhunde sind frei.
- Zweithunde kosten mehr.

| Hund | Euro |
|------|-----:|
| erster | 90 |
| zweiter | 120 |
"""

HTML = """\
<!doctype html><html lang="de"><head><title>Abfuhr – Birkenfurt</title><style>p{color:red}</style></head><body>
<nav>Startseite</nav><h1>Müllabfuhr</h1><p>Die Biotonne wird <b>dienstags</b> geleert.</p>
<table><tr><th>Tonne</th><th>Tag</th></tr><tr><td>Bio</td><td>Dienstag</td></tr></table>
<ul><li>Papier alle vier Wochen</li></ul><script>alert(1)</script></body></html>
"""


def pdf(*pages: list[tuple[str, str]]) -> bytes:
    """A PDF of pages, each a list of (style, text)."""
    styles = getSampleStyleSheet()
    flow: list[Flowable] = []
    for page in pages:
        flow += [Paragraph(text, styles[style]) for style, text in page]
        flow.append(PageBreak())
    out = io.BytesIO()
    SimpleDocTemplate(out).build(flow)
    return out.getvalue()


def word() -> bytes:
    """A Word file with a title, a heading, a list and a table."""
    document = docx.Document()
    document.core_properties.title = "Friedhofsordnung"
    document.add_heading("Friedhofsordnung", 0)
    document.add_heading("Öffnungszeiten", 1)
    document.add_paragraph("Der Friedhof ist von 8 bis 20 Uhr geöffnet.")
    document.add_paragraph("Hunde sind anzuleinen", style="List Bullet")
    table = document.add_table(2, 2)
    for row, cells in enumerate((("Grab", "Euro"), ("Reihengrab", "500"))):
        for column, text in enumerate(cells):
            table.cell(row, column).text = text
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def write(folder: Path, files: dict[str, str | bytes]) -> Path:
    """Writes files below `folder`, with their folders."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def pdf_bomb() -> bytes:
    """A PDF of some ten kilobytes whose one page unpacks to 60 MB of drawing commands."""
    packed = zlib.compress(b"BT /F1 12 Tf (a) Tj ET\n" * 2_600_000, 9)
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R"
        b"/Resources<</Font<</F1<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>>>>>",
        b"<</Filter/FlateDecode/Length %d>>stream\n%s\nendstream" % (len(packed), packed),
    ]
    out = b"%PDF-1.4\n"
    places: list[int] = []
    for number, content in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj%sendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    return out + b"xref\n0 5\n0000000000 65535 f \n%strailer<</Size 5/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (
        table,
        len(out),
    )
