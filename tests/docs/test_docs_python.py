"""The examples of docs/python.md run as they stand, and print what the page says."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/python.md").read_text("utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def run(code: str, home: Path) -> str:
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=home, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.timeout(60)
def test_the_first_example_prints_what_the_page_says(tmp_path: Path) -> None:
    said = re.search(r"```\n(done extractive\n.*?)```", PAGE, re.DOTALL)
    assert said
    assert run(EXAMPLES[0], tmp_path) == said[1]


@pytest.mark.timeout(60)
@pytest.mark.parametrize(("number", "said"), [(1, '"outcome": "done"'), (2, "\ndone\n"), (3, "image/png ")])
def test_every_example_runs(number: int, said: str, tmp_path: Path) -> None:
    assert said in run(EXAMPLES[number], tmp_path)


def test_there_is_no_example_that_is_not_run() -> None:
    assert len(EXAMPLES) == 4
