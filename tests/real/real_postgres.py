"""A PostgreSQL of its own for the tests: a new cluster in a folder of its own, on a free port, with a password."""

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

__all__ = ["Postgres", "started"]


class Postgres:
    """A running server. Tests make databases in it."""

    def __init__(self, port: int, password: str) -> None:
        self._port = port
        self._password = password

    def url(self, database: str) -> str:
        return f"postgresql://partitur:{self._password}@127.0.0.1:{self._port}/{database}"


def _programs() -> Path:
    """Where Debian keeps the server's programs: not on PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    if (on_path := shutil.which("initdb")) is not None:
        return Path(on_path).parent
    pytest.fail("PostgreSQL is not there. Run 'make test-real', which installs it.")


@contextmanager
def started() -> Generator[Postgres]:
    """Runs it while the block lasts; as the user `postgres` where we are root, which it refuses."""
    programs, password = _programs(), secrets.token_urlsafe(16)
    user = pwd.getpwnam("postgres") if os.geteuid() == 0 else None
    own: dict[str, Any] = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    folder = Path(tempfile.mkdtemp(prefix="partitur-postgres-"))
    server = None
    try:
        secret, data, log = folder / "password", folder / "data", folder / "log"
        secret.write_text(password)
        log.touch()
        for path in (folder, secret, log):
            if user:
                os.chown(path, user.pw_uid, user.pw_gid)
        make = [
            programs / "initdb",
            "-D",
            data,
            "-U",
            "partitur",
            "-A",
            "scram-sha-256",
            "--pwfile",
            secret,
            "--no-sync",
        ]
        done = subprocess.run(make, cwd=folder, capture_output=True, text=True, check=False, **own)
        assert done.returncode == 0, done.stderr
        options = ["-c", "fsync=off", "-c", f"unix_socket_directories={folder}", "-c", "listen_addresses=127.0.0.1"]
        with log.open("w") as sink:
            server = subprocess.Popen(
                [programs / "postgres", "-D", data, "-p", str(port), *options],
                cwd=folder, stdout=sink, stderr=sink, **own,
            )  # fmt: skip
        end = time.monotonic() + 60
        while subprocess.run(
            [programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)], check=False
        ).returncode:
            assert server.poll() is None and time.monotonic() < end, log.read_text()
            time.sleep(0.1)  # another process; there is nothing to wait on but its answer
        yield Postgres(port, password)
    finally:
        if server is not None:
            server.terminate()
            server.wait(30)
        shutil.rmtree(folder, ignore_errors=True)
