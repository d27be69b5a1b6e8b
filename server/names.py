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


def intruders(root: Path | None = None) -> list[Intruder]:
    """Our names that are not ours, each with who has taken it. `root` is the folder our own packages lie in."""
    root = (root or Path(__file__).parent.parent).resolve()
    found: list[Intruder] = []
    for name in NAMES:
        spec = PathFinder.find_spec(name)
        place = Path(spec.origin).parent if spec and spec.origin else None
        if place is not None and place.resolve().parent != root:
            found.append(Intruder(name, str(place), _owner(name)))
    if not found:
        found = [Intruder(name, str(root / name), owner) for name in NAMES if (owner := _owner(name))]
    return found


def _owner(name: str) -> str | None:
    """The distribution besides ours that installs files under `name`."""
    for distribution in distributions():
        told = distribution.metadata["Name"]
        if told == "partitur":
            continue
        if any(file.parts[0] == name and len(file.parts) > 1 for file in distribution.files or ()):
            return told
    return None
