"""The benchmark of scale runs on a small corpus; the corpus is the same each time and has one chunk a section."""

import json
from pathlib import Path

import pytest

from benchmarks.knowledge import Read, Searched, main, table
from benchmarks.knowledge_corpus import CHUNKS_EACH, Corpus
from tools.knowledge.extract import prepare
from tools.knowledge.formats import Limits
from tools.knowledge.prepared import Prepared


def test_documents_are_the_same_each_time_and_cut_as_they_were_made() -> None:
    first, second = Corpus(words=3_000), Corpus(words=3_000)
    assert first.document(7) == second.document(7) != first.document(8)
    assert list(first.questions(3)) == list(second.questions(3))
    limits = Limits(text_chars=1_000_000, output_chars=1_000_000)
    [found] = prepare("a.md", first.document(7).encode(), limits)
    assert isinstance(found, Prepared)
    assert len(found.chunks) == CHUNKS_EACH
    assert (found.language, list(found.metadata)) == ("de", ["amt"])


def test_quotients_are_those_of_each_round() -> None:
    searched = [
        Searched("LanceDB's own query", 1, [100.0, 10.0, 20.0], [0.1, 0.01, 0.02], [0.2, 0.02, 0.02]),
        Searched("Partitur", 1, [110.0, 20.0, 24.0], [0.11, 0.02, 0.024], [0.2, 0.04, 0.03]),
        Searched("LanceDB's own query", 16, [100.0, 100.0], [0.1], [0.1]),
        Searched("Partitur", 16, [110.0, 120.0], [0.125], [0.1]),
    ]
    lines = table([Read(0, 100, 4.0, 2.0, 3.0, 200.0, 300.0)], searched, 12.0).splitlines()
    assert "| 0 | 25 | 50% | 3 s | 200 MB | 300 MB |" in lines
    assert "| Partitur | 1 | 24 ms | 110 ms | 19.5 | 1.20 | 1.50 |" in lines
    assert "| Partitur | 16 | 115 ms | 120 ms | 16.0 | 1.25 | 1.00 |" in lines


@pytest.mark.timeout(300)
def test_a_quick_run_measures_ingestion_and_every_system(tmp_path: Path) -> None:
    main(["--quick", "--json", str(tmp_path / "figures.json")])
    figures = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))
    assert sum(one["documents"] for one in figures["ingestion"]) == 4
    assert {one["callers"] for one in figures["search"]} == {1, 16}
    assert all(len(one["milliseconds"]) == (3 if one["callers"] == 1 else 9) for one in figures["search"])
