"""What the knowledge base does in the background, and what a stop in the middle leaves."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from web_house import Web, web

import server.keeping as keeping
from tools.base import Access, Caller, Collection, Unavailable
from tools.knowledge import erasure
from tools.knowledge.files import Inline

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]
ADMIN = frozenset({"admin"})
ADA = Caller(subject="ada", roles=ADMIN)
DORA = Caller(subject="dora", tenant="kreis", roles=ADMIN)
TEXT = b"Die Laufmaschine steht im Keller des Rathauses."


@pytest.fixture
async def site(tmp_path: Path) -> AsyncGenerator[Web]:
    async with web(tmp_path / "home") as opened:
        yield opened


async def brought(site: Web, caller: Caller, *, days: int | None = None) -> None:
    made = Collection(name="keller", readers=Access(everyone=True), editors=Access(everyone=True), retention_days=days)
    await site.house.servers.collections.add(caller, made)
    given = [Inline("maschine.txt", TEXT)]
    await site.house.servers.library.ingest(documents=given, caller=caller, collection="keller")


async def test_a_tenant_whose_tables_are_damaged_holds_up_no_other(
    site: Web, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await brought(site, ADA, days=1)
    await brought(site, DORA, days=1)
    asked: list[str] = []

    async def late(library: object, tenant: str, collection: str, days: int) -> list[str]:
        asked.append(tenant)
        raise RuntimeError("lance error: not found")

    monkeypatch.setattr(keeping, "late", late)
    await keeping.keep(site.house.servers)
    assert sorted(asked) == ["default", "kreis"]
    assert "Documents past their time are deleted later" in caplog.text


async def test_documents_past_their_time_stay_until_the_graph_has_let_go_of_them(
    site: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    await brought(site, ADA, days=1)
    library = site.house.servers.library

    async def late(*_: object) -> list[str]:
        return ["keller:maschine.txt"]

    def busy(*_: object) -> None:
        raise Unavailable("Somebody is loading.")

    monkeypatch.setattr(keeping, "late", late)
    monkeypatch.setattr(keeping, "_forget", busy)
    await keeping.keep(site.house.servers)
    assert (await library.documents(ADA, collection="keller")).total == 1


async def test_a_removal_that_was_stopped_keeps_the_name_until_nothing_is_left(
    site: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    await brought(site, ADA)
    servers, bert = site.house.servers, Caller(subject="bert")
    empty = keeping._empty

    def busy(*_: object) -> None:
        raise Unavailable("Somebody is loading.")

    monkeypatch.setattr(keeping, "_empty", busy)
    with pytest.raises(Unavailable):
        await keeping.remove_collection(servers, ADA, "keller")
    assert [each.name for each in await servers.collections.list(bert)] == ["default"]
    monkeypatch.setattr(keeping, "_empty", empty)
    await keeping.remove_collection(servers, ADA, "keller")
    again = Collection(name="keller", readers=Access(everyone=True))
    await servers.collections.add(ADA, again)
    assert (await servers.library.documents(bert, collection="keller")).total == 0


async def test_an_erasure_that_was_stopped_before_the_disk_was_cleared_is_finished(site: Web) -> None:
    await brought(site, ADA)
    library = site.house.servers.library
    await erasure.drop(library, "default", await erasure.held(library, ADA, ["keller:maschine.txt"]))
    assert erasure.unpurged(library) == ["default"]
    store = await library.opened("default")
    before = {path for path in Path(store.place.uri).rglob("*.lance") if path.is_file()}
    await keeping.keep(site.house.servers)
    assert erasure.unpurged(library) == []
    assert before.isdisjoint(path for path in Path(store.place.uri).rglob("*.lance"))
