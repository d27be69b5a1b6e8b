"""The graph from the command line: lists of several collections, and all of it built again."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from server.cli import main

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            main(["--home", str(tmp_path / "home"), *arguments])
        out, err = capsys.readouterr()
        return int(left.value.code or 0), out, err

    return call


def lists(tmp_path: Path, name: str, nodes: str) -> str:
    folder = tmp_path / name
    folder.mkdir()
    (folder / "nodes.csv").write_text(f"id,label,name\n{nodes}")
    return str(folder)


def test_a_graph_of_two_collections_is_built_again_from_its_sources(run: Run, tmp_path: Path) -> None:
    assert run("graph", "rebuild")[0] == 1
    assert run("collections", "create", "akten", "--reader", "group:personal", "--editor", "user:local")[0] == 0
    assert run("load", "graph", lists(tmp_path, "one", "a,Person,Anna\n"), "-q")[0] == 0
    assert (
        run("load", "graph", lists(tmp_path, "two", "b,Person,Bo\nc,Person,Cleo\n"), "--collection", "akten", "-q")[0]
        == 0
    )

    code, out, _ = run("graph", "rebuild", "--quiet")
    assert (code, out) == (0, "Built: generation 3, 3 nodes and 0 edges of 2 lists and documents\n")
    code, out, _ = run("graph", "rebuild", "--quiet", "--format", "json")
    assert (code, json.loads(out)) == (0, {"generation": 4, "sources": 2, "nodes": 3, "edges": 0})


def test_lists_go_nowhere_where_there_is_no_such_collection(run: Run, tmp_path: Path) -> None:
    code, _, err = run("load", "graph", lists(tmp_path, "one", "a,Person,Anna\n"), "--collection", "nirgends", "-q")
    assert code == 1
    assert "'nirgends'" in err


def test_a_graph_that_was_never_loaded_says_how(run: Run) -> None:
    code, _, err = run("graph", "rebuild", "--quiet")
    assert code == 1
    assert "The graph is empty. Expected something to be loaded." in err
    assert "partitur load graph FOLDER" in err
