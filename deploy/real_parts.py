"""Brings what the tests marked 'real' need from outside: browser, database and text recognition by apt, clients of others by npm.

What is there already is used as it is; a second start costs nothing and needs no network.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WANTED = ROOT / "deploy" / "real"
NODE = ROOT / ".tools" / "node"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
OLDEST_NODE = 18
OCR = "tesseract-ocr tesseract-ocr-deu"


def main() -> int:
    wanted = (("chromium", browser()), ("nodejs npm", node()), ("postgresql", postgresql()), (OCR, tesseract()))
    missing = [package for package, there in wanted if not there]
    if missing:
        apt(" ".join(missing).split())
    if not browser():
        print(f"No browser starts. Expected one of {', '.join(BROWSERS)} on PATH; install one.", file=sys.stderr)
        return 2
    if not node():
        print(
            f"Node.js {OLDEST_NODE} or newer with npm is not there. Expected both on PATH; install them.",
            file=sys.stderr,
        )
        return 2
    if not postgresql():
        print(
            "PostgreSQL is not there. Expected its server programs (initdb, postgres); install them.", file=sys.stderr
        )
        return 2
    if not tesseract():
        print("tesseract with German is not there. Expected both on PATH; install them.", file=sys.stderr)
        return 2
    return clients()


def browser() -> str | None:
    """A browser that starts; on some systems the name on PATH is only a pointer to an installer."""
    return next((found for name in BROWSERS if (found := shutil.which(name)) and said(found, "--version")), None)


def node() -> bool:
    version = said("node", "--version").lstrip("v").partition(".")[0]
    return version.isdigit() and int(version) >= OLDEST_NODE and bool(said("npm", "--version"))


def postgresql() -> bool:
    """Whether its server can be started; Debian keeps it out of PATH."""
    return bool(shutil.which("initdb") or list(Path("/usr/lib/postgresql").glob("*/bin/initdb")))


def tesseract() -> bool:
    """Whether scans in German can be recognised."""
    return "deu" in said("tesseract", "--list-langs").split()


def said(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def apt(packages: list[str]) -> None:
    if shutil.which("apt-get") is None:
        return
    prefix = [] if os.geteuid() == 0 else ["sudo", "--non-interactive"]
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "update", "-qq"],
        ["apt-get", "install", "-qq", "-y", "--no-install-recommends", *packages],
    ):
        print(f"$ {' '.join(prefix + command)}", file=sys.stderr)
        subprocess.run(prefix + command, env=quiet, check=False)


def clients() -> int:
    """The npm packages of the lock, in `.tools/node`."""
    lock = (WANTED / "package-lock.json").read_bytes()
    stamp = NODE / "stamp"
    digest = hashlib.sha256(lock).hexdigest()
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == digest:
        return 0
    NODE.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(WANTED / name, NODE / name)
    # No install scripts: nothing of these packages runs but what a test calls.
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    done = subprocess.run(command, cwd=NODE, check=False)
    if done.returncode == 0:
        stamp.write_text(digest, encoding="utf-8")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
