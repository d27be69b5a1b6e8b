"""Writes a neighbourhood as a Mermaid flowchart; no name in it can be read as anything but text."""

import re
from collections.abc import Sequence

from tools.graph import GraphEdge, GraphNode

__all__ = ["mermaid"]

_SAFE = re.compile(r"[^\w \-.,:/+äöüÄÖÜß€§°²³–—„“’…]", re.UNICODE)
_LONGEST = 120


def mermaid(nodes: Sequence[GraphNode], edges: Sequence[GraphEdge]) -> str:
    """A flowchart from left to right: the node that was asked for is a rounded box, the others are plain ones.

    Ids are numbers of our own. In a label every character that means something to Mermaid, Markdown or HTML is written
    as an entity, so that a name can neither end its box nor start a link, a directive or a tag.
    """
    number = {node.id: at for at, node in enumerate(nodes)}
    lines = ["flowchart LR"]
    for at, node in enumerate(nodes):
        label = f"{_text(node.name)}<br/>{_text(node.label)}"
        lines.append(f'  n{at}(["{label}"])' if node.distance == 0 else f'  n{at}["{label}"]')
    lines += [
        f'  n{number[edge.source]} -->|"{_text(edge.type)}"| n{number[edge.target]}'
        for edge in edges
        if edge.source in number and edge.target in number
    ]
    return "\n".join(lines)


def _text(name: str) -> str:
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in name).split())
    line = line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
    escaped = _SAFE.sub(lambda found: f"#{ord(found[0])};", line)
    # Markdown in labels is switched on by backquotes, lists by a number or a dash at the start; "end" closes a block.
    escaped = re.sub(r"^([-+]|\d+)(?=[. ])", lambda found: "".join(f"#{ord(sign)};" for sign in found[0]), escaped)
    return re.sub(r"^(end)$", lambda found: f"#{ord(found[0][0])};{found[0][1:]}", escaped, flags=re.IGNORECASE) or "?"
