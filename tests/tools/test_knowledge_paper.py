import io
import sys
from pathlib import Path

import pytest
from hostile_files import huge_picture
from inline_snapshot import snapshot
from PIL import Image
from reportlab.lib import colors
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import BalancedColumns, Flowable, ListFlowable, Paragraph, SimpleDocTemplate, Table, TableStyle

from tools.knowledge import scan
from tools.knowledge.extract import prepare
from tools.knowledge.formats import Extract, Limits, Skip, Unreadable
from tools.knowledge.paper import read_pdf
from tools.knowledge.prepared import Prepared

LIMITS = Limits(text_chars=1_000_000, output_chars=2_000_000)
STYLES = getSampleStyleSheet()
RULED = TableStyle([("GRID", (0, 0), (-1, -1), 0.5, colors.black)])
FEES = [["Leistung", "Gebühr", "Frist"], *([f"Leistung {n}", f"{n},50 €", f"{n} Wochen"] for n in range(1, 4))]
MANY = [["Leistung", "Gebühr", "Frist"], *([f"Leistung {n}", f"{n},50 €", f"{n} Wochen"] for n in range(1, 61))]


def body(text: str) -> Paragraph:
    return Paragraph(text, STYLES["BodyText"])


def made(*flow: Flowable) -> bytes:
    out = io.BytesIO()
    SimpleDocTemplate(out).build(list(flow))
    return out.getvalue()


def text_of(*flow: Flowable) -> str:
    [document] = read_pdf(made(*flow), LIMITS)
    assert isinstance(document, Extract)
    return document.text


@pytest.mark.parametrize(
    "style",
    [
        RULED,
        TableStyle([]),
        TableStyle([("LINEBELOW", (0, 0), (-1, 0), 1, colors.black)]),
        TableStyle([("ROWBACKGROUNDS", (0, 0), (-1, -1), [colors.white, colors.lightgrey])]),
        TableStyle([("BOX", (0, 0), (-1, -1), 1, colors.black), ("INNERGRID", (0, 0), (-1, -1), 1, colors.grey)]),
    ],
    ids=["ruled", "plain", "one rule", "stripes", "box"],
)
def test_a_table_is_rows_with_its_header_between_the_text_around_it(style: TableStyle) -> None:
    found = text_of(body("Es gelten diese Gebühren."), Table(FEES, style=style), body("Sie sind sofort fällig."))
    assert found == (
        "Es gelten diese Gebühren.\n\n"
        "| Leistung | Gebühr | Frist |\n"
        "| Leistung 1 | 1,50 € | 1 Wochen |\n"
        "| Leistung 2 | 2,50 € | 2 Wochen |\n"
        "| Leistung 3 | 3,50 € | 3 Wochen |\n\n"
        "Sie sind sofort fällig."
    )


@pytest.mark.parametrize("style", [RULED, TableStyle([])], ids=["ruled", "plain"])
def test_cells_of_several_lines_stay_whole(style: TableStyle) -> None:
    what, note = (
        body("Ausstellung eines Ausweises für Personen über 24 Jahre"),
        body("Foto mitbringen, höchstens ein Jahr alt"),
    )
    rows = [["Leistung", "Gebühr", "Bemerkung"], *[[what, "37,00 €", note]] * 3]
    lines = text_of(Table(rows, colWidths=[150, 80, 120], style=style)).split("\n")
    row = (
        "| Ausstellung eines Ausweises für Personen über 24 Jahre | 37,00 € | Foto mitbringen, höchstens ein Jahr alt |"
    )
    assert lines == ["| Leistung | Gebühr | Bemerkung |", row, row, row]


def test_merged_cells_are_given_once_across_and_in_each_row_down() -> None:
    style = TableStyle(
        [("GRID", (0, 0), (-1, -1), 0.5, colors.black), ("SPAN", (0, 0), (-1, 0)), ("SPAN", (0, 2), (0, 3))]
    )
    rows = [
        ["Gebühren 2027", "", ""],
        ["Leistung", "Gebühr", "Frist"],
        ["Pass", "1 €", "sofort"],
        ["", "2 €", "später"],
    ]
    assert text_of(Table(rows, style=style)) == snapshot("""\
| Gebühren 2027 |  |  |
| Leistung | Gebühr | Frist |
| Pass | 1 € | sofort |
| Pass | 2 € | später |\
""")


@pytest.mark.parametrize("style", [RULED, TableStyle([])], ids=["ruled", "plain"])
@pytest.mark.parametrize("repeated", [0, 1])
def test_a_table_over_two_pages_has_its_header_on_both(style: TableStyle, repeated: int) -> None:
    [document] = prepare("a.pdf", made(body("Ordnung"), Table(MANY, style=style, repeatRows=repeated)), LIMITS)
    assert isinstance(document, Prepared)
    assert document.pages == 2
    assert [document.text.count(f"| {number},50 € |") for number in range(1, 61)] == [1] * 60
    assert document.text.count("| Leistung | Gebühr | Frist |") == 2
    assert {chunk.page for chunk in document.chunks} == {1, 2}
    assert all(
        "gebuhr" in chunk.terms["body_stems"] or "gebühr" in chunk.terms["body_stems"] for chunk in document.chunks
    )


def test_prose_lists_and_boxes_are_no_tables() -> None:
    points = ["Erster Punkt der Liste", "Zweiter Punkt", "Dritter Punkt", "Vierter Punkt"]
    columns: list[Flowable] = [
        body("Die Satzung regelt die Höhe der Gebühren für alle Grundstücke im Stadtgebiet. " * 9)
    ]
    for flow in (
        ListFlowable([body(point) for point in points], bulletType="bullet"),
        ListFlowable([body(point) for point in points], bulletType="1"),
        BalancedColumns(columns, nCols=2),
        Table([[body("Hinweis: Das Amt ist am Montag geschlossen.")]], style=RULED),
    ):
        assert "|" not in text_of(flow)


@pytest.fixture
def half_scanned() -> bytes:
    """A page of text and a scanned one."""
    picture = Image.new("L", (600, 300), 255)
    out = io.BytesIO()
    canvas = Canvas(out)
    canvas.drawString(50, 700, "Die erste Seite hat Text.")
    canvas.showPage()
    canvas.drawImage(ImageReader(picture), 50, 400)
    canvas.save()
    return out.getvalue()


@pytest.fixture
def tesseract(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program in tesseract's place: it answers what it was asked and how large the picture is."""
    program = tmp_path / "tesseract"
    program.write_text(
        f"#!{sys.executable}\n"
        "import sys\n"
        "if '--list-langs' in sys.argv:\n"
        "    print('List of available languages (3):\\ndeu\\neng\\nosd')\n"
        "else:\n"
        "    head, size, most = sys.stdin.buffer.read().split(b' ', 3)[:3]\n"
        "    print('Die Gebühr be-\\nträgt', head.decode(), size.decode(), 'Euro.\\n\\n', *sys.argv[1:])\n",
        encoding="utf-8",
    )
    program.chmod(0o755)
    monkeypatch.setattr(scan, "_PLACES", str(tmp_path))
    return program


def test_a_scanned_page_is_recognised_in_the_installed_languages(half_scanned: bytes, tesseract: Path) -> None:
    [document] = read_pdf(half_scanned, LIMITS)
    assert isinstance(document, Extract)
    assert (document.text, len(document.pages)) == snapshot(
        (
            """\
Die erste Seite hat Text.

Die Gebühr beträgt P5 2481 Euro.

stdin stdout -l deu+eng --dpi 300\
""",
            2,
        )
    )
    tesseract.write_text("#!/bin/sh\necho broken >&2\nexit 3\n")
    [_, skip] = read_pdf(half_scanned, LIMITS)
    assert skip == Skip("page 2", "Text recognition failed with code 3: 'broken'.")


def test_without_tesseract_a_scanned_page_is_named(
    half_scanned: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan, "_PLACES", str(tmp_path))
    [document, skip] = read_pdf(half_scanned, LIMITS)
    assert isinstance(document, Extract)
    assert document.text == "Die erste Seite hat Text."
    assert skip == snapshot(
        Skip(
            place="page 2",
            reason="It is scanned, and 'tesseract' with German or English is not installed here. Install it, or recognise the text first.",
        )
    )


@pytest.mark.usefixtures("tesseract")
def test_a_picture_too_large_to_unpack_is_not_recognised() -> None:
    with pytest.raises(Unreadable) as caught:
        list(read_pdf(huge_picture(), LIMITS))
    assert str(caught.value) == snapshot(
        "The PDF has no text. An image on it has 100,000 × 100,000 pixels. Expected at most 100,000,000 in all."
    )


@pytest.mark.usefixtures("tesseract")
def test_a_huge_page_is_drawn_smaller() -> None:
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=(14_000, 14_000))
    canvas.drawImage(ImageReader(Image.new("L", (60, 30), 0)), 0, 0, 14_000, 14_000)
    canvas.save()
    [document] = read_pdf(out.getvalue(), LIMITS)
    assert isinstance(document, Extract)
    assert document.text.split("\n")[0] == snapshot("Die Gebühr beträgt P5 3465 Euro.")
