import io
import json
import os
import zipfile
import zlib

import pytest
from inline_snapshot import snapshot
from knowledge_files import HTML, MARKDOWN, pdf, word

from tools.knowledge.chunks import cut
from tools.knowledge.extract import prepare
from tools.knowledge.formats import Limits, Skip, Unreadable, decode
from tools.knowledge.naming import document_id
from tools.knowledge.prepared import Prepared

LIMITS = Limits(text_chars=1_000_000, output_chars=2_000_000)
SENTENCE = "Die Höhe der Gebühr richtet sich nach dem Verbrauch, der im Vorjahr gemessen wurde. "


def read(name: str, data: bytes | str) -> list[Prepared]:
    found = list(prepare(name, data if isinstance(data, bytes) else data.encode(), LIMITS))
    return [item for item in found if isinstance(item, Prepared)]


def shown(document: Prepared) -> list[tuple[str, int | None, str]]:
    return [(chunk.heading, chunk.page, document.text[chunk.start : chunk.end]) for chunk in document.chunks]


def refusal(name: str, data: bytes | str, limits: Limits = LIMITS) -> str:
    with pytest.raises(Unreadable) as caught:
        list(prepare(name, data if isinstance(data, bytes) else data.encode(), limits))
    return str(caught.value)


def test_markdown_loses_its_marks_and_keeps_headings_lists_and_tables() -> None:
    [document] = read("hund.md", MARKDOWN)
    assert (document.title, document.language, document.media_type) == snapshot(
        ("Hundesteuer in Birkenfurt", "de", "text/markdown")
    )
    assert document.text == snapshot(
        """\
# Hundesteuer in Birkenfurt

Die Hundesteuer beträgt 90 Euro im Jahr. Sie wird im Februar fällig.

## Ermäßigung

- Blindenhunde sind frei.
- Zweithunde kosten mehr.

| Hund | Euro |
| erster | 90 |
| zweiter | 120 |\
"""
    )
    assert shown(document) == snapshot(
        [
            ("", None, "Die Hundesteuer beträgt 90 Euro im Jahr. Sie wird im Februar fällig."),
            (
                "Ermäßigung",
                None,
                """\
- Blindenhunde sind frei.
- Zweithunde kosten mehr.

| Hund | Euro |
| erster | 90 |
| zweiter | 120 |\
""",
            ),
        ]
    )


def test_html_gives_what_a_reader_sees() -> None:
    [document] = read("abfuhr.html", HTML)
    assert (document.title, document.text) == snapshot(
        (
            "Müllabfuhr",
            """\
# Müllabfuhr

Die Biotonne wird dienstags geleert.

| Tonne | Tag |
| Bio | Dienstag |

- Papier alle vier Wochen\
""",
        )
    )


def test_pdf_joins_lines_to_paragraphs_and_knows_headings_and_pages() -> None:
    data = pdf(
        [("Title", "Abwassersatzung"), ("Heading2", "§ 1 Gebühr"), ("BodyText", SENTENCE * 2)],
        [("Heading2", "§ 2 Fälligkeit"), ("BodyText", "Die Gebühr ist am 15. Mai fällig.")],
    )
    [document] = read("satzung.pdf", data)
    assert (document.title, document.pages) == ("Abwassersatzung", 2)
    assert shown(document) == [
        ("§ 1 Gebühr", 1, (SENTENCE * 2).strip()),
        ("§ 2 Fälligkeit", 2, "Die Gebühr ist am 15. Mai fällig."),
    ]


def test_a_chunk_of_a_pdf_lies_on_one_page_but_for_the_sentence_that_runs_over() -> None:
    [document] = read("lang.pdf", pdf([("BodyText", SENTENCE * 60)]))
    assert document.pages == 2
    pages = [chunk.page or 0 for chunk in document.chunks]
    assert pages == sorted(pages)
    assert set(pages) == {1, 2}
    assert all(text.startswith("Die Höhe") and text.endswith(".") for _, _, text in shown(document))


def test_word_keeps_headings_lists_and_tables_in_order() -> None:
    [document] = read("ordnung.docx", word())
    assert (document.title, document.text) == snapshot(
        (
            "Friedhofsordnung",
            """\
# Friedhofsordnung

## Öffnungszeiten

Der Friedhof ist von 8 bis 20 Uhr geöffnet.

- Hunde sind anzuleinen

| Grab | Euro |
| Reihengrab | 500 |\
""",
        )
    )


def test_a_collection_gives_one_document_a_record_and_counts_what_is_none() -> None:
    lines = [
        {"id": "a", "title": "Eins", "text": "Erster Text."},
        {"id": "a", "content": "Zweiter\u0000 Text."},
        {"id": 3},
        [],
    ]
    found = list(prepare("sammlung.jsonl", ("\n".join(map(json.dumps, lines)) + "\nkein json").encode(), LIMITS))
    documents = [(item.record, item.title, item.text) for item in found if isinstance(item, Prepared)]
    assert documents == [("a", "Eins", "Erster Text."), ("a-2", "a-2", "Zweiter  Text.")]
    assert [item.place for item in found if isinstance(item, Skip)] == ["line 3", "line 4", "line 5"]
    assert [item.text for item in read("liste.json", json.dumps(lines))] == ["Erster Text.", "Zweiter  Text."]


def test_text_is_decoded_from_utf_8_utf_16_and_windows_1252() -> None:
    text = "Grüße – „Köln“ an alle."
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"):
        assert decode(text.encode(encoding)) == text


def test_bad_files_say_what_is_wrong() -> None:
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", b" " * 250_000_000)
    assert {
        "empty.txt": refusal("empty.txt", b""),
        "blank.md": refusal("blank.md", "---\ntitle: x\n---\n"),
        "binary.txt": refusal("binary.txt", bytes(range(256)) * 8),
        "garbage.pdf": refusal("garbage.pdf", os.urandom(64).replace(b"%", b"x")),
        "fake.docx": refusal("fake.docx", b"PK\x03\x04"),
        "bomb.docx": refusal("bomb.docx", bomb.getvalue()),
        "object.json": refusal("object.json", "{}"),
        "deep.json": refusal("deep.json", "[" * 100_000)[:27],
        "program.exe": refusal("program.exe", "MZ"),
        "long.txt": refusal("long.txt", "a " * 40, Limits(text_chars=50, output_chars=100)),
    } == snapshot(
        {
            "empty.txt": "The file is empty. Expected text in it.",
            "blank.md": "No text was found in the file. A scanned document needs text recognition first.",
            "binary.txt": "The content is binary, not text. Expected text in UTF-8, UTF-16 or Windows-1252.",
            "garbage.pdf": "The content is no PDF. Expected a file that begins with '%PDF-'.",
            "fake.docx": "The content is not what its name says: File is not a zip file. Expected a file of Word as office programs write it.",
            "bomb.docx": "What is packed in it unpacks to more than a file may.",
            "object.json": "The content is a JSON dict. Expected a list of objects with 'text' or 'content'.",
            "deep.json": "The content is no JSON: max",
            "program.exe": "Files of type '.exe' are not read. Expected one of csv, docx, eml, htm, html, json, jsonl, markdown, md, ndjson, ods, pdf, pptx, text, tsv, txt, xhtml, xls, xlsm, xlsx, zip.",
            "long.txt": "The text has more than 50 code points. Split the file.",
        }
    )


def test_chunks_have_a_bounded_size_end_with_sentences_and_lose_nothing() -> None:
    text = "# Satzung\n\n" + "\n\n".join(SENTENCE.strip() + " " + SENTENCE * (n % 7) for n in range(40)).strip()
    chunks = cut(text, language="de", title="Satzung")
    pieces = [text[chunk.start : chunk.end] for chunk in chunks]
    assert all(200 <= len(piece) <= 1500 and piece.endswith("wurde.") for piece in pieces)
    assert "".join("".join(pieces).split()) == "".join(text.removeprefix("# Satzung").split())
    assert [chunk.start for chunk in chunks] == sorted(chunk.start for chunk in chunks)


def test_a_table_is_kept_whole_and_a_very_long_one_is_indexed_with_its_header() -> None:
    rows = "".join(f"| Gebühr {number} | {number},00 |\n" for number in range(100))
    whole = f"Absatz. {SENTENCE * 10}\n\n| Leistung | Euro |\n{rows}"
    assert any(whole[chunk.start : chunk.end].endswith("| Gebühr 99 | 99,00 |") for chunk in cut(whole, language="de"))
    [document] = read("tabelle.md", "# Gebühren\n\n| Leistung | Euro |\n|---|---|\n" + rows * 10)
    assert len(document.chunks) > 2
    assert all("leistung" in chunk.terms["body_stems"].split()[0] for chunk in document.chunks)
    assert all(document.text[chunk.start : chunk.end].startswith("| ") for chunk in document.chunks)


def test_one_endless_word_is_cut() -> None:
    chunks = cut("a" * 20_000, language="de")
    assert [chunk.start for chunk in chunks][1:] == [chunk.end for chunk in chunks][:-1]
    assert max(chunk.end - chunk.start for chunk in chunks) <= 4000


def test_ids_are_readable_and_stay_within_a_link() -> None:
    assert [
        document_id("Gebühren/Hundesteuer 2026.pdf"),
        document_id("bgb.json", "§ 433"),
        document_id("../../etc/passwd"),
        document_id("日本.md"),
        len(document_id("x" * 400)),
    ] == snapshot(["Gebuehren/Hundesteuer-2026.pdf", "bgb.json/par-433", "etc/passwd", "md-a97488", 187])


def test_a_compressed_pdf_without_pages_is_refused() -> None:
    assert refusal("x.pdf", b"%PDF-1.4\n" + zlib.compress(b"0" * 1000)).startswith("The PDF is damaged")
