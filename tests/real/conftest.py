"""The real parts: a started server, a browser, Node.js with other people's clients, and what the demo wrote."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from outside import PARTITUR, Node, Served
from vllm_house import chat_engine, collector, embed_engine, engines, gateway, sdk

__all__ = ["chat_engine", "collector", "embed_engine", "engines", "gateway", "sdk"]

ROOT = Path(__file__).parent.parent.parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever lies here is real, and may take its time; what needs a real vLLM has a mark of its own."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.vllm if item.path.name.startswith("test_real_vllm") else pytest.mark.real)
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(120))


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Generator[Served]:
    """`partitur serve` as a user starts it."""
    home = tmp_path_factory.mktemp("served")
    served = Served("", home)
    log = home / "serve.log"
    with log.open("w") as sink:
        server = subprocess.Popen(
            [PARTITUR, "serve", "--port", "0"],
            cwd=home,
            env={**os.environ, **served.environment},
            stdout=sink,
            stderr=sink,
        )
    try:
        url = _until(lambda: re.search(r"http://[\d.]+:\d+", log.read_text()), "an address", log)[0]
        _until(lambda: _ready(f"{url}/readyz"), "to be ready", log)
        yield Served(url, home)
    finally:
        server.terminate()
        server.wait(30)


def _until(look: Callable[[], re.Match[str] | None], what: str, log: Path) -> re.Match[str]:
    end = time.monotonic() + 90
    while time.monotonic() < end:
        if (found := look()) is not None:
            return found
        time.sleep(0.2)  # a fixture of another process; there is nothing to wait on but its answer
    raise AssertionError(f"The server does not say {what}:\n{log.read_text()}")


def _ready(url: str) -> re.Match[str] | None:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return re.search(r"ready|ok", answer.read().decode())
    except urllib.error.HTTPError:
        return None  # 503 while it loads


@pytest.fixture(scope="session")
def real_parts() -> ModuleType:
    """`deploy/real_parts.py`, which knows where browser and clients are."""
    spec = importlib.util.spec_from_file_location("real_parts", ROOT / "deploy" / "real_parts.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def browser(real_parts: ModuleType) -> str:
    found = real_parts.browser()
    if found is None:
        pytest.fail("No browser is there. Run 'make test-real', which installs one.")
    return found


@pytest.fixture(scope="session")
def node() -> Node:
    """Runs a script of this folder in Node.js with the clients; returns the JSON it prints last."""
    folder = ROOT / ".tools" / "node"
    if not (folder / "node_modules").is_dir():
        pytest.fail("The clients are not there. Run 'make test-real', which installs them.")

    def run(script: str, *arguments: str, env: Mapping[str, str] | None = None) -> dict[str, Any]:
        shutil.copy(Path(__file__).parent / script, folder / script)  # modules are looked up from the script's place
        done = subprocess.run(
            ["node", script, *arguments], cwd=folder, env={**os.environ, **(env or {})}, capture_output=True, text=True,
            timeout=110, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{script} failed:\n{done.stdout}\n{done.stderr}"
        return json.loads(done.stdout.splitlines()[-1])

    return run


@pytest.fixture(scope="session")
def newsletter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `partitur demo` wrote."""
    home = tmp_path_factory.mktemp("demo")
    command = [PARTITUR, "demo", "--quiet", "--out", str(home / "out")]
    environment = {**os.environ, "PARTITUR_HOME": str(home / "home")}
    done = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return home / "out"
