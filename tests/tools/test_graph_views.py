"""Views are built once for all who see the same, stay in number, and never get in each other's way."""

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import cast

import pytest

from tools.base import Caller, Failed, SetupError, TooLarge
from tools.base.access import Reach
from tools.graph import GraphConfig, GraphQuery, building, views
from tools.graph.loading import Brought, keep
from tools.graph.sources import Edge, Node, Source
from tools.graph.store import Graph, generations

ROOT = Path(__file__).parents[2]
COUNT = GraphQuery(cypher="MATCH (n) RETURN count(*)")
ASK = """
import sys
from pathlib import Path
from tools.base import Caller
from tools.base.access import Reach
from tools.graph import GraphConfig, GraphQuery
from tools.graph.store import Graph
graph = Graph(GraphConfig(home=Path(sys.argv[1]), workers=1))
reach = Reach(Caller(subject="me", roles=frozenset({"admin"})), {"c1": None, "c2": None})
sys.stdin.readline()
print(graph.query(GraphQuery(cypher="MATCH (n) RETURN count(*)"), reach=reach).rows[0][0], flush=True)
sys.stdin.readline()
graph.close()
"""


def stored(tmp_path: Path, collections: int = 3, **limits: int) -> GraphConfig:
    """A graph with one person in each collection c0, c1, …"""
    config = GraphConfig.model_validate({"home": tmp_path / "store", "workers": 1, **limits})
    keep([person(Source("default", f"c{number}"), f"p{number}") for number in range(collections)], config=config)
    return config


def person(source: Source, id: str) -> Brought:
    return Brought(source, [Node(id, "Person", id, "", {}, source.origin())], [])


def reach(*numbers: int, subject: str = "me") -> Reach:
    caller = Caller(subject=subject, roles=frozenset({"admin"}))
    return Reach(caller, {f"c{number}": None for number in numbers})


def on_disk(config: GraphConfig) -> list[Path]:
    folder = generations(config).folder()
    assert folder is not None
    return [path for path in (folder / "views").iterdir() if path.is_dir()]


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """The views that were built in this process, by the scopes in them."""
    calls: list[tuple[int, ...]] = []
    real = cast("Callable[..., object]", building.build)

    def counted(records: object, scopes: tuple[int, ...], folder: Path, **rest: object) -> object:
        calls.append(tuple(scopes))
        return real(records, scopes, folder, **rest)

    monkeypatch.setattr(views, "build", counted)
    return calls


def test_callers_who_see_the_same_share_a_view(tmp_path: Path, built: list[tuple[int, ...]]) -> None:
    config = stored(tmp_path)
    graph = Graph(config)
    for one in (reach(0), reach(0, subject="somebody"), reach(0, 7, 8, subject="who reads what holds nothing")):
        assert graph.query(COUNT, reach=one).rows == [[1]]
    # The one of all collections was built with the generation, to see whether the engine takes them.
    assert graph.query(COUNT, reach=reach(0, 1, 2)).rows == [[3]]
    assert len(built) == 2
    graph.close()


def test_many_at_once_build_a_view_once(tmp_path: Path, built: list[tuple[int, ...]]) -> None:
    graph = Graph(stored(tmp_path, workers=4))
    together = Barrier(4)

    def ask(_: int) -> object:
        together.wait()
        return graph.query(COUNT, reach=reach(0, 1)).rows

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ask, range(4))) == [[[2]]] * 4
    assert len(built) == 2
    graph.close()


def test_processes_share_a_view_and_one_builds_it(tmp_path: Path) -> None:
    config = stored(tmp_path)
    command = [sys.executable, "-c", ASK, str(config.home)]
    processes = [
        subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "2\n"
    assert len(on_disk(config)) == 2
    for process in processes:
        process.communicate("\n", timeout=20)


def test_no_more_views_stay_than_the_settings_say(tmp_path: Path) -> None:
    config = stored(tmp_path, 4, views=2)
    graph = Graph(config)
    for number in range(4):
        assert graph.query(COUNT, reach=reach(number)).rows == [[1]]
        assert len(on_disk(config)) <= 3
    # One that was removed is built again.
    assert graph.query(COUNT, reach=reach(0)).rows == [[1]]
    graph.close()


def test_a_view_that_breaks_off_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = stored(tmp_path)
    graph = Graph(config)

    def broken(*given: object, **rest: object) -> object:
        raise Failed("The engine fell over.")

    with monkeypatch.context() as patched:
        patched.setattr(views, "build", broken)
        with pytest.raises(Failed, match="fell over"):
            graph.query(COUNT, reach=reach(1))
    assert len(on_disk(config)) == 1
    assert graph.query(COUNT, reach=reach(1)).rows == [[1]]
    graph.close()


def test_what_a_killed_builder_left_is_built_over(tmp_path: Path) -> None:
    config = stored(tmp_path)
    (whole,) = on_disk(config)
    half = whole.rename(f"{whole}.building")
    (half / "graph.db").write_bytes(b"half")

    graph = Graph(config)
    assert graph.query(COUNT, reach=reach(0, 1, 2)).rows == [[3]]
    assert [path.name for path in on_disk(config)] == [whole.name]
    graph.close()


def test_a_damaged_view_says_what_to_do(tmp_path: Path) -> None:
    config = stored(tmp_path)
    (on_disk(config)[0] / "schema.json").write_text("{")
    with pytest.raises(Failed, match=r"cannot be read\. Expected it as it was built\. Run 'partitur graph rebuild'\.$"):
        Graph(config).schema(reach=reach(0, 1, 2))


def test_an_engine_that_is_not_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    config = GraphConfig(home=tmp_path, engine="kuzu")
    with pytest.raises(SetupError, match=r"The engine 'kuzu' is not installed.*name another engine in the settings"):
        keep([person(Source("default"), "p")], config=config)
    assert generations(config).current() is None


def test_a_generation_nobody_may_write_beside_is_a_setup_error(tmp_path: Path) -> None:
    config = stored(tmp_path)
    folder = generations(config).folder()
    assert folder is not None
    # Where folders cannot be made: a file in its place holds for every user, root too.
    (folder / "views").rename(folder / "away")
    (folder / "views").write_text("")
    with pytest.raises(SetupError, match="Expected a folder for what callers may see"):
        Graph(config).schema(reach=reach(0))


def test_too_many_kinds_stop_the_load_and_not_a_question(tmp_path: Path) -> None:
    config = stored(tmp_path)
    source = Source("default", "c0", name="many")
    here = source.origin()
    many = [Node(f"n{number}", f"Label {number}", "x", "", {}, here) for number in range(201)]
    with pytest.raises(TooLarge, match="There are more than 200 labels"):
        keep([Brought(source, many, [])], config=config)
    wide = Node("w", "Person", "w", "", {f"p{number}": "x" for number in range(201)}, here)
    with pytest.raises(TooLarge, match="There are more than 200 properties"):
        keep([Brought(source, [wide], [])], config=config)
    types = [Edge("p0", f"type {number}", "p0", "", {}, here) for number in range(201)]
    with pytest.raises(TooLarge, match="There are more than 200 edge types"):
        keep([Brought(source, [], types)], config=config)
    assert generations(config).current() == 1
