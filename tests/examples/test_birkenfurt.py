from __future__ import annotations

import csv
import re
from collections import Counter
from pathlib import Path
from typing import Any

import docx
import pypdfium2
import pytest
import yaml
from docx.table import Table as WordTable
from inline_snapshot import snapshot
from selectolax.lexbor import LexborHTMLParser

from examples.birkenfurt.build import build
from examples.birkenfurt.expected import from_graph, from_tables
from examples.birkenfurt.source import Table, read

ROOT = Path(__file__).parents[2] / "examples" / "birkenfurt"
DOCUMENTS = ROOT / "documents"


def stored_text(path: Path) -> str:
    """The document's text as a reader sees it, with every run of white space as one space."""
    match path.suffix:
        case ".html":
            body = LexborHTMLParser(path.read_bytes()).body
            assert body is not None
            text = body.text(separator=" ")
        case ".docx":
            parts = docx.Document(str(path)).iter_inner_content()
            cells = (
                [cell.text for row in part.rows for cell in row.cells] if isinstance(part, WordTable) else [part.text]
                for part in parts
            )
            text = " ".join(cell for row in cells for cell in row)
        case ".pdf":
            paper = pypdfium2.PdfDocument(path)
            text = " ".join(paper[number].get_textpage().get_text_range() for number in range(len(paper)))
            paper.close()
        case _:
            text = path.read_text(encoding="utf-8")
    return re.sub(r"\s+", " ", text.replace("|", " "))


@pytest.fixture(scope="session")
def stored() -> dict[str, str]:
    return {path.name: stored_text(path) for path in sorted(DOCUMENTS.iterdir())}


def rows(name: str) -> list[dict[str, str]]:
    with (ROOT / "data" / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def test_a_rebuild_gives_the_committed_bytes(tmp_path: Path) -> None:
    built = build(tmp_path)
    assert [path.name for path in built] == sorted(path.name for path in DOCUMENTS.iterdir())
    assert [path.name for path in built if path.read_bytes() != (DOCUMENTS / path.name).read_bytes()] == []


def test_the_town_has_forty_documents_in_four_formats_and_two_languages() -> None:
    sources = [read(path) for path in sorted((ROOT / "sources").glob("*.md"))]
    assert Counter(source.format for source in sources) == snapshot({"html": 11, "pdf": 8, "md": 14, "docx": 7})
    assert Counter(source.language for source in sources) == snapshot({"de": 36, "en": 4})
    assert Counter(source.kind for source in sources) == snapshot(
        {"service": 15, "decision": 9, "press": 5, "fees": 6, "event": 5}
    )
    assert sum(any(isinstance(block, Table) for block in source.blocks) for source in sources) >= 6


def test_every_document_is_between_250_and_700_words() -> None:
    words = {path.stem: len(path.read_text(encoding="utf-8").split()) for path in (ROOT / "sources").glob("*.md")}
    assert {name: count for name, count in words.items() if not 250 <= count <= 700} == {}


def test_a_heading_in_word_and_an_outline_in_pdf_are_real() -> None:
    word = docx.Document(str(DOCUMENTS / "hitzeaktionsplan.docx"))
    styles = [part.style.name for part in word.paragraphs if part.style is not None]
    assert (styles.count("Heading 1"), styles.count("Heading 2")) == (1, 7)
    paper = pypdfium2.PdfDocument(DOCUMENTS / "beschluss-waermeplanung.pdf")
    titles = [entry.get_title() for entry in paper.get_toc()]
    pages = len(paper)
    paper.close()
    assert pages > 1
    assert titles[:3] == [
        "Stadtrat beschließt kommunale Wärmeplanung",
        "Ausgangslage: Erdgas bestimmt die Versorgung",
        "Alte Gebäude, hoher Bedarf",
    ]


def test_every_edge_of_the_graph_joins_known_nodes_and_no_node_is_alone() -> None:
    nodes = {row["id"]: row["label"] for row in rows("nodes.csv")}
    edges = rows("edges.csv")
    ends = {edge[end] for edge in edges for end in ("source", "target")}
    assert ends == set(nodes)
    assert {(nodes[edge["source"]], edge["type"], nodes[edge["target"]]) for edge in edges} == {
        ("Person", "LEADS", "Office"),
        ("Person", "WORKS_IN", "Office"),
        ("Office", "OFFERS", "Service"),
        ("Service", "BASED_ON", "Law"),
        ("Office", "LOCATED_IN", "District"),
        ("Office", "PART_OF", "Office"),
    }


def test_the_districts_add_up_to_the_inhabitants_of_the_town() -> None:
    people = [row for row in rows("statistics.csv") if (row["topic"], row["year"]) == ("Einwohner", "2026")]
    assert (len(people), sum(int(row["value"]) for row in people)) == (8, 38_400)


def test_fees_and_opening_hours_name_offices_of_the_graph() -> None:
    offices = {row["name"] for row in rows("nodes.csv") if row["label"] == "Office"}
    assert {row["office"] for name in ("fees.csv", "opening_hours.csv") for row in rows(name)} <= offices


def test_every_person_of_the_graph_is_named_in_a_document(stored: dict[str, str]) -> None:
    everything = " ".join(stored.values())
    people = [row["name"] for row in rows("nodes.csv") if row["label"] == "Person"]
    assert [name for name in people if name not in everything] == []


def test_topics_name_documents_that_exist(stored: dict[str, str]) -> None:
    topics = yaml.safe_load((ROOT / "topics.yaml").read_text(encoding="utf-8"))
    inside, outside = topics["inside"], topics["outside"]
    assert (len(inside), len(outside), sum(topic["language"] == "en" for topic in inside)) == (20, 6, 4)
    assert [topic["topic"] for topic in inside if len(topic["documents"]) < 3] == []
    assert {name for topic in inside for name in topic["documents"]} <= set(stored)


def test_every_gold_answer_stands_verbatim_in_its_document(stored: dict[str, str]) -> None:
    questions = yaml.safe_load((ROOT / "questions.yaml").read_text(encoding="utf-8"))
    answered, unanswered = questions["answered"], questions["unanswered"]
    assert (len(answered), len(unanswered)) == (40, 12)
    assert [item["question"] for item in answered if item["answer"] not in stored[item["document"]]] == []


def asked(name: str) -> list[dict[str, Any]]:
    return yaml.safe_load((ROOT / "questions" / f"{name}.yaml").read_text(encoding="utf-8"))["questions"]


def test_every_gold_answer_of_the_test_set_stands_verbatim_in_its_document(stored: dict[str, str]) -> None:
    golden = [(document, gold) for case in asked("documents") for document, gold in case["gold"].items()]
    answers = [(document, one) for document, gold in golden for one in (gold if isinstance(gold, list) else [gold])]
    assert [one for one in answers if one[1] not in stored[one[0]]] == []
    assert {document for document, _ in answers} == set(stored)


def test_the_test_set_has_its_numbers_and_no_question_twice() -> None:
    names = ("documents", "unanswerable", "graph", "tables")
    questions = [case["question"] for name in names for case in asked(name)]
    assert [len(asked(name)) for name in names] == [100, 40, 50, 50]
    assert [one for one, times in Counter(questions).items() if times > 1] == []
    assert {case["near"] for case in asked("unanswerable")} <= {path.name for path in DOCUMENTS.iterdir()}


def test_the_lists_answer_every_question_to_graph_and_tables() -> None:
    assert [case["question"] for case in asked("graph") if not all(from_graph(case["expected"]))] == []
    assert [case["question"] for case in asked("tables") if not from_tables(case["expected"])] == []
