"""The contract of the knowledge base, the same for our own tables and for a RAGFlow server in both its shapes."""

import importlib
from collections.abc import AsyncGenerator, Generator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from fake_ragflow import KEY, FakeRagflow, ragflow
from pydantic import SecretStr

from tools.base import Access, Caller, Collection, Forbidden, NotFound, Reach
from tools.knowledge import Filter, KnowledgeConfig
from tools.knowledge.files import Inline
from tools.knowledge.library import Library
from tools.knowledge.shelf import Shelf
from tools.ragflow import RagflowCollection, RagflowConfig
from tools.ragflow.library import RagflowLibrary

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]

ANNA = Caller(subject="anna", tenant="stadt", groups=frozenset({"bauamt"}))
BERT = Caller(subject="bert", tenant="stadt")
ZOE = Caller(subject="Anna", tenant="stadt")
CARL = Caller(subject="anna", tenant="kreis", groups=frozenset({"bauamt"}))
DOG = "# Hundesteuer\n\nDie Hundesteuer beträgt 120 Euro im Jahr.\n\nFür den zweiten Hund beträgt sie 240 Euro."
WASTE = "# Biotonne\n\nDie Biotonne wird jeden Dienstag geleert, im Sommer auch am Freitag."
SECRET = "# Gehälter\n\nDas Gehalt der Amtsleitung beträgt 7000 Euro im Monat."


@dataclass
class Rights:
    """Reads: the collection with its groups, null for everyone; only Anna of the city writes."""

    collections: dict[str, str | None] = field(default_factory=lambda: {"default": None, "personal": "bauamt"})

    async def of(self, caller: Caller) -> Reach:
        open_ = {name: None for name, group in self.collections.items() if group is None or group in caller.groups}
        return Reach(caller, open_)

    async def list(self, caller: Caller) -> list[Collection]:
        return [Collection(name=name) for name in (await self.of(caller)).collections]

    async def writable(self, caller: Caller, collection: str) -> None:
        if collection not in (await self.of(caller)).collections:
            raise NotFound(f"The collection {collection!r} is not there.")
        if caller.subject != "anna":
            raise Forbidden(f"The collection {collection!r} may not be changed.")


@pytest.fixture(scope="session", autouse=True)
def imported() -> None:
    """Importing LanceDB takes seconds on a busy machine; the time of a test is its own."""
    importlib.import_module("tools.knowledge.store")


@pytest.fixture(scope="module")
def servers() -> Generator[dict[str, FakeRagflow]]:
    with ragflow("0.27") as old, ragflow("1.0") as new:
        yield {"ragflow 0.27": old, "ragflow 1.0": new}


@pytest.fixture(params=["embedded", "ragflow 0.27", "ragflow 1.0"])
async def shelf(
    request: pytest.FixtureRequest, servers: dict[str, FakeRagflow], tmp_path: Path
) -> AsyncGenerator[Shelf]:
    if request.param == "embedded":
        async with Library(KnowledgeConfig(home=tmp_path / "home"), Rights()) as library:
            yield library
        return
    mapped = tuple(
        RagflowCollection(tenant=tenant, collection=name, dataset=f"{tenant}-{name}", narrowed=f"{tenant}-{name}-few")
        for tenant in ("stadt", "kreis")
        for name in ("default", "personal")
    )
    fake = servers[request.param].cleared(*(id for one in mapped for id in (one.dataset, str(one.narrowed))))
    config = RagflowConfig(url=fake.url, key=SecretStr(KEY), collections=mapped)
    async with RagflowLibrary(config, Rights()) as library:
        yield library


async def test_what_is_brought_is_found_with_a_text_that_stands_at_its_offsets(shelf: Shelf) -> None:
    report = await shelf.ingest(
        documents=[Inline("hund.md", DOG.encode()), Inline("bio.md", WASTE.encode())], caller=ANNA
    )
    assert (report.read, report.replaced, report.failed, len(report.documents)) == (2, 0, [], 2)
    found = (await shelf.search("Was kostet die Hundesteuer?", caller=BERT)).passages
    assert "120 Euro" in " ".join(passage.text for passage in found)
    for passage in found:
        told = await shelf.text(passage.document, BERT)
        assert told.text[passage.start : passage.end] == passage.text
        assert passage.collection == told.document.collection == "default"
        quote = passage.cite(0, len(passage.text))
        assert told.text[quote.start : quote.end] == quote.quote


async def test_neighbours_and_reasons_come_with_a_passage_where_they_are_asked_for(shelf: Shelf) -> None:
    await shelf.ingest(documents=[Inline("hund.md", DOG.encode())], caller=ANNA)
    found = (await shelf.search("Hundesteuer Friedhof", caller=ANNA, around=1, why=True)).passages[0]
    assert found.around is not None and found.why is not None
    text = (await shelf.text(found.document, ANNA)).text
    assert text[found.around.start : found.around.end] == found.around.text
    assert found.around.start <= found.start and found.end <= found.around.end
    assert found.why.words == ["hundesteuer"] and found.why.missing == ["friedhof"]


async def test_documents_are_listed_with_what_is_known_of_them_page_by_page(shelf: Shelf) -> None:
    await shelf.ingest(documents=[Inline("hund.md", DOG.encode()), Inline("bio.md", WASTE.encode())], caller=ANNA)
    listed = await shelf.documents(BERT)
    assert listed.total == 2
    for document in listed.documents:
        text = (await shelf.text(document.id, BERT)).text
        assert (document.size, document.language, document.media_type) == (len(text), "de", "text/markdown")
        assert document.chunks > 0 and document.readers is None
    pages = [await shelf.documents(BERT, limit=1, offset=offset) for offset in (0, 1, 2)]
    assert [page.total for page in pages] == [2, 2, 2]
    assert [one.id for page in pages for one in page.documents] == [one.id for one in listed.documents]


async def test_the_same_again_is_left_and_what_changed_is_replaced(shelf: Shelf) -> None:
    await shelf.ingest(documents=[Inline("hund.md", DOG.encode())], caller=ANNA)
    again = await shelf.ingest(documents=[Inline("hund.md", DOG.encode())], caller=ANNA)
    assert (again.read, again.replaced, again.unchanged) == (0, 0, 1)
    changed = await shelf.ingest(documents=[Inline("hund.md", DOG.replace("120", "130").encode())], caller=ANNA)
    assert (changed.read, changed.replaced, changed.unchanged) == (0, 1, 0)
    found = " ".join(one.text for one in (await shelf.search("Hundesteuer Euro", caller=ANNA)).passages)
    assert "130 Euro" in found and "120 Euro" not in found
    assert (await shelf.documents(ANNA)).total == 1


async def test_a_collection_that_is_not_reached_shows_in_nothing(shelf: Shelf) -> None:
    report = await shelf.ingest(documents=[Inline("gehalt.md", SECRET.encode())], caller=ANNA, collection="personal")
    [id] = report.documents
    await shelf.ingest(documents=[Inline("bio.md", WASTE.encode())], caller=ANNA)
    assert (await shelf.search("Gehalt der Amtsleitung", caller=ANNA)).passages[0].document == id
    assert (await shelf.search("Gehalt der Amtsleitung", caller=BERT)).passages == []
    assert (await shelf.documents(BERT)).total == 1
    with pytest.raises(NotFound) as hidden:
        await shelf.text(id, BERT)
    with pytest.raises(NotFound) as missing:
        await shelf.text("0" * len(id), BERT)
    assert str(hidden.value).replace(id, "…") == str(missing.value).replace("0" * len(id), "…")
    for name in ("personal", "nowhere"):
        with pytest.raises(NotFound, match=f"The collection '{name}' is not there"):
            await shelf.search("Gehalt", caller=BERT, collections=[name])
        with pytest.raises(NotFound, match=f"The collection '{name}' is not there"):
            await shelf.documents(BERT, collection=name)
    with pytest.raises(NotFound):
        await shelf.ingest(documents=[Inline("x.md", b"# X\n\nText")], caller=BERT, collection="personal")
    with pytest.raises(NotFound):
        await shelf.similar(id, caller=BERT)


async def test_a_document_with_readers_of_its_own_shows_to_nobody_else(shelf: Shelf) -> None:
    few = Access(groups=("bauamt",))
    report = await shelf.ingest(documents=[Inline("gehalt.md", SECRET.encode())], caller=ANNA, access=few)
    [id] = report.documents
    assert (await shelf.documents(ANNA)).documents[0].readers == ["group:bauamt", "user:anna"]
    assert (await shelf.search("Gehalt der Amtsleitung", caller=ANNA)).passages[0].title != ""
    for other in (BERT, ZOE):
        assert (await shelf.search("Gehalt der Amtsleitung", caller=other)).passages == []
        assert (await shelf.search("Gehalt", caller=other, filter=Filter(documents=[id]))).passages == []
        assert (await shelf.documents(other)).total == 0
        with pytest.raises(NotFound):
            await shelf.text(id, other)


async def test_another_tenant_has_nothing_of_it_even_with_the_same_names(shelf: Shelf) -> None:
    [id] = (await shelf.ingest(documents=[Inline("hund.md", DOG.encode())], caller=ANNA)).documents
    assert (await shelf.search("Hundesteuer", caller=CARL)).passages == []
    assert (await shelf.documents(CARL)).total == 0
    with pytest.raises(NotFound):
        await shelf.text(id, CARL)
    assert (await shelf.delete([id], CARL)).missing == [id]
    await shelf.ingest(documents=[Inline("hund.md", WASTE.encode())], caller=CARL)
    assert "120 Euro" in (await shelf.text(id, BERT)).text


async def test_filters_are_part_of_the_question(shelf: Shelf) -> None:
    documents = [Inline("hund.md", DOG.encode()), Inline("bio.txt", WASTE.encode())]
    await shelf.ingest(documents=documents, caller=ANNA)
    ids = {one.media_type: one.id for one in (await shelf.documents(ANNA)).documents}
    query = "Hundesteuer Biotonne"
    plain = await shelf.search(query, caller=ANNA, filter=Filter(media_types=["text/plain"]))
    assert {one.document for one in plain.passages} == {ids["text/plain"]}
    one = await shelf.search(query, caller=ANNA, filter=Filter(documents=[ids["text/markdown"]]))
    assert {one.document for one in one.passages} == {ids["text/markdown"]}
    assert (await shelf.search(query, caller=ANNA, filter=Filter(language="en"))).passages == []
    assert (await shelf.search(query, caller=ANNA, filter=Filter(metadata={"amt": "bau"}))).passages == []


async def test_more_like_a_document_comes_from_others(shelf: Shelf) -> None:
    like = "# Steuer\n\nDie Hundesteuer beträgt im Jahr einen Betrag in Euro, den der Rat beschließt."
    report = await shelf.ingest(
        documents=[Inline("hund.md", DOG.encode()), Inline("rat.md", like.encode())], caller=ANNA
    )
    for id in report.documents:
        found = (await shelf.similar(id, caller=BERT)).passages
        assert {one.document for one in found} == set(report.documents) - {id}
    with pytest.raises(NotFound, match="has no passage at 99999"):
        await shelf.similar(report.documents[0], caller=BERT, start=99_999)


async def test_who_may_only_read_changes_nothing(shelf: Shelf) -> None:
    [id] = (await shelf.ingest(documents=[Inline("hund.md", DOG.encode())], caller=ANNA)).documents
    with pytest.raises(Forbidden):
        await shelf.delete([id], BERT)
    with pytest.raises(Forbidden):
        await shelf.ingest(documents=[Inline("hund.md", b"# Leer\n\nNichts.")], caller=BERT)
    assert "120 Euro" in (await shelf.text(id, BERT)).text


async def test_what_is_deleted_is_gone(shelf: Shelf) -> None:
    documents = [Inline("hund.md", DOG.encode()), Inline("bio.md", WASTE.encode())]
    await shelf.ingest(documents=documents, caller=ANNA)
    ids = {one.title: one.id for one in (await shelf.documents(ANNA)).documents}
    dog = next(id for title, id in ids.items() if "und" in title)
    deleted = await shelf.delete([dog, "not-there"], ANNA)
    assert (deleted.deleted, deleted.missing) == ([dog], ["not-there"])
    assert {one.document for one in (await shelf.search("Hundesteuer Biotonne Euro", caller=ANNA)).passages} <= set(
        ids.values()
    ) - {dog}
    assert (await shelf.documents(ANNA)).total == 1
    with pytest.raises(NotFound):
        await shelf.text(dog, ANNA)


async def test_a_file_that_cannot_be_read_fails_alone(shelf: Shelf) -> None:
    documents = [Inline("leer.md", b"  \n"), Inline("bio.md", WASTE.encode())]
    report = await shelf.ingest(documents=documents, caller=ANNA)
    assert (report.read, [problem.name for problem in report.failed]) == (1, ["leer.md"])
    assert (await shelf.documents(ANNA)).total == 1


async def test_a_folder_is_read_with_its_names(shelf: Shelf, tmp_path: Path) -> None:
    (tmp_path / "in" / "steuern").mkdir(parents=True)
    (tmp_path / "in" / "steuern" / "hund.md").write_text(DOG)
    (tmp_path / "in" / "bild.png").write_bytes(b"\x89PNG")
    report = await shelf.ingest([tmp_path / "in"], caller=ANNA)
    assert (report.read, [problem.name for problem in report.skipped]) == (1, ["bild.png"])
    with pytest.raises(NotFound):
        await shelf.ingest([tmp_path / "nowhere"], caller=ANNA)
