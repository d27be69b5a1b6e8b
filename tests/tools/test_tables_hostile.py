import json
from collections.abc import Iterator

import pytest

from tests.tools.tables_guarded import NORTH, guarded
from tools.base import InvalidInput, NotFound, PartiturError, Refused
from tools.tables import TableQuery, TablesConfig
from tools.tables.store import Tables

REFUSED = [
    # More than one statement, or none.
    "SELECT 1; SELECT 2",
    "SELECT 1; DROP TABLE cases",
    ";",
    "-- nothing",
    # Statements that write.
    "INSERT INTO cases VALUES (9)",
    "UPDATE cases SET amount = 0",
    "DELETE FROM cases",
    "MERGE INTO cases USING cases AS c ON true WHEN MATCHED THEN DELETE",
    "TRUNCATE cases",
    "DROP TABLE cases",
    "DROP VIEW cases",
    "ALTER TABLE cases ADD COLUMN x INTEGER",
    "CREATE TABLE x AS SELECT 1",
    "CREATE TEMP TABLE x AS SELECT 1",
    "CREATE OR REPLACE TEMP VIEW cases AS SELECT 1",
    "CREATE MACRO f() AS 1",
    "CREATE MACRO f() AS TABLE SELECT * FROM cases",
    "CREATE SCHEMA s",
    "CREATE SEQUENCE s",
    "CREATE TYPE t AS ENUM ('a')",
    "CREATE INDEX i ON cases (id)",
    "CREATE SECRET (TYPE s3)",
    "COMMENT ON TABLE cases IS 'x'",
    "WITH x AS (INSERT INTO cases VALUES (9) RETURNING *) SELECT * FROM x",
    "WITH x AS (UPDATE cases SET amount = 0 RETURNING *) SELECT * FROM x",
    "SELECT * FROM (WITH x AS (DELETE FROM cases RETURNING *) SELECT * FROM x)",
    # Statements that reach out, or change how the engine works.
    "COPY cases TO '/tmp/out.csv'",
    "COPY (SELECT 1) TO '/dev/stdout'",
    "COPY cases FROM '/etc/passwd'",
    "EXPORT DATABASE '/tmp/out'",
    "IMPORT DATABASE '/tmp/out'",
    "ATTACH '/tmp/other.duckdb'",
    "ATTACH ':memory:' AS m",
    "DETACH memory",
    "USE memory",
    "INSTALL httpfs",
    "LOAD httpfs",
    "LOAD json",
    "SET memory_limit = '8GB'",
    "SET GLOBAL enable_external_access = true",
    "RESET memory_limit",
    "SET VARIABLE a = 1",
    "PRAGMA enable_external_access = true",
    "PRAGMA database_list",
    "PRAGMA show_tables",
    "PREPARE p AS SELECT 1",
    "EXECUTE p",
    "DEALLOCATE p",
    "BEGIN",
    "COMMIT",
    "ROLLBACK",
    "CHECKPOINT",
    "VACUUM",
    "ANALYZE",
    "CALL pragma_version()",
    # Statements that describe.
    "EXPLAIN SELECT * FROM cases",
    "EXPLAIN ANALYZE SELECT * FROM cases",
    "DESCRIBE cases",
    "DESCRIBE SELECT * FROM cases",
    "SHOW TABLES",
    "SHOW ALL TABLES",
    "SHOW DATABASES",
    "SUMMARIZE cases",
    "SELECT * FROM (DESCRIBE cases)",
    "SELECT * FROM (SUMMARIZE cases)",
    "PIVOT cases ON district USING count(*)",
    # Text that would run as SQL, and what plans or parses it.
    "FROM query('SELECT * FROM cases')",
    "FROM query_table('cases')",
    "FROM query_table(['cases', 'plans'])",
    "SELECT json_serialize_plan('SELECT * FROM cases')",
    "SELECT json_serialize_sql('SELECT 1')",
    "SELECT json_deserialize_sql(json_serialize_sql('SELECT 1'))",
    "SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1'))",
    "PRAGMA json_execute_serialized_sql('{}')",
    # Files.
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_csv_auto('/etc/passwd')",
    "SELECT * FROM read_parquet('/tmp/x.parquet')",
    "SELECT * FROM parquet_metadata('/tmp/x.parquet')",
    "SELECT * FROM read_json('/tmp/x.json')",
    "SELECT * FROM read_text('/etc/hostname')",
    "SELECT * FROM read_blob('/etc/hostname')",
    "SELECT * FROM read_duckdb('tables.duckdb')",
    "SELECT * FROM glob('/etc/*')",
    "SELECT * FROM sniff_csv('/etc/passwd')",
    "WITH \"/etc/passwd\" AS (SELECT 1) SELECT (SELECT count(*) FROM '/etc/passwd')",
    # The engine's own lists.
    "SELECT * FROM duckdb_settings()",
    "SELECT * FROM duckdb_secrets()",
    "SELECT * FROM duckdb_tables()",
    "SELECT * FROM duckdb_columns()",
    "SELECT * FROM duckdb_views()",
    "SELECT * FROM duckdb_databases()",
    "SELECT * FROM duckdb_temporary_files()",
    "SELECT * FROM duckdb_memory()",
    "SELECT * FROM duckdb_logs()",
    "SELECT * FROM pragma_table_info('cases')",
    "SELECT * FROM pragma_storage_info('cases')",
    "SELECT * FROM pragma_metadata_info()",
    "SELECT * FROM pragma_database_size()",
    "SELECT * FROM test_all_types()",
    "SELECT * FROM summary((SELECT * FROM cases))",
    "SELECT * FROM seq_scan('cases')",
    "SELECT * FROM checkpoint()",
    "WITH duckdb_tables AS (SELECT 1) SELECT * FROM duckdb_tables",
    "WITH RECURSIVE pragma_database_list AS (SELECT 1) SELECT * FROM pragma_database_list",
    # Functions that tell of the engine, its settings or its statistics.
    "SELECT getenv('HOME')",
    "SELECT GETENV('HOME')",
    "SELECT system.main.getenv('HOME')",
    "SELECT (SELECT getenv('HOME') FROM cases LIMIT 1)",
    "SELECT * FROM cases ORDER BY getenv('HOME')",
    "SELECT * FROM cases WHERE getenv('HOME') = ''",
    "SELECT sum(amount) FILTER (getenv('HOME') = '') FROM cases",
    "SELECT count(*) OVER (ORDER BY getenv('HOME')) FROM cases",
    "SELECT list_transform([1], lambda x: getenv('HOME'))",
    "SELECT * FROM range((SELECT length(getenv('HOME'))))",
    "SELECT * FROM cases LIMIT (SELECT length(getenv('HOME')))",
    "SELECT current_setting('memory_limit')",
    "SELECT current_database()",
    "SELECT current_schemas(true)",
    "SELECT current_query_id()",
    "SELECT getvariable('x')",
    "SELECT stats(amount) FROM cases",
    "SELECT pg_get_viewdef(1)",
    "SELECT has_table_privilege('cases', 'select')",
    "SELECT txid_current()",
    "SELECT nextval('s')",
    "SELECT setseed(0.5)",
    "SELECT write_log('x')",
    "SELECT pg_sleep(1)",
]

NOT_THERE = [
    "'/etc/passwd'",
    "'https://example.org/x.parquet'",
    "'s3://bucket/x.parquet'",
    '"/tmp/x.csv"',
    "information_schema.tables",
    "information_schema.columns",
    "pg_catalog.pg_class",
    "pg_class",
    "duckdb_databases",
    "duckdb_tables",
    "sqlite_master",
    "sqlite_schema",
    "pragma_database_list",
    "memory.main.cases",
    "temp.cases",
    "temp.main.cases",
    "system.main.cases",
    "old.main.cases",
    "tables.main.cases",
    "tables.cases",
    "plans",
    "main.plans",
    "salaries",
    "staff.salaries",
    "config",  # a Python variable in sight
]

# What a caller sees in part stays as it is, whatever the SQL around it does.
HARMLESS = [
    "SELECT * FROM cases",
    "FROM cases",
    "TABLE cases",
    "SELECT cases FROM cases",
    "SELECT c FROM cases AS c",
    "SELECT c.* FROM (SELECT * FROM cases) AS c",
    "SELECT COLUMNS('.*') FROM cases",
    "SELECT COLUMNS(*) FROM cases",
    "SELECT struct_pack(*COLUMNS(*)) FROM cases",
    "SELECT to_json(cases) FROM cases",
    "SELECT row_to_json(c) FROM cases AS c",
    "SELECT * EXCLUDE (id) FROM cases",
    "SELECT * REPLACE (0 AS id) FROM cases",
    "WITH cases AS (SELECT * FROM cases) SELECT * FROM cases",
    "WITH c AS MATERIALIZED (SELECT * FROM cases) SELECT * FROM c",
    "WITH plans AS (SELECT 1 AS id) SELECT * FROM plans",
    "WITH RECURSIVE r AS (SELECT id FROM cases UNION ALL SELECT id + 100 FROM r WHERE id < 500) SELECT * FROM r",
    "SELECT * FROM cases UNION ALL BY NAME SELECT * FROM offices",
    "SELECT * FROM cases POSITIONAL JOIN cases AS other",
    "SELECT * FROM cases NATURAL JOIN cases AS other",
    "SELECT * FROM cases SEMI JOIN offices USING (id)",
    "SELECT * FROM offices ANTI JOIN cases ON offices.id = cases.id",
    "SELECT * FROM offices ASOF JOIN cases ON offices.id >= cases.id",
    "SELECT * FROM offices FULL JOIN cases USING (id)",
    "SELECT * FROM offices, LATERAL (SELECT * FROM cases WHERE office_id = offices.id) AS mine",
    "SELECT (SELECT max(note) FROM cases) FROM offices",
    "SELECT * FROM cases USING SAMPLE 100 PERCENT",
    "SELECT * FROM cases TABLESAMPLE RESERVOIR(100 ROWS)",
    "SELECT * FROM cases ORDER BY 1, 2, 3",
    "SELECT * FROM cases ORDER BY ALL",
    "SELECT count(*), min(amount), max(amount), min(note), max(note) FROM cases",
    "SELECT approx_count_distinct(note), approx_quantile(amount, 1.0) FROM cases",
    "SELECT histogram(amount), mode(note), list(note), string_agg(note) FROM cases",
    "SELECT arg_max(note, amount) FROM cases",
    "SELECT first(note ORDER BY amount DESC) FROM cases",
    "SELECT last_value(note) OVER (ORDER BY amount ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) FROM cases",
    "SELECT * FROM cases QUALIFY row_number() OVER (ORDER BY amount DESC) = 1",
    "SELECT district, count(*) FROM cases GROUP BY ROLLUP (district)",
    "SELECT * FROM (UNPIVOT cases ON note, district)",
    # Each would end in an error if it were worked out for a hidden row before the rule.
    "SELECT * FROM cases WHERE CAST(note AS INTEGER) > 0",
    "SELECT * FROM cases WHERE 1 // divisor >= 0",
    "SELECT * FROM cases WHERE error(note) IS NULL AND false",
    "SELECT * FROM cases WHERE CASE WHEN amount >= 900 THEN error(note) ELSE true END",
    "SELECT CASE WHEN amount >= 900 THEN CAST(error(note) AS VARCHAR) END FROM cases",
    "SELECT sum(CAST(note AS INTEGER)) FROM cases",
    "SELECT max(CASE WHEN district <> 'nord' THEN CAST(error(note) AS VARCHAR) END) FROM cases",
    "SELECT * FROM cases AS a JOIN cases AS b ON CAST(a.note AS INTEGER) = CAST(b.note AS INTEGER)",
    "SELECT * FROM cases ORDER BY CAST(note AS INTEGER)",
    "SELECT CAST(note AS INTEGER) AS n, count(*) FROM cases GROUP BY 1 HAVING count(*) > 0",
    "SELECT * FROM cases WHERE (SELECT 1 // c.divisor FROM cases AS c WHERE c.id = cases.id) >= 0",
]

# What a caller may not see is not there: the answer is the one for a name that nobody ever used.
MISSING = [
    "SELECT remark FROM cases",
    "SELECT cases.remark FROM cases",
    "SELECT c.remark FROM cases AS c",
    "SELECT c['remark'] FROM cases AS c",
    "SELECT main.cases.remark FROM cases",
    "SELECT struct_extract(c, 'remark') FROM cases AS c",
    "SELECT * EXCLUDE (remark) FROM cases",
    "SELECT * REPLACE ('x' AS remark) FROM cases",
    "SELECT * RENAME (remark AS x) FROM cases",
    "SELECT COLUMNS('remark') FROM cases",
    "SELECT COLUMNS(c -> c = 'remark') FROM cases",
    "SELECT id FROM cases WHERE remark LIKE 'SECRET%'",
    "SELECT id FROM cases GROUP BY id, remark",
    "SELECT id FROM cases ORDER BY remark",
    "SELECT id FROM cases ORDER BY 7",
    "SELECT count(remark) FROM cases",
    "SELECT * FROM cases JOIN offices USING (remark)",
    "SELECT rowid FROM cases",
    "SELECT cases.rowid FROM cases",
    "SELECT file_row_number FROM cases",
    "SELECT (SELECT remark FROM cases LIMIT 1) FROM offices",
    "SELECT salary_secret FROM offices",
    "SELECT rent_secret FROM offices",
]


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> TablesConfig:
    return guarded(tmp_path_factory.mktemp("guarded"))


@pytest.fixture(scope="module")
def tables(config: TablesConfig) -> Iterator[Tables]:
    tables = Tables(config)
    tables.query(TableQuery(sql="SELECT 1"), reach=NORTH)
    yield tables
    tables.close()


@pytest.fixture
def lives(tables: Tables) -> Iterator[None]:
    """After the statement, the same engine answers on, and what it holds is as it was."""
    yield
    assert tables.query(TableQuery(sql="SELECT count(*), sum(amount) FROM cases"), reach=NORTH).rows == [[3, 60]]


def leaks(text: str) -> bool:
    return any(word in text for word in ("HIDDEN", "SECRET-", "PLAN-", "90", "999", "sued", "west", "0x"))


@pytest.mark.usefixtures("lives")
@pytest.mark.parametrize("sql", REFUSED)
def test_what_is_not_plain_reading_is_refused_with_its_reason(tables: Tables, sql: str) -> None:
    with pytest.raises((Refused, InvalidInput)) as error:
        tables.query(TableQuery(sql=sql), reach=NORTH)
    assert isinstance(error.value, Refused) or "Parser Error" in str(error.value)
    assert not leaks(str(error.value).replace(sql, ""))


@pytest.mark.usefixtures("lives")
@pytest.mark.parametrize("name", NOT_THERE)
def test_what_a_caller_does_not_see_is_not_there(tables: Tables, name: str) -> None:
    with pytest.raises(NotFound, match=r"^The table '.+' is not there\. The store has 'cases', 'offices'\."):
        tables.query(TableQuery(sql=f"SELECT * FROM {name}"), reach=NORTH)


@pytest.mark.usefixtures("lives")
@pytest.mark.parametrize("sql", HARMLESS)
def test_whatever_sql_does_it_does_with_the_callers_rows(tables: Tables, sql: str) -> None:
    found = tables.query(TableQuery(sql=sql), reach=NORTH)
    assert not leaks(json.dumps(found.rows))
    assert "remark" not in json.dumps(found.model_dump(mode="json"))


@pytest.mark.usefixtures("lives")
@pytest.mark.parametrize("sql", MISSING)
def test_a_hidden_column_answers_like_one_that_never_was(tables: Tables, sql: str) -> None:
    answers: list[str] = []
    for name in ("remark", "xemark"):
        asked = sql.replace("remark", name).replace("salary_secret", f"{name}_s").replace("rent_secret", f"{name}_r")
        try:
            answers.append(str(tables.query(TableQuery(sql=asked), reach=NORTH).rows))
        except PartiturError as error:
            answers.append(str(error).replace(name, "…"))
    assert answers[0] == answers[1]
    assert not leaks(answers[0])


@pytest.mark.parametrize(
    "sql",
    ["SELECT CAST(note || 'x' AS INTEGER) FROM cases", "SELECT error(note) FROM cases", "SELECT * FROM cases, plan"],
)
def test_an_error_speaks_of_the_callers_values_only(tables: Tables, sql: str) -> None:
    with pytest.raises(PartiturError) as error:
        tables.query(TableQuery(sql=sql), reach=NORTH)
    assert not leaks(str(error.value))


def test_there_are_at_least_eighty_hostile_statements() -> None:
    assert len(set(REFUSED)) + len(set(NOT_THERE)) + len(set(MISSING)) >= 80
