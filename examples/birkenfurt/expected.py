"""What the lists of the town answer, worked out from the CSV files alone: what the tools say is held against it."""

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

__all__ = ["DATA", "asked_of", "from_graph", "from_tables"]

DATA = Path(__file__).with_name("data")

Spec = Mapping[str, Any]
Row = dict[str, str]
Cell = str | float


def _rows(name: str) -> list[Row]:
    with (DATA / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


_NODES = {row["id"]: row for row in _rows("nodes")}
_EDGES = [(row["source"], row["type"], row["target"], row["since"]) for row in _rows("edges")]


def from_graph(spec: Spec) -> list[set[str]]:
    """The right answers to a question of `questions/graph.yaml`: names, a number, or a day. Each set is one; any will do."""
    if "count" in spec:
        return [{str(len(_ends(spec["count"])))}]
    if "since" in spec:
        return [{since for *edge, since in _EDGES if edge == spec["since"]}]
    if "path" in spec:
        return [_named(way) for way in _ways(*spec["path"])]
    if "common" in spec:
        first, second = spec["common"]
        return [_named(_around(first) & _around(second))]
    if "neighbours" in spec:
        return [_named(_around(spec["neighbours"]))]
    return [_named(_ends(spec))]


def asked_of(spec: Spec) -> set[str]:
    """The names that a question itself speaks of, and those on the way to its answer."""
    if "then" in spec:
        way = {key: value for key, value in spec.items() if key != "then"}
        return asked_of(way) | _named(_ends(way))
    asked = spec.get("count", spec)
    ids = [asked.get(key) for key in ("from", "to", "neighbours")] + [*asked.get("path", ()), *asked.get("common", ())]
    return _named({id for id in ids if id is not None})


def from_tables(spec: Spec) -> list[tuple[Cell, ...]]:
    """The rows that answer a question of `questions/tables.yaml`, in the order of the list."""
    all_rows = _rows(spec["list"])
    found = _where(all_rows, spec.get("where", {}))
    if column := spec.get("share"):
        part, whole = (sum(float(row[column]) for row in some) for some in (found, _where(all_rows, spec["among"])))
        return [(100 * part / whole,)]
    if column := spec.get("growth"):
        first, last = float(found[0][column]), float(found[-1][column])
        return [(100 * (last - first) / first,)]
    for name, figure in _FIGURES.items():
        if column := spec.get(name):
            groups: dict[str, list[str]] = {}
            for row in found:
                groups.setdefault(row[spec["by"]] if "by" in spec else "", []).append(row[column])
            return [(one, figure(values)) if one else (figure(values),) for one, values in groups.items()]
    if "of" in spec:
        values = sorted((_ordered(row[spec["of"]]) for row in found), reverse="top" in spec)
        kept = values[: spec["top"] if "top" in spec else spec["least"]]
        found = [row for row in found if _ordered(row[spec["of"]]) in kept]
    return [tuple(_cell(row[column]) for column in spec["take"]) for row in found]


_FIGURES: Mapping[str, Callable[[Sequence[str]], float]] = {
    "sum": lambda values: sum(map(float, values)),
    "mean": lambda values: fmean(map(float, values)),
    "count": lambda values: float(len(values)),
}


def _named(ids: set[str]) -> set[str]:
    return {_NODES[id]["name"] for id in ids}


def _ends(spec: Spec) -> set[str]:
    """All nodes of a label, or those at the other end of a type of edge; and from there one step on."""
    if "label" in spec:
        return {id for id, node in _NODES.items() if node["label"] == spec["label"]}
    if "from" in spec:
        found = {end for start, kind, end, _ in _EDGES if (start, kind) == (spec["from"], spec["edge"])}
    else:
        found = {start for start, kind, end, _ in _EDGES if (end, kind) == (spec["to"], spec["edge"])}
    if then := spec.get("then"):
        side = "to" if then["end"] == "source" else "from"
        found = {end for id in found for end in _ends({"edge": then["edge"], side: id})}
    return found


def _around(id: str) -> set[str]:
    return {end if start == id else start for start, _, end, _ in _EDGES if id in (start, end)}


def _ways(first: str, last: str) -> list[set[str]]:
    """The nodes between two on each of the shortest ways, whichever way the edges point."""
    ways = [[first]]
    while not any(way[-1] == last for way in ways):
        ways = [[*way, node] for way in ways for node in _around(way[-1]) if node not in way]
    return [set(way[1:-1]) for way in ways if way[-1] == last]


def _where(found: list[Row], where: Spec) -> list[Row]:
    return [row for row in found if all(_fits(row[column], wanted) for column, wanted in where.items())]


def _fits(value: str, wanted: object) -> bool:
    match wanted:
        case list():
            return any(value == str(one) for one in wanted)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] # of a YAML file
        case {"above": float() | int() as bound}:
            return float(value) > bound
        case {"since": str() as day}:
            return value >= day
        case _:
            return value == str(wanted)


def _cell(text: str) -> Cell:
    try:
        return float(text)
    except ValueError:
        return text


def _ordered(text: str) -> tuple[float, str]:
    """Numbers by their size, times of day and all else as text."""
    cell = _cell(text)
    return (0.0, cell) if isinstance(cell, str) else (cell, "")
