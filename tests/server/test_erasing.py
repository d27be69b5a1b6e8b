"""What is erased is gone from every store and from the disk, and a receipt says how that was looked at."""

import json
from collections.abc import AsyncGenerator
from pathlib import Path

import anyio
import anyio.to_thread
import httpx
import pytest
from sqlalchemy import insert, select
from web_house import Web, web

from server.keys import Holder, KeyStore
from server.state.tables import batch_lines, batches, files, responses
from server.traces_of import Fingerprints
from tools.base import Caller, Unauthenticated
from tools.graph.loading import Brought, keep
from tools.graph.sources import Node, Source

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]
SECRET = "Frau Zacharias wurde am dritten Montag im März wegen der verschwundenen Gießkanne abgemahnt."
STAYS = "Die Stadtbibliothek verleiht ab dem ersten März einhundertachtzig verschiedene Gegenstände."
SCOPES = frozenset({"partitur"})
CALLERS = {
    "ada": Caller(subject="ada", roles=frozenset({"admin"}), scopes=SCOPES),
    "anna": Caller(subject="anna", scopes=SCOPES),
}


async def verify(token: str) -> Caller:
    if token in CALLERS:
        return CALLERS[token]
    raise Unauthenticated("Nobody.")


@pytest.fixture
async def site(tmp_path: Path) -> AsyncGenerator[Web]:
    async with web(tmp_path / "home", verify=verify) as opened:
        yield opened


async def asked(site: Web, who: str, method: str, path: str, **body: object) -> httpx.Response:
    headers = {"Authorization": f"Bearer {who}"}
    return await site.client.request(method, path, json=body if body or method == "POST" else None, headers=headers)


async def told(site: Web, name: str, text: str) -> None:
    sent = {"name": name, "text": f"# Akte\n\n{text}\n"}
    assert (await asked(site, "anna", "POST", "/api/tools/knowledge.ingest", **sent)).json()["read"] == 1


async def rows(site: Web, id: str, text: str) -> None:
    """A response, a result of a batch, and an artifact that quote a text."""
    owner = {"tenant": "default", "subject": "anna", "created": 1}
    body = {"output": [{"text": text}]}
    async with site.house.state.begin() as connection:
        more = {
            "model": "answer",
            "status": "completed",
            "background": False,
            "body": body,
            "items": [],
            "streamed": False,
        }
        await connection.execute(insert(responses).values(id=f"resp_{id}", **owner, **more))
        counts = {"total": 1, "completed": 1, "failed": 0, "times": {}, "expires": 2**40}
        given = {"caller": {}, "endpoint": "/v1/x", "input_file": "f", "window": "24h", "status": "completed"}
        await connection.execute(insert(batches).values(id=f"batch_{id}", **owner, **counts, **given))
        line = {"number": 0, "name": "a", "request": "", "done": True, "result": json.dumps(body)}
        await connection.execute(insert(batch_lines).values(batch=f"batch_{id}", **line))
    site.house.artifacts.put(f"<p>{text}</p>".encode(), media_type="text/html", alt_text="", caller=CALLERS["anna"])


async def test_a_document_is_gone_from_every_store_and_from_the_disk(site: Web) -> None:
    home = site.house.settings.home
    for name, text in (("akte.md", SECRET), ("bibliothek.md", STAYS)):
        await told(site, name, text)
        await rows(site, name, text)
    source = Source("default", name="rules", document="akte.md")
    place = source.origin(start=0, end=len(SECRET), quote=SECRET)
    node = Node("z", "Person", "Frau Zacharias", SECRET, {}, place)
    keep([Brought(source, [node], [])], config=site.house.servers.graph)
    marks = Fingerprints([SECRET])
    before = {path.relative_to(home).parts[0] for path in marks.look(home).found}
    assert {"graph", "state.db-wal", "artifacts"} <= before

    answer = await asked(site, "ada", "POST", "/api/erasures", documents=["akte.md"])
    assert answer.status_code == 201, answer.text
    receipt = answer.json()
    assert receipt["complete"] is True
    assert receipt["documents"] == ["akte.md"]
    assert receipt["erased"] == {
        "artifacts": 1, "batch results": 1, "documents": 1, "nodes of the graph": 1, "responses": 1
    }  # fmt: skip
    assert [check["left"] for check in receipt["checks"]] == [0, 0, 0]
    assert all(check["looked_at"] > 0 for check in receipt["checks"])
    assert "Zacharias" not in answer.text
    assert marks.look(home).found == ()

    found = await asked(site, "anna", "POST", "/api/tools/knowledge.search", query="Zacharias abgemahnt")
    assert [passage["document"] for passage in found.json()["passages"]] in ([], ["bibliothek.md"])
    async with site.house.state.read() as connection:
        assert list((await connection.execute(select(responses.c.id))).scalars()) == ["resp_bibliothek.md"]
    assert len(Fingerprints([STAYS]).look(home).found) >= 2
    kept = await asked(site, "ada", "GET", f"/api/erasures/{receipt['id']}")
    assert kept.json() == receipt
    assert len((await asked(site, "ada", "GET", "/api/erasures")).json()["erasures"]) == 1
    assert (await asked(site, "anna", "GET", "/api/erasures")).json()["erasures"] == []


async def test_nothing_is_erased_where_one_document_is_not_there(site: Web) -> None:
    await told(site, "akte.md", SECRET)
    answer = await asked(site, "anna", "POST", "/api/erasures", documents=["akte.md", "nirgends.md"])
    assert (answer.status_code, "'nirgends.md'" in answer.json()["error"]["message"]) == (404, True)
    assert (await asked(site, "anna", "POST", "/api/tools/knowledge.documents")).json()["total"] == 1


async def test_a_persons_data_are_erased_by_an_administrator_alone(site: Web) -> None:
    await told(site, "akte.md", SECRET)
    await rows(site, "a", SECRET)
    rule = {"name": "personal", "owner": "anna", "readers": {"users": ["anna", "bert"]}}
    await asked(site, "ada", "POST", "/api/collections", **rule)
    async with site.house.state.begin() as connection:
        row = {"id": "file_1", "tenant": "default", "subject": "anna", "created": 1}
        await connection.execute(insert(files).values(**row, name="x", purpose="user_data", bytes=0, whole=True))
    keys = KeyStore(site.house.settings.home)
    for label, user in (("desk", "anna"), ("phone", "anna"), ("other", "bert")):
        keys.add(label, Holder.of(user=user, roles=()))
    refused = await asked(site, "anna", "POST", "/api/erasures", person="anna")
    assert refused.status_code == 403
    kept = (await asked(site, "ada", "POST", "/api/erasures", person="anna")).json()
    counted = {"artifacts": 1, "batches": 1, "files": 1, "responses": 1, "rules of collections": 1}
    assert kept["erased"] == {"API keys": 2, **counted}
    assert [key.label for key in keys.list()] == ["first start", "other"]
    assert (await asked(site, "anna", "POST", "/api/tools/knowledge.documents")).json()["total"] == 1
    whole = (await asked(site, "ada", "POST", "/api/erasures", person="anna", brought=True)).json()
    assert (whole["complete"], whole["documents"]) == (True, ["akte.md"])
    assert (await asked(site, "anna", "POST", "/api/tools/knowledge.documents")).json()["total"] == 0
    changed = (await asked(site, "ada", "GET", "/api/collections/personal")).json()
    assert (changed["owner"], changed["readers"]["users"]) == (None, ["bert"])


@pytest.mark.parametrize("body", [{}, {"documents": ["a"], "person": "b"}, {"documents": []}])
async def test_what_is_to_be_erased_has_to_be_said(site: Web, body: dict[str, object]) -> None:
    assert (await asked(site, "ada", "POST", "/api/erasures", **body)).status_code == 400


def test_pieces_of_a_text_are_found_as_they_are_written_and_only_where_they_are_its_own(tmp_path: Path) -> None:
    text = 'Größe und Maß "der" Gießkanne sind noch nicht abschließend ermittelt.'
    marks = Fingerprints([text])
    (tmp_path / "plain").write_text(f"davor {text} danach", "utf-8")
    (tmp_path / "json").write_text(json.dumps({"a": text}), "utf-8")
    (tmp_path / "json-utf8").write_text(json.dumps({"a": text}, ensure_ascii=False), "utf-8")
    (tmp_path / "other").write_text("Die Gießkanne ist ermittelt.", "utf-8")
    (tmp_path / "empty").touch()
    seen = marks.look(tmp_path)
    assert seen.files == 5
    assert [path.name for path in seen.found] == ["json", "json-utf8", "plain"]
    assert len(marks.without(f"Auch hier: {text}")) == 0
    assert marks.without("etwas anderes") is marks


async def test_the_graph_lets_go_of_documents_that_are_deleted_or_replaced_for_other_readers(site: Web) -> None:
    config = site.house.servers.graph

    async def put(**more: object) -> str:
        sent = {"name": "akte.md", "text": f"# Akte\n\n{SECRET}\n", **more}
        [id] = (await asked(site, "anna", "POST", "/api/tools/knowledge.ingest", **sent)).json()["documents"]
        source = Source("default", name="rules", document=id)
        node = Node("z", "Person", "Frau Zacharias", SECRET, {}, source.origin(start=0, end=len(SECRET), quote=SECRET))
        await anyio.to_thread.run_sync(lambda: keep([Brought(source, [node], [])], config=config))
        return id

    async def nodes() -> int:
        found = (await asked(site, "anna", "POST", "/api/tools/graph.schema")).json()
        return sum(kind["count"] for kind in found.get("nodes", []))

    first = await put()
    assert await nodes() == 1
    await asked(site, "anna", "POST", "/api/tools/knowledge.delete", ids=[first])
    assert await nodes() == 0
    await put()
    sent = {"name": "akte.md", "text": f"# Akte\n\n{SECRET}\n", "access": {"users": ["bert"]}}
    await asked(site, "anna", "POST", "/api/tools/knowledge.ingest", **sent)
    assert await nodes() == 0


async def test_who_guesses_a_line_of_somebodys_answer_cannot_delete_it(site: Web) -> None:
    """Only what names the erased document goes, too; the answers of others are theirs."""
    await told(site, "akte.md", SECRET)
    owner = {"tenant": "default", "subject": "bert", "created": 1}
    more = {"model": "answer", "status": "completed", "background": False, "items": [], "streamed": False}
    async with site.house.state.begin() as connection:
        for id, body in (("guessed", {"text": SECRET}), ("citing", {"text": SECRET, "document": "akte.md"})):
            await connection.execute(insert(responses).values(id=id, **owner, body=body, **more))
    paper = Caller(subject="bert")
    site.house.artifacts.put(f"<p>{SECRET}</p>".encode(), media_type="text/html", alt_text="", caller=paper)
    receipt = (await asked(site, "anna", "POST", "/api/erasures", documents=["akte.md"])).json()
    assert receipt["documents"] == ["akte.md"]
    async with site.house.state.read() as connection:
        assert list((await connection.execute(select(responses.c.id))).scalars()) == ["guessed"]
    assert len(list(site.house.artifacts.folder(paper).iterdir())) == 1
