"""What documents find is the thing of the lists where nothing is in doubt, in whatever order they came."""

from itertools import permutations
from pathlib import Path

import pytest

from tools.base import Caller
from tools.base.access import Reach
from tools.graph import Ask, GraphConfig, NeighboursQuery
from tools.graph.asking import answered
from tools.graph.joining import joined
from tools.graph.loading import Brought, forget, keep
from tools.graph.records import Records
from tools.graph.sources import Edge, Node, Source
from tools.graph.store import Graph

REACH = Reach(Caller(subject="anna"))
LISTS = Source("default")
MORE = Source("default", name="more")
PAGE = Source("default", name="text", document="page", title="Page")
NEWS = Source("default", name="text", document="news", title="News")


def thing(source: Source, id: str, name: str, label: str = "Office", **properties: str) -> Node:
    return Node(id, label, name, "", properties, source.origin())


def pairs(tmp_path: Path, *brought: tuple[Source, list[Node]]) -> dict[str, str]:
    """What is joined, which must be the same in whatever order the sources came."""
    found: list[dict[str, str]] = []
    for order in permutations(brought):
        records = Records.start(tmp_path / f"{len(list(tmp_path.iterdir()))}.db", after=None)
        for source, nodes in order:
            records.replace(source, nodes, [])
        found.append(joined(records, [id for id, _, _ in records.scopes("default")]))
        records.close()
    assert all(one == found[0] for one in found)
    return found[0]


def test_the_same_label_and_name_are_one_in_any_spelling(tmp_path: Path) -> None:
    lists = [thing(LISTS, "b", "Bürgerbüro"), thing(LISTS, "k", "Jonas Kettler", "Person")]
    page = [thing(PAGE, "office:b", "BÜRGERBÜRO"), thing(PAGE, "person:k", "Jonas\u00a0 Kettler", "Person")]
    news = [thing(NEWS, "office:b", "Bu\u0308rgerbu\u0308ro")]
    assert pairs(tmp_path, (LISTS, lists), (PAGE, page), (NEWS, news)) == {"office:b": "b", "person:k": "k"}


@pytest.mark.parametrize(
    ("lists", "documents"),
    [
        pytest.param([("x", "Hundesteuer", "Service")], [("s", "Hundesteuer bezahlen", "Service")], id="longer"),
        pytest.param([("x", "Bürgerbüro", "Office")], [("s", "Bürgerbüro", "Facility")], id="another label"),
        pytest.param(
            [("x", "Ina Berg", "Person"), ("y", "Ina Berg", "Person")], [("s", "Ina Berg", "Person")], id="two in lists"
        ),
        pytest.param(
            [("x", "Bauamt", "Office")], [("s", "Bauamt", "Office"), ("t", "Bauamt", "Office")], id="two in documents"
        ),
        pytest.param(
            [("x", "Bauamt", "Office"), ("x", "Umbau", "Project")], [("s", "Bauamt", "Office")], id="id of two labels"
        ),
        pytest.param([("x", "Gebühr", "Fee")], [("s", "Gebühr", "Fee")], id="of its document"),
        pytest.param([("x", "–", "Office")], [("s", "?", "Office")], id="no letter"),
    ],
)
def test_nothing_is_joined_on_doubt(
    tmp_path: Path, lists: list[tuple[str, str, str]], documents: list[tuple[str, str, str]]
) -> None:
    assert pairs(tmp_path, (LISTS, [thing(LISTS, *one) for one in lists]), (PAGE, [thing(PAGE, *one) for one in documents])) == {}  # fmt: skip


def test_a_name_that_two_lists_give_two_things_joins_neither(tmp_path: Path) -> None:
    first, second = [thing(LISTS, "x", "Bauamt")], [thing(MORE, "y", "Bauamt")]
    assert pairs(tmp_path, (LISTS, first), (MORE, second), (PAGE, [thing(PAGE, "s", "Bauamt")])) == {}
    same = [thing(MORE, "x", "Amt für Bauen")]
    assert pairs(tmp_path, (LISTS, first), (MORE, same), (PAGE, [thing(PAGE, "s", "Bauamt")])) == {"s": "x"}


@pytest.mark.parametrize("engine", ["ladybug", "kuzu"])
def test_neighbours_and_answers_have_it_once_with_all_its_sources(tmp_path: Path, engine: str) -> None:
    config = GraphConfig.model_validate({"home": tmp_path / "store", "engine": engine, "workers": 1})
    line, quote = (
        LISTS.origin(file="nodes.csv", line=2),
        PAGE.origin(page=4, quote="Jonas Kettler, der Leiter", start=0),
    )
    listed = Brought(
        LISTS,
        [thing(LISTS, "b", "Bürgerbüro", opens="8"), thing(LISTS, "k", "Jonas Kettler", "Person")],
        [Edge("k", "LEADS", "b", "2021-04-01", {}, line)],
    )
    read = Brought(
        PAGE,
        [
            thing(PAGE, "office:b", "Bürgerbüro"),
            thing(PAGE, "person:k", "Jonas Kettler", "Person"),
            thing(PAGE, "place:r", "Rathausplatz 1", "Place"),
        ],
        [
            Edge("person:k", "LEADS", "office:b", "", {}, quote),
            Edge("office:b", "LOCATED_AT", "place:r", "", {}, PAGE.origin(page=5)),
        ],
    )
    keep([read], config=config)
    keep([listed], config=config)
    graph = Graph(config)
    found = graph.neighbours(NeighboursQuery(name="Bürgerbüro"), reach=REACH)
    assert [(node.id, node.distance) for node in found.nodes] == [("b", 0), ("k", 1), ("place:r", 1)]
    assert [(edge.source, edge.type, edge.target, edge.since) for edge in found.edges] == [
        ("b", "LOCATED_AT", "place:r", None),
        ("k", "LEADS", "b", "2021-04-01"),
    ]
    assert [(source.file, source.page) for source in found.edges[1].sources] == [("nodes.csv", None), (None, 4)]
    answer = answered(graph, Ask(question="Wer leitet das Bürgerbüro?"), reach=REACH)
    assert answer.sentence.count("Kettler") == 1 and len(answer.rows) == 1

    # What the document alone said goes with it; the thing of the lists stays.
    forget("default", "default", ["page"], config=config)
    assert [node.id for node in graph.neighbours(NeighboursQuery(name="b"), reach=REACH).nodes] == ["b", "k"]
    graph.close()
