"""Finds what is left of erased texts: pieces of them, looked for in every byte of every file of an installation."""

import json
import mmap
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Fingerprints", "Seen"]

_SHORTEST = 24
"""Code points of a piece; shorter ones stand in other texts, too."""
_LONGEST = 60
_MOST = 400
"""Pieces; taken evenly from all texts."""
_WORDS = re.compile(r"\S+(?:[ \t]+\S+)*")


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look through files found."""

    files: int
    """Looked at."""
    found: tuple[Path, ...]
    """Those that hold a piece."""


class Fingerprints:
    """Pieces of texts that are as good as unique.

    Args:
        texts: what is to be found again.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        pieces: dict[str, None] = {}
        for text in texts:
            lines = [found for found in _WORDS.findall(text) if len(found) >= _SHORTEST]
            step = max(1, len(lines) * len(texts) // _MOST)
            for line in lines[::step]:
                at = max(0, (len(line) - _LONGEST) // 2)
                pieces[line[at : at + _LONGEST].strip()] = None
        self._set(pieces)

    def without(self, other: str) -> "Fingerprints":
        """Without what also stands in a text that stays, and so says nothing."""
        return self._kept([piece for piece in self.pieces if piece not in other])

    def without_those_in(self, data: bytes) -> "Fingerprints":
        """The same, of something as it is written."""
        return self._kept([piece for piece in self.pieces if not any(form in data for form in _forms(piece))])

    def _kept(self, pieces: Sequence[str]) -> "Fingerprints":
        if len(pieces) == len(self.pieces):
            return self
        fewer = Fingerprints(())
        fewer._set(pieces)
        return fewer

    def _set(self, pieces: Iterable[str]) -> None:
        self.pieces = tuple(pieces)
        forms = b"|".join(re.escape(form) for piece in self.pieces for form in sorted(_forms(piece)))
        self._pattern = re.compile(forms or b"(?!)")

    def __len__(self) -> int:
        return len(self.pieces)

    def stand_in(self, data: bytes | mmap.mmap) -> bool:
        """Whether a piece stands in `data`, as UTF-8 or as JSON writes it."""
        return self._pattern.search(data) is not None

    def look(self, root: Path, *, besides: Collection[Path] = ()) -> Seen:
        """Looks through every file below `root` and not `besides`; what cannot be opened any more is gone."""
        files = 0
        found: list[Path] = []
        for path in sorted(root.rglob("*")):
            if path.is_symlink() or not path.is_file() or any(path.is_relative_to(other) for other in besides):
                continue
            try:
                with path.open("rb") as file:
                    files += 1
                    if path.stat().st_size == 0:
                        continue
                    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                        if self.stand_in(data):
                            found.append(path)
            except FileNotFoundError:
                continue
        return Seen(files, tuple(found))


def _forms(piece: str) -> set[bytes]:
    """As it may be written: UTF-8, and JSON that escapes what is not ASCII, or quotes."""
    return {piece.encode(), *(json.dumps(piece, ensure_ascii=ascii)[1:-1].encode() for ascii in (True, False))}
