"""Finds a place for the boxes and the edge labels of a small graph: the same each time, and none over another."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import networkx as nx
import numpy as np
from numpy.typing import NDArray

__all__ = ["Box", "arrange"]

_SEED = 7
_GAP = 18.0
"""Pixels between two boxes, at least."""
_ROUNDS = 600
_WIDE = 1.5
"""Width of the picture by its height, about."""

Points = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle by its middle, in pixels."""

    x: float
    y: float
    width: float
    height: float


def arrange(
    sizes: Mapping[str, tuple[float, float]], links: Sequence[tuple[str, str]], *, middle: str
) -> dict[str, Box]:
    """A box of its size for each name; `links` pull their ends together, `middle` stands in the middle."""
    names = list(sizes)
    if len(names) == 1:
        return {names[0]: Box(0.0, 0.0, *sizes[names[0]])}
    graph: nx.Graph[str] = nx.Graph()
    graph.add_nodes_from(names)
    graph.add_edges_from(links)
    places = _ringed(graph, middle)
    area = sum((width + 3 * _GAP) * (height + 3 * _GAP) for width, height in sizes.values())
    reach = math.sqrt(area) * 0.85
    found: dict[str, Points] = nx.spring_layout(
        graph, pos=places, seed=_SEED, iterations=60, k=1.1 / math.sqrt(len(names)), fixed=[middle]
    )
    points = np.array([found[name] for name in names], dtype=np.float64)
    points -= points[names.index(middle)]
    points *= reach / max(float(np.abs(points).max()), 1e-9)
    points[:, 0] *= _WIDE
    half = np.array([sizes[name] for name in names], dtype=np.float64) / 2 + _GAP / 2
    _part(points, half, names.index(middle))
    return {name: Box(float(at[0]), float(at[1]), *sizes[name]) for name, at in zip(names, points, strict=True)}


def _ringed(graph: "nx.Graph[str]", middle: str) -> dict[str, tuple[float, float]]:
    """Rings around the middle by distance; on each ring in the order of what they hang on."""
    away: dict[str, int] = nx.single_source_shortest_path_length(graph, middle)
    far = max(away.values(), default=0) + 1
    order = [*nx.bfs_tree(graph, middle), *(name for name in graph if name not in away)]
    rings: dict[int, list[str]] = {}
    for name in order:
        rings.setdefault(away.get(name, far), []).append(name)
    places: dict[str, tuple[float, float]] = {}
    for distance, ring in rings.items():
        for at, name in enumerate(ring):
            angle = 2 * math.pi * (at + 0.25) / len(ring)
            places[name] = (distance * math.cos(angle) / far, distance * math.sin(angle) / far)
    return places


def _part(points: Points, half: Points, fixed: int) -> None:
    """Pushes overlapping boxes apart along the shorter way until none overlaps."""
    count = len(points)
    # Two boxes at the very same place would push each other nowhere.
    points += np.column_stack((np.arange(count) * 1e-3, np.arange(count) * 1.7e-3))
    reach = half[:, None, :] + half[None, :, :]
    own = np.eye(count, dtype=bool)
    for _ in range(_ROUNDS):
        apart = points[:, None, :] - points[None, :, :]
        over = reach - np.abs(apart)
        hit = (over > 1e-6).all(axis=2) & ~own
        if not hit.any():
            return
        sideways = over[:, :, 0] < over[:, :, 1] * 1.2
        push = np.where(hit[:, :, None], np.sign(apart) * over * 0.5, 0.0)
        push[:, :, 0] *= sideways
        push[:, :, 1] *= ~sideways
        moved = push.sum(axis=1)
        # Several pushes at once overshoot; a little less, and a little room for the next round.
        points += moved * 0.55 + np.sign(moved) * 0.05
        points -= points[fixed]
    # What is still over another is sorted out row by row, which always ends.
    for at in np.argsort(points[:, 1], kind="stable"):
        placed = [other for other in range(count) if other != at and points[other][1] <= points[at][1]]
        while any((np.abs(points[at] - points[other]) < half[at] + half[other] - 1e-6).all() for other in placed):
            points[at][1] += 4.0
