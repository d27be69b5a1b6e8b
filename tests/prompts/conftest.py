"""A prompt library in a real Git repository, made with pygit2."""

import os
import time
from pathlib import Path

import pygit2
import pytest

SUMMARY = """---
description: Fasst einen Text zusammen.
language: de
variables:
  text: {type: string, role: source}
parameters: {sentences: 5, diversity: 0.7}
---
Fasse zusammen:
{{ text | data }}
"""


class Library:
    """A repository with its prompts in `prompts/library`."""

    def __init__(self, top: Path) -> None:
        self.repository = pygit2.init_repository(str(top), initial_head="main")
        self.top = top
        self.root = top / "prompts" / "library"
        self.root.mkdir(parents=True)
        self._time = 1_700_000_000

    def write(self, name: str, text: str = SUMMARY) -> Path:
        path = self.root / name
        path.write_text(text, encoding="utf-8")
        return path

    def commit(self, message: str = "change", parents: list[str] | None = None, ref: str | None = "HEAD") -> str:
        """Commits everything; returns the commit's id."""
        repository = self.repository
        repository.index.add_all()
        repository.index.write()
        self._time += 60
        who = pygit2.Signature("Ada", "ada@example.org", self._time, 0)
        if parents is None:
            parents = [] if repository.head_is_unborn else [str(repository.head.target)]
        return str(repository.create_commit(ref, who, who, message, repository.index.write_tree(), list(parents)))

    def rest(self) -> None:
        """Gives every file an age, as in real life: what was written a moment ago is not trusted to the cache."""
        newest = max(path.stat().st_ctime_ns for path in self.top.rglob("*"))
        while time.time_ns() - newest < 110_000_000:
            os.sched_yield()


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path / "project")
