import io
from email.message import EmailMessage
from typing import cast

import pptx
import pytest
import xlsxwriter
from inline_snapshot import snapshot
from knowledge_files import HTML, MARKDOWN, mail, packed, pdf, word, workbook
from pptx.chart.data import CategoryChartData, ChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.shapes.autoshape import Shape
from pptx.util import Inches

from tools.knowledge.extract import prepare
from tools.knowledge.formats import Limits, Skip
from tools.knowledge.prepared import Prepared

pytestmark = [
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
    pytest.mark.timeout(30),
]

LIMITS = Limits(text_chars=1_000_000, output_chars=2_000_000)


def read(name: str, data: bytes | str) -> list[Prepared]:
    found = list(prepare(name, data if isinstance(data, bytes) else data.encode(), LIMITS))
    return [item for item in found if isinstance(item, Prepared)]


def test_a_workbook_shows_its_values_as_its_reader_sees_them() -> None:
    [document] = read("Gebühren_2027.xlsx", workbook())
    assert (document.title, document.date, document.metadata, document.media_type) == snapshot(
        (
            "Gebühren 2027",
            "2027-02-01T10:00:00+00:00",
            {"author": "Kämmerei"},
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        )
    )
    assert document.text == snapshot("""\
# Gebühren

Gebühren der Stadt Birkenfurt

| Leistung | Betrag | Satz | Ab | Uhrzeit | Gilt | Menge |
| Ausweis | 1.234,50 € | 19 % | 2027-01-01 | 08:30 | WAHR | 37 |
| Pass / vorläufig | 26,25 |  |  |  |  |  |

# Ämter

| Bauamt | Rathausplatz 1 |\
""")


def test_numbers_of_an_english_sheet_have_a_point() -> None:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        sheet = book.add_worksheet("Fees")
        sheet.write_row(0, 0, ["What the office does for you", "Fee of the service", "True"])
        sheet.write_row(1, 0, ["The passport is issued to the citizen", 1234.5, True])
        sheet.write(2, 0, "The licence of the dog")
        sheet.write(2, 1, 1234.5, book.add_format({"num_format": "#,##0.00"}))
    [document] = read("fees.xlsx", out.getvalue())
    assert document.text.split("\n")[3:] == snapshot(
        ["| The passport is issued to the citizen | 1234.5 | TRUE |", "| The licence of the dog | 1,234.50 |  |"]
    )


def test_a_cell_that_spans_rows_stands_in_each_of_them() -> None:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        sheet = book.add_worksheet("Ämter")
        sheet.merge_range(0, 1, 0, 3, "Ämter der Stadt")
        sheet.write_row(1, 1, ["Amt", "Raum", "Tag"])
        sheet.merge_range(2, 1, 4, 1, "Bauamt")
        for row, column in ((0, 0), (5, 9), (90, 1)):
            sheet.merge_range(row, column, row + 5, column, "")
        for at in range(3):
            sheet.write_row(2 + at, 2, [f"Raum {at}", "Montag"])
    [document] = read("a.xlsx", out.getvalue())
    assert document.text.split("\n")[2:] == [
        "Ämter der Stadt",
        "",
        "| Amt | Raum | Tag |",
        *(f"| Bauamt | Raum {at} | Montag |" for at in range(3)),
    ]


def test_every_chunk_of_a_large_sheet_is_indexed_with_its_header() -> None:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        sheet = book.add_worksheet("Reinigung")
        sheet.write_row(0, 0, ["Straße", "Reinigungsklasse", "Gebühr je Meter"])
        for row in range(5_000):
            sheet.write_row(row + 1, 0, [f"Lindenweg {row}", f"Klasse {row % 7}", row / 8])
    [document] = read("reinigung.xlsx", out.getvalue())
    pieces = [document.text[chunk.start : chunk.end] for chunk in document.chunks]
    assert len(pieces) > 50
    assert all("reinigungsklass" in chunk.terms["body_stems"].split() for chunk in document.chunks)
    assert {chunk.heading for chunk in document.chunks} == {"Reinigung"}
    rows = [line for piece in pieces for line in piece.split("\n")]
    assert rows[0] == "| Straße | Reinigungsklasse | Gebühr je Meter |"
    assert [row.split(" ")[2] for row in rows[1:]] == [str(number) for number in range(5_000)]


def test_a_csv_is_a_table_whatever_its_delimiter_and_encoding() -> None:
    semicolons = 'Leistung;Gebühr;\n"Ausweis; vorläufig";10,00 €;\n;;\nPass;70,00 €;\n'.encode("cp1252")
    for name, data in (
        ("a.csv", semicolons),
        ("b.tsv", "Leistung\tGebühr\nAusweis; vorläufig\t10,00 €\nPass\t70,00 €\n"),
    ):
        [document] = read(name, data)
        assert document.text == "| Leistung | Gebühr |\n| Ausweis; vorläufig | 10,00 € |\n| Pass | 70,00 € |"


def test_a_presentation_has_a_page_for_each_slide() -> None:
    deck = pptx.Presentation()
    first = deck.slides.add_slide(deck.slide_layouts[1])
    assert first.shapes.title is not None
    first.shapes.title.text = "Haushalt 2027"
    body = first.shapes[1]
    assert isinstance(body, Shape)
    body.text_frame.text = "Einnahmen steigen\nAusgaben sinken"
    notes = first.notes_slide.notes_text_frame
    assert notes is not None
    notes.text = "Bitte langsam sprechen."
    hidden = deck.slides.add_slide(deck.slide_layouts[5])
    hidden.element.set("show", "0")
    second = deck.slides.add_slide(deck.slide_layouts[5])
    assert second.shapes.title is not None
    second.shapes.title.text = "Zahlen"
    table = second.shapes.add_table(2, 2, Inches(0), Inches(0), Inches(4), Inches(2)).table
    for at, text in enumerate(("Amt", "Euro", "Bauamt", "1200")):
        table.cell(at // 2, at % 2).text = text
    numbers = CategoryChartData()
    numbers.categories = ["2025", "2026"]
    numbers.add_series("Ausgaben", (1.5, 2))
    size = Inches(3)
    second.shapes.add_chart(XL_CHART_TYPE.BAR_CLUSTERED, size, size, size, size, cast(ChartData, numbers))
    out = io.BytesIO()
    deck.save(out)
    [document] = read("haushalt.pptx", out.getvalue())
    assert (document.title, document.pages, document.text) == snapshot(
        (
            "Haushalt 2027",
            3,
            """\
# Haushalt 2027

- Einnahmen steigen
- Ausgaben sinken

Bitte langsam sprechen.

# Zahlen

| Amt | Euro |
| Bauamt | 1200 |

|  | Ausgaben |
| 2025 | 1.5 |
| 2026 | 2 |\
""",
        )
    )
    assert [(chunk.heading, chunk.page) for chunk in document.chunks] == snapshot([("", 1), ("Zahlen", 3)])


def test_a_message_is_a_document_and_each_attachment_a_further_one() -> None:
    found = list(prepare("post/anfrage.eml", mail({"Ordnung.docx": word(), "foto.png": b"x"}), LIMITS))
    message, order, picture = found
    assert isinstance(message, Prepared)
    assert isinstance(order, Prepared)
    assert (message.title, message.date, message.metadata, message.text) == snapshot(
        (
            "Anfrage zur Müllabfuhr",
            "2027-02-01T10:00:00+01:00",
            {
                "from": "Anna Müller <anna@birkenfurt.example>",
                "to": "bauhof@birkenfurt.example, rathaus@birkenfurt.example",
            },
            """\
# Anfrage zur Müllabfuhr

Von: Anna Müller <anna@birkenfurt.example>
An: bauhof@birkenfurt.example, rathaus@birkenfurt.example
Datum: 2027-02-01 10:00

Guten Tag,

wann wird die Biotonne geleert?\
""",
        )
    )
    assert (order.record, order.title, order.fraction) == snapshot(("Ordnung.docx", "Friedhofsordnung", 0.5))
    assert isinstance(picture, Skip)
    assert (picture.place, picture.reason[:32]) == ("foto.png", "Files of type '.png' are not rea")


def test_a_forwarded_message_lies_below_the_one_that_holds_it() -> None:
    inner, outer = EmailMessage(), EmailMessage()
    inner["Subject"] = "Lärm in der Nacht"
    inner.set_content("Es war sehr laut.\n")
    inner.add_attachment("Tag;Uhrzeit\nMontag;23:10\n", subtype="csv", filename="../Lärm_protokoll.csv")
    outer["Subject"] = "WG: Lärm"
    outer.set_content("Siehe Anhang.\n")
    outer.add_attachment(inner)
    assert [(one.record, one.title) for one in read("a.eml", outer.as_bytes())] == [
        ("", "WG: Lärm"),
        ("1.eml", "Lärm in der Nacht"),
        ("1.eml/Lärm_protokoll.csv", "Lärm protokoll"),
    ]


def test_of_a_message_plain_text_is_taken_before_html_and_html_before_nothing() -> None:
    both, only = EmailMessage(), EmailMessage()
    both["Subject"] = only["Subject"] = "Grünschnitt"
    both.set_content("Der Grünschnitt wird am Samstag geholt.\n")
    both.add_alternative("<p>HTML</p>", subtype="html")
    only.set_content("<p>Der <b>Grünschnitt</b> wird am Samstag geholt.</p>", subtype="html", charset="cp1252")
    texts = {read("m.eml", message.as_bytes())[0].text for message in (both, only)}
    assert texts == {"# Grünschnitt\n\nDer Grünschnitt wird am Samstag geholt."}


def test_an_archive_gives_each_member_its_path_its_type_and_its_title() -> None:
    inner = packed(
        {"seite.html": HTML, "tiefer.zip": packed({"a.txt": "Ein Text.", "b.zip": packed({"c.txt": "Zu tief."})})}
    )
    data = packed(
        {
            "steuern/hund.md": MARKDOWN,
            "steuern/": "",
            "__MACOSX/._hund.md": "x",
            ".git/config": "x",
            "alt\\Gebühr_2026.csv": "Leistung;Euro\nPass;70\n",
            "post.eml": mail({"satzung.pdf": pdf([("Title", "Satzung"), ("BodyText", "Die Satzung gilt.")])}),
            "innen.zip": inner,
            "programm.exe": "MZ",
            "leer.txt": "",
            "falsch.pdf": "kein PDF",
        }
    )
    found = list(prepare("alles.zip", data, LIMITS))
    assert [(one.record, one.title, one.media_type) for one in found if isinstance(one, Prepared)] == snapshot(
        [
            ("steuern/hund.md", "Hundesteuer in Birkenfurt", "text/markdown"),
            ("alt/Gebühr_2026.csv", "Gebühr 2026", "text/csv"),
            ("post.eml", "Anfrage zur Müllabfuhr", "message/rfc822"),
            ("post.eml/satzung.pdf", "Satzung", "application/pdf"),
            ("innen.zip/seite.html", "Müllabfuhr", "text/html"),
            ("innen.zip/tiefer.zip/a.txt", "a", "text/plain"),
        ]
    )
    assert [(one.place, one.reason[:60]) for one in found if isinstance(one, Skip)] == snapshot(
        [
            ("innen.zip/tiefer.zip/b.zip", "It lies in 3 containers. Expected at most 2: unpack them fir"),
            ("programm.exe", "Files of type '.exe' are not read. Expected one of csv, docx"),
            ("leer.txt", "The file is empty. Expected text in it."),
            ("falsch.pdf", "The content is no PDF. Expected a file that begins with '%PD"),
        ]
    )
    assert [one.fraction for one in found if isinstance(one, Prepared)][-1] <= 1.0


def test_dates_and_facts_are_read_from_front_matter_and_properties() -> None:
    front = "---\ndate: 2027-02-01\nauthor: Anna Müller\naktenzeichen: 20-3\nstand: [a]\naccess: [x]\n---\nEin Text."
    page = '<html><head><meta name="author" content="Bauamt"><meta name="date" content="1.3.2027"></head><p>Text.</p>'
    [note], [web], [paper] = read("a.md", front), read("a.html", page), read("a.pdf", pdf([("BodyText", "Ein Text.")]))
    assert (note.date, note.metadata) == ("2027-02-01", {"author": "Anna Müller", "aktenzeichen": "20-3"})
    assert (web.date, web.metadata) == ("2027-03-01", {"author": "Bauamt"})
    assert (len(paper.date), paper.metadata) == (len("2027-02-01T10:00:00+00:00"), {})
    assert read("a.txt", "Ein Text.")[0].date == ""


def test_facts_are_bounded() -> None:
    front = f"---\n{'k' * 100}: {'v' * 600}\n" + "".join(f"key{n}: {n}\n" for n in range(60)) + "---\nEin Text."
    [document] = read("a.md", front)
    assert len(document.metadata) == 50
    assert max(map(len, document.metadata)) == 64
    assert max(map(len, document.metadata.values())) == 500
