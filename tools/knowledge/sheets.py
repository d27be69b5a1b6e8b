"""Reads workbooks (xlsx, xls, ods): each visible sheet is a section with one table, its values as the sheet shows them."""

import io
import re
from collections.abc import Sequence
from xml.etree import ElementTree

from tools.knowledge.facts import date_of, metadata_of, properties
from tools.knowledge.formats import Extract, Limits, Unreadable
from tools.knowledge.numbers import Look, Value, looks, shown
from tools.knowledge.packed import office_parts, repacked
from tools.knowledge.rows import table_lines
from tools.language import Language, detect

__all__ = ["read_sheets"]

_AREA = 5_000_000  # cells between the first and the last one: the parser keeps a place for each
_OLD = b"\xd0\xcf\x11\xe0"  # xls and whatever else is an OLE container, such as a workbook with a password
_PLACE = re.compile(rb"""\sr\s*=\s*["']([A-Za-z]{1,3})([0-9]{1,9})["'](?:\s+s="([0-9]{1,6})")?[^<>]*(?<!/)>""")
_OPEN = re.compile(rb"<table:(table-row|table-cell)\b([^>]*)>")
_TIMES = re.compile(rb"""number-(?:rows|columns)-repeated\s*=\s*["']([0-9]{1,12})["']""")

_Looks = dict[tuple[int, int], Look]
"""By row and column, both from 0."""


def read_sheets(data: bytes, limits: Limits) -> Extract:
    """The visible sheets of a workbook, empty rows and columns left out.

    Raises:
        Unreadable: it is no workbook, is locked, damaged, or spans or unpacks to more than a sheet needs.
    """
    import python_calamine as calamine

    source, looked, facts = (io.BytesIO(data), {}, {}) if data.startswith(_OLD) else _checked(data, limits)
    try:
        book = calamine.CalamineWorkbook.from_filelike(source)
    except calamine.PasswordError as error:
        raise Unreadable("It is locked with a password. Expected a workbook that opens without one.") from error
    except (calamine.CalamineError, OSError, ValueError) as error:
        raise Unreadable(f"The content is no workbook: {error}. Expected xlsx, xls or ods.") from error
    lines: list[str] = []
    total = 0
    for meta in book.sheets_metadata:
        if meta.visible != calamine.SheetVisibleEnum.Visible or meta.typ != calamine.SheetTypeEnum.WorkSheet:
            continue
        sheet = book.get_sheet_by_name(meta.name)
        if sheet.start is None:
            continue
        rows = list(sheet.iter_rows())
        _fill_down(rows, sheet.start[1], sheet.merged_cell_ranges or [])
        total += sum(len(cell) for row in rows for cell in row if isinstance(cell, str))
        if total > limits.text_chars:
            raise Unreadable(f"The text has more than {limits.text_chars:,} code points. Split the file.")
        table = list(table_lines(_texts(rows, sheet.start[1], looked.get(meta.name, {}))))
        lines.extend((f"# {' '.join(meta.name.split())}", "", *table, "") if table else ())
    return Extract(
        "\n".join(lines).strip("\n"),
        title=facts.get("title", ""),
        language=facts.get("language", ""),
        date=date_of(facts.get("modified") or facts.get("date") or facts.get("created")),
        metadata=metadata_of([("author", facts.get("creator"))]),
    )


def _fill_down(rows: list[list[Value]], left: int, merged: Sequence[tuple[tuple[int, int], tuple[int, int]]]) -> None:
    """Gives a cell that spans rows to each of them: a row is to be understood by itself."""
    filled = 0
    for (top, column), (bottom, _) in merged:
        at = column - left
        if top >= len(rows) or not 0 <= at < len(rows[top]):  # empty cells may be merged beyond the last one
            continue
        for row in rows[top + 1 : bottom + 1]:
            row[at] = rows[top][at]
            filled += 1
        if filled > _AREA:
            return


def _texts(rows: list[list[Value]], left: int, looked: _Looks) -> list[list[str]]:
    words = " ".join(cell for row in rows[:500] for cell in row if isinstance(cell, str))
    language: Language = detect(words[:20_000])
    return [
        [shown(value, language, looked.get((at, left + column))) for column, value in enumerate(row)]
        for at, row in enumerate(rows)
    ]


def _checked(data: bytes, limits: Limits) -> tuple[io.BytesIO, dict[str, _Looks], dict[str, str]]:
    """The workbook without all that is not its cells, how numbers look by sheet, and its properties."""

    def wanted(name: str) -> bool:
        aside = ("/drawings/", "/charts/", "/media/", "/embeddings/", "/comments", "/printerSettings/")
        return name.endswith((".xml", ".rels")) and not any(part in name for part in aside)

    if b"xl/workbook" not in data:  # a name in the list of members, which is not packed
        parts = office_parts(data, limits, "OpenDocument", "content.xml", wanted)
        _check_repeats(parts["content.xml"])
        parts["mimetype"] = b"application/vnd.oasis.opendocument.spreadsheet"
        return repacked(parts), {}, properties(parts.get("meta.xml", b""))
    parts = office_parts(data, limits, "Excel", "xl/workbook.xml", wanted)
    styles = looks(parts.get("xl/styles.xml", b""))
    names = _names(parts)
    looked: dict[str, _Looks] = {}
    for part, content in parts.items():
        if part.startswith("xl/worksheets/") and part.endswith(".xml"):
            name = names.get(part, part)
            looked[name] = _scanned(name, content, styles)
    return repacked(parts), looked, properties(parts.get("docProps/core.xml", b""))


def _scanned(name: str, content: bytes, styles: list[Look | None]) -> _Looks:
    """How the sheet's numbers look.

    Raises:
        Unreadable: its cells lie too far apart.
    """
    found: _Looks = {}
    columns: dict[bytes, int] = {}
    top, bottom, left, right = 1 << 60, 0, 1 << 60, 0
    for match in _PLACE.finditer(content):
        letters, digits, style = match.groups()
        column = columns.get(letters)
        if column is None:
            column = columns[letters] = _column(letters)
        row = int(digits) - 1
        top, bottom, left, right = min(top, row), max(bottom, row), min(left, column), max(right, column)
        if style and int(style) < len(styles) and (look := styles[int(style)]) is not None:
            found[row, column] = look
    if columns and (area := (bottom - top + 1) * (right - left + 1)) > _AREA:
        raise Unreadable(
            f"The cells of the sheet {name!r} span {area:,} places. Expected at most {_AREA:,}: "
            "delete what stands far from the rest."
        )
    return found


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + letter - 64
    return number - 1


def _check_repeats(content: bytes) -> None:
    """Cells that a file of OpenDocument says to repeat.

    Raises:
        Unreadable: there are more than a sheet needs.
    """
    area = times = 0
    for kind, attributes in _OPEN.findall(content):
        repeated = int(found[1]) if (found := _TIMES.search(attributes)) else 1
        if kind == b"table-row":
            times = repeated
        elif not attributes.endswith(b"/"):  # one with content
            area += times * repeated
    if area > _AREA:
        raise Unreadable(f"Its cells repeat to {area:,}. Expected at most {_AREA:,}.")


def _names(parts: dict[str, bytes]) -> dict[str, str]:
    """Names of the sheets by the part they lie in."""
    try:
        book = ElementTree.fromstring(parts["xl/workbook.xml"])
        links = ElementTree.fromstring(parts.get("xl/_rels/workbook.xml.rels", b""))
    except (ElementTree.ParseError, ValueError):
        return {}
    targets = {link.get("Id"): (link.get("Target") or "").removeprefix("/xl/") for link in links}
    key = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
    sheets = (element for element in book.iter() if element.tag.endswith("}sheet"))
    return {f"xl/{targets.get(sheet.get(key))}": sheet.get("name") or "" for sheet in sheets}
