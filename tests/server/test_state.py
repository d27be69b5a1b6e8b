import asyncio
import sqlite3
import subprocess
import sys
from pathlib import Path

import anyio
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from openai_sdk import until
from sqlalchemy import insert, select, text
from sqlalchemy.pool import QueuePool

from server.settings import load_settings
from server.state import Database
from server.state.migrating import FOLDER
from server.state.tables import REVISION, files, metadata, mine, row_of
from tools.base import Caller, SetupError, Unavailable

ANNA = Caller(subject="anna")
BERT = Caller(subject="bert")

pytestmark = pytest.mark.anyio


@pytest.fixture
async def database(tmp_path: Path):
    database = Database(tmp_path / "home")
    yield database
    await database.close()


def a_file(id: str, caller: Caller) -> dict[str, object]:
    return {
        "id": id,
        **row_of(caller),
        "name": "a.txt",
        "purpose": "user_data",
        "bytes": 1,
        "whole": True,
        "created": 1,
        "expires": None,
    }


def test_the_migrations_end_at_the_revision_that_the_tables_name() -> None:
    assert ScriptDirectory(str(FOLDER), version_locations=[str(FOLDER)]).get_current_head() == REVISION


async def test_a_migrated_database_has_exactly_the_tables_that_the_code_reads(database: Database) -> None:
    async with database.begin() as connection:
        differences = await connection.run_sync(
            lambda sync: compare_metadata(MigrationContext.configure(sync, opts={"compare_type": True}), metadata)
        )
    assert differences == []


async def test_what_is_committed_is_read_and_an_error_takes_it_back(database: Database) -> None:
    async with database.begin() as connection:
        await connection.execute(insert(files).values(a_file("one", ANNA)))
    with pytest.raises(ZeroDivisionError):
        async with database.begin() as connection:
            await connection.execute(insert(files).values(a_file("two", ANNA)))
            _ = 1 / 0
    async with database.read() as connection:
        assert (await connection.scalars(select(files.c.id).where(mine(files, ANNA)))).all() == ["one"]
        assert (await connection.scalars(select(files.c.id).where(mine(files, BERT)))).all() == []


async def test_many_writers_at_once_all_get_their_turn(tmp_path: Path) -> None:
    first, second = Database(tmp_path), Database(tmp_path)

    async def write(number: int) -> None:
        async with (first, second)[number % 2].begin() as connection:
            await connection.execute(insert(files).values(a_file(f"file-{number}", ANNA)))

    await asyncio.gather(*(write(number) for number in range(40)))
    async with first.read() as connection:
        assert len((await connection.scalars(select(files.c.id))).all()) == 40
    await first.close()
    await second.close()


async def test_sqlite_writes_ahead_and_holds_foreign_keys(database: Database) -> None:
    async with database.read() as connection:
        assert (await connection.scalar(text("PRAGMA journal_mode"))) == "wal"
        assert (await connection.scalar(text("PRAGMA foreign_keys"))) == 1


async def test_a_reader_is_not_kept_waiting_by_a_writer(database: Database) -> None:
    async with database.begin() as writer:
        await writer.execute(insert(files).values(a_file("one", ANNA)))
        async with database.read() as reader:
            assert (await reader.scalars(select(files.c.id))).all() == []


@pytest.mark.timeout(60)
async def test_several_processes_that_start_at_once_make_the_tables_once(tmp_path: Path) -> None:
    script = (
        "import asyncio, pathlib\n"
        "from server.state import Database\n"
        "async def main():\n"
        "    database = Database(pathlib.Path('home'))\n"
        "    await database.open()\n"
        "    await database.close()\n"
        "asyncio.run(main())\n"
    )
    root = str(Path(__file__).parents[2])
    started = [
        subprocess.Popen([sys.executable, "-c", script], cwd=tmp_path, env={"PYTHONPATH": root}) for _ in range(4)
    ]
    assert [await asyncio.to_thread(process.wait) for process in started] == [0, 0, 0, 0]
    with sqlite3.connect(tmp_path / "home" / "state.db") as file:
        assert file.execute("SELECT version_num FROM alembic_version").fetchall() == [(REVISION,)]
    file.close()


async def test_a_database_of_a_newer_version_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    database = Database(tmp_path)
    async with database.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    await database.close()
    with pytest.raises(SetupError, match="has tables of version '9999'. This version reads"):
        await Database(tmp_path).open()


async def test_a_home_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    with pytest.raises(SetupError, match="cannot be made"):
        await Database(tmp_path / "home").open()


async def test_a_closed_database_opens_again(database: Database) -> None:
    await database.open()
    await database.close()
    async with database.read() as connection:
        assert (await connection.scalar(text("SELECT 1"))) == 1


async def test_a_database_that_does_not_answer_is_unavailable_and_its_password_is_told_to_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    from pydantic import SecretStr

    database = Database(Path(), SecretStr("postgresql://anna:geheim@127.0.0.1:1/partitur"))
    with pytest.raises(Unavailable) as raised:
        await database.open()
    assert "geheim" not in f"{raised.value}{caplog.text}"
    assert "'partitur' at 127.0.0.1:1 cannot be used" in caplog.text


@pytest.mark.parametrize(
    "url", ["mysql://anna:geheim@host/partitur", "partitur", "postgresql:///", "postgresql://h:x/d"]
)
def test_a_database_that_is_no_postgresql_stops_the_start(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SetupError, match="'database' does not fit") as raised:
        load_settings(database=url)
    assert "geheim" not in str(raised.value)
    assert "postgresql://user:password@host/name" in str(raised.value)


def test_a_database_of_postgresql_is_a_secret() -> None:
    settings = load_settings(database="postgresql://anna:geheim@host:5433/partitur")
    assert "geheim" not in repr(settings)


@pytest.mark.parametrize("write", [True, False])
async def test_whoever_goes_away_in_the_middle_leaves_no_connection_open(database: Database, write: bool) -> None:
    """Cancelled as Starlette does it: everything that is awaited on the way out is cancelled again."""
    await database.open()
    for _ in range(20):
        with anyio.CancelScope() as scope:
            async with database.begin() if write else database.read() as connection:
                await connection.execute(text("SELECT 1"))
                scope.cancel()
                await connection.execute(text("SELECT 1"))
    assert database._engine is not None
    pool = database._engine.connections.pool
    assert isinstance(pool, QueuePool)

    async def open_connections() -> int:
        return pool.checkedout()

    await until(open_connections, lambda count: count == 0)
    async with database.begin() as connection:
        await connection.execute(insert(files).values(a_file("one", ANNA)))
