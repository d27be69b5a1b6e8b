"""Checks what 'make demo' left: every file there, whole, self-contained, and made of several documents.

python deploy/check_demo.py out/newsletter
"""

import json
import re
import sys
from pathlib import Path

STARTS = {".png": b"\x89PNG\r\n\x1a\n", ".wav": b"RIFF", ".opus": b"OggS", ".mp3": (b"ID3", b"\xff\xfb", b"\xff\xf3")}


def faults(folder: Path) -> list[str]:
    """What is wrong, as sentences."""
    found: list[str] = []
    for name in ("newsletter.html", "newsletter.md", "newsletter.json"):
        if not (folder / name).is_file() or (folder / name).stat().st_size < 500:
            found.append(f"{name!r} is missing or nearly empty.")
    files = {path.suffix: path for path in sorted(folder.glob("*")) if path.is_file()}
    for kinds in ((".png",), (".wav",), (".opus", ".mp3")):
        present = [files[kind] for kind in kinds if kind in files]
        if not present:
            found.append(f"There is no {' or '.join(kinds)} file.")
        found += [f"{path.name!r} is not what its name says." for path in present if not _whole(path)]
    if not found:
        found += _page(folder / "newsletter.html") + _result(folder / "newsletter.json")
    return found


def _whole(path: Path) -> bool:
    data = path.read_bytes()
    return len(data) > 1000 and data.startswith(STARTS[path.suffix])


def _page(path: Path) -> list[str]:
    """A self-contained page loads nothing from elsewhere; links may lead there."""
    text = path.read_text(encoding="utf-8")
    loads = re.findall(
        r"""<(?:img|script|audio|source|iframe|link)\b[^>]*?(?:src|href)=["'](?!data:|#)([^"']+)""", text
    )
    found = [f"The page loads {each!r}. Expected it to hold everything itself." for each in loads]
    return found + ([] if "<html lang=" in text else ["The page does not say its language."])


def _result(path: Path) -> list[str]:
    result = json.loads(path.read_text(encoding="utf-8"))
    found: list[str] = []
    if result.get("outcome") != "done":
        found.append(f"The outcome is {result.get('outcome')!r}. Expected 'done'.")
    documents = {citation["document"] for citation in result.get("citations", [])}
    if len(documents) < 3:
        found.append(f"It cites {len(documents)} documents. Expected at least three.")
    return found


if __name__ == "__main__":
    wrong = faults(Path(sys.argv[1]))
    print("\n".join(wrong) or "The demo left everything it should.")
    sys.exit(bool(wrong))
