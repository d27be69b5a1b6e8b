"""The benchmark of questions to tables, over a collection of two small databases."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.responses import JSONResponse, Response

from benchmarks.sql import main
from benchmarks.sql_collection import Database, expanded, holds
from tests.tools.fake_endpoint import Asked, FakeEndpoint, serving

SHOPS = """CREATE TABLE public.shop (id bigint NOT NULL, name text, city text DEFAULT ''::text, founded date);
INSERT INTO public.shop (id, name, city, founded) VALUES
(1, 'Brot & Co', 'Erlenau', '2020-01-01'), (2, 'Radhaus', 'Erlenau', '2021-05-01'), (3, 'Buchecke', 'Weidach', '2021-06-01');
"""
TREES = (
    "CREATE TABLE tree (species text, height double precision); INSERT INTO tree VALUES ('Eiche', 21.5), ('Linde', 18);"
)
QUESTIONS = """question,query,db_name,query_category,instructions
How many shops are there in each city?,"SELECT city, count(*) FROM shop GROUP BY city",shops,group_by,
What are the names of the shops in Weidach?,"SELECT {shop.name, shop.id} FROM shop WHERE city = 'Weidach'",shops,instruct,
Which shop was founded under a full moon?,"SELECT name FROM shop WHERE id = 1",shops,instruct,
What is the average height of trees?,"SELECT min(height) FROM tree;SELECT avg(height) FROM tree",trees,instruct,
"What is the median of nothing?",SELECT no_such_function(1),trees,instruct,
"""


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    folder = tmp_path / "collection"
    folder.mkdir()
    (folder / "shops.sql").write_text(SHOPS, encoding="utf-8")
    (folder / "trees.sql").write_text(TREES, encoding="utf-8")
    described = {"shop": [{"column_name": "city", "column_description": "Where it is", "data_type": "text"}]}
    (folder / "shops.json").write_text(json.dumps({"table_metadata": described}), encoding="utf-8")
    (folder / "trees.json").write_text(json.dumps({"table_metadata": {}}), encoding="utf-8")
    (folder / "questions.csv").write_text(QUESTIONS, encoding="utf-8")
    (folder / "idk.csv").write_text("question,db_name\nHow much money does each shop make?,shops\n", encoding="utf-8")
    return folder


@pytest.fixture
def fake() -> Iterator[FakeEndpoint]:
    with serving() as endpoint:
        yield endpoint


def test_templates_are_measured_without_a_model(
    collection: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["--data", str(collection), "--json", str(tmp_path / "figures.json")])
    figures = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))["templates"]
    assert (figures["questions"], figures["not measurable"], figures["unanswerable"]) == (4, 1, 6)
    assert figures["answered"][0] == figures["execution accuracy"][0] == 0.75
    assert figures["accuracy of the answered"][0] == 1
    assert figures["false answers on the unanswerable"][0] == 0
    assert "| templates | 4 | 0.750 (" in capsys.readouterr().out


def test_a_model_is_measured_beside_them(collection: Path, tmp_path: Path, fake: FakeEndpoint) -> None:
    def answer(asked: Asked) -> Response:
        question = asked.body["messages"][1]["content"].partition("Question: ")[2]
        sql = "SELECT city, count(*) AS n, 1 AS more FROM shop GROUP BY city" if "each city" in question else None
        said = json.dumps({"answerable": sql is not None, "sql": sql, "reason": "unknown"})
        choice = {"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop"}
        return JSONResponse({"id": "x", "object": "chat.completion", "choices": [choice]})

    fake.answer = answer
    main(["--data", str(collection), "--url", fake.url, "--name", "tiny", "--json", str(tmp_path / "figures.json")])
    figures = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))["tiny"]
    assert (figures["answered"][0], figures["execution accuracy"][0]) == (0.25, 0.25)
    assert figures["wrong"] == []


def test_braces_and_semicolons_are_ways_to_be_right() -> None:
    assert list(expanded("SELECT {a.x, a.y}, count(*) FROM a GROUP BY {};SELECT 1;")) == [
        "SELECT a.x, count(*) FROM a GROUP BY a.x",
        "SELECT a.y, count(*) FROM a GROUP BY a.y",
        "SELECT a.x, a.y, count(*) FROM a GROUP BY a.x, a.y",
        "SELECT 1",
    ]


@pytest.mark.parametrize(
    ("found", "right", "same"),
    [
        ([(1, "a"), (2, "b")], [("b",), ("a",)], True),
        ([(1, "a"), (2, "b")], [("b", 1), ("a", 2)], False),
        ([(1.0000001,)], [(1,)], True),
        ([(1,), (1,)], [(1,)], True),
        ([(1,)], [(1, 2)], False),
        ([], [(1,)], False),
        ([], [], True),
        ([(None, True)], [(None, 1)], True),
        ([("2021-01-01T00:00:00",)], [("2021-01-01",)], True),
    ],
)
def test_rows_are_compared_without_order_and_with_columns_to_spare(
    found: list[tuple[object, ...]], right: list[tuple[object, ...]], same: bool
) -> None:
    assert holds(found, right) is same


def test_what_postgresql_has_and_duckdb_has_not_runs(collection: Path) -> None:
    database = Database(collection, "shops")
    assert database.right("SELECT to_char(founded, 'YYYY-MM') FROM shop WHERE id = 2") == [[("2021-05",)]]
    database.close()
