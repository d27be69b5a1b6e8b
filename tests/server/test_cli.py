"""The command line: its help, its options made of schemas, its exit codes, and what it says when something is wrong."""

import importlib
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from server.cli import main

Run = Callable[..., "Ran"]
TEXT = "Der Rat hat die Hundesteuer erhöht. Sie beträgt 120 Euro im Jahr. Das Wetter war schön."


class Ran:
    """How a command ended."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture(scope="session", autouse=True)
def imported() -> None:
    """Imports take longer than a test may."""
    for module in (
        "agents.extractive",
        "agents.kit.agent",
        "server.house",
        "tools.image.server",
        "tools.knowledge.store",
    ):
        importlib.import_module(module)


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `partitur` in this process, in a folder and a home of its own."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str, stdin: bytes = b"") -> Ran:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        with pytest.raises(SystemExit) as left:
            main(["--home", "home", *arguments])
        out, err = capsys.readouterr()
        return Ran(int(left.value.code or 0), out, err)

    return call


def test_help_is_quick_because_it_imports_nothing_dear() -> None:
    probe = (
        "import sys, time; began = time.process_time()\n"
        "from server.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "dear = ['pydantic_ai', 'fastmcp', 'lancedb', 'pydantic', 'pydantic_settings', 'rich', 'openai', 'starlette', 'sqlalchemy']\n"
        "print('DEAR', [name for name in dear if name in sys.modules], time.process_time() - began < 0.3)\n"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "DEAR [] True"
    assert "Usage: partitur" in done.stdout


def test_help_of_a_use_case_shows_its_fields_without_importing_an_engine() -> None:
    probe = (
        "import sys\n"
        "from server.cli import main\n"
        "try: main(['run', 'summary', '--help'])\n"
        "except SystemExit: pass\n"
        "print('DEAR', [name for name in ('pydantic_ai', 'fastmcp', 'lancedb', 'pydantic_settings') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "DEAR []"
    assert "Summarises a text in a few of its own sentences." in done.stdout
    assert "--sentences INTEGER" in done.stdout
    assert "[1 to 30;" in done.stdout
    assert "--language [de|en]" in done.stdout


def test_the_result_goes_to_stdout_and_progress_to_stderr(run: Run) -> None:
    ran = run("run", "summary", TEXT, "--sentences", "1")
    assert (ran.code, ran.out) == (0, "Der Rat hat die Hundesteuer erhöht.\n")
    assert ran.err.startswith("summary: ")


def test_quiet_says_nothing(run: Run) -> None:
    assert run("run", "summary", TEXT, "--quiet").err == ""


def test_json_is_the_whole_envelope(run: Run) -> None:
    ran = run("run", "summary", "--text", TEXT, "--format", "json", "-q")
    envelope = json.loads(ran.out)
    assert sorted(envelope) == snapshot(
        [
            "artifacts",
            "citations",
            "cost",
            "dirty",
            "engine",
            "message",
            "outcome",
            "output",
            "prompt",
            "prompt_commit",
            "steps",
            "support",
            "trace_id",
            "usage",
            "use_case",
        ]
    )
    assert envelope["outcome"] == "done"
    assert envelope["engine"] == "extractive"
    assert all(TEXT[one["start"] : one["end"]] == one["quote"] for one in envelope["citations"])


def test_text_comes_from_stdin_from_a_file_or_from_json(run: Run, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text(TEXT, encoding="utf-8")
    given = json.dumps({"text": TEXT, "sentences": 3}).encode()
    told = {
        run("run", "summary", "-", "--sentences", "1", "-q", stdin=TEXT.encode()).out,
        run("run", "summary", "--text", "-", "--sentences", "1", "-q", stdin=TEXT.encode()).out,
        run("run", "summary", "--text-file", "text.txt", "--sentences", "1", "-q").out,
        run("run", "summary", "--json", "-", "--sentences", "1", "-q", stdin=given).out,
    }
    assert told == {"Der Rat hat die Hundesteuer erhöht.\n"}


def test_artifacts_are_told_with_their_path(run: Run, tmp_path: Path) -> None:
    ran = run("run", "image", "Sommerfest", "--format", "json", "-q")
    artifacts = json.loads(ran.out)["artifacts"]
    assert {one["media_type"] for one in artifacts} == {"image/png", "image/svg+xml"}
    assert all((tmp_path / one["path"]).stat().st_size == one["size"] for one in artifacts)


def test_out_writes_the_result_and_its_files(run: Run, tmp_path: Path) -> None:
    ran = run("run", "image", "Sommerfest", "--format", "html", "--out", "made", "-q")
    assert ran.code == 0
    assert ran.out.split() == ["made/image.html", "made/picture.png", "made/picture.svg"]
    assert (tmp_path / "made/picture.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "made/image.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_what_needs_a_model_exits_4_and_names_the_setting(run: Run) -> None:
    ran = run("run", "plain_language", "Die Antragstellung hat zu erfolgen.", "-q")
    assert (ran.code, ran.out) == (4, "")
    assert "PARTITUR_MODEL_URL" in ran.err


def test_without_a_source_it_exits_3(run: Run) -> None:
    ran = run("run", "answer", "Wer war Napoleon?", "-q")
    assert (ran.code, ran.out) == (3, "")
    assert ran.err.startswith("No reliable source: ")


def test_an_unknown_use_case_names_the_nearest_one(run: Run) -> None:
    ran = run("run", "sumary", "x")
    assert ran.code == 2
    assert "The use case 'sumary' is unknown." in ran.err
    assert "Did you mean 'summary'?" in ran.err


@pytest.mark.parametrize(
    ("arguments", "stdin", "said"),
    [
        (["summary"], b"", "'text' does not fit: Field required"),
        (["summary", ""], b"", "'text' does not fit: String should have at least 1 character"),
        (
            ["summary", "x", "--sentences", "99"],
            b"",
            "'sentences' does not fit: Input should be less than or equal to 30",
        ),
        (["summary", "x", "--sentences", "many"], b"", "'many' is not a valid integer"),
        (["summary", "-"], b"\xff\xfe\x00", "The text of stdin is not UTF-8: byte 0xff at offset 0."),
        (["summary", "-"], b"x" * 600_000, "'text' does not fit: String should have at most 500000 characters"),
        (["summary", "-"], b"x" * 20_000_001, "The text of stdin is longer than 20 MB."),
        (["summary", "--json", "-"], b'{"text": ', "is not JSON"),
        (["summary", "--json", "-"], b"[" * 100_000, "is not JSON"),
        (["summary", "--json", "-"], b"[1]", "holds a JSON list. Expected an object"),
        (
            ["summary", "--json", "-"],
            b'{"text": "x", "more": 1}',
            "'more' does not fit: Extra inputs are not permitted",
        ),
        (["summary", "x", "--text", "y"], b"", "'text' is given more than once."),
        (["summary", "--text-file", "missing.txt"], b"", "missing.txt"),
    ],
)
def test_bad_input_is_told_in_a_line_and_exits_2(run: Run, arguments: list[str], stdin: bytes, said: str) -> None:
    ran = run("run", *arguments, "-q", stdin=stdin)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err
    assert "Traceback" not in ran.err


def test_who_leaves_out_run_is_told(run: Run) -> None:
    ran = run("answer", "Was?")
    assert ran.code == 2
    assert "No such command 'answer'. Use cases are asked with 'partitur run …'" in ran.err


def test_a_setup_error_is_two_lines(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARTITUR_PORT", "many")
    ran = run("documents")
    assert ran.code == 2
    first, second = ran.err.splitlines()
    assert first.startswith("Error: The setting 'port' does not fit: ")
    assert second == "Correct it in partitur.toml or in the environment as PARTITUR_PORT."


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ('hom = "x"', "The setting 'hom' is unknown. Did you mean 'home'?"),
        (
            '[knowledge]\nurl_private_host = ["x"]',
            "The setting 'knowledge.url_private_host' is unknown. Did you mean 'knowledge.url_private_hosts'?",
        ),
        ("port = [", "The file 'partitur.toml' is no TOML: "),
    ],
)
def test_a_broken_settings_file_is_told(run: Run, tmp_path: Path, toml: str, said: str) -> None:
    (tmp_path / "partitur.toml").write_text(toml, encoding="utf-8")
    ran = run("documents")
    assert ran.code == 2
    assert ran.err.startswith(f"Error: {said}")


def test_an_unexpected_error_is_one_line_and_its_traceback_lies_in_the_log(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def broken(*given: object, **more: object) -> None:
        raise RuntimeError("a wheel came off")

    monkeypatch.setattr("server.ingest.documents_command", broken)
    ran = run("documents")
    assert ran.code == 1
    assert (
        ran.err
        == f"Unexpected error: RuntimeError: a wheel came off. The log is {str(tmp_path / 'home/partitur.log')!r}; --verbose shows it here.\n"
    )
    assert "a wheel came off" in (tmp_path / "home/partitur.log").read_text(encoding="utf-8")
    assert "Traceback" in run("--verbose", "documents").err


def test_control_c_exits_130_without_a_traceback(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*given: object, **more: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("server.ingest.documents_command", stopped)
    ran = run("documents")
    assert (ran.code, ran.err) == (130, "\nStopped.\n")


def test_list_tells_every_use_case_for_people_and_for_programs(run: Run) -> None:
    told = run("list").out.splitlines()
    described = json.loads(run("list", "--format", "json").out)
    assert [line.split()[0] for line in told] == [one["name"] for one in described]
    summary = next(one for one in described if one["name"] == "summary")
    assert list(summary["input"]["properties"]) == ["text", "sentences", "language"]
    assert summary["output"]["properties"]["text"]["type"] == "string"


def test_keys_are_made_listed_without_being_shown_and_revoked(run: Run) -> None:
    key = run("keys", "create", "for tests").out.strip()
    listed = run("keys", "list").out
    assert key.startswith("pt-")
    assert key not in listed
    assert "for tests" in listed
    assert run("keys", "revoke", listed.split()[0]).code == 0
    assert run("keys", "list").out == ""
    gone = run("keys", "revoke", "000000000000")
    assert gone.code == 1
    assert "'000000000000'" in gone.err


def test_a_key_for_somebody_is_no_administrators_unless_that_is_said(run: Run) -> None:
    key = run("keys", "create", "desk", "--user", "anna", "--group", "bauamt", "--group", "rathaus").out.strip()
    assert run("keys", "create", "all").code == 0
    first, second = run("keys", "list").out.splitlines()
    assert key.startswith("pt-")
    assert first.endswith("desk  (user:anna, group:bauamt, group:rathaus)")
    assert second.endswith("role:admin)")
    wrong = run("keys", "create", "desk", "--group", "group:bauamt")
    assert wrong.code == 2
    assert "without 'user:'" in wrong.err


def test_completion_prints_a_script_for_each_shell(run: Run) -> None:
    scripts = {shell: run("completion", shell).out for shell in ("bash", "zsh", "fish")}
    assert all("_PARTITUR_COMPLETE" in script for script in scripts.values())
    assert len(set(scripts.values())) == 3


def test_completion_offers_use_cases_and_their_options() -> None:
    from click.shell_completion import ShellComplete

    from server.cli import partitur

    complete = ShellComplete(partitur, {}, "partitur", "_PARTITUR_COMPLETE")
    assert [item.value for item in complete.get_completions(["run"], "summ")] == ["summary"]
    assert "--sentences" in [item.value for item in complete.get_completions(["run", "summary"], "--s")]


def test_version_is_told(run: Run) -> None:
    assert run("version").out.startswith("partitur ")
