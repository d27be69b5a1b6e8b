"""The passages of a document are those that a search finds, for whom it may find them."""

import importlib
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest
from knowledge_files import pdf

from tools.base import Access, Caller, NotFound
from tools.knowledge import Document, DocumentText, KnowledgeConfig
from tools.knowledge.library import Library
from tools.knowledge.passages import passages_of
from tools.knowledge.shelf import Shelf

pytestmark = pytest.mark.anyio
ANNA = Caller(subject="anna", tenant="stadt")
BERT = Caller(subject="bert", tenant="stadt")


@pytest.fixture(scope="session", autouse=True)
def imported() -> None:
    """Importing LanceDB takes seconds on a busy machine; the time of a test is its own."""
    importlib.import_module("tools.knowledge.store")


async def test_passages_have_their_page_and_heading_in_the_order_of_the_text(tmp_path: Path) -> None:
    texts = ["Die Brücke wird im März gesperrt.", "Die Umleitung führt durch die Gasse."]
    (tmp_path / "plan.pdf").write_bytes(pdf(*([("Normal", text)] for text in texts)))
    async with Library(KnowledgeConfig(home=tmp_path / "home", parse_seconds=30)) as library:
        report = await library.ingest([tmp_path / "plan.pdf"], caller=ANNA, access=Access(users=("anna",)))
        (document,) = report.documents
        found = await passages_of(library, document, ANNA, collection="default")
        stored = (await library.text(document, ANNA)).text
        assert [one.page for one in found] == [1, 2]
        assert all(one.text == stored[one.start : one.end] for one in found)
        with pytest.raises(NotFound, match="is not there"):
            await passages_of(library, document, BERT, collection="default")
        with pytest.raises(NotFound, match="The collection 'elsewhere' is not there"):
            await passages_of(library, document, ANNA, collection="elsewhere")


async def test_a_shelf_without_passages_gives_the_text_cut_as_for_search() -> None:
    text = "# Sperrung\n\nEs geht los.\n\n## Umleitung\n\nDurch die Gasse.\n"

    class Plain:
        async def text(self, id: str, caller: Caller) -> DocumentText:
            document = Document(
                id=id, title="Sperrung", language="de", media_type="text/markdown", ingested_at=datetime.now(UTC), size=9, chunks=2
            )  # fmt: skip
            return DocumentText(document=document, text=text)

    found = await passages_of(cast("Shelf", Plain()), "s", ANNA, collection="default")
    assert [(one.heading, one.text) for one in found] == [(None, "Es geht los."), ("Umleitung", "Durch die Gasse.")]
    assert all(text[one.start : one.end] == one.text for one in found)
