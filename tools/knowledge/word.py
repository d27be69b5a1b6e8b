"""Reads Word files (docx): headings, paragraphs, lists and tables in their order."""

import io
import re
import zipfile
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tools.knowledge.formats import Extract, Limits, Unreadable

if TYPE_CHECKING:
    from docx.table import Table
    from docx.text.paragraph import Paragraph

__all__ = ["read_docx"]

_HEADING = re.compile(r"Heading ([1-6])$")
_INFLATED = 20  # bytes of XML that a code point of text may cost
_RATIO = 200  # times that packed content may grow


def read_docx(data: bytes, limits: Limits) -> Extract:
    """Body of the document; the title is its own, from its properties or a paragraph in the style 'Title'.

    Raises:
        Unreadable: it is no Word file, damaged, or grows too large when it is unpacked.
    """
    import docx

    _check(data, limits)
    document = docx.Document(io.BytesIO(data))
    lines: list[str] = []
    total = 0
    styled = ""
    listed = False
    for item in document.iter_inner_content():
        rows = list(_rows(item)) if hasattr(item, "rows") else []
        if rows:
            if lines and lines[-1]:
                lines.append("")
            lines.extend((*rows, ""))
            listed = False
            total += sum(len(row) for row in rows)
            continue
        name, line = _paragraph(item, 1 if styled else 0)
        if not line:
            continue
        if name == "Title" and not styled:
            styled = line.lstrip("# ")
        bullet = line.startswith("- ")
        if listed and not bullet and lines and lines[-1]:
            lines.append("")
        lines.append(line)
        if not bullet:
            lines.append("")
        listed = bullet
        total += len(line)
        if total > limits.text_chars:
            raise Unreadable(f"The text has more than {limits.text_chars:,} code points. Split the file.")
    core = document.core_properties
    title = (core.title or "").strip() or styled
    return Extract("\n".join(lines).strip("\n"), title=title, language=(core.language or "").strip())


def _check(data: bytes, limits: Limits) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            parts = archive.infolist()
            archive.getinfo("word/document.xml")
    except (zipfile.BadZipFile, KeyError, ValueError, NotImplementedError) as error:
        raise Unreadable("The content is no Word document. Expected a docx file as Word writes it.") from error
    xml = sum(part.file_size for part in parts if part.filename.endswith((".xml", ".rels")))
    whole = sum(part.file_size for part in parts)
    if xml > limits.text_chars * _INFLATED or len(parts) > 10_000 or whole > _RATIO * max(len(data), 1_000_000):
        raise Unreadable(f"It unpacks to {whole:,} bytes in {len(parts):,} parts, more than a document needs.")


def _paragraph(item: "Paragraph | Table", below: int) -> tuple[str, str]:
    """Style and line; headings lie one level lower where a title stands above them."""
    from docx.text.paragraph import Paragraph

    assert isinstance(item, Paragraph)
    text = " ".join(item.text.split())
    name = (item.style.name or "") if item.style is not None else ""
    if not text:
        return name, ""
    if name == "Title":
        return name, f"# {text}"
    if found := _HEADING.match(name):
        return name, "#" * min(6, int(found[1]) + below) + f" {text}"
    if name.startswith(("List Bullet", "List Number", "List Paragraph")):
        return name, f"- {text}"
    return name, text


def _rows(item: "Paragraph | Table") -> Iterator[str]:
    from docx.table import Table

    assert isinstance(item, Table)
    for row in item.rows:
        cells: list[str] = []
        last: object = None
        for cell in row.cells:
            if cell._tc is not last:  # pyright: ignore[reportPrivateUsage] - a merged cell is given once for each column
                cells.append(" ".join(cell.text.split()).replace("|", "/"))
            last = cell._tc  # pyright: ignore[reportPrivateUsage] - as above
        if any(cells):
            yield "| " + " | ".join(cells) + " |"
