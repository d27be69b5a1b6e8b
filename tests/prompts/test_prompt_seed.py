"""Installed without a clone, the packaged prompts become a repository of the user's own."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pygit2
import pytest

from prompts import PromptStore
from prompts.seed import Seeded, library, seed
from tools.base import SetupError

TEXT = "---\ndescription: Fasst zusammen.\n---\nFasse zusammen.\n"


def package(folder: Path, **prompts: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in prompts.items():
        (folder / f"{name}.md").write_text(TEXT + text)
    return folder


def log(target: Path) -> list[tuple[str, str]]:
    repository = pygit2.Repository(str(target))
    return [
        (commit.message, f"{commit.author.name} <{commit.author.email}>")
        for commit in repository.walk(repository.head.target)
    ]


def test_the_first_start_makes_a_repository_with_one_commit(tmp_path: Path) -> None:
    target = tmp_path / "home/prompts"
    done = seed(package(tmp_path / "v1", summary="1", answer="1"), target, version="1.0")
    assert done == Seeded(added=("answer.md", "summary.md"))
    assert log(target) == [("Prompt library of Partitur 1.0", "Partitur <partitur@localhost>")]
    prompt = PromptStore(target).get("summary")
    assert (prompt.path, prompt.dirty, prompt.commit) == (
        "summary.md",
        False,
        str(pygit2.Repository(str(target)).head.target),
    )
    assert pygit2.Repository(str(target)).status() == {}


def test_the_same_version_again_changes_nothing(tmp_path: Path) -> None:
    packaged, target = package(tmp_path / "v1", summary="1"), tmp_path / "home/prompts"
    seed(packaged, target, version="1.0")
    head = pygit2.Repository(str(target)).head.target
    assert seed(packaged, target, version="1.0") == Seeded()
    assert pygit2.Repository(str(target)).head.target == head


def test_an_upgrade_adds_and_updates_and_leaves_the_users_changes(tmp_path: Path) -> None:
    target = tmp_path / "home/prompts"
    seed(package(tmp_path / "v1", summary="1", answer="1", chat="1", image="1", speech="1"), target, version="1.0")
    (target / "answer.md").write_text(TEXT + "mine")
    (target / "chat.md").unlink()
    (target / "own.md").write_text(TEXT + "my own")
    (target / "staged.md").write_text(TEXT + "staged")
    repository = pygit2.Repository(str(target))
    repository.index.add("staged.md")
    repository.index.write()
    v2 = package(tmp_path / "v2", summary="2", answer="2", chat="2", image="1", speech="1", research="2", own="2")
    done = seed(v2, target, version="2.0")
    assert done == Seeded(added=("research.md",), updated=("summary.md",), kept=("answer.md", "chat.md", "own.md"))
    texts = {path.stem: path.read_text().removeprefix(TEXT) for path in sorted(target.glob("*.md"))}
    assert texts == {
        "answer": "mine", "image": "1", "own": "my own", "research": "2", "speech": "1", "staged": "staged", "summary": "2",
    }  # fmt: skip
    status = pygit2.Repository(str(target)).status()
    assert {name: pygit2.enums.FileStatus(flag).name for name, flag in status.items()} == {
        "answer.md": "WT_MODIFIED",
        "chat.md": "WT_DELETED",
        "own.md": "WT_NEW",
        "staged.md": "INDEX_NEW",
    }
    assert [message for message, _ in log(target)] == [f"Prompt library of Partitur {v}" for v in ("2.0", "1.0")]
    assert seed(v2, target, version="2.0") == Seeded()


def test_several_processes_may_start_at_once(tmp_path: Path) -> None:
    packaged, target = package(tmp_path / "v1", summary="1"), tmp_path / "home/prompts"
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: seed(packaged, target, version="1.0"), range(4)))
    assert sorted(len(each.added) for each in done) == [0, 0, 0, 1]
    assert len(log(target)) == 1


def test_a_folder_that_is_something_else_is_left_alone(tmp_path: Path) -> None:
    packaged, target = package(tmp_path / "v1", summary="1"), tmp_path / "prompts"
    target.mkdir()
    (target / "notes.txt").write_text("mine")
    with pytest.raises(SetupError, match="is no Git repository"):
        seed(packaged, target, version="1.0")
    assert [path.name for path in target.iterdir()] == ["notes.txt"]


def test_a_home_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    with pytest.raises(SetupError, match="cannot be written"):
        seed(package(tmp_path / "v1", summary="1"), tmp_path / "home/prompts", version="1.0")


def test_a_clone_serves_its_own_library_and_an_installation_its_copy(tmp_path: Path, library_in_git: Path) -> None:
    assert library(tmp_path / "home", library_in_git) == library_in_git
    assert not (tmp_path / "home").exists()
    packaged = package(tmp_path / "site-packages", summary="1")
    assert library(tmp_path / "home", packaged) == tmp_path / "home/prompts"


@pytest.fixture
def library_in_git(library) -> Path:
    library.write("summary.md")
    library.commit()
    return library.root
