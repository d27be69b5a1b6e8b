"""Finds the tables of a PDF page: by its ruling lines, or by columns that are clearly aligned."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, Any, Protocol, cast

if TYPE_CHECKING:
    import pypdfium2 as pdfium

__all__ = ["Grid", "grids"]

_OBJECTS = 20_000  # of a page; one with more is a drawing
_SEGMENTS = 20_000
_CROSSINGS = 20_000  # the work of finding cells grows with them
_RECTS = 3_000
_SHORT = 30  # code points that the cells of all columns but one have at most: what is longer is prose in columns
_POINT = re.compile(r"[-•–*▪·o]|\(?([0-9]{1,3}|[a-zA-Z])[.)]|\(?[ivx]{1,4}[.)]")
_NUMBER = re.compile(rf"{_POINT.pattern}|[0-9]{{1,3}}")  # numbers alone, where there are but two columns
_HYPHEN = re.compile("[-\u00ad\u2010\ufffe\x02]\\s*\r?\n(?=[a-zäöüß])")


@dataclass(frozen=True, slots=True)
class Grid:
    """A table; lengths are points from the page's lower left corner."""

    left: float
    bottom: float
    right: float
    top: float
    columns: tuple[float, ...]
    """Where its columns begin."""
    rows: list[list[str]]

    def holds(self, x: float, y: float) -> bool:
        """Whether a character that stands there belongs to it."""
        return self.left - 2 <= x <= self.right + 2 and self.bottom - 2 <= y <= self.top + 2


class Words(Protocol):
    """The text of a page as pdfium gives it."""

    def count_rects(self) -> int: ...
    def get_rect(self, index: int) -> tuple[float, float, float, float]: ...
    def get_text_bounded(self, left: float, bottom: float, right: float, top: float) -> str: ...


@dataclass(frozen=True, slots=True)
class _Segment:
    left: float
    bottom: float
    right: float
    top: float


def grids(page: "pdfium.PdfPage", words: Words) -> list[Grid]:
    """The tables of a page with at least two rows and columns, ruled ones first."""
    ruled = list(_ruled(page, words))
    return ruled + list(_aligned(words, ruled))


def _ruled(page: "pdfium.PdfPage", words: Words) -> Iterator[Grid]:
    edges = list(_edges(page))
    across = sum(edge["orientation"] == "h" for edge in edges)
    if min(across, len(edges) - across) < 2:
        return
    from pdfplumber import table as plumber

    merged: list[dict[str, Any]] = plumber.merge_edges(
        edges, snap_x_tolerance=3, snap_y_tolerance=3, join_x_tolerance=3, join_y_tolerance=3
    )
    across = sum(edge["orientation"] == "h" for edge in merged)
    if across * (len(merged) - across) > _CROSSINGS:
        return
    crossings = plumber.edges_to_intersections(merged, 3, 3)
    cells = cast("list[tuple[float, float, float, float]]", plumber.intersections_to_cells(crossings))
    for found in cast("list[list[tuple[float, float, float, float]]]", plumber.cells_to_tables(cells)):
        # Top is measured downward in there, from 0 at the page's lower edge: all tops are negative.
        lefts = sorted({cell[0] for cell in found})
        tops = sorted({cell[1] for cell in found})
        if len(lefts) < 2 or len(tops) < 2:
            continue
        rows = [[""] * len(lefts) for _ in tops]
        for left, top, right, bottom in found:
            text = _text(words, left, -bottom, right, -top)
            for at in range(tops.index(top), len(tops)):
                if tops[at] >= bottom - 1:
                    break
                rows[at][lefts.index(left)] = text
        filled = [row for row in rows if any(row)]
        if len(filled) > 1 and max(sum(map(bool, row)) for row in filled) > 1:
            yield Grid(
                lefts[0],
                -max(cell[3] for cell in found),
                max(cell[2] for cell in found),
                -tops[0],
                tuple(lefts),
                filled,
            )


def _edges(page: "pdfium.PdfPage") -> Iterator[dict[str, Any]]:
    """Straight lines along the axes, of strokes and of filled areas alike."""
    import ctypes

    import pypdfium2

    raw = cast(Any, pypdfium2.raw)  # Any: bindings made by ctypes have no types
    x, y = ctypes.c_float(), ctypes.c_float()
    fill, stroke = ctypes.c_int(), ctypes.c_int()
    left = _SEGMENTS
    matrix = raw.FS_MATRIX()
    for index in range(min(_OBJECTS, raw.FPDFPage_CountObjects(page.raw))):
        path = raw.FPDFPage_GetObject(page.raw, index)
        if raw.FPDFPageObj_GetType(path) != raw.FPDF_PAGEOBJ_PATH:
            continue
        raw.FPDFPath_GetDrawMode(path, fill, stroke)
        if not fill.value and not stroke.value:
            continue
        raw.FPDFPageObj_GetMatrix(path, matrix)
        a, b, c, d, e, f = (float(getattr(matrix, name)) for name in "abcdef")
        begin = last = (0.0, 0.0)
        count = raw.FPDFPath_CountSegments(path)
        left -= count
        if left < 0:
            return
        for number in range(count):
            segment = raw.FPDFPath_GetPathSegment(path, number)
            kind = raw.FPDFPathSegment_GetType(segment)
            raw.FPDFPathSegment_GetPoint(segment, x, y)
            point = (a * x.value + c * y.value + e, b * x.value + d * y.value + f)
            if kind == raw.FPDF_SEGMENT_MOVETO:
                begin = point
            elif kind == raw.FPDF_SEGMENT_LINETO:
                yield from _edge(last, point)
            if raw.FPDFPathSegment_GetClose(segment):
                yield from _edge(point, begin)
            last = point


def _edge(one: tuple[float, float], other: tuple[float, float]) -> Iterator[dict[str, Any]]:
    wide, high = abs(one[0] - other[0]), abs(one[1] - other[1])
    if min(wide, high) > 0.5 or max(wide, high) < 4:
        return
    left, right = sorted((one[0], other[0]))
    bottom, top = sorted((one[1], other[1]))
    yield {
        "x0": left,
        "x1": right,
        "top": -top,
        "bottom": -bottom,
        "width": wide,
        "height": high,
        "orientation": "h" if wide > high else "v",
        "object_type": "line",
    }


def _aligned(words: Words, taken: Sequence[Grid]) -> Iterator[Grid]:
    """Runs of at least three lines whose parts stand below each other, with gaps that no line crosses."""
    block: list[list[_Segment]] = []
    columns: list[_Segment] = []
    for row in (*_visual_rows(words, taken), []):
        joined = _columns((*columns, *row))
        high = max((part.top - part.bottom for part in row), default=0.0)
        near = bool(block and row) and block[-1][0].bottom - row[0].top < 2.5 * high
        if near and len(joined) > 1:
            block.append(row)
            columns = joined
            continue
        while block and len(block[-1]) < 2:
            block.pop()
        if sum(len(one) > 1 for one in block) >= 3 and (grid := _grid(words, block)) is not None:
            yield grid
        block = [row] if len(row) > 1 else []
        columns = list(row) if block else []


def _visual_rows(words: Words, taken: Sequence[Grid]) -> Iterator[list[_Segment]]:
    """Lines as they are seen, from the top, each of parts with wide gaps between them."""
    count = words.count_rects()
    if count > _RECTS:
        return
    rects = [_Segment(*words.get_rect(number)) for number in range(count)]
    rects = [one for one in rects if one.right > one.left and one.top > one.bottom]
    rects = [one for one in rects if not any(grid.holds(one.left, one.bottom) for grid in taken)]
    rects.sort(key=lambda one: -(one.top + one.bottom))
    rows: list[list[_Segment]] = []
    for rect in rects:
        if rows:
            last = rows[-1][0]
            shared = min(rect.top, last.top) - max(rect.bottom, last.bottom)
            if shared > 0.5 * min(rect.top - rect.bottom, last.top - last.bottom):
                rows[-1].append(rect)
                continue
        rows.append([rect])
    for row in rows:
        row.sort(key=lambda one: one.left)
        parts = row[:1]
        for rect in row[1:]:
            last = parts[-1]
            if rect.left - last.right < 1.2 * max(last.top - last.bottom, rect.top - rect.bottom):
                parts[-1] = _Segment(
                    last.left, min(last.bottom, rect.bottom), max(last.right, rect.right), max(last.top, rect.top)
                )
            else:
                parts.append(rect)
        yield parts


def _columns(parts: Iterable[_Segment]) -> list[_Segment]:
    """Stretches that the parts of all lines share, with gaps between them that no line crosses."""
    found: list[_Segment] = []
    for part in sorted(parts, key=lambda part: part.left):
        last = found[-1] if found else None
        if last is not None and part.left < last.right + 0.5 * (part.top - part.bottom):
            found[-1] = replace(last, right=max(last.right, part.right))
        else:
            found.append(part)
    return found


def _grid(words: Words, block: Sequence[Sequence[_Segment]]) -> Grid | None:
    columns = _columns(part for row in block for part in row)
    if len(columns) < 2:
        return None
    rows: list[list[str]] = []
    for parts in block:
        cells = [""] * len(columns)
        for part in parts:
            column = next(n for n, one in enumerate(columns) if one.left <= part.left <= one.right)
            text = _text(words, part.left - 0.5, part.bottom - 0.5, part.right + 0.5, part.top + 0.5)
            cells[column] = f"{cells[column]} {text}".strip()
        rows.append(cells)
    lengths = sorted(median([len(row[n]) for row in rows if row[n]] or [0]) for n in range(len(columns)))
    rows = _unwrapped(rows, [_middle(above) - _middle(below) for above, below in pairwise(block)])
    points = sum((_POINT if len(columns) > 2 else _NUMBER).fullmatch(row[0]) is not None for row in rows)
    full = sum(map(bool, (cell for row in rows for cell in row)))
    if lengths[-2] > _SHORT or 2 * points >= len(rows) or full < 0.6 * len(rows) * len(columns) or len(rows) < 3:
        return None
    parts = [part for row in block for part in row]
    return Grid(
        columns[0].left,
        min(part.bottom for part in parts),
        columns[-1].right,
        max(part.top for part in parts),
        tuple(one.left for one in columns),
        rows,
    )


def _unwrapped(rows: list[list[str]], pitches: list[float]) -> list[list[str]]:
    """Joins the lines of cells that run over several: they lie nearer to each other than the rows do."""
    if max(pitches) > 1.25 * min(pitches):
        wide = (max(pitches) + min(pitches)) / 2
        groups = [rows[:1]]
        for row, pitch in zip(rows[1:], pitches, strict=True):
            if pitch > wide:
                groups.append([row])
            else:
                groups[-1].append(row)
        if len(groups) > 2 and all(sum(map(all, group)) < 2 for group in groups):
            return [[" ".join(filter(None, cells)) for cells in zip(*group, strict=True)] for group in groups]
    joined: list[list[str]] = []
    for row in rows:
        if joined and not row[0] and sum(map(bool, row)) == 1:
            joined[-1] = [f"{above} {below}".strip() for above, below in zip(joined[-1], row, strict=True)]
        else:
            joined.append(row)
    return joined


def _middle(row: Sequence[_Segment]) -> float:
    return (row[0].top + row[0].bottom) / 2


def _text(words: Words, left: float, bottom: float, right: float, top: float) -> str:
    return " ".join(_HYPHEN.sub("", words.get_text_bounded(left, bottom, right, top)).split())
