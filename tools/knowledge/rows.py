"""Writes rows of cells as light markdown: the first one is the header, and what is empty goes."""

from collections.abc import Iterable, Iterator, Sequence

__all__ = ["row_line", "table_lines"]


def row_line(cells: Iterable[str]) -> str:
    """`| a | b |` in one line; a bar within a cell becomes a slash."""
    return "| " + " | ".join(" ".join(cell.split()).replace("|", "/") for cell in cells) + " |"


def table_lines(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A table without its empty rows and columns; single cells above it, such as its title, are paragraphs."""
    filled = [row for row in rows if any(row)]
    begin = 0
    if sum(map(bool, max(filled, key=lambda row: sum(map(bool, row)), default=()))) > 1:
        while sum(map(bool, filled[begin])) == 1:
            yield next(filter(None, filled[begin]))
            yield ""
            begin += 1
    used = sorted({at for row in filled[begin:] for at, cell in enumerate(row) if cell})
    for row in filled[begin:]:
        yield row_line(row[at] if at < len(row) else "" for at in used)
