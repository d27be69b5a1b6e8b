from collections.abc import Iterator

import anyio
import pytest
from fastmcp import Client
from fastmcp.exceptions import ToolError
from inline_snapshot import snapshot

from tools.base import Caller, InvalidInput, NotFound, PartiturError, TimedOut, TooLarge
from tools.base.access import Reach
from tools.graph import GraphConfig, GraphQuery, NeighboursQuery
from tools.graph.loading import load
from tools.graph.server import build
from tools.graph.store import Graph

pytestmark = pytest.mark.anyio

NODES = """id,label,name,description
amt,Öffentliche Stelle,Bürgeramt,Pässe und Ausweise
ada,Person,Ada Meier,
bo,Person,Bo Kurz,
pass,Dienst,Reisepass,
gesetz,Gesetz,PassG,
"""
EDGES = """source,type,target,since
ada,leitet,amt,2020-01-01
bo,arbeitet in,amt,
amt,bietet an,pass,2019
pass,beruht auf,gesetz,
"""


ADMIN = Reach(Caller(subject="me", roles=frozenset({"admin"})))


@pytest.fixture(scope="module", params=["ladybug", "kuzu"])
def config(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> GraphConfig:
    """A small graph, once in each engine: all that is tested here is what both must do."""
    source = tmp_path_factory.mktemp("in")
    (source / "nodes.csv").write_text(NODES)
    (source / "edges.csv").write_text(EDGES)
    home = tmp_path_factory.mktemp("store")
    config = GraphConfig.model_validate({"home": home, "engine": request.param, "seconds": 1, "workers": 1})
    load(source, config=config)
    return config


@pytest.fixture(scope="module")
def graph(config: GraphConfig) -> Iterator[Graph]:
    graph = Graph(config)
    graph.query(GraphQuery(cypher="RETURN 1"), reach=ADMIN)
    yield graph
    graph.close()


def test_nodes_edges_and_paths_come_back_as_plain_objects(graph: Graph) -> None:
    cypher = "MATCH p = (a:Person)-[r:leitet]->(b) RETURN a, r, p, a.name AS name, 1.5 AS number"
    assert graph.query(GraphQuery(cypher=cypher), reach=ADMIN).model_dump() == snapshot(
        {
            "columns": ["a", "r", "p", "name", "number"],
            "rows": [
                [
                    {"id": "ada", "label": "Person", "name": "Ada Meier", "description": None},
                    {"source": "ada", "type": "leitet", "target": "amt", "since": "2020-01-01"},
                    {
                        "nodes": [
                            {"id": "ada", "label": "Person", "name": "Ada Meier", "description": None},
                            {
                                "id": "amt",
                                "label": "Oeffentliche_Stelle",
                                "name": "Bürgeramt",
                                "description": "Pässe und Ausweise",
                            },
                        ],
                        "edges": [{"source": "ada", "type": "leitet", "target": "amt", "since": "2020-01-01"}],
                    },
                    "Ada Meier",
                    1.5,
                ]
            ],
            "truncated": False,
            "row_count": 1,
            "found": [
                {
                    "node": "ada",
                    "label": "Person",
                    "sources": [
                        {
                            "file": "nodes.csv",
                            "line": 3,
                        }
                    ],
                },
                {
                    "edge": ("ada", "leitet", "amt"),
                    "sources": [
                        {
                            "file": "edges.csv",
                            "line": 2,
                        }
                    ],
                },
                {
                    "node": "amt",
                    "label": "Oeffentliche_Stelle",
                    "sources": [
                        {
                            "file": "nodes.csv",
                            "line": 2,
                        }
                    ],
                },
            ],
        }
    )


@pytest.mark.parametrize("value", ['it\'s "quoted" \\ and ; more', 7, 1.5, True, None, ["a", "b"], {"a": 1, "b": "x"}])
def test_parameters_of_every_kind_arrive_as_they_are(graph: Graph, value: object) -> None:
    asked = GraphQuery.model_validate({"cypher": "RETURN $value", "parameters": {"value": value}})
    assert graph.query(asked, reach=ADMIN).rows == [[value]]


def test_parameters_the_engine_has_no_type_for_are_a_clear_error(graph: Graph) -> None:
    with pytest.raises(InvalidInput, match=r"^The Cypher is wrong: "):
        graph.query(GraphQuery(cypher="RETURN $a", parameters={"a": [1, "x"]}), reach=ADMIN)
    with pytest.raises(TooLarge, match=r"^The parameters have \d+ characters as JSON\. Expected at most 20000\."):
        graph.query(GraphQuery(cypher="RETURN $a", parameters={"a": "x" * 20_000}), reach=ADMIN)


def test_rows_are_cut_at_the_limit_and_said_to_be(graph: Graph) -> None:
    result = graph.query(GraphQuery(cypher="MATCH (n) RETURN n.id ORDER BY n.id", limit=2), reach=ADMIN)
    assert (result.rows, result.row_count, result.truncated) == ([["ada"], ["amt"]], 2, True)


@pytest.mark.parametrize(
    "cypher",
    [
        "MATCH (a), (b), (c), (d), (e), (f), (g), (h), (i), (j), (k), (l), (m), (n), (o), (p), (q), (r) RETURN count(*)",
        # The engine does not look at the clock within one function call; its process is killed.
        "RETURN levenshtein(repeat('ab', 50000), repeat('ba', 50000))",
    ],
)
def test_a_query_that_takes_too_long_is_stopped(graph: Graph, cypher: str) -> None:
    with pytest.raises(TimedOut, match=r"^The graph query ran longer than 1 seconds and was stopped\."):
        graph.query(GraphQuery(cypher=cypher), reach=ADMIN)
    assert graph.query(GraphQuery(cypher="RETURN 1"), reach=ADMIN).rows == [[1]]


def test_a_query_that_needs_too_much_memory_is_told_so(graph: Graph) -> None:
    with pytest.raises(TooLarge, match=r"^The graph query needs more memory than its 512 MiB"):
        graph.query(GraphQuery(cypher="RETURN size(repeat('x', 2000000000))"), reach=ADMIN)


@pytest.mark.parametrize(
    ("cypher", "message"),
    [
        (
            "MATCH (n:Persn) RETURN n",
            "The label or edge type 'Persn' is not there. The graph has the labels 'Dienst', 'Gesetz', "
            "'Oeffentliche_Stelle', 'Person' and the edge types 'arbeitet_in', 'beruht_auf', 'bietet_an', 'leitet'. "
            "Did you mean 'Person'?",
        ),
        (
            "MATCH (n:Person) RETURN n.nam",
            "The property 'nam' is not there. Expected one of 'description', 'id', 'name', 'since', 'source', 'target'. "
            "Did you mean 'name'?",
        ),
    ],
)
def test_a_mistake_names_the_nearest_way_out(graph: Graph, cypher: str, message: str) -> None:
    with pytest.raises(InvalidInput) as error:
        graph.query(GraphQuery(cypher=cypher), reach=ADMIN)
    assert str(error.value) == message


@pytest.mark.parametrize("cypher", ["MATCH (n RETURN n", "RETURN n", "MATCH (a)-[*1..30]-(b) RETURN a", "MATCH (n)"])
def test_wrong_cypher_is_explained(graph: Graph, cypher: str) -> None:
    with pytest.raises(InvalidInput, match=r"^The Cypher is wrong: \S+"):
        graph.query(GraphQuery(cypher=cypher), reach=ADMIN)


def test_neighbours_are_found_by_name_in_any_case(graph: Graph) -> None:
    assert graph.neighbours(NeighboursQuery(name="ada meier"), reach=ADMIN).model_dump() == snapshot(
        {
            "nodes": [
                {
                    "id": "ada",
                    "label": "Person",
                    "name": "Ada Meier",
                    "description": None,
                    "distance": 0,
                    "sources": [
                        {
                            "file": "nodes.csv",
                            "line": 3,
                        }
                    ],
                },
                {
                    "id": "amt",
                    "label": "Oeffentliche_Stelle",
                    "name": "Bürgeramt",
                    "description": "Pässe und Ausweise",
                    "distance": 1,
                    "sources": [
                        {
                            "file": "nodes.csv",
                            "line": 2,
                        }
                    ],
                },
            ],
            "edges": [
                {
                    "source": "ada",
                    "type": "leitet",
                    "target": "amt",
                    "since": "2020-01-01",
                    "sources": [
                        {
                            "file": "edges.csv",
                            "line": 2,
                        }
                    ],
                }
            ],
            "truncated": False,
        }
    )


def test_neighbours_two_edges_away_come_with_all_edges_between(graph: Graph) -> None:
    found = graph.neighbours(NeighboursQuery(name="ada", depth=2), reach=ADMIN)
    assert [(node.id, node.distance) for node in found.nodes] == [("ada", 0), ("amt", 1), ("bo", 2), ("pass", 2)]
    assert [(edge.source, edge.type, edge.target) for edge in found.edges] == [
        ("ada", "leitet", "amt"),
        ("amt", "bietet_an", "pass"),
        ("bo", "arbeitet_in", "amt"),
    ]


def test_a_crowded_neighbourhood_is_cut_and_said_to_be(graph: Graph) -> None:
    found = graph.neighbours(NeighboursQuery(name="Bürgeramt", limit=2), reach=ADMIN)
    assert ([node.id for node in found.nodes], found.truncated) == (["amt", "ada"], True)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("Bürger", "Did you mean 'Bürgeramt'?"),
        ("Reisepas", "Did you mean 'Reisepass'?"),
        ("qqqq", "Ask 'graph.schema' for sample names."),
        ("' OR 1=1 //", "Ask 'graph.schema' for sample names."),
    ],
)
def test_an_unknown_name_gets_the_nearest_ones(graph: Graph, name: str, hint: str) -> None:
    with pytest.raises(NotFound) as error:
        graph.neighbours(NeighboursQuery(name=name), reach=ADMIN)
    assert str(error.value) == f"No node is named {name!r}. Expected one of the graph's 5 names or ids. {hint}"


def test_the_schema_shows_labels_types_and_what_they_connect(graph: Graph) -> None:
    assert graph.schema(reach=ADMIN).model_dump() == snapshot(
        {
            "nodes": [
                {
                    "label": "Dienst",
                    "title": "Dienst",
                    "count": 1,
                    "properties": ["id", "name", "description"],
                    "samples": ["Reisepass"],
                },
                {
                    "label": "Gesetz",
                    "title": "Gesetz",
                    "count": 1,
                    "properties": ["id", "name", "description"],
                    "samples": ["PassG"],
                },
                {
                    "label": "Oeffentliche_Stelle",
                    "title": "Öffentliche Stelle",
                    "count": 1,
                    "properties": ["id", "name", "description"],
                    "samples": ["Bürgeramt"],
                },
                {
                    "label": "Person",
                    "title": "Person",
                    "count": 2,
                    "properties": ["id", "name", "description"],
                    "samples": ["Ada Meier", "Bo Kurz"],
                },
            ],
            "edges": [
                {
                    "type": "arbeitet_in",
                    "title": "arbeitet in",
                    "count": 1,
                    "connects": [("Person", "Oeffentliche_Stelle")],
                    "properties": ["source", "target", "since"],
                },
                {
                    "type": "beruht_auf",
                    "title": "beruht auf",
                    "count": 1,
                    "connects": [("Dienst", "Gesetz")],
                    "properties": ["source", "target", "since"],
                },
                {
                    "type": "bietet_an",
                    "title": "bietet an",
                    "count": 1,
                    "connects": [("Oeffentliche_Stelle", "Dienst")],
                    "properties": ["source", "target", "since"],
                },
                {
                    "type": "leitet",
                    "title": "leitet",
                    "count": 1,
                    "connects": [("Person", "Oeffentliche_Stelle")],
                    "properties": ["source", "target", "since"],
                },
            ],
        }
    )


def test_after_a_change_of_the_engine_the_same_graph_is_there(config: GraphConfig) -> None:
    other = Graph(config.model_copy(update={"engine": "kuzu" if config.engine == "ladybug" else "ladybug"}))
    asked = GraphQuery(cypher="MATCH p = (a:Person)-[r:leitet]->(b) RETURN a, r, p")
    graph = Graph(config)
    assert other.query(asked, reach=ADMIN) == graph.query(asked, reach=ADMIN)
    assert other.schema(reach=ADMIN) == graph.schema(reach=ADMIN)
    graph.close()
    other.close()


async def test_the_server_serves_its_tools(config: GraphConfig) -> None:
    async with Client(build(config, local=ADMIN.caller)) as client:
        names = sorted(tool.name for tool in await client.list_tools())
        result = await client.call_tool("query", {"cypher": "MATCH (n:Person) RETURN count(n) AS n"})
        schema = await client.call_tool("schema", {})
        around = await client.call_tool("neighbours", {"name": "Reisepass"})
        with pytest.raises(ToolError, match=r"^The Cypher was refused"):
            await client.call_tool("query", {"cypher": "MATCH (n) DELETE n"})
        with pytest.raises(ToolError, match="'depth' does not fit"):
            await client.call_tool("neighbours", {"name": "x", "depth": 3})

    assert names == ["ask", "neighbours", "picture", "query", "schema", "templates"]
    assert (result.structured_content or {})["rows"] == [[2]]
    assert len((schema.structured_content or {})["nodes"]) == 4
    assert [node["id"] for node in (around.structured_content or {})["nodes"]] == ["pass", "amt", "gesetz"]


async def test_the_server_tells_nobody_who_is_not_known(config: GraphConfig) -> None:
    async with Client(build(config)) as client:
        with pytest.raises(ToolError, match="carries no verified caller"):
            await client.call_tool("neighbours", {"name": "Ada Meier"})


async def test_a_query_whose_caller_has_gone_ends(config: GraphConfig) -> None:
    async with Client(build(config.model_copy(update={"seconds": 60}), local=ADMIN.caller)) as client:
        await client.call_tool("query", {"cypher": "RETURN 1"})
        with anyio.move_on_after(0.3):
            await client.call_tool("query", {"cypher": "RETURN levenshtein(repeat('ab', 50000), repeat('ba', 50000))"})
        # There is one engine; it would be busy for a long while.
        result = await client.call_tool("query", {"cypher": "RETURN 2"})

    assert (result.structured_content or {})["rows"] == [[2]]


def test_a_message_of_every_error_has_a_hint(graph: Graph) -> None:
    with pytest.raises(PartiturError) as error:
        graph.query(GraphQuery(cypher="MATCH (n:Nobody) RETURN n"), reach=ADMIN)
    assert error.value.hint
