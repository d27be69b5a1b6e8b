import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import anyio
import pytest
from knowledge_files import HTML, MARKDOWN, pdf, pdf_bomb, word, write

from tools.base import Caller, Forbidden, NotFound, Passage, SetupError
from tools.knowledge import KnowledgeConfig
from tools.knowledge.library import Inline, Library
from tools.knowledge.place import Place

pytestmark = pytest.mark.anyio
ANNA = Caller(subject="anna", tenant="stadt")
BERT = Caller(subject="bert", tenant="kreis")
ROOT = Path(__file__).parents[2]
SENTENCE = "Die Höhe der Gebühr richtet sich nach dem Verbrauch, der im Vorjahr gemessen wurde. "


@pytest.fixture(scope="session", autouse=True)
def imported(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Importing LanceDB takes seconds on a busy machine; the time of a test is its own."""
    importlib.import_module("tools.knowledge.store")


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(KnowledgeConfig(home=tmp_path / "home", parse_seconds=30))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    records = [
        {"id": name, "title": title, "text": text}
        for name, title, text in (
            ("§ 1", "Anmeldung", "Wer umzieht, meldet sich binnen zwei Wochen an."),
            ("§ 2", "Abmeldung", "Wer ins Ausland zieht, meldet sich ab."),
        )
    ]
    files: dict[str, str | bytes] = {
        "steuern/hund.md": MARKDOWN,
        "abfuhr.html": HTML,
        "rathaus.txt": "Das Rathaus öffnet um 8 Uhr.\n\nEs schließt um 16 Uhr.",
        "satzung.pdf": pdf([("Heading2", "§ 1 Gebühr"), ("BodyText", SENTENCE * 30)]),
        "ordnung.docx": word(),
        "melden.jsonl": "\n".join(map(json.dumps, records)),
    }
    return write(tmp_path / "in", files)


async def test_every_format_is_found_with_offsets_that_hold(library: Library, folder: Path) -> None:
    report = await library.ingest([folder], caller=ANNA)
    assert (report.read, report.failed, report.skipped) == (7, [], [])
    found = await library.search("Gebühr Rathaus Biotonne Hund Friedhof Anmeldung umzieht", caller=ANNA, limit=50)
    formats = ("steuern/hund.md", "abfuhr.html", "rathaus.txt", "satzung.pdf", "ordnung.docx", "melden.jsonl/par-1")
    assert {passage.document for passage in found.passages} >= {*formats}
    for passage in found.passages:
        stored = await library.text(passage.document, ANNA)
        assert stored.text[passage.start : passage.end] == passage.text
    scores = [passage.score for passage in found.passages]
    assert scores == sorted(scores, reverse=True)
    assert scores[-1] > 0


async def test_search_names_heading_and_page(library: Library, folder: Path) -> None:
    await library.ingest([folder], caller=ANNA)
    [best] = (await library.search("Wer ist von der Hundesteuer befreit?", caller=ANNA, limit=1)).passages
    assert (best.document, best.title) == ("steuern/hund.md", "Hundesteuer in Birkenfurt")
    [best] = (await library.search("Wonach richtet sich die Höhe der Abwassergebühr?", caller=ANNA, limit=1)).passages
    assert (best.document, best.page) == ("satzung.pdf", 1)
    assert (await library.search("?!", caller=ANNA)).passages == []


async def test_a_second_ingestion_reads_only_what_changed(library: Library, folder: Path) -> None:
    await library.ingest([folder], caller=ANNA)
    again = await library.ingest([folder], caller=ANNA)
    assert (again.read, again.replaced, again.unchanged, again.removed) == (0, 0, 7, 0)
    write(folder, {"rathaus.txt": "Das Rathaus öffnet jetzt um 9 Uhr.", "neu.txt": "Das Freibad ist neu."})
    (folder / "abfuhr.html").unlink()
    changed = await library.ingest([folder], caller=ANNA)
    assert (changed.read, changed.replaced, changed.unchanged, changed.removed) == (1, 1, 5, 1)
    assert sorted(changed.documents) == ["neu.txt", "rathaus.txt"]
    names = [document.id for document in (await library.documents(ANNA)).documents]
    assert names == sorted({*names})
    assert "abfuhr.html" not in names
    found = await library.search("Wann öffnet das Rathaus?", caller=ANNA, limit=50)
    assert [passage.text for passage in found.passages if passage.document == "rathaus.txt"] == [
        "Das Rathaus öffnet jetzt um 9 Uhr."
    ]
    assert all(passage.document != "abfuhr.html" for passage in found.passages)


async def test_a_file_has_one_name_whichever_way_it_is_reached(library: Library, folder: Path) -> None:
    await library.ingest([folder], caller=ANNA)
    (folder / "link.txt").symlink_to(folder / "rathaus.txt")
    paths = [folder / "steuern" / ".." / "rathaus.txt", folder / "steuern", folder / "link.txt"]
    report = await library.ingest(paths, caller=ANNA)
    assert (report.read, report.unchanged, report.removed) == (0, 2, 0)
    assert [problem.name for problem in report.skipped] == ["link.txt"]


async def test_a_file_that_breaks_keeps_its_last_good_text(library: Library, folder: Path) -> None:
    await library.ingest([folder], caller=ANNA)
    write(folder, {"satzung.pdf": b"%PDF-1.4 broken"})
    report = await library.ingest([folder], caller=ANNA)
    assert [problem.name for problem in report.failed] == ["satzung.pdf"]
    assert SENTENCE.strip() in (await library.text("satzung.pdf", ANNA)).text


@pytest.mark.timeout(60)
async def test_bad_files_fail_alone_with_their_names(tmp_path: Path) -> None:
    library = Library(KnowledgeConfig(home=tmp_path / "home", parse_seconds=6))
    folder = write(
        tmp_path / "in",
        {
            "good.md": "# Gut\n\nAlles ist gut.",
            "empty.txt": "",
            "garbage.pdf": bytes(range(1, 256)) * 20,
            "fake.docx": b"PK\x03\x04zip",
            "deep.html": "<div>" * 200_000 + "tief",
            "program.bin": b"\0",
            "collection.json": "{}",
            ".hidden.txt": "unsichtbar",
        },
    )
    (folder / "loop").symlink_to(folder)
    os.mkfifo(folder / "pipe.txt")
    report = await library.ingest([folder], caller=ANNA)
    assert report.documents == ["good.md"]
    assert {problem.name for problem in report.failed} >= {"empty.txt", "garbage.pdf", "fake.docx", "collection.json"}
    assert sorted(problem.name for problem in report.skipped) == ["loop", "pipe.txt", "program.bin"]
    assert all(problem.reason.endswith((".", "seconds.")) for problem in (*report.failed, *report.skipped))


@pytest.mark.timeout(60)
async def test_a_file_that_takes_too_long_or_is_too_large_fails_alone(tmp_path: Path) -> None:
    config = KnowledgeConfig(home=tmp_path / "home", parse_seconds=6, max_file_bytes=400_000, readers=1)
    library = Library(config)
    folder = write(
        tmp_path / "in", {"a.html": "<i><b>" * 60_000, "b.txt": "x" * 400_001, "c.txt": "Das Freibad öffnet im Mai."}
    )
    report = await library.ingest([folder], caller=ANNA)
    assert report.documents[-1] == "c.txt"
    assert "b.txt" in [problem.name for problem in report.failed]
    assert "Expected at most 400,000." in next(p.reason for p in report.failed if p.name == "b.txt")


@pytest.mark.timeout(120)
async def test_a_bomb_ends_its_reader_and_nothing_else(tmp_path: Path) -> None:
    config = KnowledgeConfig(home=tmp_path / "home", parse_seconds=60, parse_memory_bytes=300_000_000)
    folder = write(tmp_path / "in", {"bomb.pdf": pdf_bomb(), "good.txt": "Das Freibad öffnet im Mai."})
    report = await Library(config).ingest([folder], caller=ANNA)
    assert report.documents == ["good.txt"]
    [problem] = report.failed
    assert problem.name == "bomb.pdf"
    assert "memory" in problem.reason or "longer than 60 seconds" in problem.reason


@pytest.mark.timeout(60)
async def test_a_large_store_is_indexed_in_a_process_of_its_own(
    library: Library, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tools.knowledge import store

    monkeypatch.setattr(store, "_SMALL", 1)
    monkeypatch.setattr(store, "_WAITING", 0)
    await library.ingest([folder], caller=ANNA)
    opened = await store.Store.open(Place.of(library.config, ANNA.tenant))
    total, waiting = await opened.waiting()
    assert total > 6
    assert waiting == 0
    [best] = (await library.search("Wann öffnet das Rathaus?", caller=ANNA, limit=1)).passages
    assert best.document == "rathaus.txt"


async def test_a_reader_that_dies_is_replaced(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tools.knowledge import reader

    started: list[int] = []
    start = reader._Process.start

    async def deadly(config: KnowledgeConfig) -> reader._Process:
        process = await start(config)
        started.append(process._process.pid)
        if len(started) == 1:
            os.kill(process._process.pid, signal.SIGKILL)
        return process

    monkeypatch.setattr(reader._Process, "start", staticmethod(deadly))
    folder = write(tmp_path / "in", {f"{name}.txt": f"Das ist Dokument {name}." for name in "abcd"})
    report = await library.ingest([folder], caller=ANNA)
    assert report.read == 3
    assert [("SIGKILL" in problem.reason) for problem in report.failed] == [True]
    assert (await library.ingest([folder], caller=ANNA)).read == 1


async def test_paths_that_may_not_be_read_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    allowed, other = write(tmp_path / "ok", {"a.txt": "Gut."}), write(tmp_path / "other", {"b.txt": "Geheim."})
    library = Library(KnowledgeConfig(home=tmp_path / "home", allowed_roots=(allowed,)))
    with pytest.raises(Forbidden, match="outside of the folders"):
        await library.ingest([other], caller=ANNA)
    with pytest.raises(NotFound, match="is not there"):
        await library.ingest([allowed / "missing"], caller=ANNA)

    def denied(path: object = ".") -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "scandir", denied)  # tests may run as root, who may read everything
    with pytest.raises(Forbidden, match="may not be read by this process"):
        await library.ingest([allowed], caller=ANNA)


async def test_tenants_do_not_see_each_other(library: Library, folder: Path) -> None:
    await library.ingest([folder], caller=ANNA)
    await library.ingest(documents=[Inline("rathaus.txt", "Das Landratsamt öffnet um 7 Uhr.".encode())], caller=BERT)
    found = await library.search("Wann öffnet das Rathaus?", caller=BERT, limit=50)
    assert [passage.text for passage in found.passages] == ["Das Landratsamt öffnet um 7 Uhr."]
    assert (await library.documents(BERT)).total == 1
    with pytest.raises(NotFound):
        await library.text("steuern/hund.md", BERT)
    assert (await library.delete(["steuern/hund.md", "rathaus.txt"], BERT)).deleted == ["rathaus.txt"]
    assert (await library.text("rathaus.txt", ANNA)).text.startswith("Das Rathaus")
    quoted = Caller(subject="eve", tenant="x' OR '1'='1")
    assert (await library.documents(quoted)).total == 0
    assert (await library.search("Rathaus", caller=quoted)).passages == []


async def test_the_same_name_from_two_folders_gives_two_documents(library: Library, tmp_path: Path) -> None:
    one = write(tmp_path / "one", {"info.txt": "Das Museum öffnet sonntags."})
    two = write(tmp_path / "two", {"info.txt": "Das Archiv öffnet montags."})
    await library.ingest([one], caller=ANNA)
    await library.ingest([two], caller=ANNA)
    names = [document.id for document in (await library.documents(ANNA)).documents]
    assert len(names) == 2
    assert "info.txt" in names
    again = await library.ingest([two], caller=ANNA)
    assert (again.unchanged, again.removed) == (1, 0)
    write(two, {"info.txt": "Das Archiv öffnet dienstags."})
    await library.ingest([two], caller=ANNA)
    assert [document.id for document in (await library.documents(ANNA)).documents] == names


async def test_a_deleted_document_comes_back_only_when_it_is_ingested_again(library: Library, folder: Path) -> None:
    await library.ingest([folder], caller=ANNA)
    gone = await library.delete(["rathaus.txt", "nie.txt"], ANNA)
    assert (gone.deleted, gone.missing) == (["rathaus.txt"], ["nie.txt"])
    found = await library.search("Wann öffnet das Rathaus?", caller=ANNA, limit=50)
    assert all(passage.document != "rathaus.txt" for passage in found.passages)
    assert (await library.ingest([folder], caller=ANNA)).documents == ["rathaus.txt"]


async def test_many_documents_are_told_as_progress(library: Library, tmp_path: Path) -> None:
    lines = "\n".join(json.dumps({"id": str(n), "text": f"Bescheid {n} der Stadt ergeht."}) for n in range(1_300))
    folder = write(tmp_path / "in", {"bescheide.jsonl": lines, "a.txt": "Ein Brief."})
    seen: list[tuple[float, float]] = []

    async def on_progress(done: float, total: float, message: str) -> None:
        seen.append((done, total))

    report = await library.ingest([folder], caller=ANNA, on_progress=on_progress)
    assert (report.read, len(report.documents)) == (1_301, 100)
    assert len(seen) >= 13
    assert {total for _, total in seen} == {2}
    assert seen[-1] == (2, 2)
    [best] = (await library.search("Bescheid 1234", caller=ANNA, limit=1)).passages
    assert best.document == "bescheide.jsonl/1234"


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    """A folder whose ingestion by another process was killed after a part of it was stored."""
    lines = "\n".join(json.dumps({"id": str(n), "text": f"Bescheid {n} der Stadt ergeht."}) for n in range(1_200))
    folder = write(tmp_path / "in", {"bescheide.jsonl": lines})
    code = f"""
import anyio, os, pathlib, signal
from tools.base import Caller
from tools.knowledge import KnowledgeConfig
from tools.knowledge.library import Library
from tools.knowledge.store import Store
add = Store.add
async def once(self, caller, batch):
    await add(self, caller, batch)
    if batch:
        os.kill(os.getpid(), signal.SIGKILL)
Store.add = once
library = Library(KnowledgeConfig(home=pathlib.Path({str(tmp_path / "home")!r})))
async def main():
    await library.ingest([{str(folder)!r}], caller=Caller(subject="anna", tenant="stadt"))
anyio.run(main)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    return folder


async def test_an_ingestion_killed_in_the_middle_leaves_no_duplicates(library: Library, killed: Path) -> None:
    before = (await library.documents(ANNA)).total
    assert 0 < before < 1_200
    with anyio.fail_after(60):
        report = await library.ingest([killed], caller=ANNA)
    assert report.read == 1_200
    documents = await library.documents(ANNA)
    assert documents.total == 1_200
    assert len({document.id for document in documents.documents}) == 1_200
    found = await library.search("Bescheid 17", caller=ANNA, limit=50)
    places = [(passage.document, passage.start) for passage in found.passages]
    assert len(places) == len(set(places)) == 50


async def test_another_library_sees_what_was_ingested_beside_it(library: Library, folder: Path) -> None:
    other = Library(library.config)
    assert (await other.search("Rathaus", caller=ANNA)).passages == []
    await library.ingest([folder], caller=ANNA)
    assert (await other.search("Wann öffnet das Rathaus?", caller=ANNA, limit=1)).passages[0].document == "rathaus.txt"


async def test_a_store_of_another_format_is_named(library: Library, tmp_path: Path) -> None:
    await library.documents(ANNA)
    (tmp_path / "home" / "format").write_text("0")
    with pytest.raises(SetupError, match="has format '0'"):
        await Library(library.config).documents(ANNA)
    shutil.rmtree(tmp_path / "home")
    assert (await Library(library.config).documents(ANNA)).total == 0


async def test_a_shelf_is_apart_from_everything_else(library: Library) -> None:
    text = "Das Freibad in Birkenfurt öffnet am ersten Mai um neun Uhr."
    await library.ingest(documents=[Inline("bad.txt", text.encode())], caller=ANNA)
    await library.ingest(documents=[Inline("bad.txt", (text + " Neu.").encode())], caller=ANNA, shelf="vs_1")
    for shelf, end in ((None, "Uhr."), ("vs_1", "Neu.")):
        [found] = (await library.search("Wann öffnet das Freibad?", caller=ANNA, shelf=shelf)).passages
        assert (found.document, found.text.endswith(end)) == ("bad.txt", True)
        assert (await library.documents(ANNA, shelf=shelf)).total == 1
    assert (await library.search("Freibad", caller=ANNA, shelf="vs_2")).passages == []
    assert (await library.search("Freibad", caller=BERT, shelf="vs_1")).passages == []
    await library.forget_all(ANNA, shelf="vs_1")
    assert (await library.search("Freibad", caller=ANNA, shelf="vs_1")).passages == []
    assert (await library.documents(ANNA, shelf="vs_1")).total == 0
    assert len((await library.search("Freibad", caller=ANNA)).passages) == 1


async def test_a_search_can_keep_to_some_files_and_files_can_be_forgotten(library: Library) -> None:
    items = [Inline(f"file-{n}/bad.txt", f"Das Freibad {n} öffnet um neun Uhr.".encode()) for n in range(3)]
    await library.ingest(documents=items, caller=ANNA, shelf="vs_1")
    wanted = [items[0].source, items[2].source]
    found = await library.search("Freibad", caller=ANNA, shelf="vs_1", sources=wanted)
    assert {passage.document for passage in found.passages} == {"file-0/bad.txt", "file-2/bad.txt"}
    assert (await library.search("Freibad", caller=ANNA, shelf="vs_1", sources=[])).passages == []
    await library.forget(wanted, ANNA, shelf="vs_1")
    [left] = (await library.search("Freibad", caller=ANNA, shelf="vs_1")).passages
    assert left.document == "file-1/bad.txt"
    assert (await library.ingest(documents=items[:1], caller=ANNA, shelf="vs_1")).read == 1


@pytest.mark.parametrize("form", ["1", "2"])
async def test_a_store_of_an_older_format_is_brought_up_to_date(
    library: Library, folder: Path, tmp_path: Path, form: str
) -> None:
    import lancedb

    home = library.config.home
    await library.ingest([folder], caller=ANNA)
    await library.ingest(documents=[Inline("brief.txt", b"Das Rathaus schreibt an Bert.")], caller=BERT)
    before = [_place(found) for found in (await library.search("Wann öffnet das Rathaus?", caller=ANNA)).passages]
    old = await lancedb.connect_async(home / "old")
    for name in ("files", "documents", "chunks"):
        for tenant in ("stadt", "kreis"):
            rows = await (await (await lancedb.connect_async(home / "lance" / tenant)).open_table(name)).to_arrow()
            later = ["access", "readers", "date", "metadata", "owner", "tags"]
            later += ["ingested_at", "language", "media_type"] if name == "chunks" else []
            later += ["collection"] if form == "1" else []
            rows = rows.drop_columns([column for column in later if column in rows.column_names])
            if form == "2":  # the collection without a name
                at = rows.column_names.index("collection")
                rows = rows.set_column(at, "collection", [[""] * rows.num_rows])
            await (await old.create_table(name, schema=rows.schema, exist_ok=True)).add(rows)
    shutil.rmtree(home / "lance")
    (home / "old").rename(home / "lance")
    (home / "format").write_text(form)
    opened = Library(library.config)
    after = (await opened.search("Wann öffnet das Rathaus?", caller=ANNA)).passages
    assert [_place(found) for found in after] == before
    assert [found.id for found in (await opened.documents(BERT)).documents] == ["brief.txt"]
    assert (home / "format").read_text() == "3"
    assert sorted(path.name for path in home.iterdir()) == ["format", "lance", "writer.lock"]
    assert (await opened.ingest([folder], caller=ANNA)).read == 0


def _place(found: Passage) -> tuple[str, int, int, str, float]:
    return found.document, found.start, found.end, found.text, round(found.score, 4)
