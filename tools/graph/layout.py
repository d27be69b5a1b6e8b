"""Finds a place for the boxes and the edge labels of a small graph: the same each time, and none over another."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

import networkx as nx
import numpy as np
from numpy.typing import NDArray

__all__ = ["Box", "arrange"]

_SEED = 7
_TRIES = 16
"""Arrangements that are tried at most; of big graphs fewer, since each takes longer."""
_STEPS = 24
"""Points of a link at which it is looked for behind boxes."""
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
    """A box of its size for each name; `links` pull their ends together, `middle` stands in the middle.

    Of several arrangements the one is taken in which the fewest links run behind a box that is none of their ends.
    """
    names = list(sizes)
    if len(names) == 1:
        return {names[0]: Box(0.0, 0.0, *sizes[names[0]])}
    graph: nx.Graph[str] = nx.Graph()
    graph.add_nodes_from(names)
    graph.add_edges_from(links)
    half = np.array([sizes[name] for name in names], dtype=np.float64) / 2
    ends = np.array([(names.index(start), names.index(end)) for start, end in links], dtype=np.intp).reshape(-1, 2)
    best: tuple[float, Points] | None = None
    for chance in range(max(3, min(_TRIES, 500 // len(names)))):
        points = _placed(graph, names, half, middle, Random(chance))
        behind = _behind(points, half, ends)
        # Among those with as few, the smallest: square pixels never weigh as much as one link.
        wanting = behind + float(np.ptp(points[:, 0]) * np.ptp(points[:, 1])) * 1e-9
        if best is None or wanting < best[0]:
            best = wanting, points
        if not behind:
            break
    assert best is not None
    return {name: Box(float(at[0]), float(at[1]), *sizes[name]) for name, at in zip(names, best[1], strict=True)}


def _placed(graph: "nx.Graph[str]", names: Sequence[str], half: Points, middle: str, random: Random) -> Points:
    """Middles of the boxes, none over another."""
    found: dict[str, Points] = nx.spring_layout(
        graph,
        pos=_ringed(graph, middle, random),
        seed=_SEED,
        iterations=60,
        k=1.1 / math.sqrt(len(names)),
        fixed=[middle],
    )
    points = np.array([found[name] for name in names], dtype=np.float64)
    points -= points[names.index(middle)]
    reach = math.sqrt(float(((2 * half[:, 0] + 3 * _GAP) * (2 * half[:, 1] + 3 * _GAP)).sum())) * 0.85
    points *= reach / max(float(np.abs(points).max()), 1e-9)
    points[:, 0] *= _WIDE
    _part(points, half + _GAP / 2, names.index(middle))
    return points


def _ringed(graph: "nx.Graph[str]", middle: str, random: Random) -> dict[str, tuple[float, float]]:
    """Rings around the middle by distance; on each ring in the order of what they hang on, which chance begins."""
    away: dict[str, int] = nx.single_source_shortest_path_length(graph, middle)
    far = max(away.values(), default=0) + 1
    order: list[str] = [middle]
    for name in order:
        fresh = [other for other in graph[name] if other not in order]
        random.shuffle(fresh)
        order += fresh
    order += [name for name in graph if name not in away]
    rings: dict[int, list[str]] = {}
    for name in order:
        rings.setdefault(away.get(name, far), []).append(name)
    places: dict[str, tuple[float, float]] = {}
    for distance, ring in rings.items():
        for at, name in enumerate(ring):
            angle = 2 * math.pi * (at + 0.25) / len(ring)
            places[name] = (distance * math.cos(angle) / far, distance * math.sin(angle) / far)
    return places


def _behind(points: Points, half: Points, ends: NDArray[np.intp]) -> int:
    """How often a straight link runs behind a box that is neither of its ends."""
    if not len(ends):
        return 0
    steps = np.linspace(0.0, 1.0, _STEPS)[None, :, None]
    along = points[ends[:, 0]][:, None, :] * (1 - steps) + points[ends[:, 1]][:, None, :] * steps
    inside: NDArray[np.bool_] = np.all(
        np.abs(along[:, :, None, :] - points[None, None, :, :]) < half[None, None, :, :] + 4.0, axis=3
    )
    hit: NDArray[np.bool_] = np.any(inside, axis=1)
    hit[np.arange(len(ends)), ends[:, 0]] = False
    hit[np.arange(len(ends)), ends[:, 1]] = False
    return int(hit.sum())


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
