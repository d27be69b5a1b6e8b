"""Small files of every format, made on the spot, and a library over an empty folder."""

import io
import zipfile
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import docx
import xlsxwriter
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


def workbook() -> bytes:
    """An Excel file with money, shares, dates, a title above its table, empty places and a hidden sheet."""
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        book.set_properties({"author": "Kämmerei", "created": datetime(2027, 2, 1, 10, tzinfo=UTC)})
        fees = book.add_worksheet("Gebühren")
        fees.write(0, 0, "Gebühren der Stadt Birkenfurt")
        fees.write_row(2, 1, ["Leistung", "Betrag", "Satz", "Ab", "Uhrzeit", "Gilt", "Menge"])
        fees.write(3, 1, "Ausweis")
        fees.write(3, 2, 1234.5, book.add_format({"num_format": '#,##0.00 "€"'}))
        fees.write(3, 3, 0.19, book.add_format({"num_format": "0%"}))
        fees.write(3, 4, 46_388, book.add_format({"num_format": "dd.mm.yyyy"}))
        fees.write(3, 5, 8.5 / 24, book.add_format({"num_format": "hh:mm"}))
        fees.write(3, 6, True)
        fees.write(3, 7, 37)
        fees.write_row(5, 1, ["Pass | vorläufig", 26.25])
        secret = book.add_worksheet("Geheim")
        secret.write(0, 0, "Nicht zu sehen")
        secret.hide()
        book.add_worksheet("Leer")
        book.add_worksheet("Ämter").write_row(0, 0, ["Bauamt", "Rathausplatz 1"])
    return out.getvalue()


def mail(attached: Mapping[str, bytes]) -> bytes:
    """A message with attachments."""
    message = EmailMessage()
    message["Subject"] = "Anfrage zur Müllabfuhr"
    message["From"] = "Anna Müller <anna@birkenfurt.example>"
    message["To"] = "bauhof@birkenfurt.example, rathaus@birkenfurt.example"
    message["Date"] = "Mon, 01 Feb 2027 10:00:00 +0100"
    message.set_content("Guten Tag,\n\nwann wird die Biotonne geleert?\n")
    for name, content in attached.items():
        message.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
    return message.as_bytes()


def packed(members: Mapping[str, bytes | str]) -> bytes:
    """A zip archive."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def write(folder: Path, files: dict[str, str | bytes]) -> Path:
    """Writes files below `folder`, with their folders."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def pdf_bomb(commands: int = 2_600_000) -> bytes:
    """A PDF of some ten kilobytes whose one page unpacks to 60 MB of drawing commands."""
    content = zlib.compress(b"BT /F1 12 Tf (a) Tj ET\n" * commands, 9)
    return raw_pdf(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R"
        b"/Resources<</Font<</F1<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>>>>>",
        b"<</Filter/FlateDecode/Length %d>>stream\n%s\nendstream" % (len(content), content),
    )


def raw_pdf(*objects: bytes) -> bytes:
    """A PDF of these objects; the first one is its catalog."""
    out = b"%PDF-1.4\n"
    places: list[int] = []
    for number, content in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj%sendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    head = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    trailer = b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, len(out))
    return out + head + table + trailer
