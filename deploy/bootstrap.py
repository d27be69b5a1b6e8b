"""Sets up `.venv` from `uv.lock` with nothing but Python and a package index; costs nothing where all is up to date.

    python3 deploy/bootstrap.py [group …]      groups: dev (tests), lint (checks), peers (benchmarks)

Brings uv into `.tools/` where none is found: by pip, or without it straight from the index, always by its pinned hash.
Indexes, certificates and proxies come from the usual variables and from pip's configuration.
"""

import argparse
import base64
import configparser
import hashlib
import html
import json
import os
import platform
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".tools"
VENV = ROOT / ".venv"
STAMP = VENV / "partitur-stamp.json"
PUBLIC_INDEX = "https://pypi.org/simple"
OLDEST, BEYOND = (3, 11), (3, 15)

UV = "0.13.9"
"""The version brought here; one on PATH is used if it is not older."""
WHEELS = {
    ("Linux", "x86_64", "glibc"): (
        "manylinux_2_17_x86_64.manylinux2014_x86_64",
        "d7f459fe4fd247d830351c75686d3996ace3c6f3f728eb0e85a30b7ada0cef19",
    ),
    ("Linux", "x86_64", ""): (
        "musllinux_1_1_x86_64",
        "2c45530751517d6c3bbc69a19473f6effe47cce047bede01ffd8af7ea7b36b25",
    ),
    ("Linux", "aarch64", ""): (
        "manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64",
        "5435c5ce14a56431208ca0996416d310f1598e8c2c8ba707688985a16bb82dbe",
    ),
    ("Darwin", "x86_64", ""): (
        "macosx_10_12_x86_64",
        "c16ed11e013557536b3e60065f1b912f6407bd6518e041b961e23ef9e6b4fbf5",
    ),
    ("Darwin", "arm64", ""): (
        "macosx_11_0_arm64",
        "66c512266d633bef48384a1f53003f41f2a8e7b36fe6e7fbfd3e0fd52d96fa63",
    ),
}


class Problem(Exception):
    """What happened, what was expected, what to do next."""


def main() -> int:
    options = argparse.ArgumentParser(description="Sets up .venv from uv.lock.")
    options.add_argument(
        "groups", nargs="*", metavar="group", help="dev: what tests need; lint: what checks need; peers"
    )
    try:
        set_up(set(options.parse_args().groups))
    except Problem as problem:
        print(problem, file=sys.stderr)
        return 2
    return 0


def set_up(groups: "set[str]") -> None:
    """Brings `.venv` to what `uv.lock` says; groups that are there stay."""
    if not OLDEST <= sys.version_info[:2] < BEYOND:
        raise Problem(
            f"Python {platform.python_version()} was started. Expected {_versions()}.\n"
            "Start this file with such a Python, for example: make PYTHON=python3.12 demo"
        )
    if not (groups <= {"dev", "lint", "peers"}):
        raise Problem(f"The groups {sorted(groups)} are not all known. Expected 'dev', 'lint', 'peers', or none.")
    stamp, wanted = read_stamp(), fingerprint()
    if stamp.get("root", str(ROOT)) != str(ROOT):  # scripts in an environment name their folder: it cannot be moved
        shutil.rmtree(VENV, ignore_errors=True)
        stamp = {}
    had = set(filter(None, stamp.get("groups", "").split()))
    python = VENV / "bin" / "python"
    if stamp.get("fingerprint") == wanted and groups <= had and python.exists():
        return
    began = time.monotonic()
    print("Setting up the environment in .venv; the first time takes a minute or two …", file=sys.stderr)
    environment = uv_environment()
    sync(find_uv(environment), environment, groups | had)
    new = {"fingerprint": wanted, "groups": " ".join(sorted(groups | had)), "root": str(ROOT)}
    STAMP.write_text(json.dumps(new), encoding="utf-8")
    print(f"The environment is ready, after {time.monotonic() - began:.0f} s.", file=sys.stderr)


def read_stamp() -> "dict[str, str]":
    try:
        return json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def fingerprint() -> str:
    """Changes where the environment has to."""
    digest = hashlib.sha256()
    for name in ("pyproject.toml", "uv.lock"):
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def sync(uv: Path, environment: "dict[str, str]", groups: "set[str]") -> None:
    """Installs what the lock names, hash by hash; from another index than the lock's, the same files."""
    chosen = ["--no-default-groups", *(f"--group={group}" for group in sorted(groups))]
    if environment.get("UV_DEFAULT_INDEX", PUBLIC_INDEX).rstrip("/") == PUBLIC_INDEX:
        if run([str(uv), "sync", "--locked", *chosen], environment):
            return
        print("Trying the same files from the index that uv is set to …", file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder:
        names = str(Path(folder) / "requirements.txt")
        export = [str(uv), "export", "--frozen", "--no-emit-project", "--output-file", names, *chosen]
        here = {**environment, "UV_PYTHON": str(VENV / "bin" / "python")}
        fine = (
            run([str(uv), "venv", "--allow-existing", str(VENV)], environment)
            and run(export, environment)
            and run([str(uv), "pip", "sync", "--require-hashes", names], here)
            and run([str(uv), "pip", "install", "--no-deps", "--editable", str(ROOT)], here)
        )
    if not fine:
        raise Problem(
            "The packages in uv.lock cannot be installed; the reason stands above. Expected an index that has them.\n"
            "Set PIP_INDEX_URL to an index in your reach, HTTPS_PROXY to your proxy, or SSL_CERT_FILE to its certificates.\n"
            "Without a network this works once the packages have been fetched."
        )


def run(command: "list[str]", environment: "dict[str, str]") -> bool:
    quiet = [] if sys.stderr.isatty() else ["--quiet"]  # errors are told all the same
    for offline in ({}, {"UV_OFFLINE": "1"}):  # without a network, what was fetched before may do
        if subprocess.run([*command, *quiet], cwd=ROOT, env={**environment, **offline}, check=False).returncode == 0:
            return True
    return False


def uv_environment() -> "dict[str, str]":
    """The variables for uv: all inside the project, and what pip is told about indexes holds for uv too."""
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    environment["UV_PROJECT_ENVIRONMENT"] = str(VENV)
    environment["UV_CACHE_DIR"] = str(TOOLS / "cache")
    environment["UV_PYTHON_DOWNLOADS"] = "never"
    environment["UV_PYTHON"] = sys.executable
    # Compiled once, in some 15 s: else each start compiles anew where Python may not write, as in many containers.
    environment.setdefault("UV_COMPILE_BYTECODE", "1")
    environment.setdefault("UV_SYSTEM_CERTS", "true")
    environment.setdefault("UV_HTTP_TIMEOUT", "120")
    pip = pip_settings()
    if index := environment.get("UV_INDEX_URL") or pip.get("index-url"):
        environment.setdefault("UV_DEFAULT_INDEX", index)
    if cert := pip.get("cert"):
        environment.setdefault("SSL_CERT_FILE", cert)
    if proxy := pip.get("proxy"):
        environment.setdefault("ALL_PROXY", proxy)
    if hosts := pip.get("trusted-host"):
        environment.setdefault("UV_INSECURE_HOST", hosts)
    return environment


def pip_settings() -> "dict[str, str]":
    """pip's own settings: its files in its order, then its variables."""
    home = Path.home()
    config = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
    files = [Path("/etc/xdg/pip/pip.conf"), Path("/etc/pip.conf"), home / ".pip/pip.conf", config / "pip/pip.conf"]
    if own := os.environ.get("PIP_CONFIG_FILE"):
        files = [*files, Path(own)] if own != os.devnull else []
    settings: dict[str, str] = {}
    for file in files:
        parser = configparser.RawConfigParser()
        try:
            parser.read(file, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError) as error:
            raise Problem(
                f"{str(file)!r} cannot be read: {error}. Expected pip's settings. Correct or remove it."
            ) from error
        for section in ("global", "install"):
            if parser.has_section(section):
                settings.update({name: " ".join(value.split()) for name, value in parser.items(section)})
    for name in ("index-url", "cert", "proxy", "trusted-host"):
        if value := os.environ.get("PIP_" + name.upper().replace("-", "_")):
            settings[name] = value
    return settings


def find_uv(environment: "dict[str, str]") -> Path:
    """uv from `.tools`, from PATH if it is not too old, else fetched."""
    own = TOOLS / "uv"
    found = shutil.which("uv")
    for candidate in (own, *([Path(found)] if found else [])):
        if version_of(candidate) >= tuple(map(int, UV.split("."))):
            return candidate
    tags, digest = wheel()
    name = f"uv-{UV}-py3-none-{tags}.whl"
    with tempfile.TemporaryDirectory() as folder:
        file = by_pip(Path(folder), digest) or from_index(Path(folder), name, environment)
        got = hashlib.sha256(file.read_bytes()).hexdigest()
        if got != digest:
            raise Problem(
                f"{file.name!r} from the index has the SHA-256 {got}. Expected {digest}.\n"
                "Something on the way changes files; ask those who run the index."
            )
        TOOLS.mkdir(exist_ok=True)
        aside = TOOLS / f".uv.{os.getpid()}"
        with zipfile.ZipFile(file) as archive:
            member = next(each for each in archive.namelist() if each.endswith(".data/scripts/uv"))
            aside.write_bytes(archive.read(member))
    aside.chmod(aside.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    aside.replace(own)
    return own


def version_of(uv: Path) -> "tuple[int, ...]":
    try:
        said = subprocess.run([str(uv), "--version"], capture_output=True, text=True, timeout=30, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ()
    found = re.match(r"uv (\d+)\.(\d+)\.(\d+)", said)
    return tuple(map(int, found.groups())) if found else ()


def wheel() -> "tuple[str, str]":
    """The wheel of uv for this machine: platform tags and SHA-256."""
    system, machine = platform.system(), platform.machine()
    for libc in (platform.libc_ver()[0], ""):
        if found := WHEELS.get((system, machine, libc)):
            return found
    raise Problem(
        f"No uv is pinned for {system} on {machine}. Expected Linux on x86_64 or aarch64, or macOS.\n"
        f"Install uv {UV} or newer yourself and start again."
    )


def by_pip(folder: Path, digest: str) -> "Path | None":
    """The wheel by pip, where there is a pip and it can."""
    names = folder / "uv.txt"
    names.write_text(f"uv=={UV} --hash=sha256:{digest}\n", encoding="utf-8")
    options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary", ":all:", "--require-hashes"]
    command = [sys.executable, "-m", "pip", "download", *options, "--dest", str(folder), "--requirement", str(names)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=300, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return next(folder.glob("uv-*.whl"), None) if done.returncode == 0 else None


def from_index(folder: Path, name: str, environment: "dict[str, str]") -> Path:
    """The wheel straight from the index, by its JSON or HTML page."""
    index = environment.get("UV_DEFAULT_INDEX", PUBLIC_INDEX)
    page = f"{index.rstrip('/')}/uv/"
    try:
        body, kind = fetch(page + ("index.html" if page.startswith("file:") else ""))
        link = link_to(name, body, kind)
        if link is None:
            raise Problem(
                f"The index has no {name!r}. Expected it on the page of uv.\n"
                f"Install uv {UV} or newer yourself, or ask those who run the index to offer it."
            )
        target = folder / name
        target.write_bytes(fetch(with_login(urllib.parse.urljoin(page, link), page))[0])
    except (OSError, ValueError) as error:  # URLError is an OSError
        raise Problem(
            f"uv cannot be fetched from the package index: {error}. Expected the index to answer.\n"
            "Set PIP_INDEX_URL to an index in your reach, HTTPS_PROXY to your proxy, or SSL_CERT_FILE to its certificates."
        ) from error
    return target


def link_to(name: str, body: bytes, kind: str) -> "str | None":
    if "json" in kind:
        files = json.loads(body)["files"]
        return next((file["url"] for file in files if file["filename"] == name), None)
    links = [html.unescape(found) for found in re.findall(r"""<a\s[^>]*?href=["']([^"']+)""", body.decode(), re.I)]
    wanted = (link.partition("#")[0] for link in links)
    return next((link for link in wanted if urllib.parse.unquote(link).rsplit("/", 1)[-1] == name), None)


def fetch(url: str) -> "tuple[bytes, str]":
    """Body and content type, three tries; a login in the address is sent as one."""
    parts = urllib.parse.urlsplit(url)
    headers = {"Accept": "application/vnd.pypi.simple.v1+json, text/html;q=0.5, */*;q=0.1"}
    if parts.username:
        login = f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
        headers["Authorization"] = "Basic " + base64.b64encode(login.encode()).decode()
        url = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    for left in (2, 1, 0):
        try:
            with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=120) as answer:
                return answer.read(), answer.headers.get_content_type()
        except OSError as error:
            final = isinstance(error, urllib.error.HTTPError) and error.code < 500
            if final or not left:
                raise
            time.sleep(1)
    raise AssertionError("the loop returns or raises")


def with_login(url: str, page: str) -> str:
    """Files on the index's own host are behind the same login as its pages."""
    file, index = urllib.parse.urlsplit(url), urllib.parse.urlsplit(page)
    if index.username and not file.username and file.hostname == index.hostname:
        return file._replace(netloc=index.netloc).geturl()
    return url


def _versions() -> str:
    return f"Python {OLDEST[0]}.{OLDEST[1]} to {BEYOND[0]}.{BEYOND[1] - 1}"


if __name__ == "__main__":
    sys.exit(main())
