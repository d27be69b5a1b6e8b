from pathlib import Path
from threading import Event

import pytest

from tools.base import Cancelled, Failed, SetupError, TimedOut, Unavailable
from tools.worker import Workers

ENGINE = """
import os, resource, signal, time

class Engine:
    def answer(self, request):
        match request["do"]:
            case "read": return {"read": open("/etc/hostname").read()}
            case "write": return {"fd": os.open("/tmp/never", os.O_WRONLY | os.O_CREAT)}
            case "connect":
                import socket
                return {"socket": socket.socket().fileno()}
            case "eat": return {"size": len(bytearray(2**32))}
            case "hang":
                signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGINT])
                while True: pass
            case "die": os._exit(3)
            case "environment": return {"names": sorted(os.environ)}
            case "pid": return {"pid": os.getpid()}

def start(settings):
    if settings.get("broken"):
        raise ValueError("the store is broken")
    return Engine()
"""


def workers(tmp_path: Path, *, count: int = 1, package: str = "json", **settings: bool) -> Workers:
    script = tmp_path / "engine.py"
    script.write_text(ENGINE)
    given = {"memory_mb": 256, "locked": True, **settings}
    return Workers(script, package=package, settings=given, what="toy", count=count, cwd=tmp_path)


@pytest.mark.parametrize(
    ("do", "error"),
    [
        ("read", "OSError: [Errno 24] Too many open files: '/etc/hostname'"),
        ("write", "OSError: [Errno 24] Too many open files: '/tmp/never'"),
        ("connect", "OSError: [Errno 24] Too many open files"),
        ("eat", "out of memory"),
    ],
)
def test_a_locked_child_reaches_nothing_outside(tmp_path: Path, do: str, error: str) -> None:
    children = workers(tmp_path)

    assert children.ask({"do": do}, seconds=4)["error"].startswith(error)
    children.close()


def test_a_child_has_no_environment_to_look_for_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "1234")
    children = workers(tmp_path)

    assert "SECRET" not in children.ask({"do": "environment"}, seconds=4)["names"]
    children.close()


def test_a_child_that_hangs_is_killed_and_replaced(tmp_path: Path) -> None:
    children = workers(tmp_path)
    before = children.ask({"do": "pid"}, seconds=4)["pid"]

    with pytest.raises(TimedOut) as error:
        children.ask({"do": "hang"}, seconds=0.2)

    assert error.value.message == (
        "The toy query ran longer than 0.2 seconds and was stopped. Expected a query that needs less work."
    )
    assert not Path(f"/proc/{before}").exists()
    assert children.ask({"do": "pid"}, seconds=4)["pid"] != before
    children.close()


def test_a_child_that_dies_is_replaced(tmp_path: Path) -> None:
    children = workers(tmp_path)

    with pytest.raises(Unavailable, match=r"engine died while it answered \(exit code 3\)"):
        children.ask({"do": "die"}, seconds=4)

    assert children.ask({"do": "pid"}, seconds=4)["pid"]
    children.close()


def test_a_cancelled_question_ends_its_child(tmp_path: Path) -> None:
    children = workers(tmp_path)
    before = children.ask({"do": "pid"}, seconds=4)["pid"]
    stop = Event()
    stop.set()

    with pytest.raises(Cancelled):
        children.ask({"do": "hang"}, seconds=4, stop=stop)

    assert not Path(f"/proc/{before}").exists()
    children.close()


def test_a_child_that_cannot_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="The toy engine did not start: ValueError: the store is broken"):
        workers(tmp_path, broken=True).ask({"do": "pid"}, seconds=4)


def test_an_engine_that_is_not_installed_is_named(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="The engine 'no_such_engine' is not installed"):
        workers(tmp_path, package="no_such_engine").ask({"do": "pid"}, seconds=4)
