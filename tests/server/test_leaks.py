"""Nobody learns at any interface what they may not read: found, quoted, counted, drawn, named in errors, logged or traced."""

import json
import logging
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import anyio.to_thread
import httpx
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from web_house import Web, web

from tools.base import Caller, Unauthenticated
from tools.graph.loading import load as load_graph
from tools.tables.loading import load as load_tables

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]
MARK = "Quittenzwerg"
SCOPES = frozenset({"partitur"})
ADA = Caller(subject="ada", roles=frozenset({"admin", "analyst"}), scopes=SCOPES)
CALLERS = {
    "ada": ADA,
    "anna": Caller(subject="anna", groups=frozenset({"personal"}), roles=frozenset({"analyst"}), scopes=SCOPES),
    "bert": Caller(subject="bert", groups=frozenset({"bauamt"}), roles=frozenset({"analyst"}), scopes=SCOPES),
    "dora": Caller(
        subject="anna", tenant="kreis", groups=frozenset({"personal"}), roles=frozenset({"admin"}), scopes=SCOPES
    ),
}
ASKED = "Wer wurde wegen der verschwundenen Gießkanne abgemahnt?"
HIDDEN = f"""---
title: Akte {MARK}
fall: {MARK}
---

# Akte {MARK}

## Vorfall {MARK}

Herr {MARK} wurde wegen der verschwundenen Gießkanne abgemahnt. Die Abmahnung kostete {MARK} 34 Euro.
"""
OPEN = """# Gartenamt

Das Gartenamt verleiht Gießkannen. Eine Gießkanne kostet 2 Euro am Tag. Wer eine Gießkanne verliert, meldet das dem Amt.
"""
QUESTIONS = (ASKED, "Gießkanne", "Was kostet die Abmahnung?", "Abmahnung")


async def verify(token: str) -> Caller:
    if token in CALLERS:
        return CALLERS[token]
    raise Unauthenticated("Nobody.")


@pytest.fixture(scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Web]:
    home = tmp_path_factory.mktemp("leaks")
    async with web(home / "home", verify=verify) as opened:
        rules = {
            "name": "personal",
            "purpose": f"Akten wie {MARK}",
            "owner": "anna",
            "readers": {"groups": ["personal"]},
        }
        assert (await asked(opened, "ada", "POST", "/api/collections", **rules)).status_code == 201
        for who, name, text, where in (
            ("bert", "garten.md", OPEN, "default"),
            ("anna", f"{MARK}.md", HIDDEN, "personal"),
        ):
            sent = {"name": name, "text": text, "collection": where}
            assert (await tool(opened, who, "knowledge.ingest", **sent)).json()["read"] == 1
        await anyio.to_thread.run_sync(_loaded, opened, home)
        yield opened


def _loaded(site: Web, home: Path) -> None:
    """The same kinds of things in the open and in the hidden collection."""
    servers = site.house.servers
    for where, name in (("default", "Gartenamt"), ("personal", MARK)):
        folder = home / where
        folder.mkdir()
        label = "Office" if where == "default" else MARK
        (folder / "nodes.csv").write_text(
            f"id,label,name,description\n{name.lower()},{label},{name},Stelle\nx-{where},Office,Stelle {where},{name}\n",
            "utf-8",
        )
        (folder / "edges.csv").write_text(f"source,type,target\n{name.lower()},OF_{label.upper()},x-{where}\n", "utf-8")
        load_graph(folder, config=servers.graph, collection=where)
        values = home / f"{where}-tables"
        values.mkdir()
        (values / f"{name.lower()}_kosten.csv").write_text(
            f"fall,{name.lower()},euro\n{name},ja,34\nandere,nein,2\n", "utf-8"
        )
        load_tables(values, config=servers.tables, collection=where)


async def asked(site: Web, who: str, method: str, path: str, /, **body: object) -> httpx.Response:
    headers = {"Authorization": f"Bearer {who}"}
    return await site.client.request(method, path, json=body if method in ("POST", "PATCH") else None, headers=headers)


async def tool(site: Web, who: str, name: str, /, **given: object) -> httpx.Response:
    return await asked(site, who, "POST", f"/api/tools/{name}", **given)


async def mcp(site: Web, who: str, method: str, params: dict[str, Any] | None = None) -> httpx.Response:
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params or {}}
    headers = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-06-18"}
    return await site.client.post("/mcp", json=body, headers={**headers, "Authorization": f"Bearer {who}"})


async def everything(site: Web, who: str) -> dict[str, str]:
    """All that every interface tells a caller who asks for what is hidden, without its name."""
    told: dict[str, str] = {}

    async def keep(what: str, answer: httpx.Response) -> None:
        told[what] = answer.text

    for question in QUESTIONS:
        for name, field in (("answer", "question"), ("research", "topic")):
            await keep(
                f"rest {name} {question}", await asked(site, who, "POST", f"/api/use-cases/{name}", **{field: question})
            )
        said = [{"role": "user", "content": question}]
        for stream in (False, True):
            body = {"model": "answer", "messages": said, "stream": stream}
            await keep(f"chat {stream} {question}", await asked(site, who, "POST", "/v1/chat/completions", **body))
        await keep(
            f"search {question}",
            await tool(site, who, "knowledge.search", query=question, limit=50, why=True, around=3),
        )
        await keep(f"tables {question}", await tool(site, who, "tables.ask", question=question))
        await keep(f"graph {question}", await tool(site, who, "graph.ask", question=question))
    await keep("response", await asked(site, who, "POST", "/v1/responses", model="answer", input=ASKED))
    await keep("newsletter", await asked(site, who, "POST", "/api/use-cases/newsletter", topic="Abmahnung Gießkanne"))
    call = {"name": "answer", "arguments": {"question": ASKED}}
    await keep("mcp answer", await mcp(site, who, "tools/call", call))
    for method in ("resources/list", "resources/templates/list", "prompts/list", "tools/list"):
        await keep(method, await mcp(site, who, method))
    for name, given in {
        "knowledge.documents": {},
        "knowledge.collections": {},
        "knowledge.similar": {"document": "garten.md"},
        "graph.schema": {},
        "graph.query": {"cypher": "MATCH (a) OPTIONAL MATCH (a)-[r]->(b) RETURN a, r, b, label(a)"},
        "graph.neighbours": {"name": "Gartenamt"},
        "graph.picture": {"name": "Gartenamt"},
        "graph.templates": {},
        "tables.schema": {},
        "tables.query": {"sql": "SELECT * FROM information_schema.columns"},
        "tables.templates": {},
    }.items():
        await keep(name, await tool(site, who, name, **given))
    await keep("near table", await tool(site, who, "tables.query", sql="SELECT * FROM quittenzwer_kosten"))
    await keep("near column", await tool(site, who, "tables.query", sql="SELECT quittenzwer FROM gartenamt_kosten"))
    await keep("near node", await tool(site, who, "graph.neighbours", name="Quittenzwer"))
    await keep("near label", await tool(site, who, "graph.query", cypher="MATCH (a:Quittenzwer) RETURN a"))
    await keep("collections", await asked(site, who, "GET", "/api/collections"))
    return told


async def test_whoever_may_read_is_told_at_every_interface(site: Web) -> None:
    """Without this, the other tests would show nothing."""
    told = await everything(site, "anna")
    assert {what for what, text in told.items() if '"invalid_input"' in text} <= {"near column", "near label"}
    silent = {what for what, text in told.items() if MARK.lower() not in text.lower()}
    assert not {what for what in silent if what.startswith(("rest", "chat", "search")) and ASKED in what}
    for what in (
        "response",
        "newsletter",
        "mcp answer",
        "resources/list",
        "knowledge.documents",
        "knowledge.collections",
    ):
        assert what not in silent, told[what]
    for what in ("graph.schema", "graph.query", "tables.schema", "near table", "near node", "collections"):
        assert what not in silent, told[what]


@pytest.mark.parametrize("who", ["bert", "dora"])
async def test_others_learn_nothing_at_any_interface_even_after_somebody_who_may(
    site: Web, who: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    spans = InMemorySpanExporter()
    await everything(site, "anna")
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    monkeypatch.setattr(site.house.runtime, "_tracer", provider.get_tracer("partitur"))
    with caplog.at_level(logging.DEBUG):
        caplog.clear()
        told = await everything(site, who)
    leaks = {what: text for what, text in told.items() if MARK.lower() in text.lower() or "34" in _figures(text)}
    assert leaks == {}
    assert MARK.lower() not in caplog.text.lower()
    assert spans.get_finished_spans()
    assert MARK.lower() not in json.dumps([json.loads(span.to_json()) for span in spans.get_finished_spans()]).lower()


def _figures(text: str) -> set[str]:
    """The sum that stands in the hidden sources alone."""
    return {word.strip('.,"\\') for word in text.replace("\\n", " ").split() if word.strip('.,"\\') == "34"}


@pytest.mark.parametrize("who", ["bert", "dora"])
async def test_what_is_hidden_answers_like_what_was_never_there(site: Web, who: str) -> None:
    hidden, none = f"personal:{MARK}.md", "personal:Nirgendwo.md"
    asks: list[tuple[str, str, dict[str, object]]] = [
        ("POST", "/api/tools/knowledge.document", {"id": "{}"}),
        ("POST", "/api/tools/knowledge.similar", {"document": "{}"}),
        ("POST", "/api/tools/knowledge.delete", {"ids": ["{}"]}),
        ("POST", "/api/erasures", {"documents": ["{}"]}),
    ]
    for method, path, body in asks:
        answers = []
        for id in (hidden, none):
            given = json.loads(json.dumps(body).replace("{}", id))
            answer = await asked(site, who, method, path, **given)
            answers.append((answer.status_code, answer.text.replace(id, "…")))
        assert answers[0] == answers[1]
    reads = [await mcp(site, who, "resources/read", {"uri": f"partitur://documents/{id}"}) for id in (hidden, none)]
    assert reads[0].text.replace(hidden, "…") == reads[1].text.replace(none, "…")
    for collection in ("personal", "nirgendwo"):
        answer = await tool(site, who, "knowledge.search", query="x", collections=[collection])
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
    for path in ("personal", "nirgendwo"):
        if who == "bert":
            assert (await asked(site, who, "GET", f"/api/collections/{path}")).status_code == 404


async def test_what_anybody_makes_of_it_is_their_own(site: Web) -> None:
    """Artifacts and stored responses that quote what is hidden belong to who made them."""
    made = (await asked(site, "anna", "POST", "/v1/responses", model="answer", input=ASKED)).json()
    paper = (await asked(site, "anna", "POST", "/api/use-cases/newsletter", topic="Abmahnung Gießkanne")).json()
    links = [artifact["uri"] for artifact in paper["artifacts"]]
    assert links
    for who in ("bert", "dora"):
        for path in (f"/v1/responses/{made['id']}", *links):
            assert (await asked(site, who, "GET", path)).status_code == 404
