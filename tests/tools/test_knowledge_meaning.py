"""Search with the organisation's own embedding and rerank models, and without them when they are down."""

import hashlib
import importlib
import json
import math
from collections.abc import AsyncGenerator, Generator, Sequence
from pathlib import Path
from typing import Any

import pytest
from collections_of import Shelves
from fake_endpoint import Asked, FakeEndpoint, serving
from starlette.responses import JSONResponse, Response

from tools.base import Access, Caller, Collection, Failed
from tools.endpoint import Endpoint
from tools.knowledge import KnowledgeConfig
from tools.knowledge.library import Inline, Library
from tools.knowledge.meaning import EndpointEmbedder, EndpointReranker
from tools.knowledge.place import Place
from tools.knowledge.searching import Models
from tools.knowledge.vectors import vector_tables
from tools.language import tokens
from tools.models import ModelConfig, Pool, Transport

pytestmark = pytest.mark.anyio
ANNA = Caller(subject="anna", tenant="stadt", groups=frozenset({"personal"}))
BERT = Caller(subject="bert", tenant="stadt")
MEANS = {"schwimmbad": "bad", "freibad": "bad", "hallenbad": "bad", "hund": "tier", "katze": "tier", "pkw": "auto"}
TEXTS = {
    "bad.txt": "Das Freibad öffnet um neun Uhr.",
    "hund.txt": "Der Hund braucht eine Marke.",
    "auto.txt": "Der Pkw braucht eine Plakette.",
}


def vector(text: str, length: int = 32) -> list[float]:
    """Words that mean the same have the same direction."""
    made = [0.0] * length
    for word in tokens(text):
        made[int(hashlib.sha256(MEANS.get(word, word).encode()).hexdigest(), 16) % length] += (
            3.0 if word in MEANS else 0.1
        )
    size = math.sqrt(sum(value * value for value in made)) or 1.0
    return [value / size for value in made]


class Words:
    """An embedding model in memory."""

    def __init__(self, id: str = "one") -> None:
        self.id = id
        self.asked: list[str] = []
        self.down = False

    async def passages(self, texts: Sequence[str]) -> list[list[float]]:
        if self.down:
            raise Failed("It is down.")
        self.asked += texts
        return [vector(text) for text in texts]

    async def query(self, text: str) -> list[float]:
        if self.down:
            raise Failed("It is down.")
        return vector(text)


@pytest.fixture(scope="module", autouse=True)
def imported() -> None:
    importlib.import_module("tools.knowledge.store")


def documents() -> list[Inline]:
    return [Inline(name, text.encode()) for name, text in TEXTS.items()]


async def tables(library: Library) -> list[str]:
    return await vector_tables(await Place.of(library.config, "stadt").connect())


async def test_what_means_the_same_is_found_by_vectors_and_says_so(tmp_path: Path) -> None:
    words = Words()
    library = Library(KnowledgeConfig(home=tmp_path), models=Models(words))
    await library.ingest(documents=documents(), caller=ANNA)
    found = await library.search("Wo ist das Schwimmbad?", caller=ANNA, why=True)
    assert found.passages[0].document == "bad.txt"
    assert found.passages[0].why is not None
    assert found.passages[0].why.semantic == pytest.approx(max(p.why.semantic or 0 for p in found.passages if p.why))
    assert "bad\nDas Freibad öffnet um neun Uhr." in words.asked
    assert found.notes == []
    again = await library.ingest(documents=documents(), caller=ANNA)
    assert (again.unchanged, len(words.asked)) == (3, 3)


async def test_without_its_engine_search_goes_on_by_words_and_vectors_follow(tmp_path: Path) -> None:
    words = Words()
    words.down = True
    library = Library(KnowledgeConfig(home=tmp_path), models=Models(words))
    report = await library.ingest(documents=documents(), caller=ANNA)
    assert report.read == 3
    assert report.notes == ["Without vectors for now: It is down. They are made later."]
    found = await library.search("Freibad", caller=ANNA)
    assert [passage.document for passage in found.passages] == ["bad.txt"]
    assert found.notes == ["The embedding model did not answer; found by words alone."]
    words.down = False
    assert await library.embed("stadt") == 3
    assert await library.embed("stadt") == 0


async def test_another_model_makes_vectors_of_its_own_and_those_before_go(tmp_path: Path) -> None:
    config = KnowledgeConfig(home=tmp_path)
    await Library(config, models=Models(Words("one"))).ingest(documents=documents(), caller=ANNA)
    second = Words("two")
    library = Library(config, models=Models(second))
    [before] = await tables(library)
    assert (await library.search("Freibad", caller=ANNA)).passages[0].document == "bad.txt"  # before they are made
    assert await library.embed("stadt") == 3
    [after] = await tables(library)
    assert before != after
    assert (await library.search("Schwimmbad", caller=ANNA)).passages[0].document == "bad.txt"


async def test_what_goes_or_changes_goes_from_the_vectors_too(tmp_path: Path) -> None:
    library = Library(KnowledgeConfig(home=tmp_path), models=Models(Words()))
    await library.ingest(documents=documents(), caller=ANNA)
    await library.delete(["bad.txt"], ANNA)
    await library.ingest(documents=[Inline("hund.txt", b"Die Katze ist frei.")], caller=ANNA)
    db = await Place.of(library.config, "stadt").connect()
    table = await db.open_table((await tables(library))[0])
    rows = await table.query().select(["document"]).to_list()
    assert sorted(row["document"] for row in rows) == ["auto.txt", "hund.txt"]


async def test_another_model_under_the_same_name_is_told_and_search_goes_on(tmp_path: Path) -> None:
    library = Library(KnowledgeConfig(home=tmp_path), models=Models(Words()))
    await library.ingest(documents=documents(), caller=ANNA)

    class Shorter(Words):
        async def passages(self, texts: Sequence[str]) -> list[list[float]]:
            return [vector(text, 8) for text in texts]

        async def query(self, text: str) -> list[float]:
            return vector(text, 8)

    swapped = Library(KnowledgeConfig(home=tmp_path), models=Models(Shorter()))
    report = await swapped.ingest(documents=[Inline("neu.txt", b"Das Hallenbad ist zu.")], caller=ANNA)
    assert report.read == 1
    assert "gives vectors of 8 numbers. Expected 32" in report.notes[0]
    found = await swapped.search("Hallenbad", caller=ANNA)
    assert found.passages[0].document == "neu.txt"
    assert found.notes == ["The embedding model did not answer; found by words alone."]


async def test_what_is_deleted_while_the_model_reads_it_gets_no_vectors(tmp_path: Path) -> None:
    class Slow(Words):
        async def passages(self, texts: Sequence[str]) -> list[list[float]]:
            made = await super().passages(texts)
            assert (await library.delete(["bad.txt"], ANNA)).deleted == ["bad.txt"]
            return made

    library = Library(KnowledgeConfig(home=tmp_path), models=Models(Slow()))
    await library.ingest(documents=documents(), caller=ANNA)
    db = await Place.of(library.config, "stadt").connect()
    table = await db.open_table((await tables(library))[0])
    assert sorted(row["document"] for row in await table.query().select(["document"]).to_list()) == [
        "auto.txt", "hund.txt"
    ]  # fmt: skip
    # Not even an older version of the table has ever held them: nothing is left for erasure to find.
    assert [await (await _at(db, table.name, each["version"])).count_rows() for each in await table.list_versions()] == [
        0, 2
    ]  # fmt: skip


async def _at(db: Any, name: str, version: int) -> Any:
    table = await db.open_table(name)
    await table.checkout(version)
    return table


async def test_vectors_know_who_may_read(tmp_path: Path) -> None:
    shelves = Shelves({"personal": Collection(name="personal", owner="anna", readers=Access(groups=("personal",)))})
    library = Library(KnowledgeConfig(home=tmp_path), shelves, Models(Words()))
    await library.ingest(documents=documents()[:1], caller=ANNA, collection="personal")
    await library.ingest(documents=documents()[1:], caller=ANNA)
    assert (await library.search("Schwimmbad", caller=ANNA)).passages[0].document == "personal:bad.txt"
    others = (await library.search("Schwimmbad", caller=BERT)).passages
    assert {passage.document for passage in others} == {"hund.txt", "auto.txt"}


@pytest.fixture
def engine() -> Generator[FakeEndpoint]:
    with serving() as fake:
        yield fake


@pytest.fixture
async def endpoint(engine: FakeEndpoint) -> AsyncGenerator[Endpoint]:
    transport = Transport()
    config = ModelConfig(kind="embedding", engines=(engine.url,), name="words", server="openai")
    yield Endpoint(pool=Pool("words", config, transport), setting="PARTITUR_EMBEDDING")
    await transport.close()


def answered(asked: Asked) -> Response:
    if asked.path.endswith("rerank"):
        scores = [float("Marke" in text) for text in asked.body["documents"]]
        results = [{"index": n, "relevance_score": score} for n, score in enumerate(scores)]
        return JSONResponse({"results": results[::-1]})
    data = [{"index": n, "embedding": vector(text)} for n, text in enumerate(asked.body["input"])]
    return JSONResponse({"data": data[::-1], "usage": {"prompt_tokens": 1}})


async def test_engines_are_asked_over_http_with_the_prefixes_of_their_models(
    engine: FakeEndpoint, endpoint: Endpoint, tmp_path: Path
) -> None:
    engine.answer = answered
    embedder = EndpointEmbedder(endpoint, "words", query_prefix="query: ", passage_prefix="passage: ")
    models = Models(embedder, EndpointReranker(endpoint))
    library = Library(KnowledgeConfig(home=tmp_path), models=models)
    await library.ingest(documents=documents(), caller=ANNA)
    found = await library.search("Wo ist das Schwimmbad?", caller=ANNA, limit=2, why=True)
    assert found.passages[0].document == "hund.txt"  # the reranker's word is the last
    assert found.passages[0].score == 1.0
    sent = [asked.body for asked in engine.asked]
    assert [len(body["input"]) for body in sent[:2]] == [3, 1]
    assert "passage: bad\nDas Freibad öffnet um neun Uhr." in sent[0]["input"]
    assert sent[1]["input"] == ["query: Wo ist das Schwimmbad?"]
    assert len(sent[2]["documents"]) == 3


@pytest.mark.parametrize(
    "answer",
    [
        {"data": []},
        {
            "data": [
                {"index": 0, "embedding": [1.0]},
                {"index": 0, "embedding": [1.0]},
                {"index": 1, "embedding": [1.0]},
            ]
        },
        {
            "data": [
                {"index": 0, "embedding": [1.0]},
                {"index": 1, "embedding": [1.0, 2.0]},
                {"index": 2, "embedding": [1]},
            ]
        },
        {"data": [{"index": 0, "embedding": "eins"}]},
        ["no"],
    ],
)
async def test_an_engine_that_answers_nonsense_is_done_without(
    engine: FakeEndpoint, endpoint: Endpoint, tmp_path: Path, answer: object
) -> None:
    engine.answer = lambda asked: Response(json.dumps(answer), media_type="application/json")
    library = Library(KnowledgeConfig(home=tmp_path), models=Models(EndpointEmbedder(endpoint, "words")))
    report = await library.ingest(documents=documents(), caller=ANNA)
    assert report.read == 3
    assert report.notes[0].startswith("Without vectors for now: ")
    assert (await library.search("Freibad", caller=ANNA)).passages[0].document == "bad.txt"
