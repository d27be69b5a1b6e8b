"""Who may read what: nobody can find, cite, count or guess what they may not read."""

import importlib
from pathlib import Path

import pytest
from collections_of import ALL, Shelves

from tools.base import Access, Caller, Collection, Forbidden, NotFound
from tools.knowledge import Filter, KnowledgeConfig
from tools.knowledge.library import Inline, Library

pytestmark = pytest.mark.anyio
ANNA = Caller(subject="anna", tenant="stadt", groups=frozenset({"personal"}))
BERT = Caller(subject="bert", tenant="stadt", groups=frozenset({"bauamt"}))
CLARA = Caller(subject="clara", tenant="stadt", groups=frozenset({"personal"}))
DORA = Caller(subject="dora", tenant="kreis", groups=frozenset({"personal"}))
OPEN = "Das Rathaus öffnet montags um acht Uhr."
SECRET = "Die Abmahnung von Herrn Zacharias wurde im Rathaus am Montag zugestellt."
QUERIES = ("Abmahnung Zacharias", "Wann öffnet das Rathaus?", "Montag", "zugestellt")


@pytest.fixture(scope="module", autouse=True)
def imported() -> None:
    importlib.import_module("tools.knowledge.store")


@pytest.fixture
def shelves() -> Shelves:
    rules = {
        "personal": Collection(name="personal", owner="anna", readers=Access(groups=("personal",))),
        "bau": Collection(name="bau", owner="bert", readers=ALL, editors=Access(users=("bert",))),
    }
    return Shelves(rules)


@pytest.fixture
def library(tmp_path: Path, shelves: Shelves) -> Library:
    return Library(KnowledgeConfig(home=tmp_path / "home"), shelves)


def doc(name: str, text: str) -> list[Inline]:
    return [Inline(name, text.encode())]


async def seen(library: Library, caller: Caller) -> str:
    """Everything the library tells a caller, whatever is asked; but for scores, which count words of all documents."""
    found: list[object] = [await library.documents(caller)]
    for query in QUERIES:
        for wanted in (None, Filter(language="de")):
            result = await library.search(query, caller=caller, limit=50, why=True, around=1, filter=wanted)
            found += [passage.model_copy(update={"score": 0.0}) for passage in result.passages]
    for document in ("akte.txt", "personal:akte.txt"):
        for ask in (library.text(document, caller), library.similar(document, caller=caller)):
            with pytest.raises(NotFound) as raised:
                await ask
            found.append(str(raised.value))
        found.append(await library.delete([document], caller))
    with pytest.raises(NotFound) as raised:
        await library.search("Montag", caller=caller, collections=["personal"])
    return str([*found, str(raised.value)])


async def test_others_are_told_the_same_whether_a_hidden_document_is_there_or_not(library: Library) -> None:
    await library.ingest(documents=doc("rathaus.txt", OPEN), caller=BERT)
    before = [await seen(library, other) for other in (BERT, DORA)]
    await library.ingest(documents=doc("akte.txt", SECRET), caller=ANNA, collection="personal")
    [akte] = (await library.search("Abmahnung Zacharias", caller=CLARA, limit=1)).passages
    assert (akte.document, akte.collection) == ("personal:akte.txt", "personal")
    assert [await seen(library, other) for other in (BERT, DORA)] == before
    assert (await library.documents(CLARA)).total == 2


async def test_what_is_not_readable_answers_like_what_is_not_there(library: Library, shelves: Shelves) -> None:
    await library.ingest(documents=doc("akte.txt", SECRET), caller=ANNA, collection="personal")
    hidden = await library.delete(["personal:akte.txt", "nirgends.txt"], BERT)
    assert (hidden.deleted, hidden.missing) == ([], ["personal:akte.txt", "nirgends.txt"])
    errors: list[str] = []
    for name in ("personal", "nirgends"):
        for ask in (
            lambda: library.search("x", caller=BERT, collections=[name]),  # noqa: B023 - used at once
            lambda: library.documents(BERT, collection=name),  # noqa: B023 - as above
            lambda: library.ingest(documents=doc("x.txt", OPEN), caller=BERT, collection=name),  # noqa: B023 - as above
        ):
            with pytest.raises(NotFound) as raised:
                await ask()
            errors.append(str(raised.value).replace(name, "…"))
    assert errors[:3] == errors[3:]


async def test_a_document_may_narrow_the_readers_of_its_collection(library: Library) -> None:
    await library.ingest(documents=doc("rathaus.txt", OPEN), caller=BERT, collection="bau")
    secret = Access(groups=("bauamt",))
    report = await library.ingest(documents=doc("akte.txt", SECRET), caller=BERT, collection="bau", access=secret)
    [id] = report.documents
    assert id.startswith("bau:akte.txt~")
    assert (await library.text(id, BERT)).text == SECRET
    assert (await library.documents(ANNA)).total == 1
    with pytest.raises(NotFound):
        await library.text(id, ANNA)
    assert {found.document for found in (await library.search("Montag", caller=ANNA)).passages} == {"bau:rathaus.txt"}
    # A wider list than the collection's does not widen it.
    await library.ingest(
        documents=doc("b.txt", SECRET), caller=ANNA, collection="personal", access=Access(users=("bert",))
    )
    assert "b.txt" not in str(await library.documents(BERT))


async def test_who_brings_a_document_of_a_hidden_name_learns_nothing(library: Library, shelves: Shelves) -> None:
    both = Collection(name="bau", readers=ALL, editors=ALL)
    shelves.rules["bau"] = both
    only = Access(groups=("personal",))
    await library.ingest(documents=doc("akte.txt", SECRET), caller=ANNA, collection="bau", access=only)
    for text in (SECRET, OPEN):  # the same content, and another
        report = await library.ingest(documents=doc("akte.txt", text), caller=BERT, collection="bau")
        assert report.documents == ["bau:akte.txt"]
        assert (report.read, report.replaced, report.unchanged) == ((1, 0, 0) if text == SECRET else (0, 1, 0))
    assert {found.id.partition("~")[0] for found in (await library.documents(ANNA)).documents} == {"bau:akte.txt"}
    assert (await library.documents(ANNA)).total == 2


async def test_reading_again_for_other_readers_replaces_what_one_had_brought(library: Library) -> None:
    only = Access(users=("bert",))
    await library.ingest(documents=doc("akte.txt", SECRET), caller=BERT)
    assert (await library.documents(ANNA)).total == 1
    await library.ingest(documents=doc("akte.txt", SECRET), caller=BERT, access=only)
    assert (await library.documents(ANNA)).total == 0
    assert (await library.documents(BERT)).total == 1
    await library.ingest(documents=doc("akte.txt", SECRET), caller=BERT)
    assert (await library.documents(ANNA)).total == 1
    assert (await library.documents(BERT)).total == 1


async def test_who_may_read_may_not_change(library: Library) -> None:
    await library.ingest(documents=doc("rathaus.txt", OPEN), caller=BERT, collection="bau")
    for act in (
        library.ingest(documents=doc("x.txt", OPEN), caller=ANNA, collection="bau"),
        library.delete(["bau:rathaus.txt"], ANNA),
    ):
        with pytest.raises(Forbidden):
            await act
    assert (await library.documents(ANNA)).total == 1


async def test_readers_withdrawn_are_shut_out_with_the_next_question(library: Library, shelves: Shelves) -> None:
    await library.ingest(documents=doc("akte.txt", SECRET), caller=ANNA, collection="personal")
    assert (await library.search("Zacharias", caller=CLARA)).passages
    shelves.rules["personal"] = Collection(name="personal", owner="anna")
    assert not (await library.search("Zacharias", caller=CLARA)).passages
    assert (await library.search("Zacharias", caller=ANNA)).passages


async def test_what_is_past_its_time_is_not_found(library: Library, shelves: Shelves) -> None:
    from datetime import UTC, datetime, timedelta

    from tools.knowledge.place import Place
    from tools.knowledge.store import Store

    await library.ingest(documents=doc("akte.txt", SECRET), caller=ANNA, collection="personal")
    store = await Store.open(Place.of(library.config, "stadt"))
    old = datetime.now(UTC) - timedelta(days=31)
    for table in (store._documents, store._chunks):
        await table.update({"ingested_at": old})
    assert (await library.documents(ANNA)).total == 1
    shelves.rules["personal"] = Collection(name="personal", owner="anna", retention_days=30)
    assert (await library.documents(ANNA)).total == 0
    assert not (await library.search("Zacharias", caller=ANNA)).passages
    shelves.rules["personal"] = Collection(name="personal", owner="anna", retention_days=32)
    assert (await library.search("Zacharias", caller=ANNA)).passages


async def test_names_that_are_sql_stay_names(library: Library, shelves: Shelves) -> None:
    eve = Caller(subject="x' OR '1'='1", tenant="stadt", groups=frozenset({"') OR true --"}))
    await library.ingest(documents=doc("akte.txt", SECRET), caller=ANNA, collection="personal")
    assert (await library.documents(eve)).total == 0
    assert (await library.search("Zacharias", caller=eve)).passages == []
    sly = Filter(metadata={"a'b": ["x') OR true --"]}, documents=["' OR '1'='1"], media_types=["') OR true --"])
    assert (await library.search("Zacharias", caller=eve, filter=sly)).passages == []


async def test_a_filter_keeps_to_documents_of_its_kind(library: Library) -> None:
    page = "---\ntitle: Bad\ndate: {date}\namt: {office}\n---\n\nDas Freibad öffnet um neun Uhr.\n"
    for number, (day, office) in enumerate((("2024-05-01", "Bäder"), ("2026-05-01", "Bäder"), ("2026-06-01", "Sport"))):
        await library.ingest(documents=doc(f"{number}.md", page.format(date=day, office=office)), caller=ANNA)

    async def found(**given: object) -> list[str]:
        passages = (await library.search("Freibad", caller=ANNA, filter=Filter.model_validate(given))).passages
        return sorted(passage.document for passage in passages)

    assert await found() == ["0.md", "1.md", "2.md"]
    assert await found(metadata={"amt": "Bäder"}) == ["0.md", "1.md"]
    assert await found(metadata={"amt": ["Sport", "Bäder"]}, after="2026-05-01") == ["1.md", "2.md"]
    assert await found(after="2026-01-01", before="2026-06-01") == ["1.md"]
    assert await found(documents=["2.md"]) == ["2.md"]
    assert await found(media_types=["application/pdf"]) == []
    assert await found(language="en") == []


async def test_a_passage_says_why_it_was_found_and_what_stands_around_it(library: Library) -> None:
    text = "\n\n".join(
        [
            "# Abfall",
            *(f"## Teil {n}\n\n" + f"Im Teil {n} steht vieles über Abfall. " * 9 for n in range(3)),
            "## Tonne",
            "Die Biomülltonne wird dienstags geleert.",
        ]
    )
    await library.ingest(documents=doc("abfall.md", text), caller=ANNA)
    [hit] = (await library.search("Wann wird Biomüll geleert?", caller=ANNA, limit=1, why=True, around=1)).passages
    assert hit.why is not None
    assert hit.why.words == ["wird", "geleert"]
    assert hit.why.parts == ["biomüll"]
    assert hit.why.missing == ["wann"]
    assert hit.why.lexical == 1.0
    stored = (await library.text("abfall.md", ANNA)).text
    assert hit.around is not None
    assert hit.around.start < hit.start
    assert stored[hit.around.start : hit.around.end] == hit.around.text
    assert "Teil 2" in hit.around.text
    assert "Teil 1" not in hit.around.text


async def test_more_like_a_document_leaves_it_out_itself(library: Library) -> None:
    await library.ingest(documents=doc("a.txt", "Das Freibad öffnet um neun Uhr."), caller=ANNA)
    await library.ingest(documents=doc("b.txt", "Das Hallenbad öffnet um zehn Uhr."), caller=ANNA)
    await library.ingest(documents=doc("c.txt", "Der Hund braucht eine Marke."), caller=ANNA)
    found = [passage.document for passage in (await library.similar("a.txt", caller=ANNA, limit=2)).passages]
    assert found[0] == "b.txt"
    assert "a.txt" not in found
    with pytest.raises(NotFound, match="has no passage at 999"):
        await library.similar("a.txt", caller=ANNA, start=999)
