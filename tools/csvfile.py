"""What a CSV file from an office looks like: its encoding, its delimiter and its headings."""

import codecs
import csv
from dataclasses import dataclass
from pathlib import Path

from tools.base.errors import InvalidInput

__all__ = ["Dialect", "utf8_copy"]

_PIECE = 2**20
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


@dataclass(frozen=True)
class Dialect:
    """How the file separates values, and the headings of its first line."""

    delimiter: str
    headers: tuple[str, ...]

    @classmethod
    def of(cls, path: Path) -> "Dialect":
        """Read from the header line, which every file must have: guessing from the rows goes wrong on free text.

        Raises:
            InvalidInput: there is no header line.
        """
        with path.open(encoding="utf-8", newline="") as file:
            return cls.within(file.read(_PIECE))

    @classmethod
    def within(cls, start: str) -> "Dialect":
        """Read from a text that begins with the header line.

        Raises:
            InvalidInput: there is no header line.
        """
        line = start.partition("\n")[0]
        if not line.strip():
            raise InvalidInput("It has no header line. Expected the columns' names in the first line.")
        outside = "".join(line.split('"')[::2])
        delimiter = max(",;\t|", key=outside.count)
        try:
            headers = next(csv.reader(start.splitlines(keepends=True), delimiter=delimiter, strict=True))
        except csv.Error as error:
            raise InvalidInput(f"Its header line cannot be read: {error}. Expected names with a delimiter.") from error
        return cls(delimiter, tuple(header.strip() for header in headers))


def utf8_copy(source: Path, target: Path) -> None:
    """Copies `source` as UTF-8 in small pieces; a file that is neither UTF-8 nor UTF-16 is read as Windows-1252.

    Raises:
        InvalidInput: the file is binary.
    """
    for encoding in (_marked(source) or "utf-8", "cp1252"):
        try:
            _copy(source, target, encoding)
        except UnicodeError:
            continue
        return
    raise InvalidInput("It is not text in UTF-8, UTF-16 or Windows-1252. Expected a CSV file.")


def _marked(source: Path) -> str | None:
    with source.open("rb") as file:
        start = file.read(4)
    return next((encoding for mark, encoding in _MARKS if start.startswith(mark)), None)


def _copy(source: Path, target: Path, encoding: str) -> None:
    with source.open(encoding=encoding, newline="") as text, target.open("w", encoding="utf-8", newline="") as copy:
        while piece := text.read(_PIECE):
            if "\x00" in piece:
                raise InvalidInput("It holds NUL bytes, so it is not text. Expected a CSV file.")
            copy.write(piece)
