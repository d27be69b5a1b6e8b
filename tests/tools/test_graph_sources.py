"""The graph is made of sources that are kept: they come, are replaced, narrowed and forgotten one by one."""

from pathlib import Path

import pytest

from tools.base import Caller, Failed, NotFound
from tools.base.access import Reach
from tools.graph import GraphConfig, GraphQuery, NeighboursQuery, RebuildReport
from tools.graph.loading import Brought, forget, keep, load, narrow, rebuild
from tools.graph.records import Records
from tools.graph.sources import Counts, Edge, Node, Source
from tools.graph.store import Graph, generations
from tools.graph.views import RECORDS


def config(tmp_path: Path) -> GraphConfig:
    return GraphConfig(home=tmp_path / "store", workers=1)


def lists(tmp_path: Path, name: str, *, nodes: str, edges: str = "") -> Path:
    folder = tmp_path / name
    folder.mkdir(exist_ok=True)
    (folder / "nodes.csv").write_text(f"id,label,name\n{nodes}")
    (folder / "edges.csv").write_text(f"source,type,target\n{edges}")
    return folder


def reach(*collections: str, tenant: str = "default", subject: str = "me") -> Reach:
    caller = Caller(subject=subject, tenant=tenant, roles=frozenset({"admin"}))
    return Reach(caller, dict.fromkeys(collections or ("default",)))


def names(graph: Graph, seen: Reach) -> list[object]:
    return [
        row[0]
        for row in graph.query(GraphQuery(cypher="MATCH (n) RETURN n.name AS name ORDER BY name"), reach=seen).rows
    ]


def found(source: Source, *ids: str, edges: tuple[tuple[str, str], ...] = ()) -> Brought:
    """A source that names these people, and who knows whom of them."""
    here = source.origin(quote="…", start=0, end=1)
    people = [Node(id, "Person", id.title(), "", {}, here) for id in ids]
    return Brought(source, people, [Edge(a, "kennt", b, "", {}, here) for a, b in edges])


def everything_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def test_loads_lie_side_by_side_and_replace_only_their_own(tmp_path: Path) -> None:
    used = config(tmp_path)
    graph = Graph(used)
    load(lists(tmp_path, "one", nodes="a,Person,Anna\nb,Person,Bo\n"), config=used)
    load(lists(tmp_path, "two", nodes="c,Person,Cleo\n", edges="c,kennt,a\n"), config=used, collection="akten")
    load(lists(tmp_path, "three", nodes="d,Person,Dora\n"), config=used, name="more")

    assert names(graph, reach()) == ["Anna", "Bo", "Dora"]
    assert names(graph, reach("default", "akten")) == ["Anna", "Bo", "Cleo", "Dora"]
    around = graph.neighbours(NeighboursQuery(name="Cleo"), reach=reach("default", "akten"))
    assert [node.name for node in around.nodes] == ["Cleo", "Anna"]
    assert [node.name for node in graph.neighbours(NeighboursQuery(name="Cleo"), reach=reach("akten")).nodes] == [
        "Cleo"
    ]

    load(lists(tmp_path, "one", nodes="a,Person,Anna\n"), config=used)
    assert names(graph, reach("default", "akten")) == ["Anna", "Cleo", "Dora"]
    graph.close()


def test_an_edge_of_a_list_may_end_at_what_another_list_of_the_tenant_names(tmp_path: Path) -> None:
    used = config(tmp_path)
    load(lists(tmp_path, "one", nodes="a,Person,Anna\n"), config=used)
    source = lists(tmp_path, "two", nodes="c,Person,Cleo\n", edges="c,kennt,a\nc,kennt,x\n")

    here = load(source, config=used, collection="akten")
    elsewhere = load(source, config=used, tenant="nachbar")

    assert (here.edges, elsewhere.edges) == (1, 0)
    assert here.files[0].reasons == ["line 3: no node has the id 'x'"]
    assert elsewhere.files[0].reasons == ["line 2: no node has the id 'a'", "line 3: no node has the id 'x'"]


def test_documents_are_replaced_one_by_one_and_say_which_version_was_read(tmp_path: Path) -> None:
    used = config(tmp_path)
    graph = Graph(used)
    first = Source("default", document="brief", name="text", version="1")
    second = Source("default", document="plan", name="text", version="1")
    assert keep([found(first, "anna", "bo"), found(second, "bo", "cleo")], config=used) == Counts(2, 4, 0)
    assert names(graph, reach()) == ["Anna", "Bo", "Cleo"]

    keep([found(Source("default", document="brief", name="text", version="2"), "dora")], config=used)

    assert names(graph, reach()) == ["Bo", "Cleo", "Dora"]
    folder = generations(used).folder()
    assert folder is not None
    records = Records.open(folder / RECORDS)
    assert records.versions("default", "default", "text") == {"brief": "2", "plan": "1"}
    records.close()
    graph.close()


def test_an_origin_of_another_source_is_a_mistake_of_the_program(tmp_path: Path) -> None:
    mine, other = Source("default", document="a"), Source("default", document="b")
    with pytest.raises(ValueError, match=r"is of another source than 'lists'. Make its origin with 'source.origin'"):
        keep([Brought(mine, found(other, "anna").nodes, [])], config=config(tmp_path))
    assert generations(config(tmp_path)).current() is None


@pytest.mark.parametrize("engine", ["ladybug", "kuzu"])
def test_strange_text_arrives_or_loses_only_what_is_no_text(tmp_path: Path, engine: str) -> None:
    used = GraphConfig.model_validate({"home": tmp_path / "store", "engine": engine, "workers": 1})
    source = Source("default", document="a", name="text", title="T\ud800")
    here = source.origin(quote="a\ud800b", heading="\udfff", start=0, end=3)
    odd = [
        "a\x00b",
        "a\nb\r\nc",
        'a"b""c',
        "a\\",
        "'; DROP TABLE x; //",
        "😀",
        "\x01\x1b[31m",
        "NULL",
        "{a: 1}",
        "ä" * 30_000,
    ]
    kept = {"a\ud800b": "a?b", "\ufeffx": "x"} | {text: text for text in odd}
    nodes = [Node(text, text[:40], text, text, {"p": text}, here) for text in kept]
    keep([Brought(source, nodes, [Edge(text, text[:40], "NULL", text, {}, here) for text in kept])], config=used)
    graph = Graph(used)

    rows = graph.query(GraphQuery(cypher="MATCH (a)-[r]->(b) RETURN a.id, a.name, a.p, r.since"), reach=reach()).rows
    cut = [[f"{text[:20_000]}…" if len(text) > 20_000 else text] * 4 for text in kept.values()]
    assert sorted(map(str, rows)) == sorted(map(str, cut))
    graph.close()


def test_a_node_without_an_id_is_a_mistake_of_the_program(tmp_path: Path) -> None:
    source = Source("default", document="a")
    with pytest.raises(ValueError, match=r"has an empty id, label or type"):
        keep([Brought(source, [Node("", "Person", "x", "", {}, source.origin())], [])], config=config(tmp_path))


def test_what_is_forgotten_takes_only_its_own_along(tmp_path: Path) -> None:
    used = config(tmp_path)
    letter = Source("default", document="brief", name="text")
    plan = Source("default", document="plan", name="text")
    both = [found(letter, "anna", "bo", edges=(("anna", "bo"),)), found(plan, "bo", "cleo", edges=(("cleo", "bo"),))]
    keep([*both, found(Source("default", "akten", document="akte", name="text"), "zorn")], config=used)
    load(lists(tmp_path, "one", nodes="d,Person,Dora\n"), config=used)
    graph = Graph(used)

    assert forget("default", "default", ["brief", "unbekannt"], config=used) == Counts(1, 2, 1)
    assert names(graph, reach("default", "akten")) == ["Bo", "Cleo", "Dora", "Zorn"]
    assert forget("nachbar", "akten", config=used) == Counts()
    assert forget("default", "akten", config=used) == Counts(1, 1, 0)
    assert names(graph, reach("default", "akten")) == ["Bo", "Cleo", "Dora"]
    # A set of lists is no document, whatever its name.
    assert forget("default", "default", [""], config=used) == Counts()
    graph.close()


def test_what_is_forgotten_is_in_no_file_any_more(tmp_path: Path) -> None:
    used = config(tmp_path)
    graph = Graph(used)
    secret = "Xaverina Geheimnisträger"
    source = Source("default", "akten", document="akte", name="text")
    node = Node("x", "Person", secret, "", {}, source.origin(quote=f"{secret} war da.", start=0, end=33))
    keep([Brought(source, [node], []), found(Source("default", document="plan", name="text"), "bo")], config=used)
    assert names(graph, reach("default", "akten")) == ["Bo", secret]
    assert secret.encode() in everything_in(used.home)

    forget("default", "akten", ["akte"], config=used)
    graph.refresh()

    assert secret.encode() not in everything_in(used.home)
    assert names(graph, reach("default", "akten")) == ["Bo"]
    graph.close()


def test_the_last_to_be_forgotten_leaves_an_empty_graph(tmp_path: Path) -> None:
    used = config(tmp_path)
    load(lists(tmp_path, "one", nodes="a,Person,Anna\n"), config=used)
    assert forget("default", "default", config=used) == Counts(1, 1, 0)
    with pytest.raises(NotFound, match="The graph is empty"):
        Graph(used).schema(reach=reach())
    assert rebuild(config=used) == RebuildReport(generation=3, sources=0, nodes=0, edges=0)


def test_narrowed_readers_hold_at_once(tmp_path: Path) -> None:
    used = config(tmp_path)
    keep([found(Source("default", document="brief", name="text"), "anna")], config=used)
    graph = Graph(used)
    assert names(graph, reach()) == ["Anna"]

    assert narrow("default", "default", "brief", ("user:nora",), config=used).sources == 1

    with pytest.raises(NotFound, match="The graph is empty"):
        names(graph, reach())
    assert names(graph, reach(subject="nora")) == ["Anna"]
    narrow("default", "default", "brief", None, config=used)
    assert names(graph, reach()) == ["Anna"]
    assert narrow("default", "default", "unbekannt", None, config=used) == Counts()
    graph.close()


def test_the_whole_graph_is_built_again_from_what_was_kept(tmp_path: Path) -> None:
    used = config(tmp_path)
    with pytest.raises(NotFound, match="The graph is empty"):
        rebuild(config=used)
    load(lists(tmp_path, "one", nodes="a,Person,Anna\nb,Person,Bo\n", edges="a,kennt,b\n"), config=used)
    keep([found(Source("nachbar", document="plan", name="text"), "cleo")], config=used)
    graph = Graph(used)
    before = graph.schema(reach=reach())
    # As after a crash of the disk, or with files of an engine that is not there any more.
    for path in (used.home / "000002" / "views").rglob("graph.db"):
        path.write_bytes(b"broken")
    seen: list[float] = []

    report = rebuild(config=used, on_progress=lambda done, total, message: seen.append(done / total))

    assert report == RebuildReport(generation=3, sources=2, nodes=3, edges=1)
    assert (seen == sorted(seen), seen[-1]) == (True, 1.0)
    assert graph.schema(reach=reach()) == before
    assert names(graph, reach()) == ["Anna", "Bo"]
    assert names(graph, reach(tenant="nachbar")) == ["Cleo"]
    graph.close()


def test_the_same_from_several_sources_is_one_edge_and_more_facts_win(tmp_path: Path) -> None:
    used = config(tmp_path)
    parts: list[Brought] = []
    for document, since, properties in (
        ("a", "", {}),
        ("b", "2020", {}),
        ("c", "2020", {"rolle": "Leitung"}),
        ("d", "2024", {}),
    ):
        source = Source("default", document=document, name="text")
        here = source.origin(quote="…", start=0, end=1)
        edge = Edge("anna", "leitet", "bo", since, properties, here)
        parts.append(Brought(source, found(source, "anna", "bo").nodes, [edge]))
    keep(parts, config=used)
    graph = Graph(used)

    cypher = "MATCH ()-[r]->() RETURN r.since, r.rolle ORDER BY r.since"
    assert graph.query(GraphQuery(cypher=cypher), reach=reach()).rows == [["2020", "Leitung"], ["2024", None]]
    around = graph.neighbours(NeighboursQuery(name="Anna"), reach=reach())
    assert [source.document for source in around.edges[0].sources] == ["a", "b", "c", "d"]
    graph.close()


def test_properties_with_names_that_are_taken_get_their_own(tmp_path: Path) -> None:
    used = config(tmp_path)
    source = Source("default", document="a", name="text")
    here = source.origin()
    properties = {"Name": "amtlich", "label": "x", "Straße": "Am Wall", "1. Tag": "Mo", "ID": "7"}
    keep([Brought(source, [Node("a", "Amt", "Bauamt", "", properties, here)], [])], config=used)
    graph = Graph(used)
    rows = graph.query(GraphQuery(cypher="MATCH (n) RETURN n"), reach=reach()).rows
    assert rows == [
        [
            {
                "id": "a",
                "label": "Amt",
                "name": "Bauamt",
                "description": None,
                "name_": "amtlich",
                "label_": "x",
                "strasse": "Am Wall",
                "_1_tag": "Mo",
                "id_": "7",
            }
        ]
    ]
    graph.close()


def test_a_store_of_another_time_asks_to_be_loaded_again(tmp_path: Path) -> None:
    used = config(tmp_path)
    with generations(used).build() as folder:
        (folder / "graph.db").write_text("old")
    with pytest.raises(Failed, match="has no records. Load the lists again"):
        Graph(used).schema(reach=reach())

    load(lists(tmp_path, "one", nodes="a,Person,Anna\n"), config=used)
    graph = Graph(used)
    assert names(graph, reach()) == ["Anna"]
    graph.close()
