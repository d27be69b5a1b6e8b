"""The set-up script finds uv and packages wherever an organisation keeps its index."""

import base64
import functools
import hashlib
import importlib.util
import io
import threading
import zipfile
from collections.abc import Generator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType

import pytest

FILE = Path(__file__).parent.parent.parent / "deploy" / "bootstrap.py"


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bootstrap", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def bootstrap(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The script, in a project and a home of its own, without pip and without uv on PATH."""
    module = load()
    for name in ("PIP_INDEX_URL", "PIP_CERT", "PIP_CONFIG_FILE", "UV_INDEX_URL", "UV_DEFAULT_INDEX", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(module, "TOOLS", tmp_path / ".tools")
    monkeypatch.setattr(module, "by_pip", lambda *_: None)
    return module


@pytest.fixture
def wheel(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch) -> tuple[str, bytes]:
    """A wheel of uv that is one line of shell, pinned as the right one."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        archive.writestr(f"uv-{bootstrap.UV}.data/scripts/uv", f"#!/bin/sh\necho uv {bootstrap.UV}\n")
    tags, digest = "any", hashlib.sha256(sink.getvalue()).hexdigest()
    monkeypatch.setattr(bootstrap, "wheel", lambda: (tags, digest))
    return f"uv-{bootstrap.UV}-py3-none-{tags}.whl", sink.getvalue()


class _Index(SimpleHTTPRequestHandler):
    """A folder as an index, behind a login."""

    def do_GET(self) -> None:
        if self.headers["Authorization"] == "Basic " + base64.b64encode(b"me:a b").decode():
            super().do_GET()
        else:
            self.send_error(401)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def index(tmp_path: Path, wheel: tuple[str, bytes]) -> Generator[str]:
    folder = tmp_path / "index"
    (folder / "uv").mkdir(parents=True)
    (folder / "uv" / "index.html").write_text(f'<a data-x="1" href="../files/{wheel[0]}#sha256=0">{wheel[0]}</a>')
    (folder / "files").mkdir()
    (folder / "files" / wheel[0]).write_bytes(wheel[1])
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Index, directory=str(folder)))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield f"http://me:a%20b@127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_without_pip_uv_comes_from_the_index_that_pip_is_set_to(
    bootstrap: ModuleType, index: str, tmp_path: Path
) -> None:
    (tmp_path / ".config/pip").mkdir(parents=True)
    (tmp_path / ".config/pip/pip.conf").write_text(f"[global]\nindex-url = {index}\n")
    environment = bootstrap.uv_environment()
    assert environment["UV_DEFAULT_INDEX"] == index
    uv = bootstrap.find_uv(environment)
    assert (uv, bootstrap.version_of(uv)) == (tmp_path / ".tools/uv", tuple(map(int, bootstrap.UV.split("."))))
    assert bootstrap.find_uv({"UV_DEFAULT_INDEX": "http://127.0.0.1:9/"}) == uv


def test_a_file_that_was_changed_on_the_way_is_refused(
    bootstrap: ModuleType, index: str, tmp_path: Path, wheel
) -> None:
    (tmp_path / "index/files" / wheel[0]).write_bytes(wheel[1] + b"!")
    with pytest.raises(bootstrap.Problem, match="has the SHA-256 [0-9a-f]{64}"):
        bootstrap.find_uv({"UV_DEFAULT_INDEX": index})
    assert not (tmp_path / ".tools/uv").exists()


def test_an_index_without_the_pinned_uv_and_one_that_refuses_are_told(
    bootstrap: ModuleType, index: str, tmp_path: Path
) -> None:
    with pytest.raises(bootstrap.Problem, match=r"cannot be fetched from the package index: HTTP Error 401"):
        bootstrap.find_uv({"UV_DEFAULT_INDEX": index.replace("me:", "you:")})
    (tmp_path / "index/uv/index.html").write_text("<a href='uv-0.1.0-py3-none-any.whl'>old</a>")
    with pytest.raises(bootstrap.Problem, match="The index has no"):
        bootstrap.find_uv({"UV_DEFAULT_INDEX": index})


@pytest.mark.parametrize(
    ("said", "used"), [("uv 99.0.0 (somewhere)", True), ("uv 0.1.0", False), ("not uv at all", False)]
)
def test_uv_on_path_is_used_if_it_is_not_too_old(
    bootstrap: ModuleType, tmp_path: Path, index: str, said: str, used: bool
) -> None:
    (tmp_path / "uv").write_text(f"#!/bin/sh\necho '{said}'\n")
    (tmp_path / "uv").chmod(0o755)
    found = bootstrap.find_uv({"UV_DEFAULT_INDEX": index})
    assert found == (tmp_path / "uv" if used else tmp_path / ".tools/uv")


def test_variables_go_before_pips_files(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    own = tmp_path / "own.conf"
    own.write_text(
        "[global]\nindex-url = https://file.example/simple\ncert = /ca.pem\n[install]\ntrusted-host =\n  a\n  b\n"
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", str(own))
    assert bootstrap.pip_settings()["trusted-host"] == "a b"
    monkeypatch.setenv("PIP_INDEX_URL", "https://variable.example/simple")
    assert bootstrap.pip_settings()["index-url"] == "https://variable.example/simple"
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://uv.example/simple")
    assert bootstrap.uv_environment()["UV_DEFAULT_INDEX"] == "https://uv.example/simple"
    own.write_text("no section")
    with pytest.raises(bootstrap.Problem, match="cannot be read"):
        bootstrap.pip_settings()


def test_the_json_page_of_an_index_is_read_too(bootstrap: ModuleType) -> None:
    page = b'{"files": [{"filename": "uv-1.whl", "url": "https://files.example/uv-1.whl"}]}'
    assert (
        bootstrap.link_to("uv-1.whl", page, "application/vnd.pypi.simple.v1+json") == "https://files.example/uv-1.whl"
    )
    assert bootstrap.link_to("uv-2.whl", page, "application/vnd.pypi.simple.v1+json") is None


def test_this_machine_has_a_pinned_uv() -> None:
    tags, digest = load().wheel()
    assert tags
    assert len(digest) == 64
