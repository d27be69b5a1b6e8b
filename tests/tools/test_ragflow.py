"""A RAGFlow server as the knowledge base: what is sent to it, what its answers become, and what its faults become."""

from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest
from fake_ragflow import Asked, FakeRagflow, config, ragflow
from pydantic import SecretStr, ValidationError

from tools.base import (
    Access,
    Caller,
    Failed,
    InvalidInput,
    NotFound,
    OpenReach,
    Reach,
    TooLarge,
)
from tools.knowledge import Filter
from tools.knowledge.files import Inline
from tools.ragflow import RagflowCollection, RagflowConfig
from tools.ragflow.library import RagflowLibrary
from tools.ragflow.marks import Marks, Measured, shown, stored_name

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]

ANNA = Caller(subject="anna", groups=frozenset({"bauamt"}))
BERT = Caller(subject="bert")
TAX = "Die Hundesteuer beträgt 120 Euro.\n\nSie wird im Februar fällig."


@pytest.fixture(scope="module", params=["0.27", "1.0"])
def served(request: pytest.FixtureRequest) -> Generator[FakeRagflow]:
    with ragflow(request.param) as server:
        yield server


@pytest.fixture
def fake(served: FakeRagflow) -> FakeRagflow:
    return served.cleared("open", "few", "foreign")


@pytest.fixture
async def library(fake: FakeRagflow) -> AsyncGenerator[RagflowLibrary]:
    async with RagflowLibrary(config(fake)) as opened:
        yield opened


async def test_what_others_brought_to_the_dataset_is_found_listed_and_read(
    fake: FakeRagflow, library: RagflowLibrary
) -> None:
    doc = fake.add("open", "Hund.docx", TAX, amt="Steuern", jahr=2026)
    [passage] = (await library.search("Hundesteuer", caller=BERT)).passages
    assert (passage.document, passage.title, passage.page, passage.start) == (doc.id, "Hund.docx", None, 0)
    told = await library.text(doc.id, BERT)
    assert told.text == TAX
    assert told.document == (await library.documents(BERT)).documents[0]
    assert (told.document.size, told.document.chunks, told.document.language) == (len(TAX), 2, "de")
    assert told.document.metadata == {"amt": "Steuern", "jahr": "2026"}
    by_amt = await library.search("Hundesteuer", caller=BERT, filter=Filter(metadata={"amt": ["Bau", "Steuern"]}))
    assert [one.document for one in by_amt.passages] == [doc.id]


async def test_only_a_file_with_pages_tells_a_page(fake: FakeRagflow, library: RagflowLibrary) -> None:
    doc = fake.add("open", "satzung.pdf", "Erste Seite.\fDie Hundesteuer steht auf der zweiten.\fDritte Seite.")
    [passage] = (await library.search("Hundesteuer", caller=BERT)).passages
    assert passage.page == 2
    assert (await library.text(doc.id, BERT)).document.pages == 3


async def test_a_question_names_the_readable_datasets_and_no_others(fake: FakeRagflow, library: RagflowLibrary) -> None:
    fake.add("foreign", "fremd.txt", TAX)
    assert (await library.search("Hundesteuer", caller=BERT)).passages == []
    asked = [one.body["dataset_ids"] for one in fake.asked if one.path.endswith("/retrieval")]
    assert asked == [["open"]]
    assert not any("foreign" in one.path for one in fake.asked)


async def test_a_caller_without_collections_asks_nothing(fake: FakeRagflow) -> None:
    class Nothing(OpenReach):
        async def of(self, caller: Caller) -> Reach:
            return Reach(caller, {})

    async with RagflowLibrary(config(fake), Nothing()) as library:
        assert (await library.search("Hundesteuer", caller=BERT)).passages == []
        assert (await library.documents(BERT)).total == 0
    async with RagflowLibrary(config(fake)) as library:
        assert (await library.search("Hundesteuer", caller=Caller(subject="x", tenant="other"))).passages == []
    assert fake.asked == []


async def test_of_the_second_dataset_only_the_ids_that_may_be_read_are_asked_for(
    fake: FakeRagflow, library: RagflowLibrary
) -> None:
    fake.add("few", "niemand.txt", "Die Hundesteuer ohne Leser.")
    fake.add("few", "bert.txt", "Die Hundesteuer für Bert.", **Marks("bert.txt", readers=("user:bert",)).meta())
    [id] = (
        await library.ingest(documents=[Inline("b.txt", b"Die Hundesteuer im Bauamt.")], caller=ANNA, access=Access(groups=("bauamt",)))
    ).documents  # fmt: skip
    fake.asked.clear()
    assert [one.document for one in (await library.search("Hundesteuer", caller=ANNA)).passages] == [id]
    asked = [one.body for one in fake.asked if one.path.endswith("/retrieval")]
    assert sorted(body["dataset_ids"][0] for body in asked) == ["few", "open"]
    assert [body.get("document_ids") for body in asked if body["dataset_ids"] == ["few"]] == [[id]]
    assert all("metadata_condition" not in body for body in asked)


async def test_readers_stand_with_a_document_before_anything_of_it_can_be_found(
    fake: FakeRagflow, library: RagflowLibrary
) -> None:
    await library.ingest(documents=[Inline("b.txt", TAX.encode())], caller=ANNA, access=Access(users=("müller, otto",)))
    acts = [(one.method, one.path.rpartition("/")[2]) for one in fake.asked if one.method != "GET"]
    assert [method for method, _ in acts][:3] == ["POST", "PATCH", "POST"]
    [doc] = fake.datasets["few"]
    marks = Marks.of(doc.meta)
    assert marks is not None
    assert (marks.name, marks.owner, marks.readers) == ("b.txt", "anna", ("user:anna", "user:müller, otto"))
    assert marks.measured == Measured("de", len(TAX), None, 2)
    [listed] = (await library.documents(Caller(subject="müller, otto"))).documents
    assert (listed.title, listed.readers) == ("b.txt", ["user:anna", "user:müller, otto"])


async def test_where_readers_are_not_kept_such_a_document_is_refused_and_taken_away(
    fake: FakeRagflow, library: RagflowLibrary
) -> None:
    fake.keeps_metadata = False
    with pytest.raises(Failed, match="does not keep the readers"):
        await library.ingest(documents=[Inline("b.txt", b"Text")], caller=ANNA, access=Access(users=("bert",)))
    assert fake.datasets["few"] == []
    assert not any("parse" in one.path or one.path.endswith("/few/chunks") for one in fake.asked)


async def test_what_ragflow_makes_of_a_document_itself_is_kept_unless_it_changes_the_readers(
    fake: FakeRagflow, library: RagflowLibrary
) -> None:
    fake.describes = {"topics": ["Steuer", "Hund"]}
    few = Access(groups=("bauamt",))
    await library.ingest(documents=[Inline("b.txt", TAX.encode())], caller=ANNA, access=few)
    assert fake.datasets["few"][0].meta["topics"] == ["Steuer", "Hund"]
    [listed] = (await library.documents(ANNA)).documents
    assert (listed.metadata, listed.size) == ({"topics": '["Steuer", "Hund"]'}, len(TAX))
    fake.describes = {"partitur_readers": "*"}
    with pytest.raises(Failed, match="does not keep the readers"):
        await library.ingest(documents=[Inline("c.txt", TAX.encode())], caller=ANNA, access=few)
    assert len(fake.datasets["few"]) == 1


async def test_without_a_dataset_for_them_documents_have_no_readers_of_their_own(fake: FakeRagflow) -> None:
    async with RagflowLibrary(config(fake, collections=(RagflowCollection(dataset="open"),))) as library:
        with pytest.raises(InvalidInput, match="cannot have readers of their own"):
            await library.ingest(documents=[Inline("b.txt", b"Text")], caller=ANNA, access=Access(users=("bert",)))
    assert fake.asked == []


async def test_a_name_that_others_have_for_their_readers_does_not_show(
    fake: FakeRagflow, library: RagflowLibrary
) -> None:
    for caller in (ANNA, BERT):
        report = await library.ingest(
            documents=[Inline("gehalt.txt", b"Gehalt " + caller.subject.encode())], caller=caller, access=Access()
        )
        assert (report.read, report.replaced) == (1, 0)
        [listed] = (await library.documents(caller)).documents
        assert listed.title == "gehalt.txt"
    assert len({doc.name for doc in fake.datasets["few"]}) == 2
    assert not any("(1)" in doc.name for doc in fake.datasets["few"])


async def test_what_one_brought_for_others_moves_with_its_readers(fake: FakeRagflow, library: RagflowLibrary) -> None:
    sent = [Inline("plan.txt", b"Der Plan der Stadt.")]
    await library.ingest(documents=sent, caller=ANNA)
    narrowed = await library.ingest(documents=sent, caller=ANNA, access=Access(groups=("bauamt",)))
    assert (narrowed.replaced, fake.datasets["open"], len(fake.datasets["few"])) == (1, [], 1)
    again = await library.ingest(documents=sent, caller=ANNA)
    assert (again.replaced, len(fake.datasets["open"]), fake.datasets["few"]) == (1, 1, [])


async def test_a_collection_that_keeps_for_some_days_shows_nothing_older(fake: FakeRagflow) -> None:
    class Days(OpenReach):
        async def of(self, caller: Caller) -> Reach:
            return Reach(caller, {"default": 30})

    old = fake.add("open", "alt.txt", "Die Hundesteuer von früher.")
    fake.clock = 32_000_000_000_000
    new = fake.add("open", "neu.txt", "Die Hundesteuer von heute.")
    async with RagflowLibrary(config(fake), Days()) as library:
        assert [one.document for one in (await library.search("Hundesteuer", caller=ANNA)).passages] == [new.id]
        assert (await library.documents(ANNA)).total == 1
        with pytest.raises(NotFound):
            await library.text(old.id, ANNA)


async def test_results_from_elsewhere_are_an_error_and_never_sorted_out(
    fake: FakeRagflow, library: RagflowLibrary
) -> None:
    fake.add("open", "a.txt", TAX)
    fake.add("foreign", "b.txt", TAX)
    fake.strays = True
    with pytest.raises(Failed, match="from where it was not asked to look"):
        await library.search("Hundesteuer", caller=ANNA)


async def test_what_stands_in_no_document_is_left_out_and_told(fake: FakeRagflow, library: RagflowLibrary) -> None:
    fake.add("open", "a.txt", TAX)
    fake.summaries = True
    found = await library.search("Hundesteuer", caller=ANNA, limit=2)
    assert [one.text for one in found.passages] == ["Die Hundesteuer beträgt 120 Euro."]
    assert found.notes and "summaries" in found.notes[0]


async def test_what_is_gone_but_still_found_is_left_out(fake: FakeRagflow, library: RagflowLibrary) -> None:
    fake.add("open", "a.txt", TAX)
    fake.ghosts = True
    found = await library.search("Hundesteuer", caller=ANNA)
    assert [one.text for one in found.passages] == ["Die Hundesteuer beträgt 120 Euro."]


async def test_chunks_that_show_a_moment_later_are_waited_for(fake: FakeRagflow, library: RagflowLibrary) -> None:
    fake.lag = 3
    report = await library.ingest(documents=[Inline("a.txt", TAX.encode())], caller=ANNA)
    assert (report.read, report.failed) == (1, [])
    assert (await library.documents(ANNA)).documents[0].size == len(TAX)


async def test_a_document_that_goes_between_list_and_question_does_not_fail_the_search(
    fake: FakeRagflow, library: RagflowLibrary
) -> None:
    fake.add("few", "bert.txt", "Die Hundesteuer für Bert.", **Marks("bert.txt", readers=("user:bert",)).meta())
    gone = fake.add("few", "weg.txt", "Die Hundesteuer von gestern.", **Marks("weg.txt", readers=("*",)).meta())

    def delete(asked: Asked) -> None:
        if asked.path.endswith("/retrieval") and asked.body["dataset_ids"] == ["few"]:
            fake.datasets["few"] = [doc for doc in fake.datasets["few"] if doc is not gone]

    fake.fault = delete
    assert [one.title for one in (await library.search("Hundesteuer", caller=BERT)).passages] == ["bert.txt"]


async def test_long_documents_and_lists_are_read_page_by_page(fake: FakeRagflow, library: RagflowLibrary) -> None:
    long = fake.add("open", "lang.txt", "\n\n".join(f"Absatz Nummer {number}." for number in range(250)))
    for number in range(205):
        fake.add("open", f"{number:03}.txt", f"Text {number}.")
    text = (await library.text(long.id, ANNA)).text
    assert text.split("\n\n") == [f"Absatz Nummer {number}." for number in range(250)]
    listed = await library.documents(ANNA, offset=95, limit=10)
    assert (listed.total, [one.title for one in listed.documents]) == (206, [f"{n:03}.txt" for n in range(94, 104)])


async def test_a_document_that_ragflow_cannot_read_fails_alone_and_leaves_nothing(
    fake: FakeRagflow, library: RagflowLibrary
) -> None:
    documents = [Inline("a.pdf", b"unreadable"), Inline("b.txt", TAX.encode())]
    report = await library.ingest(documents=documents, caller=ANNA)
    assert report.read == 1
    assert [(one.name, one.reason) for one in report.failed] == [("a.pdf", "RAGFlow could not read it: No text layer.")]
    assert [doc.name for doc in fake.datasets["open"]] == ["b.txt"]


async def test_one_that_is_read_for_too_long_fails_and_leaves_nothing(fake: FakeRagflow) -> None:
    def slow(asked: Asked) -> None:
        for doc in fake.datasets["open"]:
            doc.looks = 5

    fake.fault = slow
    async with RagflowLibrary(config(fake, parse_seconds=0.3)) as library:
        report = await library.ingest(documents=[Inline("a.txt", b"Text")], caller=ANNA)
    assert "within 0.3 seconds" in report.failed[0].reason
    assert fake.datasets["open"] == []


async def test_a_file_over_the_limit_is_not_sent(fake: FakeRagflow) -> None:
    async with RagflowLibrary(config(fake, max_file_bytes=10)) as library:
        report = await library.ingest(documents=[Inline("a.txt", b"x" * 11)], caller=ANNA)
    assert "Expected at most 10" in report.failed[0].reason
    assert not any(one.method == "POST" for one in fake.asked)


async def test_a_file_that_ragflow_calls_otherwise_is_found_again(fake: FakeRagflow, library: RagflowLibrary) -> None:
    fake.sanitizes = True
    sent = [Inline("steuern/hund.txt", TAX.encode())]
    assert (await library.ingest(documents=sent, caller=ANNA)).read == 1
    assert (await library.ingest(documents=sent, caller=ANNA)).unchanged == 1
    assert len(fake.datasets["open"]) == 1


async def test_names_with_folders_and_very_long_ones_come_back_as_they_were(
    fake: FakeRagflow, library: RagflowLibrary, tmp_path: Path
) -> None:
    long = "ä" * 200 + ".txt"
    await library.ingest(documents=[Inline("steuern/hund.txt", b"Hund"), Inline(long, b"Lang")], caller=ANNA)
    assert all(len(doc.name.encode()) <= 255 and "/" not in doc.name for doc in fake.datasets["open"])
    assert {one.title for one in (await library.documents(ANNA)).documents} == {"hund.txt", long}


@pytest.mark.parametrize("id", ["", "../../datasets", "a/b", "x?y=1", "ä", "x" * 65])
async def test_an_id_that_is_none_is_not_put_into_an_address(
    fake: FakeRagflow, library: RagflowLibrary, id: str
) -> None:
    with pytest.raises(NotFound):
        await library.text(id, ANNA)
    assert (await library.delete([id], ANNA)).deleted == []
    assert fake.asked == []


async def test_dates_of_documents_cannot_be_asked_for(library: RagflowLibrary) -> None:
    with pytest.raises(InvalidInput, match="which RAGFlow does not keep"):
        await library.search("Hund", caller=ANNA, filter=Filter.model_validate({"after": "2026-01-01"}))


async def test_too_many_documents_to_look_through_are_told(fake: FakeRagflow) -> None:
    for number in range(3):
        fake.add("few", f"{number}.txt", "Text")
    async with RagflowLibrary(config(fake, max_listed=2)) as library:
        with pytest.raises(TooLarge, match="more than 2 documents"):
            await library.search("Text", caller=ANNA)


async def test_the_check_names_datasets_that_are_not_there(fake: FakeRagflow, library: RagflowLibrary) -> None:
    fake.add("open", "a.txt", TAX)
    assert await library.check() == "1 documents in RAGFlow, datasets found: 2"
    async with RagflowLibrary(config(fake, collections=(RagflowCollection(dataset="gone"),))) as other:
        with pytest.raises(Failed, match="don't own the dataset gone"):
            await other.check()


def test_a_dataset_is_one_collection_and_an_id_is_an_id() -> None:
    def made(*collections: RagflowCollection) -> RagflowConfig:
        return RagflowConfig(url="http://ragflow.example", key=SecretStr("k"), collections=collections)

    with pytest.raises(ValidationError, match="the dataset 'a' is named twice"):
        made(RagflowCollection(dataset="a"), RagflowCollection(collection="b", dataset="c", narrowed="a"))
    with pytest.raises(ValidationError, match="the collection 'default/default' is named twice"):
        made(RagflowCollection(dataset="a"), RagflowCollection(dataset="b"))
    with pytest.raises(ValidationError, match="dataset"):
        RagflowCollection(dataset="../a")
    assert made(RagflowCollection(dataset="a")).url == "http://ragflow.example"


def test_marks_come_back_as_they_were_and_without_what_ragflow_splits() -> None:
    marks = Marks("a, b/ü.txt", "an na", "sha256-1", ("group:a b", "user:x,y;z"), Measured("en", 5, 2, 1))
    assert Marks.of(marks.meta()) == marks
    assert not any(char in value for value in marks.meta().values() for char in ",;、[]{}")
    assert Marks.of({}) is None
    assert Marks.of({"partitur_name": "a", "partitur_measured": "xx 1 2"}) == Marks("a")


def test_stored_names_tell_readers_apart_and_show_as_the_file() -> None:
    assert stored_name("a/b.txt", "") != stored_name("a-b.txt", "")
    assert stored_name("b.txt", "0123") != stored_name("b.txt", "4567")
    assert shown(stored_name("a/b.txt", "")) == "b.txt"
