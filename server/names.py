"""Checks that our six top-level names are ours: another distribution may have put its own 'agents' in front."""

from dataclasses import dataclass
from importlib.machinery import PathFinder
from importlib.metadata import distributions
from pathlib import Path

__all__ = ["NAMES", "Intruder", "intruders"]

NAMES = ("agents", "tools", "compositions", "prompts", "server", "evals")


@dataclass(frozen=True)
class Intruder:
    """A foreign package under one of our names."""

    name: str
    place: str
    distribution: str | None

    @property
    def message(self) -> str:
        whose = f"the package {self.distribution!r}" if self.distribution else "something else"
        return f"The name {self.name!r} belongs to {whose} ({self.place}). Expected it to be Partitur's own."

    @property
    def hint(self) -> str:
        what = self.distribution or self.place
        return (
            f"Uninstall {what!r} from this environment; where you need it, run it in an environment of its own and "
            "connect it as an MCP server."
        )


def intruders(root: Path | None = None, *, deep: bool = True) -> list[Intruder]:
    """Our names that are not ours, each with who has taken it.

    Args:
        root: the folder our own packages lie in.
        deep: also look for distributions that have put files into our very folders.
    """
    root = (root or Path(__file__).parent.parent).resolve()
    found: list[tuple[str, Path]] = []
    for name in NAMES:
        spec = PathFinder.find_spec(name)
        place = Path(spec.origin).parent if spec and spec.origin else None
        if place is not None and place.resolve().parent != root:
            found.append((name, place))
    if not found and not deep:
        return []
    owners = _owners()
    if not found:
        found = [(name, root / name) for name in NAMES if name in owners]
    return [Intruder(name, str(place), owners.get(name)) for name, place in found]


def _owners() -> dict[str, str]:
    """Distributions besides ours that install files under our names."""
    owners: dict[str, str] = {}
    for distribution in distributions():
        record = "\n" + (distribution.read_text("RECORD") or "")
        for name in NAMES:
            if f"\n{name}/" in record and distribution.metadata["Name"] != "partitur":
                owners[name] = distribution.metadata["Name"]
    return owners
