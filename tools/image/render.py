"""Turns the drawing into pixels with the two bundled font families only, and writes into the file what it is."""

import struct
import zlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from xml.sax.saxutils import escape

import resvg_py
from PIL import ImageFont

from tools.base import SetupError

__all__ = ["ALGORITHM", "MODEL", "SANS", "SERIF", "mark", "render", "width_of", "xmp"]

SERIF = "Source Serif Pro"
SANS = "Source Sans Pro"
_FILES = {
    SERIF: ("font_source_serif_pro", "SourceSerifPro-Semibold.otf"),
    SANS: ("font_source_sans_pro", "SourceSansPro-Semibold.otf"),
}
ALGORITHM = "http://cv.iptc.org/newscodes/digitalsourcetype/algorithmicMedia"
"""IPTC's word for a picture that a rule made, without any trained model."""
MODEL = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
"""IPTC's word for a picture that a trained model made."""


@cache
def _font_file(family: str) -> str:
    package, name = _FILES[family]
    spec = find_spec(package)
    path = Path(spec.origin).parent / "files" / name if spec and spec.origin else Path(name)
    if not path.is_file():
        raise SetupError(
            f"The font file {name!r} is not there. Expected it in the package {package.replace('_', '-')!r}.",
            hint="Install Partitur again with its dependencies.",
        )
    return str(path)


@cache
def _font(family: str) -> ImageFont.FreeTypeFont:
    # Basic layout: the same widths whether or not the machine has a shaping library.
    return ImageFont.truetype(_font_file(family), 200, layout_engine=ImageFont.Layout.BASIC)


def width_of(text: str, size: float, family: str) -> float:
    """Width of `text` in pixels, set at `size`; kerning may make it a little narrower."""
    return _font(family).getlength(text) * size / 200


def render(svg: str, *, width: int, height: int) -> bytes:
    """PNG of the drawing, the same bytes on every machine: fonts of the system are not looked at."""
    return bytes(
        resvg_py.svg_to_bytes(
            svg_string=svg,
            width=width,
            height=height,
            skip_system_fonts=True,
            font_files=[_font_file(SERIF), _font_file(SANS)],
            font_family=SANS,
            serif_family=SERIF,
            sans_serif_family=SANS,
        )
    )


def xmp(*, title: str, description: str, source: str, tool: str) -> str:
    """XMP as newsrooms and search engines read it: what the picture shows and what kind of source made it."""
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" '
        'xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" xmlns:xmp="http://ns.adobe.com/xap/1.0/">'
        f'<dc:title><rdf:Alt><rdf:li xml:lang="x-default">{escape(title)}</rdf:li></rdf:Alt></dc:title>'
        f'<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{escape(description)}</rdf:li></rdf:Alt></dc:description>'
        f"<xmp:CreatorTool>{escape(tool)}</xmp:CreatorTool>"
        f"<Iptc4xmpExt:DigitalSourceType>{source}</Iptc4xmpExt:DigitalSourceType>"
        "</rdf:Description></rdf:RDF></x:xmpmeta>"
    )


def mark(png: bytes, *, description: str, packet: str) -> bytes:
    """The PNG with its description and XMP packet written in, behind the header."""
    end = 8 + 25
    return png[:end] + _text("Description", description) + _text("XML:com.adobe.xmp", packet) + png[end:]


def _text(keyword: str, text: str) -> bytes:
    """An iTXt chunk: text in UTF-8."""
    body = b"iTXt" + keyword.encode("latin-1") + b"\0\0\0\0\0" + text.encode()
    return struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
