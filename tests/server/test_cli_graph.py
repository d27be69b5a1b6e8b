"""The graph out of documents, from the command line."""

import json
import sys
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest

from server.cli import main

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with two documents; reading starts processes, which takes longer than a test may."""
    folder = tmp_path_factory.mktemp("documents")
    (folder / "ausweis.md").write_text("# Personalausweis beantragen\n\nZuständig ist das Bürgerbüro.\n", "utf-8")
    (folder / "hund.md").write_text("# Hunde\n\nDie Steuer regelt § 5 der Hundesteuersatzung.\n", "utf-8")
    home = tmp_path_factory.mktemp("home")
    out, sys.stdout = sys.stdout, StringIO()
    try:
        with pytest.raises(SystemExit, match="0"):
            main(["--home", str(home), "ingest", str(folder), "-q"])
    finally:
        sys.stdout = out
    return home


@pytest.fixture
def run(home: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            main(["--home", str(home), *arguments])
        out, err = capsys.readouterr()
        return int(left.value.code or 0), out, err

    return call


def test_documents_are_read_into_the_graph_and_again_only_where_they_changed(run: Run) -> None:
    code, out, _ = run("graph", "build", "--quiet")
    assert (code, out) == (
        0,
        "Documents: 2 read, 0 unchanged, 0 removed\nFound: 3 nodes, 1 edges in 2 passages\n",
    )
    code, out, _ = run("graph", "build", "--quiet", "--format", "json")
    told = json.loads(out)
    assert (code, told["unchanged"], told["documents"], told["spending"]["requests"]) == (0, 2, 0, 0)
    assert run("delete", "hund.md")[0] == 0
    code, out, _ = run("graph", "build", "--quiet")
    assert (code, out.splitlines()[0].rpartition(",")[0]) == (0, "Documents: 0 read, 1 unchanged")


def test_a_model_that_is_not_set_is_asked_for(run: Run) -> None:
    code, _, err = run("graph", "build", "--model", "--quiet")
    assert code != 0 and "'--model' reads documents with a chat model, and none is set" in err
    assert "PARTITUR_MODEL_URL" in err


def test_a_collection_that_is_not_there_is_said(run: Run) -> None:
    code, _, err = run("graph", "build", "--collection", "nirgends", "--quiet")
    assert code != 0 and "'nirgends'" in err
