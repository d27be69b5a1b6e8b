from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from fastmcp import Client
from fastmcp.exceptions import ToolError

from tests.tools.tables_guarded import BOSS, NORTH, OTHERS, STAFF, STRANGER, guarded
from tools.base import Caller, InvalidInput, NotFound, TooLarge
from tools.base.access import DEFAULT, Collection, Reach
from tools.tables import TableInfo, TableQuery, TableSchemaQuery, TablesConfig, engine
from tools.tables.loading import load
from tools.tables.server import build
from tools.tables.store import Tables, generations
from tools.tables.stored import FILE, Stored
from tools.tables.writing import forget

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> TablesConfig:
    return guarded(tmp_path_factory.mktemp("guarded"))


@pytest.fixture(scope="module")
def tables(config: TablesConfig) -> Iterator[Tables]:
    tables = Tables(config)
    tables.query(TableQuery(sql="SELECT 1"), reach=NORTH)
    yield tables
    tables.close()


def seen(tables: Tables, reach: Reach) -> dict[str, TableInfo]:
    return {table.name: table for table in tables.schema(TableSchemaQuery(), reach=reach).tables}


def rows(tables: Tables, sql: str, reach: Reach) -> list[list[object]]:
    return [list(row) for row in tables.query(TableQuery(sql=sql), reach=reach).rows]


def test_each_caller_sees_the_own_rows_and_columns(tables: Tables) -> None:
    sql = "SELECT count(*), max(amount) FROM cases"

    assert rows(tables, sql, NORTH) == [[3, 30]]
    assert rows(tables, sql, BOSS) == [[6, 999]]
    assert rows(tables, sql, STRANGER) == [[0, None]]
    assert rows(tables, "SELECT remark FROM cases WHERE id = 6", BOSS) == [["SECRET-6"]]
    assert [column.name for column in seen(tables, NORTH)["cases"].columns] == [
        "id",
        "district",
        "office_id",
        "amount",
        "note",
        "divisor",
    ]


def test_figures_of_a_column_are_of_the_callers_rows(tables: Tables) -> None:
    mine = next(column for column in seen(tables, NORTH)["cases"].columns if column.name == "amount")
    all_of_it = next(column for column in seen(tables, BOSS)["cases"].columns if column.name == "amount")

    assert (seen(tables, NORTH)["cases"].rows, seen(tables, BOSS)["cases"].rows) == (3, 6)
    assert mine.model_dump(exclude={"name", "type", "header"}) == {
        "samples": [10, 20, 30],
        "description": "Festgesetzter Betrag",
        "unit": "EUR",
        "minimum": 10,
        "maximum": 30,
        "distinct": 3,
        "nulls": 0,
        "references": [],
    }
    assert (all_of_it.maximum, all_of_it.distinct) == (999, 6)


def test_nothing_hidden_is_in_the_schema(tables: Tables) -> None:
    for reach in (NORTH, STRANGER):
        text = tables.schema(TableSchemaQuery(), reach=reach).model_dump_json()
        assert not any(word in text for word in ("HIDDEN", "SECRET", "PLAN", "999", "remark", "salar", "rent", "plans"))


def test_a_table_that_is_not_for_the_caller_is_neither_named_nor_hinted_at(tables: Tables) -> None:
    for name in ("plans", "salaries", "xlans"):
        with pytest.raises(NotFound) as error:
            tables.schema(TableSchemaQuery(table=name), reach=NORTH)
        assert str(error.value) == (
            f"The table '{name}' is not there. The store has 'cases', 'offices'. Ask 'tables.schema' for the tables."
        )
    assert list(seen(tables, BOSS)) == ["cases", "offices", "plans"]


def test_collections_lie_side_by_side_and_a_name_that_two_have_is_told_apart(tables: Tables) -> None:
    assert list(seen(tables, STAFF)) == ["cases", "offices", "salaries", "staff_offices"]
    assert rows(tables, "SELECT office FROM offices UNION ALL SELECT office FROM staff_offices", STAFF) == [
        ["Bürgeramt"],
        ["Bauamt"],
        ["HIDDEN-9"],
    ]
    alone = Reach(Caller(subject="x"), {"staff": None})
    assert list(seen(tables, alone)) == ["offices", "salaries"]


def test_another_tenant_with_groups_of_the_same_names_has_its_own_tables(tables: Tables) -> None:
    theirs = Reach(OTHERS.caller, {DEFAULT: None, "staff": None})

    assert list(seen(tables, theirs)) == ["offices", "salaries"]
    with pytest.raises(NotFound, match=r"^There are no tables for you\."):
        tables.query(TableQuery(sql="SELECT 1"), reach=OTHERS)


def test_a_store_that_holds_nothing_for_a_caller_is_like_an_empty_one(tables: Tables, tmp_path: Path) -> None:
    empty = Tables(TablesConfig(home=tmp_path / "empty"))
    said: list[str] = []
    for store in (tables, empty):
        for ask in (
            lambda store=store: store.schema(TableSchemaQuery(), reach=OTHERS),
            lambda store=store: store.query(TableQuery(sql="SELECT * FROM cases"), reach=OTHERS),
        ):
            with pytest.raises(NotFound) as error:
                ask()
            said.append(str(error.value))
    assert len(set(said)) == 1


def test_rows_that_fit_a_subject_or_a_cost_centre_are_seen(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    (source / "t.csv").write_text("who,centre,price,day\nanna,100,5.50,2026-01-01\nben,200,7.00,2026-01-02\n,,1.00,\n")
    (source / "t.meta.yaml").write_text(
        "rows:\n"
        "- where: [{column: who, caller: subject}, {column: price, any_of: [5.5, 6]}]\n"
        "- where: [{column: centre, caller: cost_centre}]\n"
        "- readers: {groups: [audit]}\n"
        "  where: [{column: day, equals: '2026-01-02'}]\n"
    )
    config = TablesConfig(home=tmp_path / "store", workers=1)
    assert [file.failure for file in load(source, config=config).files] == [None]
    tables = Tables(config)

    def of(**caller: object) -> list[object]:
        reach = Reach(Caller(subject="anna", **caller)) if "subject" not in caller else Reach(Caller(**caller))  # pyright: ignore[reportArgumentType] - test values
        return [row[0] for row in rows(tables, "SELECT price FROM t ORDER BY 1", reach)]

    assert of() == [5.5]
    assert of(cost_centre="200") == [5.5, 7.0]
    assert of(subject="ben") == []
    assert of(subject="zoe", groups=frozenset({"audit"})) == [7.0]
    tables.close()


def test_a_copy_of_a_callers_rows_is_made_once_and_never_given_to_another(tables: Tables) -> None:
    for _ in range(3):
        for reach, count in ((NORTH, 3), (STRANGER, 0), (BOSS, 6)):
            assert rows(tables, "SELECT count(*) FROM cases", reach) == [[count]]


def test_even_the_engines_own_statistics_are_of_the_callers_rows(
    config: TablesConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = generations(config).open()
    stored = Stored.of(folder.path)
    monkeypatch.setattr(engine, "_REFUSED_FUNCTIONS", frozenset[str]())
    opened = engine.start({"file": str(folder.path / "tables.duckdb"), "memory_mb": 256})
    views = {name: view.definition() for name, view in stored.seen_by(NORTH).items()}

    found = opened.answer({"sql": "SELECT stats(amount) FROM cases LIMIT 1", "limit": 1, "views": views, "seconds": 9})

    assert (found["rows"][0][0]["min"], found["rows"][0][0]["max"]) == (10, 30)
    folder.close()


def test_a_statement_past_the_check_still_writes_nothing(config: TablesConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = generations(config).open()
    views = {name: view.definition() for name, view in Stored.of(folder.path).seen_by(NORTH).items()}
    opened = engine.start({"file": str(folder.path / "tables.duckdb"), "memory_mb": 256})
    monkeypatch.setattr(engine, "_checked", lambda _tree, given: (set(given), None))

    def said(sql: str) -> str:
        return str(opened.answer({"sql": sql, "limit": 1, "views": views, "seconds": 9})["error"])

    assert "disabled" in said("SELECT * FROM read_csv('/etc/passwd')")
    copy = opened.answer(
        {
            "sql": "SELECT database_name || '.main.' || table_name FROM duckdb_tables() WHERE database_name LIKE 'c%'",
            "limit": 1,
            "views": views,
            "seconds": 9,
        }
    )["rows"][0][0]
    assert "read-only mode" in said(f"WITH x AS (DELETE FROM {copy} RETURNING *) SELECT * FROM x")
    folder.close()


def test_rows_of_a_caller_that_do_not_fit_into_memory_are_told_and_hide_nothing_else(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    made = "SELECT 'd1' AS district, repeat('x', 1000) || (range % 97) AS note FROM range(75000)"
    duckdb.sql(f"COPY ({made}) TO '{source / 'big.parquet'}'")
    (source / "small.csv").write_text("x\n1\n")
    (source / "tables.toml").write_text(
        "[tables.big]\nrows = [{ where = [{ column = 'district', caller = 'groups' }] }]\n"
    )
    config = TablesConfig(home=tmp_path / "store", workers=1, memory_mb=128)
    load(source, config=config)
    tables = Tables(config)
    one = Reach(Caller(subject="anna", groups=frozenset({"d1"})))

    with pytest.raises(TooLarge, match=r"^The rows that you may see do not fit into the 128 MiB of a query\."):
        rows(tables, "SELECT count(*) FROM big", one)
    assert rows(tables, "SELECT * FROM small", one) == [[1]]
    assert {name: table.rows for name, table in seen(tables, one).items()} == {"big": 75_000, "small": 1}
    tables.close()


def test_an_engine_that_is_broken_inside_ends_so_that_the_next_query_gets_another(
    config: TablesConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = generations(config).open()
    opened = engine.start({"file": str(folder.path / "tables.duckdb"), "memory_mb": 256})

    def broken(*_: object) -> None:
        raise duckdb.FatalException("the database has been invalidated")

    def ends(code: int) -> None:
        raise SystemExit(code)

    monkeypatch.setattr(engine, "_tree", broken)
    monkeypatch.setattr("os._exit", ends)
    with pytest.raises(SystemExit):
        opened.answer({"sql": "SELECT 1", "limit": 1, "seconds": 9})
    folder.close()


def test_what_a_collection_keeps_no_longer_is_gone(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    (source / "t.csv").write_text("x\n1\n")
    config = TablesConfig(home=tmp_path / "store", workers=1)
    load(source, config=config)
    folder = generations(config).open()
    stored = Stored.of(folder.path)
    aged = [table.model_copy(update={"loaded": datetime.now(UTC) - timedelta(days=31)}) for table in stored.tables]
    (folder.path / FILE).write_text(Stored(tables=tuple(aged)).model_dump_json())
    folder.close()

    assert list(Stored.of(folder.path).seen_by(Reach(Caller(subject="x"), {DEFAULT: 40}))) == ["t"]
    assert list(Stored.of(folder.path).seen_by(Reach(Caller(subject="x"), {DEFAULT: 30}))) == []

    def gone(days: int) -> list[str]:
        moment = datetime.now(UTC) - timedelta(days=days)
        return forget(config, tenant="default", collection=DEFAULT, before=moment).tables

    assert (gone(40), gone(30)) == ([], ["t"])


def test_forgotten_tables_leave_no_bytes_and_are_counted(tmp_path: Path) -> None:
    config = guarded(tmp_path)
    tables = Tables(config)
    assert rows(tables, "SELECT count(*) FROM salaries", STAFF) == [[1]]

    gone = forget(config, tenant="default", collection="staff")
    assert (gone.tables, gone.rows) == (["offices", "salaries"], 2)
    assert list(seen(tables, STAFF)) == ["cases", "offices"]
    tables.refresh()
    assert forget(config, tenant="neustadt", collection="staff", tables=["salaries", "nothing"]).tables == ["salaries"]
    tables.refresh()
    nothing = forget(config, tenant="default", collection="never")
    assert (nothing.tables, nothing.held) == ([], 0)
    held = b"".join(path.read_bytes() for path in (tmp_path / "store").rglob("*") if path.is_file())
    assert b"SECRET-7" not in held
    assert b"SECRET-6" in held
    tables.close()


class _Granted:
    """Collections as a house would know them."""

    async def of(self, caller: Caller) -> Reach:
        return Reach(caller, {"staff": None} if "personal" in caller.groups else {})

    async def list(self, caller: Caller) -> list[Collection]:
        return [Collection(name=name) for name in (await self.of(caller)).collections]

    async def writable(self, caller: Caller, collection: str) -> None:
        raise NotImplementedError


async def test_the_server_asks_what_the_caller_reaches(config: TablesConfig) -> None:
    local = Caller(subject="anna", groups=frozenset({"personal"}))
    async with Client(build(config, local=local, reaches=_Granted())) as client:
        found = await client.call_tool("query", {"sql": "SELECT * FROM salaries", "markdown": True})
        with pytest.raises(ToolError, match=r"^The table 'cases' is not there\. The store has 'offices', 'salaries'\."):
            await client.call_tool("query", {"sql": "SELECT * FROM cases"})
    async with Client(build(config, local=Caller(subject="ben"), reaches=_Granted())) as client:
        with pytest.raises(ToolError, match=r"^There are no tables for you"):
            await client.call_tool("schema", {})

    assert found.structured_content is not None
    assert found.structured_content["markdown"] == "| name | salary\\_secret |\n| --- | --- |\n| anna | SECRET-7 |"


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ("[tables.t]\nreader = 1\n", r"does not fit at 'tables\.t\.reader': Extra inputs"),
        ("[tables.t]\nrows = [{ where = [{ column = 'x' }] }]\n", r"exactly one of 'equals', 'any_of' and 'caller'"),
        (
            "[tables.u]\ntitle = 'x'\n",
            r"The policy speaks of the table 'u', which was not loaded\. Expected one of 't'",
        ),
        ("[tables.t.columns.x]\nreferences = 'u.y'\n", r"'x' references 'u\.y', which is not there"),
        ("[tables.t\n", r"'tables\.toml' cannot be read"),
    ],
)
def test_a_policy_that_does_not_fit_stops_the_load(tmp_path: Path, policy: str, said: str) -> None:
    (tmp_path / "t.csv").write_text("x\n1\n")
    (tmp_path / "tables.toml").write_text(policy)
    config = TablesConfig(home=tmp_path / "store")

    with pytest.raises(InvalidInput, match=said):
        load(tmp_path, config=config)
    assert generations(config).current() is None


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        (
            "[tables.t.columns.y]\nunit = 'x'\n",
            "Its policy names the column 'y', which is not there. Expected one of 'x'.",
        ),
        (
            "[tables.t]\nrows = [{ where = [{ column = 'x', equals = 'word' }] }]\n",
            "Its policy compares the column 'x' with 'word', which is no BIGINT. Expected a value it can hold.",
        ),
    ],
)
def test_a_table_whose_policy_does_not_fit_it_is_not_loaded(tmp_path: Path, policy: str, said: str) -> None:
    (tmp_path / "t.csv").write_text("x\n1\n")
    (tmp_path / "tables.toml").write_text(policy)

    report = load(tmp_path, config=TablesConfig(home=tmp_path / "store"))
    assert report.generation is None
    assert str(report.files[0].failure).startswith(said)


def test_new_figures_without_a_policy_keep_the_guard_of_the_old_ones(tmp_path: Path) -> None:
    config = guarded(tmp_path)
    source = tmp_path / "in"
    (source / "tables.toml").unlink()
    (source / "offices.csv").unlink()
    (source / "plans.csv").unlink()
    text = (source / "cases.csv").read_text()

    (source / "cases.csv").write_text(text + "7,nord,1,70,77,7,SECRET-7\n")
    assert load(source, config=config).files[0].failure is None
    tables = Tables(config)
    assert rows(tables, "SELECT count(*), max(amount) FROM cases", NORTH) == [[4, 70]]
    assert "remark" not in tables.schema(TableSchemaQuery(), reach=NORTH).model_dump_json()

    (source / "cases.csv").write_text(text.replace("district", "quarter"))
    assert "guards the column 'district', which is not there" in str(load(source, config=config).files[0].failure)
    tables.close()
