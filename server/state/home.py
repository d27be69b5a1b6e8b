"""Names the home, so that machines which share a database know whose documents lie where."""

import os
import secrets
from pathlib import Path

__all__ = ["home_id"]


def home_id(home: Path) -> str:
    """The same for all who share this home; made at the first call."""
    path = home / "id"
    if not path.exists():
        aside = home / f".id.{secrets.token_hex(8)}"
        aside.write_text(secrets.token_hex(16), encoding="ascii")
        try:
            os.link(aside, path)  # whoever is first has named it
        except FileExistsError:
            pass
        finally:
            aside.unlink()
    return path.read_text(encoding="ascii").strip()
