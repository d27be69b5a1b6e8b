"""The documentation is held true: every setting, error and command has its heading, every link its file, every example runs."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from server.cli import partitur
from server.settings import Settings
from tools.base import PartiturError

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])


def headings(page: str) -> set[str]:
    return {
        line.lstrip("# ").strip("` ")
        for line in (ROOT / "docs" / page).read_text("utf-8").splitlines()
        if line.startswith("#")
    }


def errors(cls: type[PartiturError] = PartiturError) -> set[str]:
    ours = {cls.code} if cls.__module__ == "tools.base.errors" else set[str]()
    return ours.union(*(errors(child) for child in cls.__subclasses__()))


def test_every_setting_has_its_heading() -> None:
    assert set(Settings.model_fields) - headings("settings.md") == set()


def test_every_error_has_its_heading() -> None:
    assert errors() - headings("errors.md") == set()


def test_every_command_has_its_heading() -> None:
    said = " ".join(headings("cli.md"))
    assert [name for name in partitur.commands if not re.search(rf"\b{name}\b", said)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text("utf-8"))
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert missing == []


def python_examples() -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for page in PAGES:
        blocks = re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
        found += [(f"{page.name}-{number}", block) for number, block in enumerate(blocks, 1)]
    return found


@pytest.mark.parametrize(("name", "code"), python_examples(), ids=lambda value: value if "\n" not in value else "")
def test_every_python_example_compiles(name: str, code: str) -> None:
    import ast

    compile(code, name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


@pytest.mark.timeout(60)
def test_the_use_case_of_the_readme_is_served_as_it_stands(tmp_path: Path) -> None:
    """Two files, in a package of one's own: nothing else makes it a use case."""
    readme = (ROOT / "README.md").read_text("utf-8")
    code = re.search(r"```python\n(# agents/permits.py\n.*?)```", readme, re.DOTALL)
    prompt = re.search(r"```markdown\n(.*?)```", readme, re.DOTALL)
    assert code and prompt
    package = tmp_path / "town_use_cases"
    (package / "prompts").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "permits.py").write_text(code[1], "utf-8")
    (package / "prompts" / "permits.md").write_text(prompt[1], "utf-8")
    about = tmp_path / "town_use_cases-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: town-use-cases\nVersion: 1.0\n", "utf-8")
    (about / "entry_points.txt").write_text("[partitur.use_cases]\ntown = town_use_cases\n", "utf-8")
    document = tmp_path / "carport.md"
    document.write_text(
        "# Carport\n\nWelche Unterlagen braucht ein Carport? Für einen Carport braucht man einen Lageplan. "
        "Der Carport braucht auch eine Bauzeichnung.\n",
        "utf-8",
    )
    environment = {"PYTHONPATH": f"{tmp_path}:{ROOT}", "PATH": "/usr/bin:/bin", "PARTITUR_HOME": str(tmp_path / "home")}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", "from server.cli import main; main()", *arguments]
        return subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert run("ingest", str(document)).returncode == 0
    done = run("run", "permits", "--what", "Welche Unterlagen braucht ein Carport?", "--format", "json")
    assert done.returncode == 0, done.stderr
    assert "Lageplan" in done.stdout
