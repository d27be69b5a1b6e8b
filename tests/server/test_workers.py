"""Tests of the parent of several workers, over small programs in place of workers; real ones are in tests/real."""

import asyncio
import logging
import os
import pickle
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from server import Settings
from server.serving import listening
from server.workers import Work, Workers, _held
from tools.base import SetupError
from tools.models import Limits

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]

GREETS = """
import json, os, pathlib, signal, socket, sys, threading
channel, folder = socket.socket(fileno=int(sys.argv[1])), pathlib.Path(sys.argv[2])
(folder / f"{os.getpid()}.told").write_bytes(channel.recv(65536))
channel.sendall(json.dumps({"greeting": "Guten Tag!"}).encode() + b"\\n")
(folder / f"{os.getpid()}.up").touch()
"""
UNTIL_TOLD = "signal.signal(signal.SIGTERM, lambda *_: sys.exit(0)); signal.pause()"
FAILS = """
import json, os, pathlib, socket, sys
channel = socket.socket(fileno=int(sys.argv[1]))
(pathlib.Path(sys.argv[2]) / f"{os.getpid()}.up").touch()
channel.recv(65536)
channel.sendall(json.dumps({"failed": "Error: Der Ton ist weg."}).encode() + b"\\n")
"""


def workers(folder: Path, program: str, count: int) -> Workers:
    def command(channel: int) -> Sequence[str]:
        return [sys.executable, "-I", "-c", program, str(channel), str(folder)]

    return Workers(Settings(home=folder, workers=count), command, first_pause_s=0.01)


def up(folder: Path) -> list[int]:
    return [int(path.stem) for path in folder.glob("*.up")]


async def until(met: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not met():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_many_greet_and_the_parent_greets_once_and_stops_them_all(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parent = workers(tmp_path, GREETS + UNTIL_TOLD, 3)
    running = asyncio.create_task(parent.run())
    await until(lambda: len(up(tmp_path)) == 3)
    parent.stop()
    assert await running == 0
    assert capsys.readouterr().err == "Guten Tag!\n"
    assert not any(runs(pid) for pid in up(tmp_path))


async def test_a_signal_stops_it(tmp_path: Path) -> None:
    running = asyncio.create_task(workers(tmp_path, GREETS + UNTIL_TOLD, 2).run())
    await until(lambda: len(up(tmp_path)) == 2)
    os.kill(os.getpid(), signal.SIGTERM)
    assert await running == 0


async def test_one_that_dies_is_replaced_by_one_that_listens_when_it_is_loaded(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    parent = workers(tmp_path, GREETS + UNTIL_TOLD, 2)
    running = asyncio.create_task(parent.run())
    await until(lambda: len(up(tmp_path)) == 2)
    first = set(up(tmp_path))
    os.kill(killed := min(first), signal.SIGKILL)
    await until(lambda: len(up(tmp_path)) == 3)
    assert runs(max(first)) and not runs(killed)
    (new,) = set(up(tmp_path)) - first
    told: dict[int, Work] = {pid: pickle.loads((tmp_path / f"{pid}.told").read_bytes()) for pid in (*first, new)}
    assert [told[pid].at_once for pid in (*first, new)] == [True, True, False]
    assert told[new].settings == Settings(home=tmp_path, workers=2)
    os.kill(new, signal.SIGKILL)
    await until(lambda: len(up(tmp_path)) == 4)
    parent.stop()
    assert await running == 0
    assert [record.getMessage() for record in caplog.records] == [
        "A worker was ended by SIGKILL. Another one takes its place in 0.01 s.",
        "A worker was ended by SIGKILL. Another one takes its place in 0.02 s.",
    ]


async def test_one_whose_start_fails_three_times_ends_the_server_with_its_code_and_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await workers(tmp_path, FAILS + "sys.exit(7)", 1).run() == 7
    assert len(up(tmp_path)) == 3
    assert capsys.readouterr().err.endswith("Error: Der Ton ist weg.\n")


async def test_one_that_dies_at_its_start_without_a_word_ends_the_server(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await workers(tmp_path, "import os; os.abort()", 1).run() == 1
    assert capsys.readouterr().err.endswith("Error: A worker was ended by SIGABRT while it started.\n")


async def test_a_mistake_of_the_set_up_ends_the_first_start_at_once_and_is_told_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await workers(tmp_path, FAILS + "sys.exit(2)", 3).run() == 2
    assert len(up(tmp_path)) <= 3
    assert capsys.readouterr().err == "Error: Der Ton ist weg.\n"


async def test_a_program_that_cannot_be_started_ends_the_server(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parent = Workers(Settings(home=tmp_path, workers=1), lambda _: ["/no/such/program"], first_pause_s=0.01)
    assert await parent.run() == 1
    assert "cannot be started" in capsys.readouterr().err


async def test_one_that_does_not_stop_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.workers._GRACE_S", 0.1)
    deaf = GREETS.replace("channel.sendall", "signal.signal(signal.SIGTERM, signal.SIG_IGN); channel.sendall")
    parent = workers(tmp_path, deaf + "while True: signal.pause()", 2)
    running = asyncio.create_task(parent.run())
    await until(lambda: len(up(tmp_path)) == 2)
    parent.stop()
    assert await running == 0
    assert not any(runs(pid) for pid in up(tmp_path))


def test_a_port_is_held_while_nobody_listens_yet_and_others_are_refused() -> None:
    with _held("127.0.0.1", 0) as port:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))
        for taking in (_held, listening):
            with pytest.raises(SetupError, match="something else listens there"), taking("127.0.0.1", port):
                pass
        with listening("127.0.0.1", port, shared=True), listening("127.0.0.1", port, shared=True):
            socket.create_connection(("127.0.0.1", port)).close()
    with _held("127.0.0.1", port):  # at once after it was served
        pass


def test_a_port_that_others_share_is_taken_too() -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        with (
            pytest.raises(SetupError, match="something else listens there"),
            _held("127.0.0.1", other.getsockname()[1]),
        ):
            pass


@pytest.mark.parametrize(
    ("running", "queued", "workers", "share"),
    [(1024, 1024, 1, (1024, 1024)), (10, 7, 3, (3, 2)), (2, 1, 4, (1, 1)), (8, 0, 2, (4, 0))],
)
def test_the_limits_of_a_model_are_shared_by_all_workers(
    running: int, queued: int, workers: int, share: tuple[int, int]
) -> None:
    limits = Limits(running=running, queued=queued, first=7.0).shared(workers)
    assert (limits.running, limits.queued, limits.first) == (*share, 7.0)
