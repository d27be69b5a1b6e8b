"""Builds the documents of the town of Birkenfurt from their Markdown sources, the same bytes each time."""

from __future__ import annotations

import io
import sys
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Final

import docx
from docx.document import Document as WordDocument
from docx.enum.style import WD_STYLE_TYPE
from docx.oxml import OxmlElement
from docx.shared import Pt
from docx.styles.style import ParagraphStyle as WordStyle
from docx.table import _Row as WordRow  # pyright: ignore[reportPrivateUsage]  # the type of a table's row has no public name

from examples.birkenfurt.paper import as_pdf
from examples.birkenfurt.source import Block, Heading, Items, Paragraph, Source, Table, read

HERE: Final = Path(__file__).parent
CSS: Final = (
    "body{font:1.05rem/1.6 system-ui,sans-serif;max-width:44rem;margin:2rem auto;padding:0 1rem;color:#1d2327}"
    "h1,h2,h3{line-height:1.25;color:#0b4f4a}table{border-collapse:collapse;width:100%}"
    "th,td{border:1px solid #9aa5a4;padding:.4rem .6rem;text-align:left}th{background:#e6f0ef}footer{color:#4b5563}"
)


def as_markdown(source: Source) -> bytes:
    """The document as Markdown, with its title as the first heading."""
    return f"# {source.title}\n\n{source.text}\n\n{source.as_of}\n".encode()


def as_html(source: Source) -> bytes:
    """The document as a page of semantic HTML that needs no other file."""
    title = escape(source.title, quote=False)
    return "\n".join(
        [
            "<!doctype html>",
            f'<html lang="{source.language}">',
            "<head>",
            '<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f'<meta name="date" content="{source.day.isoformat()}">',
            f"<title>{title}</title>",
            f"<style>{CSS}</style>",
            "</head>",
            "<body>",
            "<main>",
            "<article>",
            f"<h1>{title}</h1>",
            *(_html(block) for block in source.blocks),
            "</article>",
            "</main>",
            f"<footer><p>{escape(source.as_of, quote=False)}</p></footer>",
            "</body>",
            "</html>",
            "",
        ]
    ).encode()


def _html(block: Block) -> str:
    match block:
        case Heading(level, text):
            return f"<h{level}>{escape(text, quote=False)}</h{level}>"
        case Paragraph(text):
            return f"<p>{escape(text, quote=False)}</p>"
        case Items(ordered, items):
            tag = "ol" if ordered else "ul"
            lines = [f"<li>{escape(item, quote=False)}</li>" for item in items]
            return "\n".join([f"<{tag}>", *lines, f"</{tag}>"])
        case Table(header, rows):
            head = "".join(f'<th scope="col">{escape(cell, quote=False)}</th>' for cell in header)
            body = ["<tr>" + "".join(f"<td>{escape(cell, quote=False)}</td>" for cell in row) + "</tr>" for row in rows]
            return "\n".join(["<table>", f"<thead><tr>{head}</tr></thead>", "<tbody>", *body, "</tbody>", "</table>"])


def as_word(source: Source) -> bytes:
    """The document as DOCX with real heading styles and tables."""
    word = docx.Document()
    facts = word.core_properties
    facts.title, facts.author, facts.language = source.title, "Stadt Birkenfurt", source.language
    facts.comments, facts.last_modified_by, facts.revision = "", "Stadt Birkenfurt", 1
    facts.created = facts.modified = datetime(source.day.year, source.day.month, source.day.day, 8, tzinfo=UTC)
    normal = word.styles["Normal"]
    assert isinstance(normal, WordStyle)
    normal.font.name, normal.font.size = "Calibri", Pt(11)
    _slim(word)
    word.add_heading(source.title, level=1)
    for block in source.blocks:
        _word(word, block)
    word.add_paragraph(source.as_of)
    buffer = io.BytesIO()
    word.save(buffer)
    return _same_zip(buffer.getvalue(), language={"de": b"de-DE", "en": b"en-GB"}[source.language])


def _slim(word: WordDocument) -> None:
    """Takes out of the default template what no document uses: its preview picture and some hundred table styles."""
    for style in list(word.styles):
        if style.type == WD_STYLE_TYPE.TABLE and style.name not in ("Table Grid", "Normal Table"):
            style.delete()
    package = word.part.package
    assert package is not None
    for owner in (word.part.rels, package.rels):
        for key, relation in list(owner.items()):
            if relation.reltype.endswith(("/stylesWithEffects", "/thumbnail")):
                del owner[key]


def _word(word: WordDocument, block: Block) -> None:
    match block:
        case Heading(level, text):
            word.add_heading(text, level=level)
        case Paragraph(text):
            word.add_paragraph(text)
        case Items(ordered, items):
            for item in items:
                word.add_paragraph(item, style="List Number" if ordered else "List Bullet")
        case Table(header, rows):
            table = word.add_table(rows=0, cols=len(header), style="Table Grid")
            for values in [header, *rows]:
                _fill(table.add_row(), values, bold=values is header)
            mark = table.rows[0]._tr.get_or_add_trPr()  # pyright: ignore[reportPrivateUsage]  # no public name
            mark.append(OxmlElement("w:tblHeader"))  # pyright: ignore[reportUnknownMemberType]  # lxml is untyped
            word.add_paragraph()


def _fill(row: WordRow, values: list[str], *, bold: bool) -> None:
    for cell, value in zip(row.cells, values, strict=True):
        cell.paragraphs[0].add_run(value).bold = bold


def _same_zip(data: bytes, *, language: bytes) -> bytes:
    """The archive in its language and without the clock; stored, as what zlib writes varies between its builds."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as new:
        for name in old.namelist():
            part = old.read(name).replace(b'w:lang w:val="en-US"', b'w:lang w:val="' + language + b'"')
            new.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), part)
    return out.getvalue()


WRITERS: Final[dict[str, Callable[[Source], bytes]]] = {
    "md": as_markdown,
    "html": as_html,
    "docx": as_word,
    "pdf": as_pdf,
}


def build(target: Path, *, sources: Path = HERE / "sources") -> list[Path]:
    """Writes every document into the folder `target` and returns the files in the order of their names."""
    target.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for path in sorted(sources.glob("*.md")):
        source = read(path)
        out = target / f"{source.name}.{source.format}"
        out.write_bytes(WRITERS[source.format](source))
        written.append(out)
    return written


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "documents"
    print(f"{len(build(folder))} documents in {folder}")
