"""What passes the first wall and wants too much is stopped by the limits; what would slip through it meets a locked engine."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tools.test_graph_cypher import ATTACKS
from tools.base import Caller, PartiturError, TimedOut, TooLarge, Unavailable
from tools.base.access import Reach
from tools.graph import GraphConfig, GraphQuery
from tools.graph.building import engines
from tools.graph.loading import Brought, keep
from tools.graph.sources import Edge, Node, Source
from tools.graph.store import Graph, generations

ADMIN = Reach(Caller(subject="me", roles=frozenset({"admin"})))
CROWD = 30


@pytest.fixture(scope="module", params=["ladybug", "kuzu"])
def config(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> GraphConfig:
    """Thirty people who all know each other: short paths among them are many millions."""
    home = tmp_path_factory.mktemp("store")
    values = {"home": home, "engine": request.param, "seconds": 0.5, "memory_mb": 256, "workers": 1}
    config = GraphConfig.model_validate(values)
    source = Source(tenant="default")
    here = source.origin(file="nodes.csv", line=1)
    people = [Node(f"p{n}", "Person", f"P {n}", "", {}, here) for n in range(CROWD)]
    knows = [Edge(f"p{a}", "kennt", f"p{b}", "", {}, here) for a in range(CROWD) for b in range(CROWD) if a != b]
    keep([Brought(source, people, knows)], config=config)
    return config


@pytest.fixture(scope="module")
def graph(config: GraphConfig) -> Iterator[Graph]:
    graph = Graph(config)
    graph.query(GraphQuery(cypher="RETURN 1"), reach=ADMIN)
    yield graph
    graph.close()


HOGS = {
    "paths of every length": "MATCH p = (a)-[:kennt*1..6]->(b) RETURN count(DISTINCT nodes(p))",
    "all paths, sorted": "MATCH p = (a)-[*4..6]-(b) RETURN p ORDER BY length(p) DESC",
    "a product of all with all": "MATCH (a), (b), (c), (d), (e), (f) WITH concat(a.id, b.id, c.id, d.id, e.id, f.id) AS x RETURN count(DISTINCT x)",
    "a list of a hundred million": "RETURN size(range(1, 100000000))",
    "all in one list": "MATCH (a), (b), (c), (d), (e) RETURN size(collect(a.id + b.id + c.id))",
    "a text of two billion": "RETURN size(repeat('x', 2000000000))",
    "texts that grow": "MATCH (a), (b), (c), (d) RETURN size(repeat(a.id + b.id, 5000)) AS s ORDER BY repeat(a.id + c.id, 5000)",
    "one call that never looks up": "RETURN levenshtein(repeat('ab', 50000), repeat('ba', 50000))",
    "numbers, unwound": "UNWIND range(1, 5000) AS x UNWIND range(1, 5000) AS y UNWIND range(1, 9) AS z RETURN sum(x * y % 7)",
}


@pytest.mark.parametrize("cypher", HOGS.values(), ids=HOGS)
def test_a_hog_is_stopped_and_the_next_question_is_answered(graph: Graph, cypher: str) -> None:
    with pytest.raises((TimedOut, TooLarge, Unavailable)) as error:
        graph.query(GraphQuery(cypher=cypher), reach=ADMIN)
    assert error.value.hint
    assert graph.query(GraphQuery(cypher="MATCH (n) RETURN count(*)"), reach=ADMIN).rows == [[CROWD]]


def test_results_that_are_too_long_are_cut_and_said_to_be(graph: Graph) -> None:
    wide = "MATCH (a), (b) RETURN repeat(a.id, 9000), repeat(b.id, 9000)"
    result = graph.query(GraphQuery(cypher=wide, limit=1000), reach=ADMIN)
    assert result.truncated
    assert sum(len(str(cell)) for row in result.rows for cell in row) < 2_100_000


def test_behind_the_gate_the_engine_is_locked_in(config: GraphConfig, tmp_path: Path) -> None:
    held = generations(config).open()
    (view,) = [path for path in (held.path / "views").iterdir() if path.is_dir()]
    children = engines(config, view, write=False)
    secret = tmp_path / "secret.csv"
    secret.write_text("a,b\n1,2\n")

    attacks = {
        f"LOAD FROM '{secret}' RETURN *": "Too many open files",
        f"COPY (MATCH (n) RETURN n.id) TO '{tmp_path / 'out.csv'}'": "Too many open files",
        f"COPY (MATCH (n) RETURN n.id) TO '{tmp_path / 'out.parquet'}'": "",
        f"EXPORT DATABASE '{tmp_path / 'out'}'": "",
        f"ATTACH '{tmp_path / 'other'}' AS o (dbtype lbug)": "",
        "CREATE (:Person {id: 'x'})": "read-only",
        "MATCH (n) DETACH DELETE n": "read-only",
        "DROP TABLE Person": "read-only",
        "RETURN 1; RETURN 2": "more than one statement",
    }
    replies = {attack: children.ask({"cypher": attack, "limit": 1}, seconds=4) for attack in attacks}
    children.close()
    held.close()

    assert {attack for attack, reply in replies.items() if "error" not in reply} == set()
    for attack, reason in attacks.items():
        assert reason in replies[attack]["error"]
    assert [path for path in tmp_path.rglob("*") if path.is_file() and path != secret and path.stat().st_size] == []


def test_attacks_that_meet_the_engine_itself_change_nothing(config: GraphConfig, tmp_path: Path) -> None:
    held = generations(config).open()
    (view,) = [path for path in (held.path / "views").iterdir() if path.is_dir()]
    before = {path: path.read_bytes() for path in view.iterdir()}
    children = engines(config, view, write=False)
    here = tmp_path / "out"

    for attack in ATTACKS:
        try:
            children.ask({"cypher": attack.replace("/tmp/", f"{here}-"), "limit": 1}, seconds=2)
        except PartiturError:
            # An engine that gave up is replaced.
            continue
    alive = children.ask({"cypher": "MATCH (n) RETURN count(*)", "limit": 1}, seconds=2)
    children.close()
    held.close()

    assert alive["rows"] == [[CROWD]]
    assert {path: path.read_bytes() for path in view.iterdir() if path in before} == before
    assert [path for path in tmp_path.rglob("*") if path.is_file() and path.stat().st_size] == []
