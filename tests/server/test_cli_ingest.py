"""Documents, tables and the graph from the command line: one file that fails does not keep the others out."""

import json
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from pathlib import Path

import pytest

from server.cli import main
from server.ingest import Bar, told
from tools.knowledge import IngestReport, Problem

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def ingested(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[tuple[int, str]]]:
    """A home with two of three documents, read twice; reading starts processes, which takes longer than a test may."""
    folder = tmp_path_factory.mktemp("documents")
    (folder / "hund.md").write_text("# Hundesteuer\n\nDie Hundesteuer beträgt 120 Euro im Jahr.\n", encoding="utf-8")
    (folder / "bad.md").write_text("# Freibad\n\nDas Freibad öffnet am 1. Mai um 9 Uhr.\n", encoding="utf-8")
    (folder / "kaputt.pdf").write_bytes(b"%PDF-1.7\nthis is no pdf")
    home = tmp_path_factory.mktemp("home")
    runs: list[tuple[int, str]] = []
    for _ in range(2):
        out, sys.stdout = sys.stdout, StringIO()
        try:
            main(["--home", str(home), "ingest", str(folder), "-q"])
        except SystemExit as left:
            runs.append((int(left.code or 0), sys.stdout.getvalue()))
        finally:
            sys.stdout = out
    return home, runs


@pytest.fixture
def run(ingested: tuple[Path, object], capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            main(["--home", str(ingested[0]), *arguments])
        out, err = capsys.readouterr()
        return int(left.value.code or 0), out, err

    return call


def test_a_file_that_fails_is_named_and_the_others_are_read(ingested: tuple[Path, list[tuple[int, str]]]) -> None:
    code, out = ingested[1][0]
    assert code == 1
    assert "Documents: 2 new" in out
    assert "Failed: 1" in out
    assert "kaputt.pdf: " in out


def test_what_is_unchanged_is_not_read_again(ingested: tuple[Path, list[tuple[int, str]]]) -> None:
    assert "Documents: 0 new, 2 unchanged" in ingested[1][1][1]


class Town(BaseHTTPRequestHandler):
    """One page of a town, on this machine."""

    def do_GET(self) -> None:
        page = b"# Wochenmarkt\n\nDer Wochenmarkt ist samstags.\n"
        self.send_response(200)
        self.send_header("Content-Type", "text/markdown")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@pytest.mark.timeout(60)
def test_web_addresses_are_read_where_the_settings_allow_and_fail_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Town) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        town = f"127.0.0.1:{server.server_port}"
        monkeypatch.setenv("PARTITUR_KNOWLEDGE__URL_PRIVATE_HOSTS", json.dumps([town]))
        with pytest.raises(SystemExit) as left:
            main(
                [
                    "--home",
                    str(tmp_path),
                    "ingest",
                    f"http://{town}/markt.md",
                    f"http://localhost:{server.server_port}/",
                    "-q",
                ]
            )
        server.shutdown()
    out, _ = capsys.readouterr()
    assert left.value.code == 1
    assert "Documents: 1 new" in out
    assert f"http://localhost:{server.server_port}/: The address asks for port {server.server_port}" in out
    with pytest.raises(SystemExit):
        main(["--home", str(tmp_path), "documents"])
    assert f"127.0.0.1-{server.server_port}/markt.md" in capsys.readouterr()[0]


def test_documents_are_listed_answered_from_and_deleted(run: Run) -> None:
    listed = json.loads(run("documents", "--format", "json")[1])
    assert [one["title"] for one in listed["documents"]] == ["Freibad", "Hundesteuer"]
    code, out, _ = run("run", "answer", "Wie hoch ist die Hundesteuer?", "-q")
    assert code == 0
    assert out.startswith("Die Hundesteuer beträgt 120 Euro im Jahr.")
    assert run("delete", listed["documents"][0]["id"])[0] == 0
    assert "Freibad" not in run("documents")[1]
    code, _, err = run("delete", "nothing")
    assert code == 1
    assert "'nothing'" in err


def test_a_path_that_is_not_there_is_named(run: Run) -> None:
    code, _, err = run("ingest", "nowhere", "-q")
    assert code == 1
    assert "nowhere" in err.splitlines()[0]


def test_an_address_of_another_kind_is_no_path_that_is_missing(run: Run) -> None:
    code, _, err = run("ingest", "ftp://files.example/a.pdf")
    assert code == 2
    assert "begins with http:// or https://" in err


def test_tables_are_loaded_with_a_report(run: Run, tmp_path: Path) -> None:
    (tmp_path / "fees.csv").write_text("name;euro\nHund;120\nKatze;0\n", encoding="utf-8")
    code, out, _ = run("load", "tables", str(tmp_path), "-q")
    assert code == 0
    assert out.splitlines()[1] == "  fees.csv: table fees, rows 2"
    assert run("load", "tables", str(tmp_path / "nothing"), "-q")[0] == 1


def test_tables_go_into_a_collection_with_their_policy(run: Run, tmp_path: Path) -> None:
    (tmp_path / "pay.csv").write_text("name;euro\nanna;120\n", encoding="utf-8")
    policy = tmp_path / "policy.yaml"
    policy.write_text("tables: {pay: {title: Gehälter}}", encoding="utf-8")
    asked = ("load", "tables", str(tmp_path), "--collection", "pay-roll", "--policy", str(policy), "-q")

    assert "'pay-roll' is not there" in run(*asked)[2]
    run("collections", "create", "pay-roll", "--reader", "user:anna", "--editor", "user:local")
    assert run(*asked)[:2] == (0, "Loaded: generation 2\n  pay.csv: table pay, rows 1\n")


@pytest.mark.parametrize(
    "arguments",
    [("tables",), ("tables", "folder", "--from", "x"), ("graph", "--from", "x"), ("graph", "folder", "--policy", "x")],
)
def test_a_load_says_where_from_once(run: Run, arguments: tuple[str, ...]) -> None:
    code, _, err = run("load", *arguments)
    assert code == 2
    assert err.startswith("Error: Where from is not clear.")


def test_a_database_that_the_settings_do_not_name_is_told(run: Run) -> None:
    assert "The database 'x' is not attached. The settings have none." in run("load", "tables", "--from", "x", "-q")[2]


def test_a_report_names_at_most_twenty_failures() -> None:
    report = IngestReport(read=1, failed=[Problem(name=f"{number}.pdf", reason="broken") for number in range(30)])
    lines = told(report).splitlines()
    assert lines[0] == "Documents: 1 new"
    assert len(lines) == 23
    assert lines[-1] == "  … and 10 more; --format json names them all"


def test_a_report_tells_its_notes() -> None:
    report = IngestReport(read=1, notes=["Without vectors for now."])
    assert told(report).splitlines() == ["Documents: 1 new", "Note: Without vectors for now."]


def test_progress_without_a_terminal_is_a_line_for_each_tenth() -> None:
    stream = StringIO()
    with Bar("Reading", stream=stream) as bar:
        for done in range(1, 41):
            bar(done, 40, "x.md")
    assert stream.getvalue().splitlines()[:2] == ["Reading: 4 of 40 files, x.md", "Reading: 8 of 40 files, x.md"]
    assert len(stream.getvalue().splitlines()) == 10


def test_a_file_of_many_documents_tells_them_once_a_second() -> None:
    stream = StringIO()
    now = [0.0]
    with Bar("Reading", stream=stream, clock=lambda: now[0]) as bar:
        for documents in range(100, 1_300, 100):
            bar(0.5, 2, f"all.json, {documents:,} documents")
            now[0] += 0.25
    assert stream.getvalue().splitlines() == [
        "Reading: 0 of 2 files, all.json, 500 documents",
        "Reading: 0 of 2 files, all.json, 900 documents",
    ]
