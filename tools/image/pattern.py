"""Patterns of a card: eight families, each drawn as SVG into a rectangle with its corner at 0, 0."""

import math
from collections.abc import Callable, Mapping

from tools.image.dice import Dice

__all__ = ["PATTERNS", "Colours"]

Colours = tuple[str, ...]
"""Main, accent, tint, deep, light."""


def tiles(dice: Dice, width: float, height: float, colours: Colours) -> str:
    """Quarter circles, leaves, rings and dots on a grid."""
    rows = max(2, round(height / dice.pick((105.0, 126.0, 158.0))))
    side = height / rows
    columns = math.ceil(width / side)
    left = width - columns * side
    out: list[str] = []
    for row in range(rows):
        for column in range(columns):
            x, y = left + column * side, row * side
            below, above = _two(dice, colours)
            out.append(_rect(x, y, side + 0.5, side + 0.5, below))
            turn = 90 * dice.whole(0, 3)
            out.append(f'<g transform="translate({_n(x + side / 2)} {_n(y + side / 2)}) rotate({turn})">')
            out.append(_motif(dice, side, above, below))
            out.append("</g>")
    return "".join(out)


def _motif(dice: Dice, side: float, above: str, below: str) -> str:
    half = side / 2
    kind = dice.pick(("quarter", "leaf", "half", "disc", "ring", "arcs", "quarter", "leaf"))
    if kind == "quarter":
        return f'<path d="M{_n(-half)} {_n(-half)}H{_n(half)}A{_n(side)} {_n(side)} 0 0 1 {_n(-half)} {_n(half)}Z" fill="{above}"/>'
    if kind == "leaf":
        arc = f"A{_n(side)} {_n(side)} 0 0 1"
        return f'<path d="M{_n(-half)} {_n(-half)}{arc} {_n(half)} {_n(half)}{arc} {_n(-half)} {_n(-half)}Z" fill="{above}"/>'
    if kind == "half":
        return f'<path d="M{_n(-half)} 0A{_n(half)} {_n(half)} 0 0 1 {_n(half)} 0Z" fill="{above}"/>'
    if kind == "disc":
        return _circle(0, 0, side * 0.3, above)
    if kind == "ring":
        return _circle(0, 0, side * 0.38, above) + _circle(0, 0, side * 0.19, below)
    rings = [
        _circle(-half, -half, side * share, colour) for share, colour in ((1, above), (0.72, below), (0.44, above))
    ]
    corner, edge = _n(-half), _n(side)
    return (
        f'<svg x="{corner}" y="{corner}" width="{edge}" height="{edge}" viewBox="{corner} {corner} {edge} {edge}">'
        f"{''.join(rings)}</svg>"
    )


def contours(dice: Dice, width: float, height: float, colours: Colours) -> str:
    """Lines of a landscape, like those of a map."""
    out = [_rect(0, 0, width, height, colours[3])]
    waves = [(dice.between(0.6, 2.4), dice.between(0, math.tau), dice.between(0.25, 1)) for _ in range(4)]
    count = max(14, round(height / 21))
    lit = {dice.whole(2, count - 2) for _ in range(3)}
    for index in range(-6, count + 7):
        points: list[tuple[float, float]] = []
        for step in range(61):
            x = width * step / 60
            lift = sum(
                strength * math.sin(math.tau * wave * x / max(width, height) + phase + index * 0.13 * wave)
                for wave, phase, strength in waves
            )
            points.append((x, height * (index + 0.5) / count + lift * height * 0.055))
        colour = colours[1] if index in lit else colours[0] if index % 3 else colours[2]
        out.append(_line(points, colour, 5.5 if index in lit else 2.2))
    return "".join(out)


def arcs(dice: Dice, width: float, height: float, colours: Colours) -> str:
    """Rings around a corner, like the ripples of a stone in the water."""
    out = [_rect(0, 0, width, height, colours[2])]
    cx, cy = dice.pick((0.0, width)), dice.pick((0.0, height))
    radius = math.hypot(width, height)
    order = [colours[0], colours[3], colours[1], colours[2], colours[4]]
    start = dice.whole(0, 4)
    ring = 0
    while radius > 12:
        out.append(_circle(cx, cy, radius, order[(start + ring) % 5]))
        radius -= dice.pick((0.05, 0.075, 0.11, 0.16)) * max(width, height)
        ring += 1
    return "".join(out)


def hills(dice: Dice, width: float, height: float, colours: Colours) -> str:
    """Hills behind one another under a sun."""
    warm = int(colours[1][1:3], 16) > int(colours[1][5:7], 16) + 40
    sky, light = (colours[4], colours[1]) if warm else (colours[1], colours[4])
    out = [_rect(0, 0, width, height, sky)]
    radius = min(width, height) * dice.between(0.14, 0.22)
    sun = (width * dice.between(0.2, 0.8), height * dice.between(0.24, 0.36))
    out.append(_circle(*sun, radius, light))
    layers = (colours[2], _mix(colours[2], colours[0]), colours[0], _mix(colours[0], colours[3]), colours[3])
    for index, colour in enumerate(layers):
        base = height * (0.42 + index * 0.125)
        one, two = dice.between(0, math.tau), dice.between(0, math.tau)
        slow, fast = dice.between(0.5, 1.1), dice.between(1.3, 2.4)
        points = [
            (
                width * step / 48,
                base
                + height * 0.075 * math.sin(math.tau * slow * step / 48 + one)
                + height * 0.032 * math.sin(math.tau * fast * step / 48 + two),
            )
            for step in range(49)
        ]
        path = " ".join(f"L{_n(x)} {_n(y)}" for x, y in points)
        out.append(f'<path d="M0 {_n(height)}{path}L{_n(width)} {_n(height)}Z" fill="{colour}"/>')
    return "".join(out)


def bars(dice: Dice, width: float, height: float, colours: Colours) -> str:
    """Upright rounded bars of different height, some in two colours."""
    out = [_rect(0, 0, width, height, colours[3])]
    count = max(5, round(width / dice.pick((36.0, 48.0, 60.0))))
    step = width / count
    thick = step * 0.62
    phase, wave = dice.between(0, math.tau), dice.between(0.7, 1.6)
    for index in range(count):
        x = step * index + (step - thick) / 2
        share = 0.5 + 0.26 * math.sin(math.tau * wave * index / count + phase) + dice.between(-0.16, 0.16)
        top = height * (1 - max(0.16, min(0.9, share)))
        colour = dice.pick((colours[0], colours[0], colours[2], colours[2], colours[4], colours[1]))
        out.append(_pill(x, top, thick, height - top + thick, colour))
        if dice.chance(0.45):
            other = colours[1] if colour != colours[1] else colours[4]
            cut = top + (height - top) * dice.between(0.45, 0.75)
            out.append(_pill(x, cut, thick, height - cut + thick, other))
        if dice.chance(0.4):
            out.append(_circle(x + thick / 2, top - thick * 0.95, thick * 0.32, colours[1]))
    return "".join(out)


def dots(dice: Dice, width: float, height: float, colours: Colours) -> str:
    """A screen of dots that grow and shrink like a wave."""
    out = [_rect(0, 0, width, height, colours[3])]
    pitch = dice.pick((26.0, 30.0, 36.0))
    fx, fy = width * dice.between(0.15, 0.85), height * dice.between(0.15, 0.85)
    wave, phase = dice.between(0.9, 1.7), dice.between(0, math.tau)
    reach = math.hypot(width, height)
    rows, columns = int(height / pitch) + 2, int(width / pitch) + 2
    for row in range(rows):
        for column in range(columns):
            x, y = (column + (row % 2) / 2) * pitch, row * pitch
            far = math.hypot(x - fx, y - fy) / reach
            swell = 0.5 + 0.5 * math.cos(math.tau * wave * far + phase)
            radius = pitch * (0.09 + 0.40 * swell)
            colour = colours[1] if swell > 0.82 else colours[0] if swell > 0.34 else colours[2]
            out.append(_circle(x, y, radius, colour))
    return "".join(out)


def facets(dice: Dice, width: float, height: float, colours: Colours) -> str:
    """Triangles like folded paper, lit from one side."""
    across = max(3, round(width / 120))
    down = max(3, round(height / 120))
    spots = [
        [
            (
                width * column / across + (dice.between(-0.3, 0.3) * width / across if 0 < column < across else 0),
                height * row / down + (dice.between(-0.3, 0.3) * height / down if 0 < row < down else 0),
            )
            for column in range(across + 1)
        ]
        for row in range(down + 1)
    ]
    steps = (colours[3], _mix(colours[3], colours[0]), colours[0], _mix(colours[0], colours[2]), colours[2])
    out: list[str] = []
    for row in range(down):
        for column in range(across):
            a, b = spots[row][column], spots[row][column + 1]
            c, d = spots[row + 1][column], spots[row + 1][column + 1]
            for corners in ((a, b, c), (b, d, c)) if dice.chance(0.5) else ((a, b, d), (a, d, c)):
                lit = (corners[0][0] / width + 1 - corners[2][1] / height) / 2 + dice.between(-0.24, 0.24)
                colour = colours[1] if dice.chance(0.07) else steps[max(0, min(4, int(lit * 5)))]
                path = "L".join(f"{_n(x)} {_n(y)}" for x, y in corners)
                out.append(f'<path d="M{path}Z" fill="{colour}" stroke="{colour}" stroke-width="1.2"/>')
    return "".join(out)


def ribbons(dice: Dice, width: float, height: float, colours: Colours) -> str:
    """Slanting ribbons with round ends."""
    out = [_rect(0, 0, width, height, colours[3])]
    thick = dice.pick((26.0, 34.0, 42.0))
    reach = math.hypot(width, height)
    out.append(f'<g transform="translate({_n(width / 2)} {_n(height / 2)}) rotate({dice.pick((-45, -30, 35))})">')
    lane = -reach / 2
    while lane < reach / 2:
        x = -reach / 2 - dice.between(0, 220)
        while x < reach / 2:
            length = dice.between(2.2, 9) * thick
            colour = dice.pick((colours[0], colours[0], colours[2], colours[2], colours[1], colours[4]))
            out.append(_pill(x, lane, length, thick, colour))
            x += length + thick * dice.pick((0.35, 0.35, 1.6))
        lane += thick * 1.35
    return "".join([*out, "</g>"])


PATTERNS: Mapping[str, Callable[[Dice, float, float, Colours], str]] = {
    "tiles": tiles,
    "contours": contours,
    "arcs": arcs,
    "hills": hills,
    "bars": bars,
    "dots": dots,
    "facets": facets,
    "ribbons": ribbons,
}


def _n(value: float) -> str:
    """A number as short as SVG allows."""
    return (
        f"{value:.1f}".removesuffix(".0").replace("-0", "0") if abs(value) < 0.05 else f"{value:.1f}".removesuffix(".0")
    )


def _rect(x: float, y: float, width: float, height: float, colour: str) -> str:
    return f'<rect x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}" fill="{colour}"/>'


def _pill(x: float, y: float, width: float, height: float, colour: str) -> str:
    round_by = min(width, height) / 2
    return (
        f'<rect x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}" rx="{_n(round_by)}" fill="{colour}"/>'
    )


def _circle(x: float, y: float, radius: float, colour: str) -> str:
    return f'<circle cx="{_n(x)}" cy="{_n(y)}" r="{_n(radius)}" fill="{colour}"/>'


def _line(points: list[tuple[float, float]], colour: str, thick: float) -> str:
    path = "L".join(f"{_n(x)} {_n(y)}" for x, y in points)
    return f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="{thick}" stroke-linejoin="round"/>'


def _two(dice: Dice, colours: Colours) -> tuple[str, str]:
    """Two different colours, the ground drawn from the calm ones."""
    below = dice.pick((colours[3], colours[2], colours[3], colours[0], colours[4]))
    return below, dice.pick([colour for colour in colours if colour != below])


def _mix(one: str, other: str) -> str:
    """The colour half-way between two."""
    pairs = ((int(one[at : at + 2], 16), int(other[at : at + 2], 16)) for at in (1, 3, 5))
    return "#" + "".join(f"{(a + b) // 2:02x}" for a, b in pairs)
