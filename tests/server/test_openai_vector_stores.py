"""Tests of /v1/vector_stores through OpenAI's own client, in memory, over the real knowledge base."""

import importlib
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import openai
import pytest
from openai_sdk import sdk_of, until
from requirements import requirement
from web_house import Web, web

from agents.kit import Act
from server.state import Database
from server.state.files import FileStore
from server.state.home import home_id
from server.state.vector_files import Entry, VectorFiles
from server.state.vector_stores import VectorStores
from server.vector_filter import Comparison, Compound, fits
from tools.base import Caller, InvalidInput, Refused, Unavailable
from tools.knowledge.library import Inline

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]

BAD = "# Freibad\n\nDas Freibad in Birkenfurt öffnet am ersten Mai um neun Uhr. Kinder zahlen zwei Euro.\n"
HUND = "# Hundesteuer\n\nFür jeden Hund zahlt man in Birkenfurt neunzig Euro im Jahr.\n"


@pytest.fixture(scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Web]:
    importlib.import_module("tools.knowledge.store")
    async with web(tmp_path_factory.mktemp("home")) as opened:
        await opened.app.state.health.loaded.wait()
        yield opened


@pytest.fixture
async def anna(site: Web) -> AsyncGenerator[openai.AsyncOpenAI]:
    async with sdk_of(site, site.keys.add("anna")) as sdk:
        yield sdk


@pytest.fixture
async def bert(site: Web) -> AsyncGenerator[openai.AsyncOpenAI]:
    async with sdk_of(site, site.keys.add("bert")) as sdk:
        yield sdk


async def uploaded(sdk: openai.AsyncOpenAI, name: str, text: str) -> str:
    return (await sdk.files.create(file=(name, text.encode()), purpose="assistants")).id


async def ready(sdk: openai.AsyncOpenAI, store: str) -> Any:
    return await until(lambda: sdk.vector_stores.retrieve(store), lambda seen: seen.status == "completed")


async def texts(sdk: openai.AsyncOpenAI, store: str, query: str | list[str], **given: Any) -> list[tuple[str, str]]:
    found = await sdk.vector_stores.search(store, query=query, **given)
    return [(hit.filename, hit.content[0].text) for hit in found.data]


@requirement("VECTOR-1", "VECTOR-3", "VECTOR-4")
async def test_a_store_reads_its_files_and_finds_their_passages(anna: openai.AsyncOpenAI) -> None:
    files = [await uploaded(anna, "bad.md", BAD), await uploaded(anna, "hund.md", HUND)]
    made = await anna.vector_stores.create(name="Bürgerservice", file_ids=files, metadata={"amt": "10"})
    assert (made.object, made.name, made.status, made.metadata) == (
        "vector_store",
        "Bürgerservice",
        "in_progress",
        {"amt": "10"},
    )
    assert (made.file_counts.in_progress, made.file_counts.total) == (2, 2)
    store = await ready(anna, made.id)
    assert (store.file_counts.completed, store.file_counts.total) == (2, 2)
    assert store.usage_bytes == len((BAD + HUND).encode())
    found = await anna.vector_stores.search(store.id, query="Was kostet ein Hund?", max_num_results=5)
    best = found.data[0]
    assert (best.file_id, best.filename, best.score) == (files[1], "hund.md", 1.0)
    assert "neunzig Euro" in best.content[0].text
    assert all(0 <= hit.score <= 1 for hit in found.data)
    file = await anna.vector_stores.files.retrieve(files[0], vector_store_id=store.id)
    assert (file.object, file.status, file.last_error, file.vector_store_id) == (
        "vector_store.file",
        "completed",
        None,
        store.id,
    )
    content = await anna.vector_stores.files.content(files[0], vector_store_id=store.id)
    assert [part.text for part in content.data] == [BAD.strip()]


@requirement("VECTOR-4")
async def test_several_questions_and_a_lowest_score(anna: openai.AsyncOpenAI) -> None:
    files = [await uploaded(anna, "bad.md", BAD), await uploaded(anna, "hund.md", HUND)]
    store = await anna.vector_stores.create(file_ids=files)
    await ready(anna, store.id)
    both = await texts(anna, store.id, ["Freibad Mai", "Hundesteuer"])
    assert {name for name, _ in both} == {"bad.md", "hund.md"}
    best = await texts(anna, store.id, "Hund", ranking_options={"score_threshold": 1.0})
    assert [name for name, _ in best] == ["hund.md"]


async def test_what_use_cases_search_and_what_stores_hold_is_apart(site: Web, anna: openai.AsyncOpenAI) -> None:
    caller = Caller(subject="anna")
    library = site.house.servers.library
    await library.ingest(documents=[Inline("freibad.md", BAD.encode())], caller=caller)
    store = await anna.vector_stores.create(file_ids=[await uploaded(anna, "hund.md", HUND)])
    await ready(anna, store.id)
    assert {name for name, _ in await texts(anna, store.id, "Wann öffnet das Freibad in Birkenfurt?")} == {"hund.md"}
    found = await library.search("Wie hoch ist die Hundesteuer in Birkenfurt?", caller=caller)
    assert {passage.document for passage in found.passages} == {"freibad.md"}


async def test_files_are_cut_as_the_client_asks_and_told_so(site: Web, anna: openai.AsyncOpenAI) -> None:
    text = "# Satzung\n\n" + " ".join(f"Der Absatz {at} regelt die Gebühr für Hunde." for at in range(60))
    windows: Any = {"type": "static", "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 50}}
    files = [await uploaded(anna, f"{name}.md", text) for name in ("a", "b", "c")]
    store = await anna.vector_stores.create(file_ids=files[:1], chunking_strategy=windows)
    await anna.vector_stores.files.create(store.id, file_id=files[1], chunking_strategy={"type": "auto"})
    await anna.vector_stores.file_batches.create(store.id, file_ids=files[2:], chunking_strategy=windows)
    await ready(anna, store.id)
    told = [
        (await anna.vector_stores.files.retrieve(file, vector_store_id=store.id)).chunking_strategy for file in files
    ]
    assert [strategy and strategy.model_dump() for strategy in told] == [windows, {"type": "other"}, windows]

    async def longest(name: str) -> int:
        found = await texts(anna, store.id, "Absatz Gebühr Hunde", max_num_results=50)
        return max(len(text) for file, text in found if file == name)

    assert await longest("a.md") < 500 < await longest("b.md")
    await anna.vector_stores.files.create(store.id, file_id=files[0])  # the same file, to be cut otherwise
    await ready(anna, store.id)
    assert await longest("a.md") > 500


@requirement("VECTOR-5")
async def test_attributes_narrow_a_search(anna: openai.AsyncOpenAI) -> None:
    store = await anna.vector_stores.create(name="Satzungen")
    for year in (2023, 2024, 2025):
        file = await uploaded(
            anna, f"satzung-{year}.md", f"# Satzung {year}\n\nDie Gebühr beträgt {year - 2000} Euro.\n"
        )
        await anna.vector_stores.files.create(
            store.id, file_id=file, attributes={"jahr": year, "amt": "Kämmerei", "gilt": year == 2025}
        )
    await ready(anna, store.id)

    async def names(**filters: Any) -> set[str]:
        return {name for name, _ in await texts(anna, store.id, "Wie hoch ist die Gebühr?", filters=filters)}

    assert await names(type="eq", key="gilt", value=True) == {"satzung-2025.md"}
    assert await names(type="gte", key="jahr", value=2024) == {"satzung-2024.md", "satzung-2025.md"}
    both = [{"type": "eq", "key": "amt", "value": "Kämmerei"}, {"type": "lt", "key": "jahr", "value": 2024}]
    assert await names(type="and", filters=both) == {"satzung-2023.md"}
    assert await names(type="eq", key="amt", value="Bauamt") == set()
    listed = await anna.vector_stores.files.list(store.id)
    changed = await anna.vector_stores.files.update(
        listed.data[0].id, vector_store_id=store.id, attributes={"amt": "Bauamt"}
    )
    assert changed.attributes == {"amt": "Bauamt"}
    assert await names(type="eq", key="amt", value="Bauamt") == {"satzung-2025.md"}


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (("eq", "a", 1), True),
        (("eq", "a", True), False),
        (("ne", "a", 2), True),
        (("ne", "gone", 2), True),
        (("eq", "gone", 2), False),
        (("gt", "a", 1), False),
        (("lte", "a", 1.5), True),
        (("gt", "a", "0"), False),
        (("gte", "day", "2027-01-01"), True),
        (("lt", "yes", 2), False),
        (("in", "a", [1, 2]), True),
        (("nin", "a", [1, 2]), False),
        (("nin", "gone", [1]), True),
    ],
)
def test_a_comparison_holds_for_values_of_its_kind_alone(asked: tuple[Any, str, Any], expected: bool) -> None:
    kind, key, value = asked
    attributes = {"a": 1, "day": "2027-01-31", "yes": True}
    one = Comparison(type=kind, key=key, value=value)
    assert fits(one, attributes) is expected
    assert fits(Compound(type="or", filters=[one, one]), attributes) is expected


@requirement("VECTOR-2")
async def test_stores_are_listed_changed_and_deleted_with_their_documents(site: Web, anna: openai.AsyncOpenAI) -> None:
    file = await uploaded(anna, "bad.md", BAD)
    first = await anna.vector_stores.create(name="eins", file_ids=[file])
    second = await anna.vector_stores.create(name="zwei")
    assert [store.id async for store in anna.vector_stores.list(limit=1)] == [second.id, first.id]
    before = await anna.vector_stores.list(before=first.id)
    assert [store.id for store in before.data] == [second.id]
    changed = await anna.vector_stores.update(second.id, name="neu", metadata={"a": "b"})
    assert (changed.name, changed.metadata) == ("neu", {"a": "b"})
    await ready(anna, first.id)
    gone = await anna.vector_stores.delete(first.id)
    assert (gone.id, gone.object, gone.deleted) == (first.id, "vector_store.deleted", True)
    for asked in (anna.vector_stores.retrieve(first.id), anna.vector_stores.search(first.id, query="Freibad")):
        with pytest.raises(openai.NotFoundError):
            await asked
    assert (await site.house.servers.library.documents(Caller(subject="x"), shelf=first.id)).total == 0
    assert (await anna.files.retrieve(file)).filename == "bad.md"


@requirement("VECTOR-3")
async def test_a_file_that_cannot_be_read_has_failed_and_says_why(anna: openai.AsyncOpenAI) -> None:
    broken = await uploaded(anna, "bericht.pdf", "no pdf at all")
    store = await anna.vector_stores.create(file_ids=[broken, await uploaded(anna, "bad.md", BAD)])
    seen = await ready(anna, store.id)
    assert (seen.file_counts.completed, seen.file_counts.failed) == (1, 1)
    file = await anna.vector_stores.files.retrieve(broken, vector_store_id=store.id)
    assert file.status == "failed"
    assert file.last_error is not None
    assert (file.last_error.code, bool(file.last_error.message)) == ("invalid_file", True)
    failed = await anna.vector_stores.files.list(store.id, filter="failed")
    assert [one.id for one in failed.data] == [broken]
    unknown = await uploaded(anna, "bild.xyz", "x")
    with pytest.raises(openai.BadRequestError) as raised:
        await anna.vector_stores.files.create(store.id, file_id=unknown)
    assert raised.value.param == "file_id"


@requirement("VECTOR-6")
async def test_a_file_leaves_a_store_and_stays_an_upload(anna: openai.AsyncOpenAI) -> None:
    file = await uploaded(anna, "bad.md", BAD)
    store = await anna.vector_stores.create(file_ids=[file])
    await ready(anna, store.id)
    gone = await anna.vector_stores.files.delete(file, vector_store_id=store.id)
    assert (gone.id, gone.object, gone.deleted) == (file, "vector_store.file.deleted", True)
    assert await texts(anna, store.id, "Freibad") == []
    assert (await anna.vector_stores.retrieve(store.id)).file_counts.total == 0
    assert (await anna.files.content(file)).text == BAD
    again = await anna.vector_stores.files.create_and_poll(file, vector_store_id=store.id, poll_interval_ms=20)
    assert again.status == "completed"
    assert len(await texts(anna, store.id, "Freibad")) == 1


@requirement("VECTOR-7")
async def test_a_deleted_upload_leaves_every_store(anna: openai.AsyncOpenAI) -> None:
    file = await uploaded(anna, "bad.md", BAD)
    stores = [(await anna.vector_stores.create(file_ids=[file])).id for _ in range(2)]
    for store in stores:
        await ready(anna, store)
    await anna.files.delete(file)
    for store in stores:
        assert await texts(anna, store, "Freibad") == []
        assert (await anna.vector_stores.retrieve(store)).file_counts.total == 0


@requirement("VECTOR-8")
async def test_several_files_are_put_in_at_once(anna: openai.AsyncOpenAI) -> None:
    store = await anna.vector_stores.create()
    one, two = await uploaded(anna, "bad.md", BAD), await uploaded(anna, "hund.md", HUND)
    batch = await anna.vector_stores.file_batches.create(
        store.id, files=[{"file_id": one, "attributes": {"n": 1}}, {"file_id": two}]
    )
    assert (batch.object, batch.file_counts.total) == ("vector_store.files_batch", 2)
    seen = await until(
        lambda: anna.vector_stores.file_batches.retrieve(batch.id, vector_store_id=store.id),
        lambda seen: seen.status != "in_progress",
    )
    assert (seen.status, seen.file_counts.completed) == ("completed", 2)
    listed = await anna.vector_stores.file_batches.list_files(batch.id, vector_store_id=store.id)
    assert {file.id: file.attributes for file in listed.data} == {one: {"n": 1}, two: {}}
    cancelled = await anna.vector_stores.file_batches.cancel(batch.id, vector_store_id=store.id)
    assert cancelled.status == "completed"
    with pytest.raises(openai.BadRequestError):
        await anna.vector_stores.file_batches.create(store.id, files=[{"file_id": one}], file_ids=[two])


@requirement("VECTOR-9")
async def test_a_store_of_somebody_else_is_not_there(anna: openai.AsyncOpenAI, bert: openai.AsyncOpenAI) -> None:
    file = await uploaded(anna, "bad.md", BAD)
    store = (await anna.vector_stores.create(file_ids=[file])).id
    await ready(anna, store)
    own = await uploaded(bert, "hund.md", HUND)
    for asked in (
        bert.vector_stores.retrieve(store),
        bert.vector_stores.search(store, query="Freibad"),
        bert.vector_stores.update(store, name="meiner"),
        bert.vector_stores.delete(store),
        bert.vector_stores.files.create(store, file_id=own),
        bert.vector_stores.files.retrieve(file, vector_store_id=store),
        bert.vector_stores.files.content(file, vector_store_id=store),
        bert.vector_stores.files.delete(file, vector_store_id=store),
        bert.vector_stores.create(file_ids=[file]),
    ):
        with pytest.raises(openai.NotFoundError):
            await asked
    with pytest.raises(openai.NotFoundError):
        await bert.vector_stores.files.list(store)
    assert (await bert.vector_stores.list()).data == []
    assert len(await texts(anna, store, "Freibad")) == 1


@requirement("VECTOR-10")
async def test_a_store_that_nobody_uses_expires(tmp_path: Path) -> None:
    now = 1_000_000.0
    database = Database(tmp_path)
    stores, caller = VectorStores(database, home="one", clock=lambda: now), Caller(subject="anna")
    store = await stores.add(caller, name="", description=None, metadata={}, days=2)
    assert (store.expires, store.status) == (1_000_000 + 2 * 86_400, "completed")
    now += 86_400
    await stores.used(caller, store.id)
    now += 1.5 * 86_400
    assert (await stores.get(caller, store.id)).status == "completed"
    now += 86_400
    assert (await stores.get(caller, store.id)).status == "expired"
    with pytest.raises(InvalidInput, match="has expired"):
        await stores.used(caller, store.id)
    await database.close()


async def test_documents_that_lie_on_another_machine_are_not_taken_for_none(tmp_path: Path) -> None:
    database, caller = Database(tmp_path), Caller(subject="anna")
    there, here = (VectorStores(database, home=home) for home in ("there", "here"))
    file = await FileStore(database, max_bytes=10).add(caller, b"x", name="a.md", purpose="user_data")
    store = await there.add(caller, name="", description=None, metadata={}, days=None)
    await VectorFiles(database, worker="two", home="there").add(caller, store.id, [Entry(file)])
    assert (await here.get(caller, store.id)).counts.in_progress == 1
    with pytest.raises(Unavailable, match="lie on another machine"):
        await here.used(caller, store.id)
    assert await VectorFiles(database, worker="one", home="here").take(5) == []
    assert len(await VectorFiles(database, worker="two", home="there").take(5)) == 1
    await database.close()


def test_all_who_share_a_home_know_it_by_one_name(tmp_path: Path) -> None:
    assert home_id(tmp_path) == home_id(tmp_path)
    (tmp_path / "other").mkdir()
    assert home_id(tmp_path / "other") != home_id(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["id", "other"]


async def test_a_search_passes_the_gate(site: Web, anna: openai.AsyncOpenAI, monkeypatch: pytest.MonkeyPatch) -> None:
    store = await anna.vector_stores.create()
    seen: list[tuple[str, str]] = []

    def before(act: Act, text: str) -> None:
        seen.append((act.name, text))
        raise Refused("Not this one.")

    monkeypatch.setattr(site.house.runtime.gate, "before", before)
    with pytest.raises(openai.PermissionDeniedError):
        await anna.vector_stores.search(store.id, query="Freibad")
    assert seen == [("knowledge.search", "Freibad")]


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("", {"name": 5}, "name"),
        ("", {"anything": 1}, "anything"),
        ("", {"file_ids": [7]}, "file_ids[0]"),
        ("", {"expires_after": {"anchor": "last_active_at", "days": 0}}, "expires_after.days"),
        ("", {"metadata": {"a": 1}}, "metadata.a"),
        (
            "",
            {"chunking_strategy": {"type": "static", "static": {"max_chunk_size_tokens": 5}}},
            "chunking_strategy.static.max_chunk_size_tokens",
        ),
        (
            "",
            {
                "chunking_strategy": {
                    "type": "static",
                    "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 51},
                }
            },
            "chunking_strategy.static.chunk_overlap_tokens",
        ),
        ("/x/files", {"file_id": "f", "chunking_strategy": {"type": "static"}}, "chunking_strategy"),
        ("/x/search", {}, "query"),
        ("/x/search", {"query": "a", "max_num_results": 51}, "max_num_results"),
        ("/x/search", {"query": "a", "filters": {"type": "like", "key": "a", "value": 1}}, "filters"),
        ("/x/search", {"query": "a", "filters": {"type": "eq", "key": "a", "value": None}}, "filters.value"),
        ("/x/files", {"file_id": "f", "attributes": {"a": None}}, "attributes.a"),
        ("/x/file_batches", {}, "file_ids"),
    ],
)
async def test_a_body_that_does_not_fit_names_its_parameter(site: Web, path: str, body: Any, param: str) -> None:
    answer = await site.client.post(f"/v1/vector_stores{path}", json=body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
