"""The doctor: what is well, what is missing and what to do, whatever breaks."""

import asyncio
import http.server
import json
import sys
import threading
import tomllib
from collections.abc import Generator
from pathlib import Path
from types import SimpleNamespace

import pytest

from agents.kit.outside import Outside, OutsideServer
from server import Settings, open_house
from server.cli import main
from server.doctor import _OLDEST, _TOO_NEW, Check, _loaded, _look, _outside_look, _parts, _python, checks
from server.names import Intruder, intruders
from server.settings import McpServer

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def healthy(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Check]:
    """All checks of a new home; they import everything, which takes longer than a test may."""
    return {check.name: check for check in await checks(tmp_path_factory.mktemp("home"))}


async def test_a_new_installation_has_nothing_failed(healthy: dict[str, Check]) -> None:
    assert [check for check in healthy.values() if check.state == "failed"] == []
    assert list(healthy) == [
        *("python", "names", "settings", "home", "disk", "prompts", "catalog", "engine"),
        *("database", "knowledge", "speech", "picture", "fonts", "graph", "tables"),
    ]


async def test_what_is_still_empty_is_a_warning_with_the_command_that_fills_it(healthy: dict[str, Check]) -> None:
    assert healthy["knowledge"].state == "warning"
    assert "partitur ingest" in healthy["knowledge"].todo
    assert healthy["tables"].todo == "Load some with 'partitur load tables FOLDER'."
    assert healthy["graph"].todo == "Load some with 'partitur load graph FOLDER'."


async def test_a_database_that_nobody_needed_yet_is_not_made(healthy: dict[str, Check]) -> None:
    assert healthy["database"] == Check("database", "ok", "SQLite, made in the home when it is first used")


async def test_speech_and_picture_are_really_made(healthy: dict[str, Check]) -> None:
    assert healthy["speech"].said.startswith("espeak-ng, one sentence in ")
    assert healthy["picture"].said.startswith("designed-card, 1200 × 630 in ")


def test_the_same_pythons_are_allowed_as_in_the_package() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))["project"]
    oldest, too_new = (".".join(map(str, version)) for version in (_OLDEST, _TOO_NEW))
    assert project["requires-python"] == f">={oldest},<{too_new}"


@pytest.mark.parametrize(("version", "state"), [((3, 10, 9), "failed"), ((3, 14, 1), "ok"), ((3, 15, 0), "failed")])
async def test_another_python_is_told(
    monkeypatch: pytest.MonkeyPatch, version: tuple[int, int, int], state: str
) -> None:
    monkeypatch.setattr("server.doctor.sys", SimpleNamespace(version_info=version))
    check = await _look("python", _python)
    assert check.state == state
    assert ("Expected 3.11 to 3.14." in check.said) == (state == "failed")


async def test_the_tools_are_tried_through_the_gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    passed: list[str] = []
    async with open_house(Settings(home=tmp_path)) as house:
        monkeypatch.setattr(house.runtime.gate, "before", lambda act, text: passed.append(f"{act.kind} {act.name}"))
        check = await _look("tables", lambda: _loaded(house, "tables", "tables"))
    assert (check.state, passed) == ("warning", ["tool tables.schema"])


@pytest.mark.parametrize(
    ("tools", "state", "said"),
    [
        (("forecast", "almanac"), "ok", "offers forecast, almanac"),
        (("forecast", "rain"), "warning", "The MCP server 'weather' has no tool 'rain'."),
    ],
)
async def test_a_server_of_others_is_asked_for_its_tools(
    tmp_path: Path, tools: tuple[str, ...], state: str, said: str
) -> None:
    program = (sys.executable, str(Path(__file__).with_name("outside_server.py")))
    settings = Settings(home=tmp_path, mcp_servers={"weather": McpServer(command=program, tools=tools)})
    async with open_house(settings) as house:
        check = await _look("mcp weather", _outside_look(house.runtime.toolbox.outside["weather"]))
    assert check.state == state
    assert check.said.startswith(said)


async def test_a_server_of_others_that_is_down_is_a_warning(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, mcp_servers={"weather": McpServer(url="http://127.0.0.1:9/mcp", tools=("a",))})
    async with open_house(settings) as house:
        found = {check.name: check for check in await _parts(house)}
    assert found["mcp weather"].state == "warning"
    assert "cannot be reached" in found["mcp weather"].said
    assert "mcp_servers.weather" in found["mcp weather"].todo


async def test_a_server_of_others_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    async def forever(name: str) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr("server.doctor._PATIENCE", 0.01)
    outside = Outside("weather", OutsideServer(connect=lambda: pytest.fail("not reached"), tools=("a",)))
    monkeypatch.setattr(outside, "tool", forever)
    check = await _look("mcp weather", _outside_look(outside))
    assert (check.state, check.said) == ("warning", "no answer within 0.01 s")


async def test_an_unknown_variable_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARTITUR_MODEL_ULR", "http://localhost:8000/v1")
    monkeypatch.setattr("server.doctor._in_house", nothing)
    settings = {check.name: check for check in await checks(tmp_path)}["settings"]
    assert (settings.state, settings.said) == ("warning", "no such setting: PARTITUR_MODEL_ULR")


async def test_settings_that_do_not_fit_end_the_visit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARTITUR_PORT", "many")
    found = await checks(tmp_path)
    assert (found[-1].name, found[-1].state) == ("settings", "failed")
    assert "'port'" in found[-1].said


async def test_a_home_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file, not a folder", encoding="utf-8")
    home = {check.name: check for check in await checks(tmp_path / "home")}["home"]
    assert home.state == "failed"
    assert str(tmp_path / "home") in home.said


async def test_a_check_that_breaks_does_not_keep_the_others_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(home: Path) -> str:
        raise RuntimeError("unheard of")

    monkeypatch.setattr("server.doctor._space", broken)
    monkeypatch.setattr("server.doctor._in_house", nothing)
    disk = {check.name: check for check in await checks(tmp_path)}["disk"]
    assert (disk.state, disk.said) == ("failed", "RuntimeError: unheard of")


async def test_an_engine_that_is_down_is_told_with_its_setting(tmp_path: Path) -> None:
    check = await engine_check(tmp_path, model_url="http://127.0.0.1:9/v1")
    assert check.state == "failed"
    assert check.said.startswith("http://127.0.0.1:9/v1 cannot be reached: ClientConnectorError")
    assert "PARTITUR_MODEL_URL" in check.todo


async def engine_check(home: Path, **given: object) -> Check:
    """What is found of the one engine that the settings name."""
    from server.doctor import _look, engine_looks
    from server.models import house_models, open_hub
    from server.settings import Settings

    settings = Settings(home=home, **given)  # pyright: ignore[reportArgumentType]  # pydantic checks them
    hub = open_hub(house_models(settings), home)
    ((name, look),) = engine_looks(hub)
    try:
        return await _look(name, look)
    finally:
        await hub.close()


@pytest.fixture
def endpoint() -> Generator[str]:
    """An endpoint on this machine that offers one model."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.path == "/v1/models"
            self.send_response(200 if known else 404)
            self.end_headers()
            self.wfile.write(json.dumps({"data": [{"id": "small"}]}).encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("path", "name", "state", "said"),
    [
        ("/v1", "small", "ok", "offers small"),
        ("/v1", None, "failed", "offers small; not 'default'"),
        ("/v1", "smal", "failed", "offers small; not 'smal'"),
        ("/wrong", None, "failed", "answers 404 to /models"),
    ],
)
async def test_an_engine_is_asked_what_it_offers(
    endpoint: str, tmp_path: Path, path: str, name: str | None, state: str, said: str
) -> None:
    check = await engine_check(tmp_path, model_url=endpoint + path, model_name=name)
    assert check.state == state
    assert said in check.said


async def nothing(settings: object) -> list[Check]:
    return []


def test_a_foreign_package_under_our_name_is_named(tmp_path: Path) -> None:
    assert intruders() == []
    found = {intruder.name: intruder for intruder in intruders(tmp_path)}
    assert "agents" in found
    assert found["agents"].message.endswith("Expected it to be Partitur's own.")


def test_the_advice_against_an_intruder_names_its_distribution() -> None:
    intruder = Intruder("agents", "/x/agents", "openai-agents")
    assert intruder.message.startswith("The name 'agents' belongs to the package 'openai-agents' (/x/agents).")
    assert intruder.hint.startswith("Uninstall 'openai-agents' from this environment;")


def test_the_command_prints_a_mark_for_each_check(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def found(home: Path | None) -> list[Check]:
        return [
            Check("python", "ok", "Python 3"),
            Check("disk", "warning", "little", "Free some."),
            Check("home", "failed", "gone"),
        ]

    monkeypatch.setattr("server.doctor.checks", found)
    with pytest.raises(SystemExit, match="1"):
        main(["doctor"])
    assert capsys.readouterr().out.splitlines() == [
        "✓ python      Python 3",
        "! disk        little",
        "              → Free some.",
        "✗ home        gone",
    ]
    with pytest.raises(SystemExit):
        main(["doctor", "--format", "json"])
    assert [one["state"] for one in json.loads(capsys.readouterr().out)] == ["ok", "warning", "failed"]
