"""Draws a neighbourhood as an SVG that is read as well as seen: labelled boxes and edges, light and dark."""

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from tools.graph import GraphEdge, GraphNode
from tools.graph.layout import Box, arrange
from tools.image.colour import oklch
from tools.image.render import SANS, width_of
from tools.language import Language

__all__ = ["Drawing", "draw"]

_NAME = 15.0
_KIND = 11.5
_EDGE = 11.5
"""Sizes of letters, in pixels."""
_LINE = 210.0
"""Pixels a line of a name may have."""
_WIDER = 1.18
"""A viewer without our font may set letters as much wider: boxes and labels leave the room."""
_MARGIN = 26.0
_HUES = (255, 150, 35, 310, 200, 85, 0, 275, 120, 230)
_GROUND, _DARK = "#ffffff", "#14181d"
_INK, _INK_DARK = "#14181d", "#f3f5f7"
_QUIET, _QUIET_DARK = "#454d57", "#c3cad3"
_THREAD, _THREAD_DARK = "#7b8490", "#8a94a1"


@dataclass(frozen=True, slots=True)
class Drawing:
    """A picture with what it says to those who do not see it."""

    svg: str
    alt_text: str


def draw(nodes: Sequence[GraphNode], edges: Sequence[GraphEdge], *, language: Language, truncated: bool) -> Drawing:
    """The picture of nodes, the first of which is the one asked for, and of the edges between them.

    Kinds are told by words and, beside that, by colour; letters have a contrast of at least 4.5 in both schemes.
    """
    names = {node.id: _wrapped(_clean(node.name)) for node in nodes}
    shown = [edge for edge in edges if edge.source in names and edge.target in names]
    sizes = {f"n{at}": _size(names[node.id], node) for at, node in enumerate(nodes)}
    number = {node.id: f"n{at}" for at, node in enumerate(nodes)}
    links: list[tuple[str, str]] = []
    for at, edge in enumerate(shown):
        sizes[f"e{at}"] = (width_of(_clean(edge.type), _EDGE, SANS) * _WIDER + 10, _EDGE + 8)
        links += [(number[edge.source], f"e{at}"), (f"e{at}", number[edge.target])]
    boxes = arrange(sizes, links, middle="n0")
    left = min(box.x - box.width / 2 for box in boxes.values()) - _MARGIN
    top = min(box.y - box.height / 2 for box in boxes.values()) - _MARGIN
    width = max(box.x + box.width / 2 for box in boxes.values()) + _MARGIN - left
    height = max(box.y + box.height / 2 for box in boxes.values()) + _MARGIN - top
    kinds = list(dict.fromkeys(node.label for node in nodes))
    alt_text = _told(nodes, shown, language, truncated=truncated)
    title = {"de": "Umgebung von {}", "en": "What surrounds {}"}[language].format(_clean(nodes[0].name))
    parts = [
        *(
            _thread(boxes[number[edge.source]], boxes[f"e{at}"], boxes[number[edge.target]])
            for at, edge in enumerate(shown)
        ),
        *(_label(boxes[f"e{at}"], _clean(edge.type)) for at, edge in enumerate(shown)),
        *(
            _box(boxes[number[node.id]], names[node.id], node, kinds.index(node.label) % len(_HUES))
            for node in reversed(nodes)
        ),
    ]
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{left:.0f} {top:.0f} {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}" role="img" lang="{language}" aria-labelledby="graph-title graph-text">'
        f'<title id="graph-title">{escape(title)}</title><desc id="graph-text">{escape(alt_text)}</desc>'
        f"<style>{_style(min(len(kinds), len(_HUES)))}</style>"
        '<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" orient="auto-start-reverse">'
        '<path class="tip" d="M0 0.8 10 5 0 9.2z"/></marker></defs>'
        f'<rect class="ground" x="{left:.0f}" y="{top:.0f}" width="{width:.0f}" height="{height:.0f}"/>'
        f"{''.join(parts)}</svg>"
    )
    return Drawing(svg, alt_text)


def _style(kinds: int) -> str:
    """Colours of both schemes; what a viewer knows of neither is drawn light."""

    def rules(ground: str, ink: str, quiet: str, thread: str, *, fill: tuple[float, float], rim: float) -> str:
        boxes = "".join(
            f".k{at} rect{{fill:{oklch(fill[0], fill[1], hue)};stroke:{oklch(rim, 0.12, hue)}}}"
            for at, hue in enumerate(_HUES[:kinds])
        )
        return (
            f".ground,.behind{{fill:{ground}}}.name{{fill:{ink}}}.kind,.type{{fill:{quiet}}}"
            f".thread{{stroke:{thread}}}.tip{{fill:{thread}}}{boxes}"
        )

    light = rules(_GROUND, _INK, _QUIET, _THREAD, fill=(0.96, 0.03), rim=0.58)
    dark = rules(_DARK, _INK_DARK, _QUIET_DARK, _THREAD_DARK, fill=(0.30, 0.045), rim=0.72)
    return (
        f"text{{font-family:'{SANS}',Arial,sans-serif;text-anchor:middle;font-weight:600}}"
        f".name{{font-size:{_NAME}px}}.kind{{font-size:{_KIND}px}}.type{{font-size:{_EDGE}px}}"
        ".thread{fill:none;stroke-width:1.5}rect{stroke-width:1.5}.ground,.behind{stroke:none}.asked rect{stroke-width:3.5}"
        f"{light}@media (prefers-color-scheme: dark){{{dark}}}"
    )


def _thread(start: Box, label: Box, end: Box) -> str:
    """A line from box to box, bent so that it runs through its label."""
    bend = (2 * label.x - (start.x + end.x) / 2, 2 * label.y - (start.y + end.y) / 2)
    if start == end:
        bend = (label.x, label.y)
    first, last = _edge_of(start, *bend), _edge_of(end, *bend)
    return (
        f'<path class="thread" marker-end="url(#tip)" d="M{first[0]:.1f} {first[1]:.1f} '
        f'Q{bend[0]:.1f} {bend[1]:.1f} {last[0]:.1f} {last[1]:.1f}"/>'
    )


def _edge_of(box: Box, x: float, y: float) -> tuple[float, float]:
    """Where the way from the middle of a box to a point leaves the box."""
    away_x, away_y = x - box.x, y - box.y
    if not away_x and not away_y:
        return box.x, box.y
    share = min(
        (box.width / 2 + 3) / abs(away_x) if away_x else float("inf"),
        (box.height / 2 + 3) / abs(away_y) if away_y else float("inf"),
    )
    share = min(share, 1.0)
    return box.x + away_x * share, box.y + away_y * share


def _label(box: Box, text: str) -> str:
    return (
        f'<rect class="behind" x="{box.x - box.width / 2:.1f}" y="{box.y - box.height / 2:.1f}" '
        f'width="{box.width:.1f}" height="{box.height:.1f}" rx="4"/>'
        f'<text class="type" x="{box.x:.1f}" y="{box.y + _EDGE * 0.35:.1f}">{escape(text)}</text>'
    )


def _box(box: Box, lines: Sequence[str], node: GraphNode, kind: int) -> str:
    asked = " asked" if node.distance == 0 else ""
    top = box.y - box.height / 2
    text = "".join(
        f'<text class="name" x="{box.x:.1f}" y="{top + 12 + _NAME * (0.8 + at * 1.22):.1f}">{escape(line)}</text>'
        for at, line in enumerate(lines)
    )
    return (
        f'<g class="node k{kind}{asked}"><title>{escape(_clean(f"{node.name} ({node.label})"))}</title>'
        f'<rect x="{box.x - box.width / 2:.1f}" y="{top:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" rx="9"/>{text}'
        f'<text class="kind" x="{box.x:.1f}" y="{top + box.height - 9:.1f}">{escape(_fit(_clean(node.label), _KIND))}</text></g>'
    )


def _size(lines: Sequence[str], node: GraphNode) -> tuple[float, float]:
    widest = max(
        *(width_of(line, _NAME, SANS) for line in lines), width_of(_fit(_clean(node.label), _KIND), _KIND, SANS)
    )
    return widest * _WIDER + 26, 12 + len(lines) * _NAME * 1.22 + _KIND + 14


def _wrapped(name: str) -> list[str]:
    """At most two lines; what is longer is cut with an ellipsis, and whole in the box's title."""
    if width_of(name, _NAME, SANS) <= _LINE:
        return [name]
    first = ""
    rest = name.split(" ")
    while rest and width_of(f"{first} {rest[0]}".strip(), _NAME, SANS) <= _LINE:
        first = f"{first} {rest.pop(0)}".strip()
    if not first:
        return [_fit(name, _NAME)]
    return [first, _fit(" ".join(rest), _NAME)] if rest else [first]


def _fit(text: str, size: float) -> str:
    while len(text) > 1 and width_of(text, size, SANS) > _LINE:
        text = f"{text[:-2].rstrip()}…"
    return text


def _clean(text: str) -> str:
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split()) or "?"


def _told(nodes: Sequence[GraphNode], edges: Sequence[GraphEdge], language: Language, *, truncated: bool) -> str:
    """The picture in words: the node, and each edge as a sentence of its names."""
    names = {node.id: _clean(node.name) for node in nodes}
    first = nodes[0]
    if language == "de":
        said = f"Graph um {names[first.id]} ({first.label}): {len(nodes)} Knoten, {len(edges)} Kanten."
        more = " Es gibt mehr, als gezeichnet ist."
    else:
        said = f"Graph around {names[first.id]} ({first.label}): {len(nodes)} nodes, {len(edges)} edges."
        more = " There is more than is drawn."
    told = [f"{names[edge.source]} {_clean(edge.type)} {names[edge.target]}." for edge in edges]
    return f"{said} {' '.join(told)}".strip() + more * truncated
