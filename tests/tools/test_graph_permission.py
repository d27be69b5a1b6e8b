"""Nobody learns from the graph what they may not read: for them it is the graph without it, to the last letter."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import anyio
import pytest
from fastmcp import Client
from fastmcp.exceptions import ToolError

from tools.base import Caller, Forbidden, NotFound
from tools.base.access import OpenReach, Reach, principals_of
from tools.graph import GraphConfig, GraphQuery, NeighboursQuery
from tools.graph.loading import Brought, keep
from tools.graph.server import build
from tools.graph.sources import Edge, Node, Origin, Source
from tools.graph.store import Graph

ANALYST = frozenset({"analyst"})
READER = Caller(subject="rita", tenant="stadt", groups=frozenset({"personal"}), roles=ANALYST)
NAMED = Caller(subject="nora", tenant="stadt", roles=ANALYST)
OUTSIDER = Caller(subject="otto", tenant="stadt", groups=frozenset({"hafen"}), roles=ANALYST)
STRANGER = Caller(subject="rita", tenant="nachbar", groups=frozenset({"personal"}), roles=ANALYST)

LISTS = Source(tenant="stadt")
SECRET = Source(tenant="stadt", collection="akten")
NOTICE = Source(tenant="stadt", document="aushang", title="Aushang", name="rules")
STAFF = Source(tenant="stadt", collection="akten", document="akte-7", title="Akte Zorn", name="rules")
LETTER = Source(tenant="stadt", document="brief", title="Brief an Nora", name="rules", readers=("user:nora",))
OTHER = Source(tenant="nachbar", document="plan", title="Plan", name="rules")


def node(origin: Origin, id: str, label: str, name: str, description: str = "", **properties: str) -> Node:
    return Node(id, label, name, description, properties, origin)


def edge(origin: Origin, source: str, type: str, target: str, since: str = "", **properties: str) -> Edge:
    return Edge(source, type, target, since, properties, origin)


def brought() -> list[Brought]:
    """What each source says. The hidden ones name the same things as the open ones, and more."""
    line = LISTS.origin(file="nodes.csv", line=2)
    notice = NOTICE.origin(quote="Das Bauamt öffnet um 8 Uhr.", start=0, end=27)
    staff = STAFF.origin(quote="Zorn wurde im Bauamt abgemahnt.", start=10, end=41, heading="Abmahnung", page=3)
    letter = LETTER.origin(quote="Liebe Nora, der Umzug ist geheim.", start=0, end=33)
    secret = SECRET.origin(file="geheim.csv", line=2)
    other = OTHER.origin(quote="Das Bauamt der Nachbarn.", start=0, end=24)
    return [
        # The hidden source comes first: nothing of what it says may win for those who do not see it.
        Brought(
            STAFF,
            [
                node(staff, "bauamt", "Amt", "Bauamt (Fall Zorn)", "Hier wurde abgemahnt", abmahnungen="4"),
                node(staff, "zorn", "Person", "Zacharias Zorn"),
                node(staff, "fall7", "Disziplinarfall", "Fall 7"),
                node(staff, "berg", "Vorgang", "Vorgang Berg"),
            ],
            [
                edge(staff, "zorn", "abgemahnt in", "bauamt", "2024"),
                edge(staff, "bauamt", "leitet ein", "fall7"),
                edge(staff, "berg", "sitzt in", "bauamt"),
                edge(staff, "berg", "sitzt in", "hafenamt", "2001", anlass="Versetzung"),
            ],
        ),
        Brought(
            LISTS,
            [
                node(line, "bauamt", "Amt", "Bauamt", "Baut"),
                node(line, "hafenamt", "Amt", "Hafenamt"),
                node(line, "berg", "Person", "Bea Berg"),
            ],
            [edge(line, "berg", "sitzt in", "bauamt")],
        ),
        # What a hidden list calls the same as an open document, and a hidden letter the same as an open list.
        Brought(SECRET, [node(secret, "geheim-9", "Amt", "BAUHOF", "Wird geschlossen", personalnot="ja")], []),
        Brought(
            NOTICE,
            [
                node(notice, "bauamt", "Amt", "Bauamt", "", öffnung="8 Uhr"),
                node(notice, "amt:bauhof", "Amt", "Bauhof"),
                node(notice, "amt:hafenamt", "Amt", "Hafenamt"),
            ],
            [
                edge(notice, "berg", "sitzt in", "hafenamt"),
                edge(notice, "amt:bauhof", "gehört zu", "bauamt"),
                edge(notice, "amt:hafenamt", "hilft", "amt:bauhof"),
            ],
        ),
        Brought(
            LETTER,
            [
                node(letter, "umzug", "Vorhaben", "Umzug ins Schloss"),
                node(letter, "amt:anderswo:hafenamt", "Amt", "Hafenamt"),
            ],
            [edge(letter, "bauamt", "zieht um", "umzug")],
        ),
        Brought(OTHER, [node(other, "bauamt", "Amt", "Nachbaramt")], []),
    ]


def open_to(caller: Caller) -> list[Brought]:
    """What the caller may read of it, as if nothing else had ever been there."""
    return [
        one
        for one in brought()
        if one.source.tenant == caller.tenant
        and one.source.collection in reach_of(caller).collections
        and (one.source.readers is None or principals_of(caller) & set(one.source.readers))
    ]


def reach_of(caller: Caller) -> Reach:
    reads = {"default": None} | ({"akten": None} if "personal" in caller.groups else {})
    return Reach(caller, reads)


class Rules(OpenReach):
    """The default collection is everyone's, 'akten' is for the group 'personal' of each tenant."""

    async def of(self, caller: Caller) -> Reach:
        return reach_of(caller)


@pytest.fixture(scope="module", params=["ladybug", "kuzu"])
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> GraphConfig:
    config = GraphConfig.model_validate(
        {"home": tmp_path_factory.mktemp("whole"), "engine": request.param, "workers": 1}
    )
    keep(brought(), config=config)
    return config


@pytest.fixture(scope="module")
def graph(whole: GraphConfig) -> Iterator[Graph]:
    graph = Graph(whole)
    yield graph
    graph.close()


NAMES = (
    "Bauhof",
    "Hafenamt",
    "geheim-9",
    "amt:bauhof",
    "amt:hafenamt",
    "Bauamt",
    "bauamt",
    "Zorn",
    "zorn",
    "Fall 7",
    "fall7",
    "Umzug",
    "umzug",
    "berg",
    "Bea",
    "Nachbaramt",
)
QUESTIONS: dict[str, list[dict[str, object]]] = {
    "schema": [{}],
    "templates": [{}],
    "neighbours": [{"name": name, "depth": 2} for name in NAMES],
    # Drawn from what 'neighbours' says; most of its time goes into the layout.
    "picture": [{"name": name, "depth": 2} for name in ("Bauhof", "Hafenamt", "zorn", "umzug")],
    "ask": [
        {"question": question}
        for question in (
            "Was ist mit dem Bauamt verbunden?",
            "Wer wurde im Bauamt abgemahnt?",
            "Wer leitet das Bauamt?",
            "Was weißt du über Zacharias Zorn?",
            "Wie viele Personen gibt es?",
            "Wie viele Disziplinarfälle gibt es?",
            "Wie hängen Bea Berg und der Umzug ins Schloss zusammen?",
            "Wohin zieht das Bauamt um?",
            "Was ist mit dem Bauhof verbunden?",
        )
    ],
    "query": [
        {"cypher": cypher, "parameters": {}}
        for cypher in (
            "MATCH (n) RETURN n ORDER BY n.id, n.name",
            "MATCH (n) RETURN count(*)",
            "MATCH (n) RETURN label(n) AS l, count(*) AS c ORDER BY l",
            # An id may stand under two labels: without them the order is the engine's.
            "MATCH (a)-[r]->(b) RETURN a, r, b ORDER BY a.id, label(a), label(r), b.id, label(b), r.since",
            "MATCH p = (a)-[*1..3]-(b) RETURN count(*)",
            "MATCH (n:Amt) RETURN n.id AS i, keys(n) ORDER BY i",
            "MATCH (n:Amt) RETURN n.abmahnungen AS x ORDER BY x",
            "MATCH (n:Amt) RETURN n.abmahnung",
            "MATCH ()-[r]->() RETURN r.anlass AS x ORDER BY x",
            "MATCH (n:Disziplinarfall) RETURN n",
            "MATCH (n:Disziplinarfal) RETURN n",
            "MATCH (n:Vorhaben) RETURN n",
            "MATCH (n)-[:abgemahnt_in]->(m) RETURN n ORDER BY n.id",
            "MATCH (n)-[:abgemahnt]->(m) RETURN n",
            "MATCH (n)-[:zieht_um]->(m) RETURN n",
            "RETURN {id: 'zorn', label: 'Person', name: 'x'} AS made",
            "RETURN {source: 'zorn', type: 'abgemahnt_in', target: 'bauamt'} AS made",
            "MATCH (n) WHERE n.name CONTAINS 'Zorn' OR n.description CONTAINS 'mahn' RETURN n ORDER BY n.id, n.name",
            "MATCH (n) WHERE offset(id(n)) >= 0 RETURN offset(id(n)) AS o, n.id AS i ORDER BY o, i",
            "MATCH (n) RETURN nothing(n)",
            "MATCH (n RETURN n",
        )
    ],
}


_ABOVE = frozenset({"ask", "templates", "picture"})
"""Made of what the other tools say, whatever the engine: asked on one of them."""


async def answers(config: GraphConfig, caller: Caller) -> dict[str, str]:
    """What each question to each tool that is served gets, a result or an error, as the caller reads it."""
    said: dict[str, str] = {}
    async with Client(build(config, local=caller, reaches=Rules())) as client:
        for tool in [tool.name for tool in await client.list_tools()]:
            if tool in _ABOVE and config.engine != "ladybug":
                continue
            for arguments in QUESTIONS[tool]:
                try:
                    result = await client.call_tool(tool, arguments)
                    said[f"{tool} {arguments}"] = json.dumps(result.structured_content, ensure_ascii=False)
                except ToolError as error:
                    said[f"{tool} {arguments}"] = f"Error: {error}"
    return said


CALLERS = {"ladybug": (READER, NAMED, OUTSIDER, STRANGER), "kuzu": (READER, OUTSIDER)}
"""What decides lies above the engines: the second one shows that it is told the same."""


@pytest.fixture(scope="module")
def told(whole: GraphConfig) -> dict[Caller, dict[str, str]]:
    """What each caller is told; asked here, where what is dear to import has its time."""
    return {caller: anyio.run(answers, whole, caller) for caller in CALLERS[whole.engine]}


@pytest.fixture(scope="module")
def told_apart(whole: GraphConfig, tmp_path_factory: pytest.TempPathFactory) -> dict[Caller, dict[str, str]]:
    """What they are told by a graph of their own, in which nothing hidden ever was."""
    said: dict[Caller, dict[str, str]] = {}
    for caller in CALLERS[whole.engine]:
        apart = whole.model_copy(update={"home": tmp_path_factory.mktemp("apart")})
        keep(open_to(caller), config=apart)
        said[caller] = anyio.run(answers, apart, caller)
    return said


def test_every_answer_is_what_it_would_be_without_what_is_hidden(
    told: dict[Caller, dict[str, str]], told_apart: dict[Caller, dict[str, str]]
) -> None:
    for caller, said in told.items():
        assert said == told_apart[caller], caller


def test_what_one_caller_reads_is_nowhere_in_what_others_are_told(told: dict[Caller, dict[str, str]]) -> None:
    hidden = {
        OUTSIDER: [
            "geheim",
            "BAUHOF",
            "geschlossen",
            "personalnot",
            "anderswo",
            "orn",
            "mahn",
            "Fall",
            "fall7",
            "Umzug",
            "umzug",
            "Nora",
            "Versetzung",
            "akte-7",
            "achbar",
        ],
        NAMED: [
            "geheim-9",
            "BAUHOF",
            "geschlossen",
            "personalnot",
            "orn",
            "mahn",
            "Fall 7",
            "fall7",
            "Versetzung",
            "akte-7",
            "achbar",
        ],
        READER: ["Schloss", "Nora", "achbar"],
        STRANGER: ["orn", "Schloss", "Hafen", "aushang"],
    }
    for caller, words in hidden.items():
        for question, said in told.get(caller, {}).items():
            # A caller's own words come back; they are no news.
            assert [word for word in words if word in said and word not in question] == [], (question, said)
    assert "Zacharias Zorn" in " ".join(told[READER].values())


def test_names_and_properties_are_those_of_readable_origins(graph: Graph) -> None:
    def office(caller: Caller) -> dict[str, object]:
        asked = GraphQuery(cypher="MATCH (n:Amt) WHERE n.id = 'bauamt' RETURN n")
        found = graph.query(asked, reach=reach_of(caller)).rows[0][0]
        assert isinstance(found, dict)
        return {key: value for key, value in found.items() if value is not None and key not in ("id", "label")}

    assert office(OUTSIDER) == {"name": "Bauamt", "description": "Baut", "oeffnung": "8 Uhr"}
    assert office(STRANGER) == {"name": "Nachbaramt"}
    assert office(READER)["abmahnungen"] == "4"


def test_an_edge_needs_both_its_ends(graph: Graph) -> None:
    def edges(caller: Caller) -> list[object]:
        asked = GraphQuery(
            cypher="MATCH (a)-[r]->(b) RETURN label(a), a.id, label(r), b.id, r.since ORDER BY a.id, b.id"
        )
        return list(graph.query(asked, reach=reach_of(caller)).rows)

    assert edges(OUTSIDER) == [
        ["Amt", "amt:bauhof", "gehoert_zu", "bauamt", None],
        ["Person", "berg", "sitzt_in", "bauamt", None],
        ["Person", "berg", "sitzt_in", "hafenamt", None],
        ["Amt", "hafenamt", "hilft", "amt:bauhof", None],
    ]
    assert ["Amt", "bauamt", "zieht_um", "umzug", None] in edges(NAMED)
    # An id under two labels: each source means its own node.
    assert ["Vorgang", "berg", "sitzt_in", "hafenamt", "2001"] in edges(READER)
    assert ["Person", "berg", "sitzt_in", "hafenamt", None] in edges(READER)


def test_what_documents_and_lists_call_the_same_is_one_for_those_who_read_both(graph: Graph) -> None:
    def named(caller: Caller, name: str) -> list[tuple[str, str, list[str | None]]]:
        found = graph.neighbours(NeighboursQuery(name=name), reach=reach_of(caller)).nodes
        here = [node for node in found if node.distance == 0]
        return [(node.id, node.name, [one.document or one.file for one in node.sources]) for node in here]

    assert named(OUTSIDER, "Bauhof") == [("amt:bauhof", "Bauhof", ["aushang"])]
    assert named(READER, "Bauhof") == [("geheim-9", "BAUHOF", ["geheim.csv", "aushang"])]
    assert named(OUTSIDER, "Hafenamt") == [("hafenamt", "Hafenamt", ["nodes.csv", "aushang"])]
    # Nora reads of two: which of them the list means is in doubt.
    assert [id for id, _, _ in named(NAMED, "Hafenamt")] == ["amt:anderswo:hafenamt", "amt:hafenamt", "hafenamt"]


def test_sources_are_told_as_far_as_they_may_be_read(graph: Graph) -> None:
    def told(caller: Caller) -> list[str | None]:
        found = graph.neighbours(NeighboursQuery(name="bauamt"), reach=reach_of(caller))
        return [source.document or source.file for source in found.nodes[0].sources]

    assert told(OUTSIDER) == ["nodes.csv", "aushang"]
    assert told(READER) == ["nodes.csv", "akte-7", "aushang"]
    assert told(STRANGER) == ["plan"]


def test_who_may_read_nothing_and_who_asks_an_empty_store_hear_the_same(graph: Graph, tmp_path: Path) -> None:
    nobody = reach_of(replace(OUTSIDER, tenant="dritte"))
    empty = Graph(GraphConfig(home=tmp_path / "none"))
    said: list[str] = []
    for one in (graph, empty):
        for ask in (
            lambda one=one: one.schema(reach=nobody),
            lambda one=one: one.neighbours(NeighboursQuery(name="bauamt"), reach=nobody),
            lambda one=one: one.query(GraphQuery(cypher="MATCH (n:Amt) RETURN n"), reach=nobody),
        ):
            with pytest.raises(NotFound) as error:
                ask()
            said.append(str(error.value))
    assert set(said) == {
        "The graph is empty. Expected something to be loaded. "
        "Load nodes.csv and edges.csv with 'partitur load graph FOLDER'."
    }


def test_cypher_is_for_those_whom_the_settings_name(whole: GraphConfig, graph: Graph) -> None:
    asked = GraphQuery(cypher="MATCH (n) RETURN count(*)")
    with pytest.raises(Forbidden) as error:
        graph.query(asked, reach=reach_of(replace(READER, roles=frozenset())))
    assert str(error.value) == (
        "'rita' may not write Cypher. Expected a caller with the role 'admin' or 'analyst'. "
        "Ask 'graph.ask' with a template, or 'graph.neighbours' with a name: these are for everyone."
    )

    assert graph.query(asked, reach=reach_of(replace(READER, roles=frozenset({"admin"})))).row_count == 1
    other = Graph(whole.model_copy(update={"cypher_roles": frozenset({"graph:write"})}))
    scoped = replace(READER, roles=frozenset(), scopes=frozenset({"graph:write"}))
    assert other.query(asked, reach=reach_of(scoped)).row_count == 1
    with pytest.raises(Forbidden):
        other.query(asked, reach=reach_of(READER))
    other.close()
