import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tools.base import NotFound, SetupError, Unavailable
from tools.generations import Following, Generations

ROOT = Path(__file__).parents[2]
HOLD = """
import sys
from pathlib import Path
from tools.generations import Generations
with Generations(Path(sys.argv[1]), what="store", fill="Fill it").build() as folder:
    (folder / "half").write_text("half")
    print("building", flush=True)
    sys.stdin.readline()
    (folder / "data").write_text("from the other process")
"""


def store_at(path: Path) -> Generations:
    return Generations(path, what="store", fill="Fill it")


def build(store: Generations, text: str) -> None:
    with store.build() as folder:
        (folder / "data").write_text(text)


def writer(path: Path) -> "subprocess.Popen[str]":
    """A second process in the middle of building."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "building\n"
    return process


def end(process: "subprocess.Popen[str]") -> None:
    process.communicate("\n", timeout=5)


def test_an_empty_store_says_how_to_fill_it(tmp_path: Path) -> None:
    with pytest.raises(NotFound) as error:
        store_at(tmp_path / "none").open()

    assert (
        str(error.value)
        == f"The store at {str(tmp_path / 'none')!r} is empty. Expected something to be loaded. Fill it."
    )


def test_a_reader_sees_the_newest_generation(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    build(store, "one")
    build(store, "two")

    generation = store.open()
    assert (generation.number, (generation.path / "data").read_text()) == (2, "two")
    generation.close()


def test_a_build_that_fails_leaves_no_trace(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    build(store, "one")

    with pytest.raises(ValueError, match="broken"), store.build():
        raise ValueError("broken")

    assert store.current() == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "000001",
        "000001.lock",
        "current",
        "sweep.lock",
        "writer.lock",
    ]


def test_a_second_writing_process_is_refused_with_the_pid_of_the_first(tmp_path: Path) -> None:
    process = writer(tmp_path)

    with pytest.raises(Unavailable) as error:
        build(store_at(tmp_path), "mine")
    end(process)

    assert error.value.message == (
        f"The store at {str(tmp_path)!r} is being written by process {process.pid}. Expected one writer at a time."
    )
    assert error.value.hint == (
        f"Wait until process {process.pid} has finished, or stop it; readers are not disturbed."
    )
    held = store_at(tmp_path).open()
    assert (held.path / "data").read_text() == "from the other process"
    held.close()


def test_a_home_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SetupError) as error:
        build(store_at(tmp_path / "file" / "store"), "mine")
    assert error.value.message == (
        f"The store at {str(tmp_path / 'file' / 'store')!r} cannot be written: Not a directory. "
        "Expected a folder this user may write to."
    )


def test_a_writer_killed_in_the_middle_loses_nothing(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    build(store, "one")
    process = writer(tmp_path)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=5)
    assert (tmp_path / "000002.building").is_dir()

    held = store.open()
    assert (held.path / "data").read_text() == "one"
    held.close()
    build(store, "two")

    assert store.current() == 2
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".building"] == []


def test_a_generation_that_was_never_pointed_at_is_swept_away(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    build(store, "one")
    # What a kill between the renaming of the folder and the moving of the pointer leaves.
    (tmp_path / "000002").mkdir()
    (tmp_path / "000002" / "data").write_text("never finished")
    (tmp_path / "000002.lock").touch()

    build(store, "two")

    assert (tmp_path / "000002" / "data").read_text() == "two"


def test_an_old_generation_stays_while_a_reader_holds_it(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    build(store, "one")
    held = store.open()

    build(store, "two")
    assert (held.path / "data").read_text() == "one"

    held.close()
    build(store, "three")
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["000003"]


def test_followers_move_on_and_the_old_is_closed_when_its_last_user_leaves(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    build(store, "one")
    closed: list[str] = []
    following = Following(store, opens=lambda path: (path / "data").read_text(), closes=closed.append)

    with following.use() as first:
        build(store, "two")
        with following.use() as second:
            assert (first, second, closed) == ("one", "two", [])
    assert closed == ["one"]

    following.close()
    assert closed == ["one", "two"]


def test_an_idle_follower_that_is_told_to_look_lets_the_old_generation_go(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    build(store, "one")
    following = Following(store, opens=lambda path: (path / "data").read_text(), closes=lambda text: None)
    with following.use():
        pass
    build(store, "two")
    assert (tmp_path / "000001").is_dir()

    following.refresh()

    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["000002"]
    with following.use() as text:
        assert text == "two"
    following.close()


def test_a_reader_who_sweeps_leaves_what_a_writer_is_building(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    build(store, "one")
    with store.build() as folder:
        folder.joinpath("data").write_text("two")
        store.sweep()
        assert folder.is_dir()
    assert store.current() == 2


def test_a_build_that_has_ended_lets_the_next_begin_even_while_a_child_holds_its_descriptor(tmp_path: Path) -> None:
    generations = store_at(tmp_path)
    with generations.build():
        place = str(tmp_path / "writer.lock")
        held = next(int(name) for name in os.listdir("/proc/self/fd") if _leads_to(name) == place)
        copy = os.dup(held)  # as a fork does, until the child has begun its own program
    try:
        with generations.build():
            pass
    finally:
        os.close(copy)
    assert generations.current() == 2


def _leads_to(name: str) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{name}")
    except OSError:
        return ""
