"""Several processes search while one ingests, replaces and deletes, and a writer that is killed midway."""

import importlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Generator, Sequence
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from tools.base import Caller
from tools.knowledge import KnowledgeConfig
from tools.knowledge.library import Inline, Library
from tools.knowledge.place import Place
from tools.knowledge.searching import Models
from tools.knowledge.vectors import vector_tables

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]
ROOT = Path(__file__).parents[2]
ANNA = Caller(subject="anna", tenant="stadt")

READER = """
import json, pathlib, sys
import anyio
from tools.base import Caller
from tools.knowledge import KnowledgeConfig
from tools.knowledge.library import Library

async def main():
    home, stop = map(pathlib.Path, sys.argv[1:])
    anna = Caller(subject="anna", tenant="stadt")
    library = Library(KnowledgeConfig(home=home))
    await library.warm(anna)
    print("ready", flush=True)
    looks, wrong, last = 0, [], False
    while not last:
        last = stop.exists()  # one look more after the end: it must see all of it
        found = (await library.search("Gebühr Satzung", caller=anna, limit=50, around=1)).passages
        versions, places = {}, set()
        for passage in found:
            versions.setdefault(passage.document, set()).add(passage.text.partition("Fassung ")[2].partition(" ")[0])
            places.add((passage.document, passage.start))
        looks += 1
        listed = [document.id for document in (await library.documents(anna)).documents]
        if len(places) < len(found) or len(listed) > len(set(listed)):
            wrong.append(f"twice: {found} {listed}")
        wrong += [f"of two versions: {name} {some}" for name, some in versions.items() if len(some) > 1]
        seen = sorted((name, *some) for name, some in versions.items())
    print(json.dumps({"looks": looks, "wrong": wrong, "seen": seen}), flush=True)

anyio.run(main)
"""


@pytest.fixture(scope="module", autouse=True)
def imported() -> None:
    importlib.import_module("tools.knowledge.store")


class Readers:
    """Processes that search until they are told to stop."""

    def __init__(self, home: Path, count: int) -> None:
        self._stop = home / "stop"
        command = [sys.executable, "-c", READER, str(home), str(self._stop)]
        self._running = [
            subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            for _ in range(count)
        ]

    def ready(self) -> None:
        for process in self._running:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"

    def looked(self) -> "Sequence[dict[str, object]]":
        self._stop.touch()
        looks: list[dict[str, object]] = []
        for process in self._running:
            out, err = process.communicate(timeout=120)
            assert process.returncode == 0, err
            looks.append(json.loads(out))
        return looks

    def end(self) -> None:
        for process in self._running:
            process.kill()
            process.communicate()


def satzung(number: int, version: int) -> Inline:
    """Of two sections, whose lengths change with the version: no passage of one version lies where another's does."""
    section = f"Die Gebühr dieser Satzung gilt in Fassung {version} für alle." + " Näheres regelt der Rat." * version
    text = f"# Satzung {number}\n\n## § 1 Gebühr\n\n{section}\n\n## § 2 Gebühr der Satzung\n\n{section}\n"
    return Inline(f"{number}.md", text.encode())


@pytest.fixture
async def home(tmp_path: Path) -> Path:
    await Library(KnowledgeConfig(home=tmp_path)).ingest(
        documents=[satzung(number, 1) for number in range(12)], caller=ANNA
    )
    return tmp_path


@pytest.fixture
def readers(home: Path) -> Generator[Readers]:
    started = Readers(home, 3)
    yield started
    started.end()


async def test_readers_see_each_document_once_and_the_last_batch_while_another_writes(
    home: Path, readers: Readers
) -> None:
    await anyio.to_thread.run_sync(readers.ready)
    library = Library(KnowledgeConfig(home=home))
    for version in range(2, 6):
        await library.ingest(documents=[satzung(number, version) for number in range(12)], caller=ANNA)
        await library.delete([f"{version}.md"], ANNA)
        store = await library.opened(ANNA.tenant)
        await store.index()  # as a large knowledge base does in a process of its own
    await library.delete(["3.md", "4.md"], ANNA)
    looks = await anyio.to_thread.run_sync(readers.looked)
    assert [look["wrong"] for look in looks] == [[], [], []]
    left = sorted([f"{number}.md", "5"] for number in range(12) if number not in (3, 4, 5))
    assert [look["seen"] for look in looks] == [left] * 3


class Lengths:
    """An embedding model in memory."""

    id = "lengths"

    async def passages(self, texts: Sequence[str]) -> list[list[float]]:
        return [[float(len(text)), 1.0] for text in texts]

    async def query(self, text: str) -> list[float]:
        return [float(len(text)), 1.0]


KILLED = """
import os, pathlib, signal, sys
import anyio
from tools.base import Caller
from tools.knowledge import KnowledgeConfig
from tools.knowledge.library import Library
from tools.knowledge.searching import Models

class Lengths:
    id, asked = "lengths", 0
    async def passages(self, texts):
        self.asked += 1
        if self.asked > 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return [[float(len(text)), 1.0] for text in texts]

async def main():
    library = Library(KnowledgeConfig(home=pathlib.Path(sys.argv[1])), models=Models(Lengths()))
    await library.ingest([pathlib.Path(sys.argv[2])], caller=Caller(subject="anna", tenant="stadt"))

anyio.run(main)
"""


async def test_a_writer_killed_among_its_vectors_is_followed_by_one_that_makes_the_rest(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(120):
        item = satzung(number, 1)
        (folder / item.name).write_bytes(item.data)
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path / "home"), str(folder)], cwd=ROOT, capture_output=True, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    library = Library(KnowledgeConfig(home=tmp_path / "home"), models=Models(Lengths()))
    vectors = (await library.opened(ANNA.tenant)).vectors(Lengths())
    assert await vectors.missing() == 70  # a batch of fifty was there as a whole
    report = await library.ingest([folder], caller=ANNA)
    assert (report.unchanged, report.read) == (120, 0)
    assert await library.embed(ANNA.tenant) == 70
    db = await Place.of(library.config, ANNA.tenant).connect()
    [name] = await vector_tables(db)
    rows = await (await db.open_table(name)).query().select(["document", "start"]).to_list()
    assert len(rows) == len({(row["document"], row["start"]) for row in rows}) == 240


async def test_a_writer_killed_while_it_replaces_leaves_what_a_reader_sees_once(home: Path) -> None:
    code = """
import os, pathlib, signal, sys
import anyio
from tests.tools.test_knowledge_many import ANNA, satzung
from tools.knowledge import KnowledgeConfig
from tools.knowledge.library import Library
from tools.knowledge.store import Store

async def killed(self, target, files, replaced):  # both versions are stored, the old one not yet dropped
    os.kill(os.getpid(), signal.SIGKILL)

Store.finish = killed
library = Library(KnowledgeConfig(home=pathlib.Path(sys.argv[1])))
anyio.run(lambda: library.ingest(documents=[satzung(number, 2) for number in range(12)], caller=ANNA))
"""
    path = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{Path(__file__).parent}"}
    done = subprocess.run([sys.executable, "-c", code, str(home)], cwd=ROOT, env=path, capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    library = Library(KnowledgeConfig(home=home))
    found = (await library.search("Gebühr Satzung", caller=ANNA, limit=50, around=1)).passages
    assert {passage.text.partition("Fassung ")[2][:1] for passage in found} == {"2"}
    assert len(found) == 24
    assert all(passage.around is not None and "Fassung 1" not in passage.around.text for passage in found)
    assert (await library.documents(ANNA)).total == 12
    report = await library.ingest(documents=[satzung(number, 2) for number in range(12)], caller=ANNA)
    assert (report.replaced, (await library.documents(ANNA)).total) == (12, 12)
    store = await library.opened(ANNA.tenant)
    assert (await store.waiting())[0] == 24


def test_what_tends_a_large_store_ends_with_the_writer_that_asked_for_it(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    order = {"uri": str(tmp_path / "lance"), "options": {}, "task": "index", "parent": gone.pid}
    command = [sys.executable, "-m", "tools.knowledge.aside"]
    done = subprocess.run(command, cwd=ROOT, input=json.dumps(order).encode(), capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (1, b"")
