import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from tools.base import Caller, NotFound, Unavailable
from tools.base.access import Reach
from tools.graph import Ask, GraphConfig, GraphQuery
from tools.graph.asking import answered
from tools.graph.loading import load
from tools.graph.store import Graph

ADMIN = Reach(Caller(subject="me", roles=frozenset({"admin"})))
ROOT = Path(__file__).parents[2]
# Loads, and waits before the edges are stored for a line that may never come.
LOAD = """
import sys
from pathlib import Path
from tools.graph import GraphConfig
from tools.graph.loading import load
def progress(done, total, message):
    if message.startswith("Making kennt"):
        print("in the middle", flush=True)
        sys.stdin.readline()
load(Path(sys.argv[1]), config=GraphConfig(home=Path(sys.argv[2])), on_progress=progress)
"""


def folder(tmp_path: Path, *, nodes: str, edges: str = "source,type,target\n") -> Path:
    path = tmp_path / "in"
    path.mkdir(exist_ok=True)
    (path / "nodes.csv").write_text(nodes)
    (path / "edges.csv").write_text(edges)
    return path


def people(tmp_path: Path, *names: str) -> Path:
    rows = "".join(f"{name},Person,{name}\n" for name in names)
    return folder(tmp_path, nodes=f"id,label,name\n{rows}", edges=f"source,type,target\n{names[0]},kennt,{names[-1]}\n")


def config(tmp_path: Path) -> GraphConfig:
    return GraphConfig(home=tmp_path / "store", workers=1)


def rows(graph: Graph, cypher: str) -> list[list[object]]:
    return [list(row) for row in graph.query(GraphQuery(cypher=cypher), reach=ADMIN).rows]


def loading(source: Path, home: Path) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", LOAD, str(source), str(home)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "in the middle\n"
    return process


def test_rows_that_do_not_fit_are_left_out_and_reported(tmp_path: Path) -> None:
    source = folder(
        tmp_path,
        nodes="id,label,name\na,A,Anna\na,A,Zwei\n,A,Ohne\nb,,Ohne\nc,A\nd,B,\n",
        edges="source,type,target,since\na,kennt,d,2020\na,kennt,x,\ny,kennt,a,\na,,d,\na,kennt\n",
    )
    (source / "fees.csv").write_text("id,amount\n1,2\n")

    assert load(source, config=config(tmp_path)).model_dump() == snapshot(
        {
            "generation": 1,
            "nodes": 2,
            "edges": 1,
            "files": [
                {
                    "file": "edges.csv",
                    "kind": "edges",
                    "rows": 1,
                    "skipped": 4,
                    "reasons": [
                        "line 3: no node has the id 'x'",
                        "line 4: no node has the id 'y'",
                        "line 5: it has no type",
                        "line 6: it has 2 values, the header has 4",
                    ],
                    "failure": None,
                },
                {
                    "file": "nodes.csv",
                    "kind": "nodes",
                    "rows": 2,
                    "skipped": 4,
                    "reasons": [
                        "line 3: the id 'a' is there already",
                        "line 4: it has no id",
                        "line 5: it has no label",
                        "line 6: it has 2 values, the header has 3",
                    ],
                    "failure": None,
                },
            ],
        }
    )
    graph = Graph(config(tmp_path))
    assert rows(graph, "MATCH (a)-[r]->(b) RETURN a.name, label(r), r.since, b.name") == [
        ["Anna", "kennt", "2020", "d"]
    ]
    graph.close()


def test_capitals_stay_capitals_so_that_a_type_is_still_understood(tmp_path: Path) -> None:
    source = folder(
        tmp_path,
        nodes="id,label,name\na,ÄMTER,Tiefbauamt\nb,Größe,Dezernat II\n",
        edges="source,type,target\na,GEHÖRT_ZU,b\n",
    )
    load(source, config=config(tmp_path))
    graph = Graph(config(tmp_path))
    assert rows(graph, "MATCH (a:AEMTER)-[r:GEHOERT_ZU]->(b:Groesse) RETURN b.name") == [["Dezernat II"]]
    said = answered(graph, Ask(question="Wozu gehört das Tiefbauamt?"), reach=ADMIN)
    graph.close()
    assert (said.outcome, said.template) == ("found", "whole")


def test_difficult_text_arrives_unchanged(tmp_path: Path) -> None:
    text = "Zeile \"eins\"\nZeile; zwei \\ 'drei', [x] {y}"
    quoted = text.replace('"', '""')
    source = folder(tmp_path, nodes=f'ID;Label;Name;Description;Straße\n007;Öffentliches Amt;"{quoted}";;Am Wall 1\n')
    load(source, config=config(tmp_path))

    graph = Graph(config(tmp_path))
    found = rows(graph, "MATCH (n:Oeffentliches_Amt) RETURN n")
    graph.close()
    assert found == [
        [
            {
                "id": "007",
                "label": "Oeffentliches_Amt",
                "name": text,
                "description": None,
                "strasse": "Am Wall 1",
            }
        ]
    ]


def test_a_type_of_the_same_name_as_a_label_gets_its_own(tmp_path: Path) -> None:
    source = folder(
        tmp_path,
        nodes="id,label,name\na,Amt,A\nb,AMT,B\n",
        edges="source,type,target\na,amt,b\na,Amt,a\n",
    )
    load(source, config=config(tmp_path))

    schema = Graph(config(tmp_path)).schema(reach=ADMIN)
    assert [(kind.label, kind.title) for kind in schema.nodes] == [("AMT", "AMT"), ("Amt_", "Amt")]
    assert [(kind.type, kind.title) for kind in schema.edges] == [("Amt__", "Amt"), ("amt___", "amt")]


def test_named_files_that_are_neither_nodes_nor_edges_fail_by_name(tmp_path: Path) -> None:
    source = people(tmp_path, "a", "b")
    (source / "fees.csv").write_text("id,amount\n1,2\n")
    (source / "binary.csv").write_bytes(bytes(range(256)))

    report = load(
        [source / name for name in ("nodes.csv", "fees.csv", "binary.csv", "gone.csv")], config=config(tmp_path)
    )

    assert report.generation is None
    assert {file.file: file.failure for file in report.files} == snapshot(
        {
            "nodes.csv": None,
            "fees.csv": "It has the headings id, amount. Expected id, label, name (nodes) or source, type, target (edges). Correct the file and load it again.",
            "binary.csv": "It is not text in UTF-8, UTF-16 or Windows-1252. Expected a CSV file. Correct the file and load it again.",
            "gone.csv": "It cannot be read: No such file or directory. Correct the file and load it again.",
        }
    )


def test_a_file_that_breaks_off_does_not_replace_a_good_graph(tmp_path: Path) -> None:
    load(people(tmp_path, "a", "b"), config=config(tmp_path))
    source = folder(tmp_path, nodes=f"id,label,name\na,A,Anna\nb,B,{'x' * 200_000}\n")

    report = load(source, config=config(tmp_path))

    assert (report.generation, report.files[-1].failure) == (
        None,
        "It cannot be read further: field larger than field limit (131072). Correct the file and load it again.",
    )
    assert Graph(config(tmp_path)).schema(reach=ADMIN).nodes[0].count == 2


def test_where_there_is_no_node_the_graph_stays_as_it_is(tmp_path: Path) -> None:
    load(people(tmp_path, "a", "b"), config=config(tmp_path))

    report = load(folder(tmp_path, nodes="id,label,name\n"), config=config(tmp_path))

    assert report.generation is None
    assert Graph(config(tmp_path)).schema(reach=ADMIN).nodes[0].count == 2


def test_a_folder_without_nodes_says_what_is_expected(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="holds no list of nodes. Expected a CSV file with the headings id, label, name"):
        load(tmp_path, config=config(tmp_path))
    with pytest.raises(NotFound, match="'/nowhere' is not there"):
        load(Path("/nowhere"), config=config(tmp_path))


def test_progress_only_grows_and_ends_at_the_total(tmp_path: Path) -> None:
    seen: list[tuple[float, float, str]] = []
    load(people(tmp_path, "a", "b"), config=config(tmp_path), on_progress=lambda *now: seen.append(now))

    done = [now[0] for now in seen]
    assert done == sorted(done)
    assert (seen[-1][0], seen[-1][2]) == (seen[-1][1], "2 nodes, 1 edges")
    assert "Storing 2 Person" in [now[2] for now in seen]


@pytest.fixture
def second(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """A second process in the middle of a load that adds a third person."""
    load(people(tmp_path, "a", "b"), config=config(tmp_path))
    process = loading(people(tmp_path, "a", "b", "c"), tmp_path / "store")
    yield process
    process.kill()
    process.communicate()


def test_a_second_process_that_loads_is_refused_and_readers_go_on(
    tmp_path: Path, second: "subprocess.Popen[str]"
) -> None:
    graph = Graph(config(tmp_path))

    with pytest.raises(Unavailable, match=f"is being written by process {second.pid}"):
        load(tmp_path / "in", config=config(tmp_path))
    assert rows(graph, "MATCH (n) RETURN count(n)") == [[2]]

    second.communicate("\n", timeout=4)
    assert rows(graph, "MATCH (n) RETURN count(n)") == [[3]]
    graph.close()


def test_a_load_killed_in_the_middle_loses_nothing(tmp_path: Path, second: "subprocess.Popen[str]") -> None:
    os.kill(second.pid, signal.SIGKILL)
    second.wait()

    graph = Graph(config(tmp_path))
    assert rows(graph, "MATCH (n) RETURN count(n)") == [[2]]
    assert load(tmp_path / "in", config=config(tmp_path)).generation == 2
    assert rows(graph, "MATCH (n) RETURN count(n)") == [[3]]
    graph.close()
