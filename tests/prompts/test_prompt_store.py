"""The store serves the file as it lies and names the commit that last changed it."""

import shutil
import subprocess
from pathlib import Path

import pygit2
import pytest
from inline_snapshot import snapshot

from prompts import PromptStore
from tools.base import InvalidInput, NotFound, SetupError

SUMMARY = """---
description: Fasst einen Text zusammen.
variables:
  text: {type: string, role: source}
parameters: {sentences: 5}
---
Fasse zusammen:
{{ text | data }}
"""
ENGLISH = SUMMARY.replace("Fasst einen Text zusammen.", "Summarises a text.")


def test_a_committed_prompt_carries_its_path_and_commit(library) -> None:
    library.write("summary.md")
    commit = library.commit()
    prompt = PromptStore(library.root).get("summary")
    assert prompt.model_dump(exclude={"commit"}) == snapshot(
        {
            "name": "summary",
            "language": "de",
            "description": "Fasst einen Text zusammen.",
            "variables": {"text": {"type": "string", "role": "source", "required": True, "description": ""}},
            "parameters": {"sentences": 5, "diversity": 0.7},
            "body": "Fasse zusammen:\n{{ text | data }}\n",
            "line": 8,
            "path": "prompts/library/summary.md",
            "dirty": False,
            "problem": None,
        }
    )
    assert prompt.commit == commit


def test_the_commit_is_the_last_one_that_changed_this_file(library) -> None:
    library.write("summary.md")
    first = library.commit()
    library.write("answer.md")
    second = library.commit()
    library.write("summary.md", SUMMARY + "Kurz.\n")
    third = library.commit()
    (library.top / "README.md").write_text("nothing to do with prompts")
    library.commit()
    store = PromptStore(library.root)
    assert first not in (store.get("summary").commit, store.get("answer").commit)
    assert (store.get("summary").commit, store.get("answer").commit) == (third, second)


def test_an_edit_shows_at_once_and_is_dirty_until_committed(library) -> None:
    library.write("summary.md")
    first = library.commit()
    store = PromptStore(library.root)
    assert store.get("summary").commit == first
    library.write("summary.md", SUMMARY.replace("5", "2"))
    edited = store.get("summary")
    assert (edited.parameters, edited.commit, edited.dirty) == ({"sentences": 2}, None, True)
    second = library.commit()
    assert (store.get("summary").commit, store.get("summary").dirty) == (second, False)
    library.write("summary.md", store.get("summary").body and SUMMARY.replace("5", "3"))
    library.write("summary.md", SUMMARY.replace("5", "2"))
    assert store.get("summary").commit == second


def test_a_commit_that_leaves_the_file_alone_does_not_reload_another_text(library) -> None:
    library.write("summary.md")
    first = library.commit()
    store = PromptStore(library.root)
    store.get("summary")
    library.write("answer.md")
    second = library.commit()
    assert (store.get("summary").commit, store.get("answer").commit) == (first, second)


def test_between_changes_the_same_object_is_served(library) -> None:
    path = library.write("summary.md")
    library.commit()
    library.rest()
    store = PromptStore(library.root)
    prompt = store.get("summary")
    assert store.get("summary") is prompt
    path.touch()
    assert store.get("summary") == prompt


def test_rewritten_history_is_seen(library) -> None:
    library.write("summary.md")
    base = library.commit()
    library.write("summary.md", ENGLISH)
    store = PromptStore(library.root)
    assert store.get("summary").dirty
    once = library.commit()
    assert store.get("summary").commit == once
    library.repository.reset(pygit2.Oid(hex=base), pygit2.enums.ResetMode.SOFT)
    again = library.commit("amended", parents=[base])
    assert store.get("summary").commit == again


def test_a_merge_names_the_commit_on_the_side_that_changed_the_file(library) -> None:
    library.write("summary.md")
    library.write("answer.md")
    base = library.commit()
    library.write("summary.md", ENGLISH)
    side = library.commit("side", ref=None)
    library.write("summary.md")
    library.write("answer.md", ENGLISH)
    main = library.commit("main")
    library.write("summary.md", ENGLISH)
    merge = library.commit("merge", parents=[main, side])
    store = PromptStore(library.root)
    assert (store.get("summary").commit, store.get("answer").commit) == (side, main)
    assert base != merge


def test_an_edit_inside_a_merge_names_the_merge(library) -> None:
    library.write("summary.md")
    base = library.commit()
    library.write("summary.md", ENGLISH)
    side = library.commit("side", ref=None)
    library.write("summary.md", ENGLISH + "1")
    main = library.commit("main", parents=[base])
    library.write("summary.md", ENGLISH + "2")
    merge = library.commit("merge", parents=[main, side])
    assert PromptStore(library.root).get("summary").commit == merge


def test_a_name_has_its_own_file_for_english_and_falls_back_to_the_one_there_is(library) -> None:
    library.write("summary.md", SUMMARY)
    library.write("summary.en.md", ENGLISH)
    library.write("answer.md", SUMMARY)
    library.write("newsletter.en.md", ENGLISH)
    library.commit()
    store = PromptStore(library.root)
    served = {
        (name, language): (store.get(name, language).language, store.get(name, language).path)
        for name in store.names()
        for language in ("de", "en")
    }
    assert served == snapshot(
        {
            ("answer", "de"): ("de", "prompts/library/answer.md"),
            ("answer", "en"): ("de", "prompts/library/answer.md"),
            ("newsletter", "de"): ("en", "prompts/library/newsletter.en.md"),
            ("newsletter", "en"): ("en", "prompts/library/newsletter.en.md"),
            ("summary", "de"): ("de", "prompts/library/summary.md"),
            ("summary", "en"): ("en", "prompts/library/summary.en.md"),
        }
    )


def test_a_translation_that_appears_later_is_served(library) -> None:
    library.write("summary.md")
    library.commit()
    store = PromptStore(library.root)
    assert store.get("summary", "en").language == "de"
    library.write("summary.en.md", ENGLISH)
    assert store.get("summary", "en").language == "en"


def test_list_gives_every_prompt_in_every_language_and_leaves_out_other_files(library, tmp_path: Path) -> None:
    library.write("summary.md", SUMMARY)
    library.write("summary.en.md", ENGLISH)
    library.write("README.md", "about")
    library.write("Answer.md", "not a name")
    outside = tmp_path / "secret.md"
    outside.write_text(SUMMARY)
    (library.root / "linked.md").symlink_to(outside)
    library.commit()
    store = PromptStore(library.root)
    assert [(prompt.name, prompt.language) for prompt in store.list()] == [("summary", "de"), ("summary", "en")]
    assert store.names() == ("summary",)


def test_list_names_every_broken_file_in_one_message(library) -> None:
    library.write("answer.md", "no front matter")
    library.write("summary.md", SUMMARY.replace("string", "text"))
    with pytest.raises(SetupError) as caught:
        PromptStore(library.root).list()
    assert caught.value.message == snapshot("""\
prompts/library/answer.md:1: the front matter is missing or not closed. Expected YAML between two lines '---'.
prompts/library/summary.md:4: 'variables.text.type' does not fit: Input should be 'string', 'integer', 'number', 'boolean', 'date', 'array' or 'object'. Got 'text'. The front matter has the keys description, language, variables, parameters.\
""")


def test_an_unknown_name_names_the_nearest_one(library) -> None:
    library.write("summary.md")
    with pytest.raises(NotFound) as caught:
        PromptStore(library.root).get("sumary")
    assert str(caught.value) == snapshot(
        "Prompt 'sumary' is not in the library. It has 'summary'. Did you mean 'summary'?"
    )


@pytest.mark.parametrize(
    "name", ["../summary", "a/b", "", ".", "Summary", "1st", "a.en", "a\x00b", "ä", "a" * 65, "a\n"]
)
def test_a_name_that_is_none_is_refused(library, name: str) -> None:
    library.write("summary.md")
    with pytest.raises(InvalidInput, match="is not a name"):
        PromptStore(library.root).get(name)


def test_a_missing_library_says_so(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="cannot be read: No such file or directory"):
        PromptStore(tmp_path / "none").names()


def test_outside_git_the_file_still_serves(tmp_path: Path) -> None:
    (tmp_path / "summary.md").write_text(SUMMARY)
    prompt = PromptStore(tmp_path).get("summary")
    assert (prompt.commit, prompt.dirty, prompt.path) == (None, True, "summary.md")
    assert prompt.problem is not None
    assert "is in no Git repository" in prompt.problem


def test_before_the_first_commit_the_file_serves_as_dirty(library) -> None:
    library.write("summary.md")
    prompt = PromptStore(library.root).get("summary")
    assert (prompt.commit, prompt.dirty, prompt.problem) == (None, True, None)


@pytest.mark.parametrize("damage", ["objects", "HEAD", "config", "branch"])
def test_a_damaged_repository_still_serves_and_says_what_is_wrong(library, damage: str) -> None:
    library.write("summary.md")
    library.commit()
    git = library.top / ".git"
    if damage == "objects":
        shutil.rmtree(git / "objects")
        (git / "objects").mkdir()
    elif damage == "branch":
        (git / "refs/heads/main").write_text("0123")
    else:
        (git / damage).write_bytes(b"[core\nbroken")
    store = PromptStore(library.root)
    prompt = store.get("summary")
    assert (prompt.commit, prompt.dirty, prompt.parameters) == (None, True, {"sentences": 5, "diversity": 0.7})
    assert prompt.problem is not None
    assert store.problem == prompt.problem


def test_a_missing_object_in_the_past_is_told(library) -> None:
    library.write("summary.md")
    first = library.commit()
    (library.top / "README.md").write_text("x")
    library.commit()
    (library.top / ".git/objects" / first[:2] / first[2:]).unlink()
    prompt = PromptStore(library.root).get("summary")
    assert (prompt.commit, prompt.dirty) == (None, True)
    assert "is damaged" in (prompt.problem or "")


def test_line_ends_that_git_translated_are_no_change(library) -> None:
    path = library.write("summary.md")
    commit = library.commit()
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    prompt = PromptStore(library.root).get("summary")
    assert (prompt.commit, prompt.body) == (commit, "Fasse zusammen:\n{{ text | data }}\n")


def git(*arguments: str, cwd: Path) -> None:
    who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "protocol.file.allow=always"]
    subprocess.run(["git", *who, *arguments], cwd=cwd, check=True, capture_output=True)


needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="makes its repository with the git binary")


@needs_git
def test_a_worktree_has_its_own_head(library, tmp_path: Path) -> None:
    library.write("summary.md")
    first = library.commit()
    git("worktree", "add", "-b", "side", str(tmp_path / "side"), cwd=library.top)
    side = PromptStore(tmp_path / "side/prompts/library")
    assert side.get("summary").commit == first
    library.write("summary.md", ENGLISH)
    second = library.commit()
    assert (PromptStore(library.root).get("summary").commit, side.get("summary").commit) == (second, first)
    (tmp_path / "side/prompts/library/summary.md").write_text(ENGLISH + "x")
    git("commit", "-qam", "on the side", cwd=tmp_path / "side")
    served = side.get("summary")
    assert served.commit == str(pygit2.Repository(str(tmp_path / "side")).head.target)


@needs_git
def test_a_shallow_clone_names_its_border_and_says_so(library, tmp_path: Path) -> None:
    library.write("summary.md")
    library.commit()
    (library.top / "README.md").write_text("x")
    last = library.commit()
    git("clone", "-q", "--depth", "1", f"file://{library.top}", str(tmp_path / "clone"), cwd=tmp_path)
    prompt = PromptStore(tmp_path / "clone/prompts/library").get("summary")
    assert (prompt.commit, prompt.dirty) == (last, False)
    assert "shallow" in (prompt.problem or "")


@needs_git
def test_packed_branches_and_objects_are_read(library) -> None:
    library.write("summary.md")
    commit = library.commit()
    store = PromptStore(library.root)
    store.get("summary")
    git("gc", "-q", cwd=library.top)
    git("pack-refs", "--all", cwd=library.top)
    assert store.get("summary").commit == commit
    library.write("summary.md", ENGLISH)
    git("commit", "-qam", "after packing", cwd=library.top)
    assert store.get("summary").commit == str(library.repository.head.target)
