"""Designs a header card of a text: layout, headline, colours and pattern, all decided by the text itself."""

import re
import unicodedata
from dataclasses import dataclass
from functools import partial
from xml.sax.saxutils import escape

from tools.image.colour import Palette, colour_name, palette
from tools.image.dice import Dice
from tools.image.pattern import PATTERNS
from tools.image.render import ALGORITHM, SANS, SERIF, width_of, xmp
from tools.image.wrap import fit

__all__ = ["Card", "design"]

LABEL = {"de": "Gestaltete Karte", "en": "Designed card"}
_LEADING = 1.12
_PATTERN_NAMES = {
    "tiles": ("ein Muster aus Viertelkreisen und Blättern", "a pattern of quarter circles and leaves"),
    "contours": ("Höhenlinien wie auf einer Landkarte", "contour lines as on a map"),
    "arcs": ("Ringe um eine Ecke", "rings around a corner"),
    "hills": ("Hügel unter einer Sonne", "hills under a sun"),
    "bars": ("ein Rhythmus aus runden Balken", "a rhythm of rounded bars"),
    "dots": ("ein Raster aus Punkten", "a screen of dots"),
    "facets": ("Dreiecke wie gefaltetes Papier", "triangles like folded paper"),
    "ribbons": ("schräge Bänder", "slanting ribbons"),
}
_UNDRAWN = re.compile("[^\u0020-\u052f\u1e00-\u1fff\u2010-\u2027\u2030-\u205e\u20a0-\u20bf\u2100-\u214f\u00ad]")


@dataclass(frozen=True)
class Card:
    """A finished design."""

    svg: str
    alt_text: str
    label: str
    title: str
    palette: Palette
    pattern: str


@dataclass(frozen=True)
class _Box:
    x: float
    y: float
    width: float
    height: float


def design(
    *,
    prompt: str,
    title: str | None,
    kicker: str | None,
    language: str,
    width: int,
    height: int,
    primary: str | None,
    accent: str | None,
    brand: str | None,
) -> Card:
    """The card for a text; the same values give the same card."""
    headline = _clean(title or _headline(prompt))
    dice = Dice(f"{title or ''}\x00{prompt}")
    pattern = dice.pick(tuple(PATTERNS))
    colours = palette(dice, primary=primary, accent=accent)
    upright = width < height * 1.25
    layout = "band" if upright else dice.pick(("panel", "panel", "band", "left")) if width < height * 2.6 else "panel"
    art, words = _areas(layout, float(width), float(height))
    drawn = PATTERNS[pattern](dice, art.width, art.height, colours.art)
    unit = min(width / 1200, height / 630) if not upright else width / 900
    label = LABEL[language]
    alt_text = _describe(headline, pattern, colours, language)
    parts = [
        f'<rect width="{width}" height="{height}" fill="{colours.ground}"/>',
        f'<clipPath id="art"><rect width="{art.width:.1f}" height="{art.height:.1f}"/></clipPath>',
        f'<g transform="translate({art.x:.1f} {art.y:.1f})"><g clip-path="url(#art)">{drawn}</g></g>',
        _words(headline, kicker or brand, brand, label, words, colours, unit),
    ]
    packet = xmp(title=headline, description=alt_text, source=ALGORITHM, tool=f"Partitur, {label}")
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" lang="{language}" aria-labelledby="card-title card-text"><title id="card-title">{escape(headline)}</title>'
        f'<desc id="card-text">{escape(alt_text)}</desc><metadata>{packet}</metadata>{"".join(parts)}</svg>'
    )
    return Card(svg, alt_text, label, headline, colours, pattern)


def _areas(layout: str, width: float, height: float) -> tuple[_Box, _Box]:
    """Where the pattern is drawn, and where the words stand."""
    margin = min(width, height) * 0.105
    if layout == "band":
        share = 0.36
        return (
            _Box(0, height * (1 - share), width, height * share),
            _Box(margin, margin * 0.85, width - 2 * margin, height * (1 - share) - margin * 1.35),
        )
    share = 0.37
    words = _Box(margin, margin, width * (1 - share) - 1.75 * margin, height - 2 * margin)
    if layout == "left":
        return _Box(0, 0, width * share, height), _Box(
            width * share + 0.75 * margin, words.y, words.width, words.height
        )
    return _Box(width * (1 - share), 0, width * share, height), words


def _words(
    headline: str, kicker: str | None, brand: str | None, label: str, box: _Box, colours: Palette, unit: float
) -> str:
    """Kicker, headline and foot line."""
    small = max(15.0, 20 * unit)
    out: list[str] = []
    top = box.y
    out.append(
        f'<rect x="{box.x:.1f}" y="{top:.1f}" width="{56 * unit:.1f}" height="{6 * unit:.1f}" fill="{colours.mark}"/>'
    )
    top += 6 * unit + small * 1.75
    if kicker:
        shown = _shortened(_clean(kicker).upper(), box.width, small)
        out.append(_text(shown, box.x, top, small, SANS, colours.quiet, spacing=small * 0.09))
        top += small * 0.75
    else:
        top -= small * 0.9
    foot = box.y + box.height
    room = foot - small * 2.1 - top
    sizes = [size * unit for size in (116, 106, 96, 90, 84, 78, 72, 66, 60, 56, 52, 48, 44, 40, 36, 32, 28)]
    lines = fit(
        headline,
        measure=partial(width_of, family=SERIF),
        width=box.width,
        height=room,
        sizes=sizes,
        leading=_LEADING,
        most=5,
    )
    block = lines.size * _LEADING * (len(lines.lines) - 1)
    # A short headline stands at the foot, a long one hangs from the head.
    baseline = foot - small * 3.1 - block if len(lines.lines) <= 2 else top + lines.size * 0.98
    for line in lines.lines:
        out.append(_text(line, box.x, baseline, lines.size, SERIF, colours.ink, spacing=-lines.size * 0.012))
        baseline += lines.size * _LEADING
    below = f"{brand}  ·  {label}" if brand and brand != kicker and kicker else label
    out.append(_text(_shortened(_clean(below), box.width, small * 0.9), box.x, foot, small * 0.9, SANS, colours.quiet))
    return "".join(out)


def _text(text: str, x: float, y: float, size: float, family: str, colour: str, *, spacing: float = 0.0) -> str:
    fallback = "Georgia, serif" if family == SERIF else "Arial, sans-serif"
    gap = f' letter-spacing="{spacing:.2f}"' if spacing else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-family="\'{family}\', {fallback}" font-weight="600" font-size="{size:.1f}" '
        f'fill="{colour}"{gap}>{escape(text)}</text>'
    )


def _headline(prompt: str) -> str:
    """The first sentence, cut at a word after 110 characters."""
    first = re.split(r"(?<=[^\W\d]{2}[.!?])\s+(?=[A-ZÄÖÜ„\"])|\n", prompt.strip(), maxsplit=1)[0]
    if len(first) > 110:
        first = f"{first[:110].rsplit(' ', 1)[0].rstrip(' ,;:–-')} …"
    return first.removesuffix(".")


def _clean(text: str) -> str:
    """Composed letters without control characters and signs that the fonts do not have."""
    return " ".join(_UNDRAWN.sub(" ", unicodedata.normalize("NFC", text)).split())


def _shortened(text: str, width: float, size: float) -> str:
    while len(text) > 1 and width_of(text, size, SANS) * 1.12 > width:
        text = f"{text[:-2].rstrip()}…"
    return text


def _describe(headline: str, pattern: str, colours: Palette, language: str) -> str:
    what = _PATTERN_NAMES[pattern][0 if language == "de" else 1]
    names = list(dict.fromkeys(colour_name(hue, language) for hue in colours.names))
    if language == "de":
        return f"Gestaltete Karte mit der Überschrift „{headline}“, dazu {what} in {' und '.join(names)}."
    return f"Designed card with the headline “{headline}”, beside it {what} in {' and '.join(names)}."
