import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import duckdb
import pytest
from inline_snapshot import snapshot

from tools.base import Caller, NotFound, Unavailable
from tools.base.access import Reach
from tools.tables import TableQuery, TableSchemaQuery, TablesConfig
from tools.tables.loading import load
from tools.tables.store import Tables

ROOT = Path(__file__).parents[2]
ALL = Reach(Caller(subject="me"))
FEES = (
    "id,service,group,amount_eur,valid_from\n1,Reisepass,Ausweise,70.00,2024-01-01\n2,Hund,Steuern,120.5,2023-07-01\n"
)
# Loads, and waits at the second file for a line that may never come.
LOAD = """
import sys
from pathlib import Path
from tools.tables import TablesConfig
from tools.tables.loading import load
def progress(done, total, message):
    if "b.csv" in message:
        print("in the middle", flush=True)
        sys.stdin.readline()
load(Path(sys.argv[1]), config=TablesConfig(home=Path(sys.argv[2])), on_progress=progress)
"""


def folder(tmp_path: Path, **files: str) -> Path:
    path = tmp_path / "in"
    path.mkdir(exist_ok=True)
    for name, text in files.items():
        (path / f"{name}.csv").write_text(text, encoding="utf-8")
    return path


def config(tmp_path: Path) -> TablesConfig:
    return TablesConfig(home=tmp_path / "store", workers=1)


def types(tmp_path: Path, text: str, *, encoding: str = "utf-8") -> dict[str, tuple[str, list[object]]]:
    """Types and sample values of the columns of a file with this text."""
    path = tmp_path / "t.csv"
    path.write_bytes(text.encode(encoding))
    report = load([path], config=config(tmp_path), replace=True)
    assert report.files[0].failure is None
    schema = Tables(config(tmp_path)).schema(TableSchemaQuery(), reach=ALL)
    return {column.name: (column.type, list(column.samples)) for column in schema.tables[0].columns}


def loading(source: Path, home: Path) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", LOAD, str(source), str(home)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "in the middle\n"
    return process


def test_a_folder_is_loaded_with_a_report_for_each_file(tmp_path: Path) -> None:
    source = folder(tmp_path, fees=FEES, crooked="a,b\n1,2\n3\n", empty="")
    (source / "binary.csv").write_bytes(bytes(range(256)))
    (source / "broken.parquet").write_bytes(b"PAR1 and then nothing")
    (source / "notes.txt").write_text("not a table")

    report = load(source, config=config(tmp_path))

    assert report.model_dump() == snapshot(
        {
            "generation": 1,
            "files": [
                {
                    "file": "binary.csv",
                    "table": None,
                    "rows": 0,
                    "renamed": {},
                    "failure": "It is not text in UTF-8, UTF-16 or Windows-1252. Expected a CSV file. Correct the file and load it again.",
                },
                {
                    "file": "broken.parquet",
                    "table": None,
                    "rows": 0,
                    "renamed": {},
                    "failure": "It cannot be read as a table: Invalid Input Error: No magic bytes found at end of file the file. Expected lines with equal columns. Correct the file and load it again.",
                },
                {
                    "file": "crooked.csv",
                    "table": None,
                    "rows": 0,
                    "renamed": {},
                    "failure": "It cannot be read as a table: Invalid Input Error: CSV Error on Line: 3 Original Line: 3 Expected Number of Columns: 2 Found: 1. Expected lines with equal columns. Correct the file and load it again.",
                },
                {
                    "file": "empty.csv",
                    "table": None,
                    "rows": 0,
                    "renamed": {},
                    "failure": "It has no header line. Expected the columns' names in the first line. Correct the file and load it again.",
                },
                {"file": "fees.csv", "table": "fees", "rows": 2, "renamed": {"group": "group_"}, "failure": None},
            ],
            "kept": [],
        }
    )


def test_types_come_from_all_values_of_a_column(tmp_path: Path) -> None:
    text = (
        "number,price,day,time,moment,flag,postcode,text,nothing,mixed\n"
        "1,9.5,2026-01-31,08:00,2026-01-31 08:00,true,01067,a,,1\n"
        "-2,12.25,2025-12-01,17:30,2025-12-01 17:30:10,FALSE,99999,b,,x\n"
    )
    assert {name: kind for name, (kind, _) in types(tmp_path, text).items()} == {
        "number": "BIGINT",
        "price": "DECIMAL(18,2)",
        "day": "DATE",
        "time": "TIME",
        "moment": "TIMESTAMP",
        "flag": "BOOLEAN",
        "postcode": "VARCHAR",
        "text": "VARCHAR",
        "nothing": "VARCHAR",
        "mixed": "VARCHAR",
    }


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_german_numbers_dates_and_encodings_are_understood(tmp_path: Path, encoding: str) -> None:
    text = "Gebühr (€);Größe;Stichtag\n1.234,50;12.000;31.12.2026\n7,00;1.500.000;01.01.2026\n"

    assert types(tmp_path, text, encoding=encoding) == {
        "gebuehr_eur": ("DECIMAL(18,2)", [7.0, 1234.5]),
        "groesse": ("BIGINT", [12000, 1500000]),
        "stichtag": ("DATE", ["2026-01-01", "2026-12-31"]),
    }


def test_quoted_delimiters_line_breaks_and_equal_headings_are_kept_apart(tmp_path: Path) -> None:
    assert types(tmp_path, 'Name,name,\n"Meier, Anna","a\nb",1\n') == {
        "name": ("VARCHAR", ["Meier, Anna"]),
        "name_2": ("VARCHAR", ["a\nb"]),
        "column_3": ("BIGINT", [1]),
    }


def test_a_hostile_name_of_a_file_becomes_a_plain_name(tmp_path: Path) -> None:
    path = tmp_path / "a'; DROP TABLE x; --[1]*.csv"
    path.write_text('"x""; DROP TABLE y"\n1\n')

    report = load([path], config=config(tmp_path))

    assert (report.files[0].table, report.files[0].renamed) == (
        "a_drop_table_x_1",
        {'x"; DROP TABLE y': "x_drop_table_y"},
    )


def test_parquet_keeps_its_types(tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    duckdb.sql(
        "COPY (SELECT 1::INTEGER AS \"A B\", [1, 2] AS list, TIMESTAMPTZ '2026-01-01 00:00:00+00' AS at, "
        f"INTERVAL 1 MONTH AS span) TO '{path}'"
    )
    load([path], config=config(tmp_path))

    columns = Tables(config(tmp_path)).schema(TableSchemaQuery(table="p"), reach=ALL).tables[0].columns
    assert [(column.name, column.type, column.samples) for column in columns[:2]] == [
        ("a_b", "INTEGER", [1]),
        ("list", "INTEGER[]", ["[1, 2]"]),
    ]
    assert [(column.type, len(column.samples)) for column in columns[2:]] == [
        ("TIMESTAMP WITH TIME ZONE", 1),
        ("INTERVAL", 1),
    ]


def test_later_loads_keep_what_they_do_not_replace(tmp_path: Path) -> None:
    load(folder(tmp_path, a="x\n1\n", b="x\n1\n"), config=config(tmp_path))
    (tmp_path / "in" / "a.csv").unlink()
    (tmp_path / "in" / "b.csv").write_text("x\n7\n8\n")

    report = load(tmp_path / "in", config=config(tmp_path))

    assert (report.generation, report.kept) == (2, ["a"])
    tables = Tables(config(tmp_path))
    assert {table.name: table.rows for table in tables.schema(TableSchemaQuery(), reach=ALL).tables} == {"a": 1, "b": 2}
    assert tables.query(TableQuery(sql="SELECT sum(x) FROM b UNION ALL SELECT sum(x) FROM a"), reach=ALL).rows == [
        [15],
        [1],
    ]
    tables.close()


def test_where_no_file_can_be_loaded_the_store_stays_as_it_is(tmp_path: Path) -> None:
    load(folder(tmp_path, a="x\n1\n"), config=config(tmp_path))
    (tmp_path / "in" / "a.csv").write_text("")

    report = load(tmp_path / "in", config=config(tmp_path))

    assert report.generation is None
    assert Tables(config(tmp_path)).schema(TableSchemaQuery(), reach=ALL).tables[0].rows == 1


def test_a_file_over_the_limit_fails_alone(tmp_path: Path) -> None:
    source = folder(tmp_path, big="x\n" + "1234567\n" * 200_000, small="x\n1\n")

    report = load(source, config=TablesConfig(home=tmp_path / "store", file_mb=1))

    assert [(file.table, file.failure) for file in report.files] == [
        (None, "It has 2 MiB. Expected at most 1 MiB. Correct the file and load it again."),
        ("small", None),
    ]


def test_progress_counts_the_bytes_of_the_files(tmp_path: Path) -> None:
    seen: list[tuple[float, float, str]] = []
    load(folder(tmp_path, a="x\n1\n", b="x\n22\n"), config=config(tmp_path), on_progress=lambda *now: seen.append(now))

    assert seen == [(0.0, 9.0, "Loading a.csv"), (4.0, 9.0, "Loading b.csv"), (9.0, 9.0, "2 tables, 2 rows")]


def test_progress_is_told_within_a_long_file(tmp_path: Path) -> None:
    seen: list[tuple[float, float, str]] = []
    source = folder(tmp_path, long="number;text\n" + "1234567;some words\n" * 70_000)
    load(source, config=config(tmp_path), on_progress=lambda *now: seen.append(now))

    assert [now[2] for now in seen] == [
        "Loading long.csv",
        "Loading long.csv: splitting into columns",
        "Loading long.csv: 1 of 2 columns understood",
        "Loading long.csv: 2 of 2 columns understood",
        "1 tables, 70000 rows",
    ]
    assert [now[0] for now in seen] == sorted(now[0] for now in seen)


def test_a_value_late_in_a_long_column_still_decides_its_type(tmp_path: Path) -> None:
    found = types(tmp_path, "a,b\n" + "1,2026-01-01\n" * 5000 + "1.5,unknown\n")
    assert {name: kind for name, (kind, _) in found.items()} == {"a": "DECIMAL(18,1)", "b": "VARCHAR"}


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"'/nowhere' is not there\. Expected a folder with CSV, Parquet or XLSX files"):
        load(Path("/nowhere"), config=config(tmp_path))


def test_readers_never_fail_while_generations_come_and_go(tmp_path: Path) -> None:
    load(folder(tmp_path, a="x\n0\n"), config=config(tmp_path))
    tables = Tables(TablesConfig(home=tmp_path / "store", workers=2))
    seen: list[object] = []
    done = Event()

    def read() -> None:
        while not done.is_set():
            seen.append(tables.query(TableQuery(sql="SELECT x FROM a"), reach=ALL).rows[0][0])

    with ThreadPoolExecutor(2) as threads:
        readers = [threads.submit(read) for _ in range(2)]
        try:
            for number in range(1, 4):
                (tmp_path / "in" / "a.csv").write_text(f"x\n{number}\n")
                load(tmp_path / "in", config=config(tmp_path))
        finally:
            done.set()
        assert [reader.result() for reader in readers] == [None, None]

    assert tables.query(TableQuery(sql="SELECT x FROM a"), reach=ALL).rows == [[3]]
    assert set(seen) <= {0, 1, 2, 3}
    tables.close()


@pytest.fixture
def second(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """A second process in the middle of a load that replaces table a and adds table b."""
    source = folder(tmp_path, a="x\n1\n")
    load(source, config=config(tmp_path))
    (source / "a.csv").write_text("x\n100\n")
    (source / "b.csv").write_text("x\n2\n")
    process = loading(source, tmp_path / "store")
    yield process
    process.kill()
    process.communicate()


def test_a_second_process_that_loads_is_refused_and_readers_go_on(
    tmp_path: Path, second: "subprocess.Popen[str]"
) -> None:
    tables = Tables(config(tmp_path))

    with pytest.raises(Unavailable, match=f"is being written by process {second.pid}"):
        load(tmp_path / "in", config=config(tmp_path))
    assert tables.query(TableQuery(sql="SELECT x FROM a"), reach=ALL).rows == [[1]]

    second.communicate("\n", timeout=4)
    assert tables.query(TableQuery(sql="SELECT a.x, b.x FROM a, b"), reach=ALL).rows == [[100, 2]]
    tables.close()


def test_a_load_killed_in_the_middle_loses_nothing(tmp_path: Path, second: "subprocess.Popen[str]") -> None:
    os.kill(second.pid, signal.SIGKILL)
    second.wait()

    tables = Tables(config(tmp_path))
    assert tables.query(TableQuery(sql="SELECT x FROM a"), reach=ALL).rows == [[1]]
    assert load(tmp_path / "in", config=config(tmp_path)).generation == 2
    assert tables.query(TableQuery(sql="SELECT x FROM a"), reach=ALL).rows == [[100]]
    tables.close()
