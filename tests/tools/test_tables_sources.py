import sqlite3
import zipfile
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
from inline_snapshot import snapshot

from tools.base import Caller, NotFound
from tools.base.access import Reach
from tools.tables import Attached, LoadReport, TableInfo, TableQuery, TableSchemaQuery, TablesConfig
from tools.tables.loading import load, load_attached
from tools.tables.store import Tables
from tools.tables.workbook import heading

ALL = Reach(Caller(subject="me"))
Cell = str | int | float | bool | None


def workbook(path: Path, sheets: dict[str, list[list[Cell]]], *, merged: str = "", hidden: str = "") -> Path:
    """An XLSX file with these sheets; `merged` are ranges of the first one, `hidden` is the name of one."""
    state = ' state="hidden"'
    listed = "".join(
        f'<sheet name="{escape(name)}" sheetId="{at}" r:id="rId{at}"{state if name == hidden else ""}/>'
        for at, name in enumerate(sheets, 1)
    )
    main, office = "http://schemas.openxmlformats.org/spreadsheetml/2006/main", "http://schemas.openxmlformats.org"
    related = f"{office}/officeDocument/2006/relationships"
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{office}/package/2006/content-types">'
        '<Default Extension="xml" ContentType="application/xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{office}/package/2006/relationships"><Relationship Id="r" '
        f'Type="{related}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{related}"><sheets>{listed}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{office}/package/2006/relationships">'
        + "".join(
            f'<Relationship Id="rId{at}" Type="{related}/worksheet" Target="worksheets/s{at}.xml"/>'
            for at in range(1, len(sheets) + 1)
        )
        + f'<Relationship Id="st" Type="{related}/styles" Target="styles.xml"/></Relationships>',
        "xl/styles.xml": f'<styleSheet xmlns="{main}"><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs>'
        "</styleSheet>",
    }
    for at, rows in enumerate(sheets.values(), 1):
        inner = "".join(_row(row, cells) for row, cells in enumerate(rows, 1))
        ranges = "".join(f'<mergeCell ref="{ref}"/>' for ref in merged.split())
        joined = f"<mergeCells>{ranges}</mergeCells>" if ranges and at == 1 else ""
        parts[f"xl/worksheets/s{at}.xml"] = (
            f'<worksheet xmlns="{main}"><sheetData>{inner}</sheetData>{joined}</worksheet>'
        )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, text in parts.items():
            file.writestr(name, text)
    return path


def _row(row: int, cells: list[Cell]) -> str:
    inner = "".join(_cell(f"{chr(65 + at)}{row}", cell) for at, cell in enumerate(cells))
    return f'<row r="{row}">{inner}</row>'


def _cell(place: str, cell: Cell) -> str:
    match cell:
        case None:
            return ""
        case bool():
            return f'<c r="{place}" t="b"><v>{int(cell)}</v></c>'
        case str() if cell.startswith("date "):
            return f'<c r="{place}" s="1"><v>{cell.removeprefix("date ")}</v></c>'
        case str():
            return f'<c r="{place}" t="inlineStr"><is><t>{escape(cell)}</t></is></c>'
        case _:
            return f'<c r="{place}"><v>{cell}</v></c>'


def config(tmp_path: Path, **settings: object) -> TablesConfig:
    return TablesConfig.model_validate({"home": tmp_path / "store", "workers": 1, **settings})


def told(report: LoadReport) -> list[tuple[str, str | None, int, str | None]]:
    return [(file.file, file.table, file.rows, file.failure) for file in report.files]


def schema(config: TablesConfig) -> dict[str, TableInfo]:
    tables = Tables(config)
    found = {table.name: table for table in tables.schema(TableSchemaQuery(), reach=ALL).tables}
    tables.close()
    return found


def rows(config: TablesConfig, sql: str) -> list[list[object]]:
    tables = Tables(config)
    found: list[list[object]] = [list(row) for row in tables.query(TableQuery(sql=sql), reach=ALL).rows]
    tables.close()
    return found


def test_each_visible_sheet_of_a_workbook_is_a_table(tmp_path: Path) -> None:
    path = workbook(
        tmp_path / "Haushalt 2026.xlsx",
        {
            "Gebühren": [
                ["Gebühren der Stadt", None, None, None, None],
                [],
                ["Leistung", "Preis (€)", "gültig ab", "PLZ", "online"],
                ["Reisepass", 70, "date 46023", "01067", True],
                ["Hundesteuer", 120.5, "date 46054", "01069", False],
                [],
            ],
            "Ämter": [["Amt", "Telefon"], ["Bürgeramt", "01234"]],
            "Notizen": [["geheim"], ["x"]],
            "Leer": [],
        },
        hidden="Notizen",
    )
    settings = config(tmp_path)

    assert told(load([path], config=settings)) == [
        ("Haushalt 2026.xlsx: Gebühren", "haushalt_2026_gebuehren", 2, None),
        ("Haushalt 2026.xlsx: Ämter", "haushalt_2026_aemter", 1, None),
    ]
    found = schema(settings)["haushalt_2026_gebuehren"]
    assert {column.name: (column.type, column.header, column.samples) for column in found.columns} == snapshot(
        {
            "leistung": ("VARCHAR", "Leistung", ["Hundesteuer", "Reisepass"]),
            "preis_eur": ("DECIMAL(18,1)", "Preis (€)", [70.0, 120.5]),
            "gueltig_ab": ("DATE", "gültig ab", ["2026-01-01", "2026-02-01"]),
            "plz": ("VARCHAR", "PLZ", ["01067", "01069"]),
            "online": ("BOOLEAN", "online", [False, True]),
        }
    )
    assert rows(settings, "SELECT telefon FROM haushalt_2026_aemter") == [["01234"]]


def test_headings_over_several_columns_go_before_the_names_below(tmp_path: Path) -> None:
    path = workbook(
        tmp_path / "plan.xlsx",
        {
            "Blatt": [
                ["Stellenplan", None, None, None, None],
                ["Amt", "2025", None, "2026", None],
                [None, "Soll", "Ist", "Soll", "Ist"],
                ["Bauamt", 10, 9, 11, 10],
                ["Bürgeramt", 20, 19, 22, 21],
            ]
        },
        merged="A1:E1 A2:A3 B2:C2 D2:E2",
    )
    settings = config(tmp_path)
    load([path], config=settings)

    assert [column.header for column in schema(settings)["plan"].columns] == [
        "Amt",
        "2025 Soll",
        "2025 Ist",
        "2026 Soll",
        "2026 Ist",
    ]
    assert rows(settings, "SELECT sum(_2026_ist) FROM plan") == [[31]]


@pytest.mark.parametrize(
    ("rows", "names", "first"),
    [
        ([["a", "b"], ["1", "2"]], ("a", "b"), 1),
        ([["Titel", ""], ["Stand: 2026", ""], ["a", "b"], ["1", "2"]], ("a", "b"), 3),
        ([["a", "", "c"], ["1", "2", "3"]], ("a", "", "c"), 1),
        ([["2024", "2025"], ["1", "2"]], ("2024", "2025"), 1),
    ],
)
def test_the_header_line_is_the_first_with_words_for_most_of_the_columns(
    rows: list[list[str]], names: tuple[str, ...], first: int
) -> None:
    found = heading(rows, [])
    assert (found.names, found.rows) == (names, first)


def test_a_workbook_that_is_none_fails_alone(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.xlsx").write_bytes(b"not a workbook")
    (tmp_path / "in" / "b.csv").write_text("x\n1\n")
    empty = workbook(tmp_path / "in" / "c.xlsx", {"Leer": []})

    found = told(load(tmp_path / "in", config=config(tmp_path)))
    assert found[0][3] is not None
    assert found[0][3].startswith("It cannot be read as a workbook: ")
    assert found[1:] == [
        ("b.csv", "b", 1, None),
        (
            empty.name,
            None,
            0,
            "None of its sheets holds a value. Expected at least one table. Correct the file and load it again.",
        ),
    ]


@pytest.mark.parametrize("kind", ["far", "bomb"])
def test_a_workbook_that_spans_or_unpacks_to_too_much_fails_alone(tmp_path: Path, kind: str) -> None:
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / "a.xlsx"
    workbook(path, {"S": [["a"], ["1"]]})
    with zipfile.ZipFile(path) as file:
        parts = {name: file.read(name) for name in file.namelist()}
    sheet = "xl/worksheets/s1.xml"
    if kind == "far":
        parts[sheet] = parts[sheet].replace(
            b"</sheetData>", b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>'
        )
    else:
        parts[sheet] = parts[sheet].replace(b"<t>a</t>", b"<t>" + b"a" * 120_000_000 + b"</t>")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        for name, data in parts.items():
            file.writestr(name, data)
    (tmp_path / "in" / "b.csv").write_text("x\n1\n")

    found = told(load(tmp_path / "in", config=config(tmp_path, memory_mb=128)))
    assert found[0][3] is not None
    assert found[0][3].startswith("It unpacks to more than 256 MiB, or spans more cells than fit there.")
    assert found[1] == ("b.csv", "b", 1, None)


def attached(tmp_path: Path, **settings: object) -> TablesConfig:
    path = tmp_path / "fach verfahren.db"
    with sqlite3.connect(path) as database:
        database.executescript(
            "CREATE TABLE cases (id INTEGER PRIMARY KEY, code TEXT, amount REAL, note, opened TEXT, raw BLOB);"
            "INSERT INTO cases VALUES (1, '0815', 1.5, NULL, '2026-01-31', x'00ff'), (2, '', 2, 'zwei', NULL, NULL);"
            "CREATE VIEW open_cases AS SELECT id, note FROM cases WHERE opened IS NOT NULL;"
            "CREATE TABLE secrets (x); INSERT INTO secrets VALUES (1);"
        )
    database.close()
    one = {"url": f"sqlite:///{path}", "tables": ("cases", "open_cases"), **settings}
    return config(tmp_path, attached={"verfahren": one})


def test_tables_of_an_attached_sqlite_file_are_loaded_as_they_are(tmp_path: Path) -> None:
    settings = attached(tmp_path)
    policy = tmp_path / "policy.yaml"
    policy.write_text("tables: {cases: {title: Vorgänge, columns: {raw: {readers: {groups: [it]}}}}}")

    assert told(load_attached("verfahren", config=settings, policy=policy)) == [
        ("verfahren: cases", "cases", 2, None),
        ("verfahren: open_cases", "open_cases", 1, None),
    ]
    assert [(column.name, column.type) for column in schema(settings)["cases"].columns] == [
        ("id", "BIGINT"),
        ("code", "VARCHAR"),
        ("amount", "DOUBLE"),
        ("note", "VARCHAR"),
        ("opened", "VARCHAR"),
    ]
    assert rows(settings, "SELECT * FROM cases ORDER BY id") == [
        [1, "0815", 1.5, None, "2026-01-31"],
        [2, "", 2.0, "zwei", None],
    ]


def test_a_load_from_a_database_is_refreshed_by_the_next_one(tmp_path: Path) -> None:
    settings = attached(tmp_path)
    load_attached("verfahren", config=settings)
    path = tmp_path / "fach verfahren.db"
    with sqlite3.connect(path) as database:
        database.execute("INSERT INTO cases (id) VALUES (3)")
    database.close()
    before = path.read_bytes()

    assert rows(settings, "SELECT count(*) FROM cases") == [[2]]
    load_attached("verfahren", config=settings)
    assert rows(settings, "SELECT count(*) FROM cases") == [[3]]
    assert path.read_bytes() == before


def test_a_database_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    (tmp_path / "broken.db").write_bytes(b"x" * 4096)
    here = tmp_path.as_posix()
    settings = config(
        tmp_path,
        attached={
            "broken": {"url": f"sqlite:///{here}/broken.db"},
            "gone": {"url": f"sqlite:///{here}/gone.db"},
            "other": {"url": "postgresql://me:geheim@127.0.0.1:1/x"},
        },
    )
    said = {name: told(load_attached(name, config=settings))[0][3] or "" for name in settings.attached}

    assert said["broken"].startswith("'broken.db' cannot be read: file is not a database.")
    assert said["gone"].startswith("The SQLite file 'gone.db' is not there.")
    assert said["other"].startswith("PostgreSQL cannot be reached: ConnectionRefusedError.")
    assert "geheim" not in repr(settings) + said["other"]
    assert "has no table 'nothing'" in str(
        told(load_attached("verfahren", config=attached(tmp_path, tables=("nothing",))))[0][3]
    )
    with pytest.raises(
        NotFound, match=r"The database 'x' is not attached\. The settings have 'broken', 'gone', 'other'"
    ):
        load_attached("x", config=settings)


def test_an_endless_view_is_stopped(tmp_path: Path) -> None:
    settings = attached(tmp_path, tables=("endless",), seconds=0.2)
    with sqlite3.connect(tmp_path / "fach verfahren.db") as database:
        database.execute(
            "CREATE VIEW endless AS WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r) "
            "SELECT count(*) AS n FROM r"
        )
    database.close()
    assert str(told(load_attached("verfahren", config=settings))[0][3]).startswith(
        "Reading from 'fach verfahren.db' took longer than 0.2 seconds."
    )


def test_an_address_of_another_kind_is_refused_without_its_password() -> None:
    with pytest.raises(ValueError, match="begins with 'sqlite:///' or 'postgresql://'") as error:
        Attached.model_validate({"url": "mysql://me:geheim@host/x"})
    assert "geheim" not in str(error.value)


def test_comment_lines_before_the_headings_describe_them(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(
        "# Quelle: Kämmerei, jährlich\n# Betrag: Festgesetzt [EUR]\n# jahr: Haushaltsjahr\nJahr;Betrag\n2025;10,50\n2026;11,00\n",
        encoding="cp1252",
    )
    settings = config(tmp_path)
    load([tmp_path / "t.csv"], config=settings)

    table = schema(settings)["t"]
    assert table.description == "Quelle: Kämmerei, jährlich"
    assert [(column.name, column.description, column.unit) for column in table.columns] == [
        ("jahr", "Haushaltsjahr", None),
        ("betrag", "Festgesetzt", "EUR"),
    ]
    assert (table.columns[1].minimum, table.columns[1].maximum, table.columns[1].distinct) == (10.5, 11.0, 2)


def test_a_header_line_that_begins_with_a_hash_is_one(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("# Nr;Name\n1;a\n")
    settings = config(tmp_path)
    load([tmp_path / "t.csv"], config=settings)
    assert rows(settings, "SELECT nr, name FROM t") == [[1, "a"]]


def test_columns_that_point_to_another_table_are_told(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    (source / "offices.csv").write_text("id,name\n1,Bauamt\n2,Bürgeramt\n")
    (source / "cases.csv").write_text("id,office_id,clerk_id,kind\n1,1,7,x\n2,2,8,y\n3,1,,x\n")
    (source / "kinds.csv").write_text("kind,words\nx,Antrag\ny,Anzeige\n")
    (source / "tables.toml").write_text('[tables.cases.columns.clerk_id]\nreferences = "offices.id"\n')
    settings = config(tmp_path)
    load(source, config=settings)

    assert {
        f"{table.name}.{column.name}": column.references
        for table in schema(settings).values()
        for column in table.columns
        if column.references
    } == {
        "cases.office_id": ["offices.id"],
        "cases.clerk_id": ["offices.id"],
        "cases.kind": ["kinds.kind"],
    }
