"""What the real tests share: how to reach the started server and the scripts in Node.js."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

KEY = "pt-real-parts"
PARTITUR = str(Path(sys.executable).parent / "partitur")

Node = Callable[..., dict[str, Any]]
"""Runs a script of this folder with arguments; returns the JSON it prints."""


@dataclass(frozen=True)
class Served:
    """A server of its own process; `home` is its folder."""

    url: str
    home: Path

    @property
    def environment(self) -> dict[str, str]:
        return {"PARTITUR_HOME": str(self.home), "PARTITUR_API_KEY": KEY}
