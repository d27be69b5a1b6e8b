"""Colours of a card: derived in OKLCH from a brand colour or from chance, with contrast by WCAG 2.2 checked."""

import math
from dataclasses import dataclass

from tools.image.dice import Dice

__all__ = ["AA", "Palette", "colour_name", "contrast", "oklch", "palette", "to_oklch"]

AA = 4.5
"""The contrast that WCAG 2.2 (1.4.3) wants of text."""
_HUES = (255, 232, 200, 165, 145, 35, 18, 355, 300, 275, 62)
_ENDS = (20, 50, 80, 115, 165, 215, 275, 325, 361)
_NAMES = {
    "de": ("Rosa", "Ziegelrot", "Ocker", "Gelb", "Grün", "Türkis", "Blau", "Violett", "Himbeerrot"),
    "en": ("rose", "brick red", "ochre", "yellow", "green", "teal", "blue", "violet", "raspberry"),
}


@dataclass(frozen=True)
class Palette:
    """Colours as #rrggbb."""

    ground: str
    ink: str
    """The headline; its contrast to the ground is at least 7."""
    quiet: str
    """Small text; its contrast to the ground is at least 4.5."""
    mark: str
    """A short rule or dot that catches the eye."""
    art: tuple[str, ...]
    """Five colours of the pattern: main, accent, tint, deep, light."""
    names: tuple[float, float]
    """Hue of the main and the accent colour, degrees."""


def oklch(lightness: float, chroma: float, hue: float) -> str:
    """#rrggbb of an OKLCH colour; chroma is lowered until the colour can be shown."""
    channels = _linear(lightness, chroma, hue)
    for step in range(1, 25):
        if all(-0.0005 <= channel <= 1.0005 for channel in channels):
            break
        channels = _linear(lightness, chroma * (1 - step / 24), hue)
    return "#" + "".join(f"{round(255 * _gamma(min(1.0, max(0.0, channel)))):02x}" for channel in channels)


def to_oklch(colour: str) -> tuple[float, float, float]:
    """Lightness, chroma and hue (degrees) of #rrggbb."""
    red, green, blue = _rgb(colour)
    long = math.cbrt(0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue)
    medium = math.cbrt(0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue)
    short = math.cbrt(0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue)
    lightness = 0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short
    a = 1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short
    b = 0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short
    return lightness, math.hypot(a, b), math.degrees(math.atan2(b, a)) % 360


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours, 1 to 21, as WCAG 2.2 defines it."""
    lights = sorted((_luminance(one), _luminance(other)))
    return (lights[1] + 0.05) / (lights[0] + 0.05)


def palette(dice: Dice, *, primary: str | None, accent: str | None) -> Palette:
    """Colours that go together: of the brand where there is one, else of a hue drawn by chance."""
    if primary:
        _, strength, hue = to_oklch(primary)
        strength = max(0.2, min(1.0, strength / 0.13))
    else:
        hue, strength = dice.pick(_HUES) + dice.between(-6, 6), 1.0
    second = to_oklch(accent)[2] if accent else (hue + dice.pick((150, 180, 205, 55, -60))) % 360
    scheme = dice.pick(("paper", "paper", "night", "colour"))
    if scheme == "paper":
        ground = oklch(0.965, 0.014, dice.pick((85.0, hue)))
        art = (
            primary or oklch(0.50, 0.13 * strength, hue),
            accent or oklch(0.72, 0.15, second),
            oklch(0.87, 0.055 * strength, hue),
            oklch(0.31, 0.075 * strength, hue),
            oklch(0.92, 0.05, second),
        )
    elif scheme == "night":
        ground = oklch(0.235, 0.045 * strength, hue)
        art = (
            oklch(0.60, 0.13 * strength, hue),
            accent or oklch(0.79, 0.14, second),
            oklch(0.42, 0.085 * strength, hue),
            oklch(0.32, 0.065 * strength, hue),
            oklch(0.93, 0.035, second),
        )
    else:
        ground = _readable_under_white(primary or oklch(0.43, 0.115, hue))
        lightness, chroma, _ = to_oklch(ground)
        art = (
            oklch(min(0.66, lightness + 0.16), chroma, hue),
            accent or oklch(0.83, 0.14, second),
            oklch(lightness + 0.07, chroma * 0.95, hue),
            oklch(lightness - 0.11, chroma * 0.8, hue),
            oklch(0.95, 0.025, second),
        )
    dark = to_oklch(ground)[0] < 0.6
    ink = _reaching(7.0, ground, hue, dark=dark, chroma=0.02 if dark else 0.045)
    quiet = _reaching(AA + 0.6, ground, hue, dark=dark, chroma=0.035)
    mark = next((colour for colour in (art[1], art[0], ink) if contrast(colour, ground) >= 3.0), ink)
    return Palette(ground, ink, quiet, mark, art, (to_oklch(art[0])[2], to_oklch(art[1])[2]))


def colour_name(hue: float, language: str) -> str:
    """A word for a hue of OKLCH, in degrees."""
    return next(name for end, name in zip(_ENDS, _NAMES[language], strict=True) if hue % 360 < end)


def _reaching(wanted: float, ground: str, hue: float, *, dark: bool, chroma: float) -> str:
    """A text colour: soft where the contrast allows it, otherwise as far from the ground as needed."""
    if wanted >= 7.0:
        steps = (0.98, 1.0) if dark else (0.21, 0.15, 0.0)
    else:
        steps = (0.80, 0.85, 0.90, 0.95, 1.0) if dark else (0.48, 0.42, 0.36, 0.3, 0.2, 0.0)
    for lightness in steps:
        colour = oklch(lightness, chroma, hue)
        if contrast(colour, ground) >= wanted:
            return colour
    return "#ffffff" if contrast("#ffffff", ground) >= contrast("#000000", ground) else "#000000"


def _readable_under_white(colour: str) -> str:
    """The colour, darkened until white text on it reaches a contrast of 7."""
    lightness, chroma, hue = to_oklch(colour)
    while contrast(colour, "#ffffff") < 7.0 and lightness > 0.05:
        lightness -= 0.01
        colour = oklch(lightness, chroma, hue)
    return colour


def _rgb(colour: str) -> tuple[float, float, float]:
    """Linear light, 0 to 1."""
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return _light(red), _light(green), _light(blue)


def _light(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4


def _gamma(channel: float) -> float:
    return channel * 12.92 if channel <= 0.0031308 else 1.055 * channel ** (1 / 2.4) - 0.055


def _luminance(colour: str) -> float:
    red, green, blue = _rgb(colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(lightness: float, chroma: float, hue: float) -> tuple[float, float, float]:
    a, b = chroma * math.cos(math.radians(hue)), chroma * math.sin(math.radians(hue))
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )
