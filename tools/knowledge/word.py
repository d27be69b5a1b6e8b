"""Reads Word files (docx): headings, paragraphs, lists and tables in their order."""

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from tools.knowledge.facts import date_of, metadata_of, properties
from tools.knowledge.formats import Extract, Limits, Unreadable
from tools.knowledge.packed import office_parts, repacked
from tools.knowledge.rows import row_line

if TYPE_CHECKING:
    from docx.table import Table
    from docx.text.paragraph import Paragraph

__all__ = ["read_docx"]

_HEADING = re.compile(r"Heading ([1-6])$")


def read_docx(data: bytes, limits: Limits) -> Extract:
    """Body of the document; the title is its own, from its properties or a paragraph in the style 'Title'.

    Raises:
        Unreadable: it is no Word file, damaged, or grows too large when it is unpacked.
    """
    import docx
    from docx.enum.style import WD_STYLE_TYPE

    parts = office_parts(data, limits, "Word", "word/document.xml", lambda name: name.endswith((".xml", ".rels")))
    document = docx.Document(repacked(parts))
    # Read once: each look-up of python-docx goes through all styles.
    names: dict[str | None, str] = {style.style_id: style.name or "" for style in document.styles}
    usual = document.styles.default(WD_STYLE_TYPE.PARAGRAPH)
    names[None] = (usual.name or "") if usual is not None else ""
    lines: list[str] = []
    total = 0
    styled = ""
    listed = False
    for item in document.iter_inner_content():
        if hasattr(item, "rows"):
            rows = [row_line(cells) for cells in _rows(item) if any(cells)]
            if lines and lines[-1]:
                lines.append("")
            lines.extend((*rows, "") if rows else ())
            listed = False
            total += sum(map(len, rows))
            continue
        name, line = _paragraph(item, names, 1 if styled else 0)
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
    core = properties(parts.get("docProps/core.xml", b""))
    return Extract(
        "\n".join(lines).strip("\n"),
        title=core.get("title", "") or styled,
        language=core.get("language", ""),
        date=date_of(core.get("modified") or core.get("created")),
        metadata=metadata_of([("author", core.get("creator"))]),
    )


def _paragraph(item: "Paragraph | Table", names: Mapping[str | None, str], below: int) -> tuple[str, str]:
    """Style and line; headings lie one level lower where a title stands above them."""
    from docx.text.paragraph import Paragraph

    assert isinstance(item, Paragraph)
    text = " ".join(item.text.split())
    name = names.get(item._p.style, names[None])  # pyright: ignore[reportPrivateUsage] - the public way is slow
    if not text:
        return name, ""
    if name == "Title":
        return name, f"# {text}"
    if found := _HEADING.match(name):
        return name, "#" * min(6, int(found[1]) + below) + f" {text}"
    if name.startswith(("List Bullet", "List Number", "List Paragraph")):
        return name, f"- {text}"
    return name, text


def _rows(item: "Paragraph | Table") -> Iterator[list[str]]:
    """Cells of each row; one that spans columns is given once, one that spans rows in each of them."""
    from docx.table import Table, _Cell  # pyright: ignore[reportPrivateUsage] - the public way is quadratic

    assert isinstance(item, Table)
    above: dict[int, str] = {}
    for row in item._tbl.tr_lst:  # pyright: ignore[reportPrivateUsage] - as above
        cells: list[str] = []
        column = row.grid_before
        for cell in row.tc_lst:
            merged = cell.vMerge == "continue" and column in above
            above[column] = text = above[column] if merged else " ".join(_Cell(cell, item).text.split())
            cells.append(text)
            column += max(1, cell.grid_span)
        yield cells
