import base64
import importlib
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from fastmcp import Client
from fastmcp.exceptions import ToolError
from knowledge_files import word

from tools.base import Caller, Passages, acting_as
from tools.knowledge import Documents, IngestReport, KnowledgeConfig
from tools.knowledge.server import build
from tools.server import SOURCE

pytestmark = pytest.mark.anyio
ANNA = Caller(subject="anna")
BERT = Caller(subject="bert", tenant="kreis")
TEXT = "# Rathaus\n\nDas Rathaus öffnet um 8 Uhr."


@pytest.fixture(scope="session", autouse=True)
def imported() -> None:
    importlib.import_module("tools.knowledge.store")


@pytest.fixture
async def client(tmp_path: Path) -> AsyncGenerator[Client]:
    async with Client(build(KnowledgeConfig(home=tmp_path), local=ANNA)) as client:
        yield client


async def test_a_document_is_sent_found_read_and_deleted(client: Client) -> None:
    told: list[str | None] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        told.append(message)

    sent = await client.call_tool("ingest", {"name": "rathaus.md", "text": TEXT}, progress_handler=on_progress)
    assert IngestReport.model_validate(sent.structured_content).documents == ["rathaus.md"]
    assert told[-1] == "done"
    found = await client.call_tool("search", {"query": "Wann öffnet das Rathaus?"})
    [passage] = Passages.model_validate(found.structured_content).passages
    text = await client.call_tool("document", {"id": passage.document})
    assert text.structured_content is not None
    assert (
        text.structured_content["text"][passage.start : passage.end] == passage.text == "Das Rathaus öffnet um 8 Uhr."
    )
    listed = Documents.model_validate((await client.call_tool("documents", {})).structured_content)
    assert [(item.id, item.title, item.chunks) for item in listed.documents] == [("rathaus.md", "Rathaus", 1)]
    gone = await client.call_tool("delete", {"ids": ["rathaus.md"]})
    assert gone.structured_content == {"deleted": ["rathaus.md"], "missing": []}
    assert (await client.call_tool("search", {"query": "Rathaus"})).structured_content == {"passages": []}


async def test_a_word_file_is_sent_as_base64(client: Client) -> None:
    content = base64.b64encode(word()).decode()
    await client.call_tool("ingest", {"name": "ordnung.docx", "content": content})
    found = await client.call_tool("search", {"query": "Wann ist der Friedhof geöffnet?", "limit": 1})
    [passage] = Passages.model_validate(found.structured_content).passages
    assert (passage.title, passage.heading) == ("Friedhofsordnung", "Öffnungszeiten")


async def test_the_same_name_replaces_and_a_broken_file_is_reported(client: Client) -> None:
    await client.call_tool("ingest", {"name": "rathaus.md", "text": TEXT})
    report = (
        await client.call_tool("ingest", {"name": "rathaus.md", "text": TEXT.replace("8", "9")})
    ).structured_content
    assert report is not None
    assert (report["read"], report["replaced"]) == (0, 1)
    broken = (await client.call_tool("ingest", {"name": "x.pdf", "text": "kein pdf"})).structured_content
    assert broken is not None
    assert broken["failed"] == [
        {"name": "x.pdf", "reason": "The content is no PDF. Expected a file that begins with '%PDF-'."}
    ]


async def test_search_is_declared_as_a_source_and_delete_as_destructive(client: Client) -> None:
    tools = {tool.name: tool for tool in await client.list_tools()}
    assert set(tools) == {"search", "similar", "collections", "ingest", "documents", "document", "delete"}
    assert [name for name, tool in tools.items() if (tool.meta or {}).get(SOURCE)] == ["search", "similar"]
    hints = {name: tool.annotations for name, tool in tools.items() if tool.annotations}
    assert [name for name, hint in hints.items() if hint.destructive_hint] == ["delete"]
    assert [name for name, hint in hints.items() if not hint.read_only_hint] == ["ingest", "delete"]


@pytest.mark.parametrize(
    ("tool", "arguments", "expected"),
    [
        ("search", {"query": ""}, "'query' does not fit"),
        ("search", {"query": "x", "limit": 51}, "'limit' does not fit"),
        ("search", {"query": "x", "tenant": "kreis"}, "'tenant' does not fit"),
        ("ingest", {"name": "a.md"}, "exactly one of 'text', 'content' and 'url'"),
        ("ingest", {"text": "a"}, "a 'name' is expected"),
        ("ingest", {"name": "a.md", "url": "https://example.org/"}, "none with 'url'"),
        ("ingest", {"url": "http://169.254.169.254/latest"}, "does not lead to a public address"),
        ("ingest", {"url": "https://example.org/", "collection": "fremd"}, "'fremd' is not there"),
        ("document", {"id": "nirgends"}, "Document 'nirgends' is not there"),
    ],
)
async def test_wrong_calls_get_a_clear_error(
    client: Client, tool: str, arguments: dict[str, object], expected: str
) -> None:
    with pytest.raises(ToolError, match=expected):
        await client.call_tool(tool, arguments)


async def test_the_caller_alone_decides_what_is_seen(tmp_path: Path) -> None:
    server = build(KnowledgeConfig(home=tmp_path))
    with acting_as(ANNA):
        await server.call_tool("ingest", {"name": "rathaus.md", "text": TEXT})
    with acting_as(BERT):
        found = await server.call_tool("search", {"query": "Rathaus"})
    assert found.structured_content == {"passages": []}
    async with Client(server) as client:
        with pytest.raises(ToolError, match="no verified caller"):
            await client.call_tool("search", {"query": "Rathaus"})
