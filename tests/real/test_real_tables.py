"""Tables out of a real PostgreSQL: read in one snapshot, with the types it says they have, and never written."""

import asyncio
from collections.abc import Coroutine, Generator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from real_postgres import Postgres, started

from tools.base import Caller, Reach
from tools.tables import TableQuery, TableSchemaQuery, TablesConfig
from tools.tables.loading import load_attached
from tools.tables.store import Tables

ALL = Reach(Caller(subject="me"))
_MADE = """
CREATE TABLE cases (
  id integer PRIMARY KEY, big bigint, price numeric(10, 2), share double precision, free numeric, name text,
  code varchar(10), open boolean, day date, at timestamp, moment timestamptz, hour time, id2 uuid, tags text[],
  data jsonb, raw bytea
);
INSERT INTO cases VALUES
  (1, 9007199254740993, 1234.50, 0.1, 1.234567890123456789, 'Größe "A", B', '0815', true, '2026-01-31',
   '2026-01-31 08:00', '2026-01-31 08:00+01', '08:30', '00000000-0000-0000-0000-000000000001', '{a,"b c"}',
   '{"a": 1}', '\\x00ff'),
  (2, NULL, NULL, NULL, NULL, '', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
CREATE VIEW open_cases AS SELECT id, name FROM cases WHERE open;
CREATE SCHEMA staff;
CREATE TABLE staff.salaries (name text, amount integer);
INSERT INTO staff.salaries VALUES ('anna', 1);
CREATE FUNCTION written() RETURNS integer LANGUAGE sql AS $$ INSERT INTO cases (id) VALUES (99) RETURNING id $$;
CREATE VIEW writing AS SELECT written() AS id;
CREATE VIEW slow AS SELECT pg_sleep(30)::text AS x;
"""


@pytest.fixture(scope="module")
def url() -> Generator[str]:
    with started() as server:
        _run(_executed(server, "postgres", "CREATE DATABASE office"))
        _run(_executed(server, "office", _MADE))
        yield server.url("office")


async def _executed(server: Postgres, database: str, sql: str) -> None:
    connection: Any = await asyncpg.connect(server.url(database))
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


def _run(work: Coroutine[object, object, None]) -> None:
    asyncio.run(work)


def _config(tmp_path: Path, url: str, **attached: object) -> TablesConfig:
    return TablesConfig.model_validate(
        {"home": tmp_path / "store", "workers": 1, "attached": {"office": {"url": url, **attached}}}
    )


def _failures(config: TablesConfig) -> list[str | None]:
    return [file.failure for file in load_attached("office", config=config).files]


def test_tables_and_views_have_the_types_and_values_of_the_database(tmp_path: Path, url: str) -> None:
    config = _config(tmp_path, url, tables=("cases", "open_cases"))
    assert _failures(config) == [None, None]
    tables = Tables(config)

    schema = tables.schema(TableSchemaQuery(table="cases"), reach=ALL).tables[0]
    assert [(column.name, column.type) for column in schema.columns] == [
        ("id", "INTEGER"),
        ("big", "BIGINT"),
        ("price", "DECIMAL(10,2)"),
        ("share", "DOUBLE"),
        ("free", "VARCHAR"),
        ("name", "VARCHAR"),
        ("code", "VARCHAR"),
        ("open", "BOOLEAN"),
        ("day", "DATE"),
        ("at", "TIMESTAMP"),
        ("moment", "TIMESTAMP WITH TIME ZONE"),
        ("hour", "TIME"),
        ("id2", "VARCHAR"),
        ("tags", "VARCHAR"),
        ("data", "VARCHAR"),
        ("raw", "VARCHAR"),
    ]
    found = tables.query(TableQuery(sql="SELECT * FROM cases ORDER BY id"), reach=ALL).rows
    assert found[0][:10] == [
        1,
        "9007199254740993",
        1234.5,
        0.1,
        "1.234567890123456789",
        'Größe "A", B',
        "0815",
        True,
        "2026-01-31",
        "2026-01-31T08:00:00",
    ]
    assert found[1] == [2, None, None, None, None, "", *[None] * 10]
    assert tables.query(TableQuery(sql="SELECT name FROM open_cases"), reach=ALL).row_count == 1
    tables.close()


def test_schemas_are_read_that_are_named_and_no_others(tmp_path: Path, url: str) -> None:
    config = _config(tmp_path, url, schemas=("staff",))
    assert _failures(config) == [None]
    tables = Tables(config)
    assert [table.name for table in tables.schema(TableSchemaQuery(), reach=ALL).tables] == ["salaries"]
    tables.close()


def test_a_view_that_would_write_is_refused(tmp_path: Path, url: str) -> None:
    said = _failures(_config(tmp_path, url, tables=("writing",)))[0]
    assert said is not None
    assert "read-only transaction" in said


def test_a_view_that_takes_too_long_is_stopped(tmp_path: Path, url: str) -> None:
    said = _failures(_config(tmp_path, url, tables=("slow",), seconds=0.5))[0]
    assert said is not None
    assert said.startswith("Reading from PostgreSQL took longer than 0.5 seconds.")


def test_a_wrong_password_is_told_without_the_address(tmp_path: Path, url: str) -> None:
    name, _, rest = url.partition("@")
    said = _failures(_config(tmp_path, f"{name}wrong@{rest}"))[0]
    assert said is not None
    assert said.startswith("PostgreSQL cannot be reached: InvalidPasswordError.")
    assert "wrong" not in said
