from collections.abc import Iterator

import anyio
import pytest
from fastmcp import Client
from fastmcp.exceptions import ToolError
from inline_snapshot import snapshot

from tools.base import Caller, InvalidInput, NotFound, PartiturError, Refused, TimedOut, TooLarge
from tools.base.access import Reach
from tools.tables import TableQuery, TableSchemaQuery, TablesConfig
from tools.tables.loading import load
from tools.tables.server import build
from tools.tables.store import Tables

pytestmark = pytest.mark.anyio
ALL = Reach(Caller(subject="me"))


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> TablesConfig:
    source = tmp_path_factory.mktemp("in")
    (source / "fees.csv").write_text(
        "id,service,group,amount_eur,valid_from\n1,Reisepass,Ausweise,70.00,2024-01-01\n"
        "2,Personalausweis,Ausweise,37.00,2024-01-01\n3,Hundesteuer,Steuern,120.50,2023-07-01\n"
    )
    (source / "offices.csv").write_text("office,phone\nBürgeramt,01234\n")
    config = TablesConfig(home=tmp_path_factory.mktemp("store"), seconds=3, workers=1)
    load(source, config=config)
    return config


@pytest.fixture(scope="module")
def tables(config: TablesConfig) -> Iterator[Tables]:
    tables = Tables(config)
    tables.query(TableQuery(sql="SELECT 1"), reach=ALL)
    yield tables
    tables.close()


def test_a_select_gives_typed_rows(tables: Tables) -> None:
    sql = 'SELECT group_, sum(amount_eur) AS "Summe", max(valid_from) AS newest FROM fees GROUP BY ALL ORDER BY 1'
    assert tables.query(TableQuery(sql=sql), reach=ALL).model_dump(mode="json") == snapshot(
        {
            "columns": [
                {"name": "group_", "type": "VARCHAR"},
                {"name": "Summe", "type": "DECIMAL(38,2)"},
                {"name": "newest", "type": "DATE"},
            ],
            "rows": [["Ausweise", 107.0, "2024-01-01"], ["Steuern", 120.5, "2023-07-01"]],
            "truncated": False,
            "row_count": 2,
            "markdown": None,
        }
    )


@pytest.mark.parametrize(
    "sql",
    [
        "FROM fees",
        "VALUES (1)",
        "SELECT * FROM main.fees;",
        "WITH top AS (SELECT * FROM fees) SELECT * FROM top",
        "WITH RECURSIVE r AS (SELECT 1 AS a UNION ALL SELECT a + 1 FROM r WHERE a < 3) SELECT * FROM r",
        "SELECT *, row_number() OVER (ORDER BY amount_eur) FROM fees",
        "SELECT * FROM range(3), unnest([1, 2])",
        "SELECT * FROM fees AS a JOIN offices AS b ON a.service <> b.office",
        "SELECT 'CREATE; DROP' -- a comment",
    ],
)
def test_plain_reading_is_answered(tables: Tables, sql: str) -> None:
    assert tables.query(TableQuery(sql=sql), reach=ALL).row_count > 0


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("170141183460469231731687303715884105727::HUGEINT", "170141183460469231731687303715884105727"),
        ("1.5::DECIMAL(38, 20)", 1.5),
        ("'nan'::DOUBLE", "nan"),
        ("INTERVAL 1 MONTH", "1 month"),
        ("TIMESTAMPTZ '2026-01-01 00:00:00+00' AT TIME ZONE 'UTC'", "2026-01-01T00:00:00"),
        ("TIME '08:00'", "08:00:00"),
        ("'a'::BLOB", "61"),
        ("{'a': [1, NULL]}", {"a": [1, None]}),
        ("MAP {1: 'x'}", {"1": "x"}),
        ("NULL", None),
    ],
)
def test_every_value_has_a_place_in_json(tables: Tables, expression: str, value: object) -> None:
    assert tables.query(TableQuery(sql=f"SELECT {expression}"), reach=ALL).rows == [[value]]


def test_a_time_with_a_zone_is_text(tables: Tables) -> None:
    result = tables.query(TableQuery(sql="SELECT now() AS at -- now"), reach=ALL)

    assert (result.columns[0].type, type(result.rows[0][0])) == ("TIMESTAMP WITH TIME ZONE", str)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1; SELECT 2",
        "SELECT 1; DROP TABLE fees",
        ";",
        "INSERT INTO fees VALUES (9, 'x', 'x', 1, '2024-01-01')",
        "UPDATE fees SET amount_eur = 0",
        "DELETE FROM fees",
        "DROP TABLE fees",
        "CREATE TABLE x AS SELECT 1",
        "CREATE TEMP TABLE x AS SELECT 1",
        "CREATE MACRO f() AS 1",
        "CREATE SECRET (TYPE s3)",
        "WITH x AS (INSERT INTO fees VALUES (9, 'x', 'x', 1, '2024-01-01') RETURNING *) SELECT * FROM x",
        "SELECT * FROM (WITH x AS (DELETE FROM fees RETURNING *) SELECT * FROM x)",
        "COPY fees TO '/tmp/out.csv'",
        "COPY (SELECT 1) TO '/dev/stdout'",
        "EXPORT DATABASE '/tmp/out'",
        "ATTACH '/tmp/other.duckdb'",
        "ATTACH ':memory:' AS m",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET memory_limit = '8GB'",
        "RESET memory_limit",
        "SET VARIABLE a = 1",
        "PRAGMA enable_external_access = true",
        "PREPARE p AS SELECT 1",
        "BEGIN",
        "CHECKPOINT",
        "CALL pragma_version()",
        "EXPLAIN ANALYZE SELECT 1",
        "USE memory",
        "DESCRIBE fees",
        "SHOW TABLES",
        "SUMMARIZE fees",
        "PIVOT fees ON group_ USING count(*)",
        "FROM query('SELECT 1')",
        "FROM query_table('fees')",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('/etc/hostname')",
        "SELECT * FROM read_blob('/etc/hostname')",
        "SELECT * FROM glob('/etc/*')",
        "SELECT * FROM sniff_csv('/etc/passwd')",
        "SELECT * FROM duckdb_settings()",
        "SELECT * FROM duckdb_secrets()",
        "SELECT * FROM pragma_table_info('fees')",
        "SELECT getenv('HOME')",
        "SELECT GETENV('HOME')",
        "SELECT system.main.getenv('HOME')",
        "SELECT current_setting('memory_limit')",
        "SELECT (SELECT getenv('HOME') FROM fees LIMIT 1)",
        "SELECT * FROM fees ORDER BY getenv('HOME')",
        "WITH duckdb_databases AS (SELECT 1) SELECT * FROM duckdb_databases",
        "WITH \"/etc/passwd\" AS (SELECT 1) SELECT (SELECT count(*) FROM '/etc/passwd')",
    ],
)
def test_an_attack_is_refused_with_its_reason(tables: Tables, sql: str) -> None:
    with pytest.raises(Refused, match=r"^The SQL was refused: .+ Expected exactly one SELECT over the loaded tables\."):
        tables.query(TableQuery(sql=sql), reach=ALL)


@pytest.mark.parametrize(
    "name",
    [
        "'/etc/passwd'",
        "'https://example.org/x.parquet'",
        '"/tmp/x.csv"',
        "information_schema.tables",
        "pg_catalog.pg_class",
        "duckdb_databases",
        "sqlite_master",
        "tables.other.fees",
        "config",  # a Python variable in sight
    ],
)
def test_what_is_not_a_loaded_table_is_not_there(tables: Tables, name: str) -> None:
    with pytest.raises(NotFound, match=r"^The table '.+' is not there\. The store has 'fees', 'offices'\."):
        tables.query(TableQuery(sql=f"SELECT * FROM {name}"), reach=ALL)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) FROM range(100000000) a, range(1000) b",
        # The engine does not look at the clock within one function call; its process is killed.
        "SELECT levenshtein(repeat('ab', 50000), repeat('ba', 50000))",
    ],
)
def test_a_query_that_takes_too_long_is_stopped(tables: Tables, sql: str) -> None:
    with pytest.raises(TimedOut, match=r"^The table query ran longer than 3 seconds and was stopped\."):
        tables.query(TableQuery(sql=sql), reach=ALL)
    assert tables.query(TableQuery(sql="SELECT 1"), reach=ALL).rows == [[1]]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT length(repeat('x', 2000000000))",
        "SELECT list_sum(range(0, 300000000))",
        "SELECT list(range) FROM range(200000000)",
    ],
)
def test_a_query_that_needs_too_much_memory_is_told_so(tables: Tables, sql: str) -> None:
    with pytest.raises(TooLarge, match=r"^The table query needs more memory than its 512 MiB"):
        tables.query(TableQuery(sql=sql), reach=ALL)


def test_a_row_that_is_too_large_is_told_so(tables: Tables) -> None:
    with pytest.raises(TooLarge, match=r"^One row of the result has more than 2,000,000 characters"):
        tables.query(TableQuery(sql="SELECT range(0, 300000)"), reach=ALL)


def test_rows_and_long_values_are_cut_and_said_to_be(tables: Tables) -> None:
    rows = tables.query(TableQuery(sql="SELECT * FROM range(10000000000)", limit=3), reach=ALL)
    long = tables.query(TableQuery(sql="SELECT repeat('x', 50000)"), reach=ALL)

    assert (rows.rows, rows.row_count, rows.truncated) == ([[0], [1], [2]], 3, True)
    assert (len(str(long.rows[0][0])), long.truncated) == (20_001, True)


@pytest.mark.parametrize(
    ("sql", "kind", "message"),
    [
        (
            "SELECT * FROM fee",
            NotFound,
            "The table 'fee' is not there. The store has 'fees', 'offices'. Did you mean 'fees'?",
        ),
        (
            "SELECT amount FROM fees",
            InvalidInput,
            "The column 'amount' is not in the tables asked. They have 'amount_eur', 'group_', 'id', 'office', 'phone', "
            "'service', 'valid_from'. Did you mean 'amount_eur'?",
        ),
        (
            "SELECT f.amount FROM fees f",
            InvalidInput,
            "The column 'amount' is not in the tables asked. They have 'amount_eur', 'group_', 'id', 'office', 'phone', "
            "'service', 'valid_from'. Did you mean 'amount_eur'?",
        ),
        (
            "SELECT phone FROM fees",
            InvalidInput,
            "The column 'phone' is not in the tables asked. They have 'amount_eur', 'group_', 'id', 'office', 'phone', "
            "'service', 'valid_from'. It is a column of 'offices': put that table into FROM or JOIN.",
        ),
        (
            "SELEC 1",
            InvalidInput,
            'The SQL is wrong: Parser Error: syntax error at or near "SELEC". Expected one SELECT in DuckDB\'s SQL. '
            "Correct it and send it again; 'tables.schema' lists tables and columns.",
        ),
        (
            "SELECT summe(amount_eur) FROM fees",
            InvalidInput,
            "The function 'summe' is not there. Expected a function of DuckDB. Did you mean \"sum\"?",
        ),
    ],
)
def test_a_mistake_names_the_nearest_way_out(tables: Tables, sql: str, kind: type[PartiturError], message: str) -> None:
    with pytest.raises(kind) as error:
        tables.query(TableQuery(sql=sql), reach=ALL)
    assert str(error.value) == message


def test_the_schema_shows_headings_types_and_samples(tables: Tables) -> None:
    assert tables.schema(TableSchemaQuery(table="fees"), reach=ALL).model_dump() == snapshot(
        {
            "tables": [
                {
                    "name": "fees",
                    "file": "fees.csv",
                    "collection": "default",
                    "title": None,
                    "description": None,
                    "rows": 3,
                    "columns": [
                        {
                            "name": "id",
                            "type": "BIGINT",
                            "header": "id",
                            "samples": [1, 2, 3],
                            "description": None,
                            "unit": None,
                            "minimum": 1,
                            "maximum": 3,
                            "distinct": 3,
                            "nulls": 0,
                            "references": [],
                        },
                        {
                            "name": "service",
                            "type": "VARCHAR",
                            "header": "service",
                            "samples": ["Hundesteuer", "Personalausweis", "Reisepass"],
                            "description": None,
                            "unit": None,
                            "minimum": "Hundesteuer",
                            "maximum": "Reisepass",
                            "distinct": 3,
                            "nulls": 0,
                            "references": [],
                        },
                        {
                            "name": "group_",
                            "type": "VARCHAR",
                            "header": "group",
                            "samples": ["Ausweise", "Steuern"],
                            "description": None,
                            "unit": None,
                            "minimum": "Ausweise",
                            "maximum": "Steuern",
                            "distinct": 2,
                            "nulls": 0,
                            "references": [],
                        },
                        {
                            "name": "amount_eur",
                            "type": "DECIMAL(18,2)",
                            "header": "amount_eur",
                            "samples": [37.0, 70.0, 120.5],
                            "description": None,
                            "unit": None,
                            "minimum": 37.0,
                            "maximum": 120.5,
                            "distinct": 3,
                            "nulls": 0,
                            "references": [],
                        },
                        {
                            "name": "valid_from",
                            "type": "DATE",
                            "header": "valid_from",
                            "samples": ["2024-01-01", "2023-07-01"],
                            "description": None,
                            "unit": None,
                            "minimum": "2023-07-01",
                            "maximum": "2024-01-01",
                            "distinct": 2,
                            "nulls": 0,
                            "references": [],
                        },
                    ],
                }
            ]
        }
    )
    with pytest.raises(NotFound, match="Did you mean 'offices'"):
        tables.schema(TableSchemaQuery(table="office"), reach=ALL)


async def test_the_server_serves_its_tools(config: TablesConfig) -> None:
    async with Client(build(config, local=Caller(subject="me"))) as client:
        names = sorted(tool.name for tool in await client.list_tools())
        result = await client.call_tool("query", {"sql": "SELECT count(*) AS n FROM fees"})
        schema = await client.call_tool("schema", {})
        with pytest.raises(ToolError, match="'limit' does not fit"):
            await client.call_tool("query", {"sql": "SELECT 1", "limit": 5000})
        with pytest.raises(ToolError, match=r"^The SQL was refused"):
            await client.call_tool("query", {"sql": "DROP TABLE fees"})

    assert {"query", "schema"} <= set(names)
    assert result.structured_content is not None
    assert result.structured_content["rows"] == [[3]]
    assert schema.structured_content is not None
    assert [table["name"] for table in schema.structured_content["tables"]] == ["fees", "offices"]


async def test_the_server_tells_nobody_who_is_not_known(config: TablesConfig) -> None:
    async with Client(build(config)) as client:
        with pytest.raises(ToolError, match="carries no verified caller"):
            await client.call_tool("schema", {})


async def test_a_query_whose_caller_has_gone_ends(config: TablesConfig) -> None:
    async with Client(build(config.model_copy(update={"seconds": 60}), local=Caller(subject="me"))) as client:
        await client.call_tool("query", {"sql": "SELECT 1"})
        with anyio.move_on_after(0.3):
            await client.call_tool("query", {"sql": "SELECT count(*) FROM range(100000000) a, range(1000) b"})
        # There is one engine; it would be busy for a minute.
        result = await client.call_tool("query", {"sql": "SELECT 2"})

    assert result.structured_content is not None
    assert result.structured_content["rows"] == [[2]]
