"""Colours of a page: the brand's own, moved just as far as people need to read them (WCAG 2.2)."""

from dataclasses import dataclass

__all__ = ["Palette", "contrast", "palette", "readable_on"]


@dataclass(frozen=True)
class Palette:
    """One scheme, each colour as #rrggbb. `ink`, `muted` and `brand` read as text on `paper` and on `panel`."""

    paper: str
    panel: str
    ink: str
    muted: str
    rule: str
    brand: str
    accent: str
    """For ornaments and focus rings: at least 3:1 on the paper."""

    def pairs(self) -> list[tuple[str, str, float]]:
        """Foreground, background and the least contrast the two must have."""
        texts = [
            (text, ground, 4.5) for text in (self.ink, self.muted, self.brand) for ground in (self.paper, self.panel)
        ]
        return [*texts, (self.accent, self.paper, 3.0), (self.accent, self.panel, 3.0)]


def palette(primary: str, accent: str, *, dark: bool) -> Palette:
    """The scheme of a brand, light or dark."""
    paper, panel, ink, muted, rule = (
        ("#15171b", "#1e2127", "#ebe7df", "#b3aea4", "#3a3e47")
        if dark
        else ("#fdfcfa", "#f4f1eb", "#1d1b18", "#5c574e", "#ddd7cb")
    )
    return Palette(
        paper=paper,
        panel=panel,
        ink=ink,
        muted=muted,
        rule=rule,
        brand=readable_on(readable_on(primary, paper, 4.6), panel, 4.6),
        accent=readable_on(readable_on(accent, paper, 3.05), panel, 3.05),
    )


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours, 1 to 21, as WCAG 2.2 defines it."""
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def readable_on(colour: str, ground: str, least: float) -> str:
    """`colour`, or the nearest shade of it towards black or white that has the contrast `least` on `ground`."""
    towards = 0 if _luminance(ground) > 0.18 else 255
    red, green, blue = _parts(colour)
    for step in range(101):
        share = step / 100
        mixed = tuple(round(part + (towards - part) * share) for part in (red, green, blue))
        shade = "#{:02x}{:02x}{:02x}".format(*mixed)
        if contrast(shade, ground) >= least:
            return shade
    return "#000000" if towards == 0 else "#ffffff"


def _parts(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _luminance(colour: str) -> float:
    linear = [
        part / 12.92 if (part := whole / 255) <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for whole in _parts(colour)
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
