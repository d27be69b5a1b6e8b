"""The workbook parser in its locked child process: gives the cells of one sheet after the other as text.

Loaded by path in a bare child process (see `tools.child`): the standard library and python-calamine only. The file's
bytes are read before the door is locked; unpacking and parsing happen behind it, where memory and time are counted.
"""

import io
from datetime import date, datetime
from pathlib import Path
from typing import Any

import python_calamine as calamine

from tools.child import Engine

__all__ = ["start"]

_PIECE = 1_000_000
"""Characters of cells in one reply."""


def start(settings: dict[str, Any]) -> Engine:
    """Reads the bytes of `settings["file"]`; nothing of them is looked at yet."""
    return _Sheets(Path(settings["file"]).read_bytes())


class _Sheets:
    """Answers `{}` with the visible sheets, `{"sheet": name, "row": 0}` with rows from there on."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._book: calamine.CalamineWorkbook | None = None
        self._rows: tuple[str, list[list[Any]]] | None = None

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """See the class; what cannot be read is an `error` of the kind `file`."""
        try:
            book = self._open()
            name = request.get("sheet")
            return self._sheets(book) if name is None else self._piece(book, name, request["row"])
        except calamine.PasswordError:
            return {
                "error": "It is locked with a password. Expected a workbook that opens without one.",
                "kind": "file",
            }
        except (calamine.CalamineError, OSError, ValueError) as error:
            return {"error": f"It cannot be read as a workbook: {error}. Expected XLSX.", "kind": "file"}

    def _open(self) -> calamine.CalamineWorkbook:
        if self._book is None:
            self._book = calamine.CalamineWorkbook.from_filelike(io.BytesIO(self._data))
        return self._book

    def _sheets(self, book: calamine.CalamineWorkbook) -> dict[str, Any]:
        return {
            "sheets": [
                sheet.name
                for sheet in book.sheets_metadata
                if sheet.typ == calamine.SheetTypeEnum.WorkSheet and sheet.visible == calamine.SheetVisibleEnum.Visible
            ]
        }

    def _piece(self, book: calamine.CalamineWorkbook, name: str, first: int) -> dict[str, Any]:
        merged: list[list[int]] = []
        used: list[int] = []
        if self._rows is None or self._rows[0] != name:
            self._rows = None
            sheet = book.get_sheet_by_name(name)
            top, left = sheet.start or (0, 0)
            merged = [
                [row - top, column - left, last_row - top, last_column - left]
                for (row, column), (last_row, last_column) in sheet.merged_cell_ranges or []
            ]
            self._rows = (name, list(sheet.iter_rows()))
            width = len(self._rows[1][0]) if self._rows[1] else 0
            used = [column for column in range(width) if any(row[column] != "" for row in self._rows[1])]
        rows: list[list[str]] = []
        size, all_rows = 0, self._rows[1]
        for row in all_rows[first:]:
            cells = [_text(cell) for cell in row]
            rows.append(cells)
            size += sum(len(cell) + 3 for cell in cells)
            if size > _PIECE:
                break
        return {"rows": rows, "merged": merged, "used": used, "more": first + len(rows) < len(all_rows)}


def _text(cell: Any) -> str:
    """A cell as a CSV file would hold it."""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 2**53 else repr(cell)
    if isinstance(cell, datetime):
        midnight = (cell.hour, cell.minute, cell.second, cell.microsecond) == (0, 0, 0, 0)
        return (cell.date() if midnight else cell).isoformat()
    if isinstance(cell, date):
        return cell.isoformat()
    return str(cell).strip()
