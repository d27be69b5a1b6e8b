"""Recognises the text of scanned pages with tesseract, where that program is installed."""

import ctypes
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol, cast

from tools.knowledge.formats import Unreadable

if TYPE_CHECKING:
    import pypdfium2 as pdfium
    from _typeshed import ReadableBuffer

__all__ = ["Scanner", "scanned"]

_PLACES = "/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin:/opt/local/bin"
"""Where programs lie: a reader is not told the path of the process that started it."""

_LANGUAGES = ("deu", "eng")
_DOTS = 300  # an inch
_PIXELS = 12_000_000  # of a page as it is recognised: A4 with some margin
_SIDE = 12_000
_IMAGE = 100_000_000  # pixels of an image on it, which are unpacked to draw it
_SECONDS = 120  # of a page; the time for the whole file ends it earlier


class _Bitmap(Protocol):
    """An image of pdfium's, which has no types."""

    buffer: "ReadableBuffer"
    width: int
    height: int
    stride: int


@dataclass(frozen=True, slots=True)
class Scanner:
    """The program, and the languages it was installed with."""

    program: str
    languages: tuple[str, ...]

    @staticmethod
    def find() -> "Scanner | None":
        """The scanner of this machine; null where there is none for German or English."""
        return _found(_PLACES)

    def paragraphs(self, page: "pdfium.PdfPage") -> list[list[str]]:
        """The lines of each paragraph of a page.

        Raises:
            Unreadable: an image on it is too large, or the program failed.
        """
        command = [self.program, "stdin", "stdout", "-l", "+".join(self.languages), "--dpi", str(_DOTS)]
        try:
            done = subprocess.run(
                command,
                input=_drawn(page),
                capture_output=True,
                timeout=_SECONDS,
                check=False,
                env={"OMP_THREAD_LIMIT": "1", "LC_ALL": "C.UTF-8"},
            )
        except subprocess.TimeoutExpired as error:
            raise Unreadable(f"Recognising the text of a page took longer than {_SECONDS} seconds.") from error
        except OSError as error:
            raise Unreadable(f"Text recognition cannot be started: {error.strerror}.") from error
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace").strip()[-200:]
            raise Unreadable(f"Text recognition failed with code {done.returncode}: {said!r}.")
        blocks = done.stdout.decode("utf-8", "replace").replace("\r\n", "\n").replace("\x0c", "\n").split("\n\n")
        lines = ([" ".join(line.split()) for line in block.split("\n") if line.strip()] for block in blocks)
        return [block for block in lines if block]


@cache
def _found(places: str) -> Scanner | None:
    program = shutil.which("tesseract", path=places)
    if program is None:
        return None
    listed = subprocess.run([program, "--list-langs"], capture_output=True, timeout=_SECONDS, check=False, env={})
    known = set(listed.stdout.decode("utf-8", "replace").split())
    languages = tuple(name for name in _LANGUAGES if name in known)
    return Scanner(program, languages) if languages else None


def scanned(page: "pdfium.PdfPage") -> bool:
    """Whether a page without text shows something that may be some."""
    import pypdfium2

    return cast(Any, pypdfium2.raw).FPDFPage_CountObjects(page.raw) > 0  # Any: the bindings have no types


def _drawn(page: "pdfium.PdfPage") -> bytes:
    """The page as a grey image in PGM."""
    import pypdfium2

    raw = cast(Any, pypdfium2.raw)  # Any: as above
    wide, high = ctypes.c_uint(), ctypes.c_uint()
    for index in range(raw.FPDFPage_CountObjects(page.raw)):
        item = raw.FPDFPage_GetObject(page.raw, index)
        if raw.FPDFPageObj_GetType(item) != raw.FPDF_PAGEOBJ_IMAGE:
            continue
        raw.FPDFImageObj_GetImagePixelSize(item, wide, high)
        if wide.value * high.value > _IMAGE:
            raise Unreadable(
                f"An image on it has {wide.value:,} × {high.value:,} pixels. Expected at most {_IMAGE:,} in all."
            )
    width, height = cast("tuple[float, float]", page.get_size())
    scale = min(_DOTS / 72, (_PIXELS / max(1.0, width * height)) ** 0.5, _SIDE / max(1.0, width, height))
    bitmap = cast("Callable[..., _Bitmap]", page.render)(scale=scale, grayscale=True)
    rows = memoryview(bitmap.buffer).cast("B")
    lines = (rows[at * bitmap.stride : at * bitmap.stride + bitmap.width] for at in range(bitmap.height))
    return b"P5 %d %d 255\n" % (bitmap.width, bitmap.height) + b"".join(lines)
