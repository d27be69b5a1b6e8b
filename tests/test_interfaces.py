"""Every use case through every interface: the same input gives the same result, whoever asks and however."""

import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import anyio.to_thread
import httpx
import pytest
from click.testing import CliRunner
from fastmcp import Client

from server import House, Settings, open_house
from server.app import create_app
from server.cli import partitur
from server.house import LOCAL
from server.keys import KeyStore, KeyVerifier
from server.mcp_api import build_mcp
from tools.knowledge.library import Inline

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]

TEXT = (
    "Die Stadt Birkenfurt hat 2026 ihre Hundesteuer neu geregelt. Für den ersten Hund sind 96 Euro im Jahr zu zahlen. "
    "Für Assistenzhunde fällt keine Steuer an. Wer einen Hund anschafft, meldet ihn innerhalb von 14 Tagen an. "
    "Die Anmeldung ist im Bürgerbüro und im Internet möglich."
)
DOCUMENTS = {
    "hundesteuer.md": f"# Hundesteuer in Birkenfurt\n\n## Was der Hund kostet\n\n{TEXT}\n",
    "hundewiese.md": "# Neue Hundewiese an der Erle\n\nAm Ufer der Erle ist eine Hundewiese mit 4.000 Quadratmetern "
    "eröffnet worden. Hunde dürfen dort ohne Leine laufen. Für die Reinigung sorgt der Bauhof.\n",
    "bibliothek.md": "# Stadtbibliothek\n\nDie Stadtbibliothek leiht Bücher, Spiele und Geräte aus. "
    "Der Ausweis kostet 18 Euro im Jahr. Kinder zahlen nichts.\n",
}
INPUTS: dict[str, dict[str, Any]] = {
    "answer": {"question": "Wie viel Hundesteuer ist für den ersten Hund zu zahlen?"},
    "briefing": {"text": TEXT, "sentences": 1},
    "chat": {"message": "Wie viel Hundesteuer ist für den ersten Hund zu zahlen?"},
    "editor": {
        "topic": "Hundesteuer",
        "findings": [{"statement": "Für den ersten Hund sind 96 Euro im Jahr zu zahlen."}],
    },
    "image": {"prompt": "Hundesteuer in Birkenfurt", "width": 640, "height": 336},
    "newsletter": {"topic": "Hundesteuer", "translate_to": "en", "plain": True},
    "plain_language": {"text": TEXT},
    "research": {"topic": "Hundesteuer"},
    "speech": {"text": "Der Hund kostet 96 Euro.", "formats": ["wav"]},
    "summary": {"text": TEXT, "sentences": 2},
    "translation": {"text": TEXT, "target": "en"},
}
"""An input for each use case. Who adds a use case adds a line here."""
OUTCOMES = {"plain_language": "needs_model", "translation": "needs_model", "newsletter": "partial"}

Envelope = dict[str, Any]
Asker = Callable[[str, dict[str, Any]], Awaitable[Envelope]]


class Doors:
    """One house, and every way into it."""

    def __init__(self, house: House, http: httpx.AsyncClient, mcp: Client[Any]) -> None:
        self.house, self.http, self.mcp = house, http, mcp

    async def python(self, name: str, given: dict[str, Any]) -> Envelope:
        return (await self.house.ask_by_name(name, given)).model_dump(mode="json")

    async def command_line(self, name: str, given: dict[str, Any]) -> Envelope:
        home = self.house.settings.home
        file = home / f"{name}.json"
        file.write_text(json.dumps(given), "utf-8")
        command = ["--home", str(home), "run", name, "--json", str(file), "--format", "json", "--quiet"]
        result = await anyio.to_thread.run_sync(lambda: CliRunner().invoke(partitur, command, standalone_mode=False))
        assert result.exception is None, result.exception
        assert result.return_value == {"needs_model": 4}.get(OUTCOMES.get(name, "done"), 0), result.output
        return json.loads(result.stdout)

    async def rest(self, name: str, given: dict[str, Any]) -> Envelope:
        response = await self.http.post(f"/api/use-cases/{name}", json=given)
        assert response.status_code == 200, response.text
        return response.json()

    async def openai(self, name: str, given: dict[str, Any]) -> Envelope:
        body = {"model": name, "messages": [{"role": "user", "content": json.dumps(given)}]}
        response = await self.http.post("/v1/chat/completions", json=body)
        assert response.status_code == 200, response.text
        answer = response.json()
        assert answer["choices"][0]["message"]["content"]
        return answer["partitur"]

    async def openai_stream(self, name: str, given: dict[str, Any]) -> Envelope:
        body = {"model": name, "stream": True, "messages": [{"role": "user", "content": json.dumps(given)}]}
        response = await self.http.post("/v1/chat/completions", json=body)
        lines = [line.removeprefix("data: ") for line in response.text.splitlines() if line.startswith("data: ")]
        assert lines[-1] == "[DONE]"
        chunks = [json.loads(line) for line in lines[:-1]]
        return next(chunk["partitur"] for chunk in chunks if "output" in chunk.get("partitur", {}))

    async def mcp_tool(self, name: str, given: dict[str, Any]) -> Envelope:
        result = await self.mcp.call_tool(name, given)
        assert result.structured_content is not None
        return result.structured_content


INTERFACES: dict[str, Callable[[Doors], Asker]] = {
    "command_line": lambda doors: doors.command_line,
    "rest": lambda doors: doors.rest,
    "openai": lambda doors: doors.openai,
    "openai_stream": lambda doors: doors.openai_stream,
    "mcp": lambda doors: doors.mcp_tool,
}


@pytest.fixture(scope="module")
async def doors(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Doors]:
    settings = Settings(home=tmp_path_factory.mktemp("home"))
    async with AsyncExitStack() as stack:
        house = await stack.enter_async_context(open_house(settings))
        documents = [Inline(name, text.encode()) for name, text in DOCUMENTS.items()]
        await house.servers.library.ingest(documents=documents, caller=LOCAL)
        keys = KeyStore(settings.home)
        key = keys.first()
        app = create_app(house, KeyVerifier(keys, None))
        http = await stack.enter_async_context(
            httpx.AsyncClient(
                transport=httpx.ASGITransport(app),
                base_url="http://127.0.0.1",
                headers={"authorization": f"Bearer {key}"},
                timeout=60,
            )
        )
        mcp = await stack.enter_async_context(Client(build_mcp(house, local=LOCAL)))
        yield Doors(house, http, mcp)


@pytest.fixture(scope="module")
async def expected(doors: Doors) -> dict[str, Envelope]:
    """What Python gets, asked once for each use case."""
    return {name: _settled(await doors.python(name, given)) for name, given in INPUTS.items()}


def _settled(envelope: Envelope) -> Envelope:
    """An envelope without what differs from run to run: the trace, the times, and where files lie on this machine."""

    def walk(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: walk(item) for key, item in value.items() if key not in ("trace_id", "seconds", "path")}
        return [walk(item) for item in value] if isinstance(value, list) else value

    return walk(envelope)


async def test_every_use_case_has_an_input_here(doors: Doors) -> None:
    assert sorted(use_case.name for use_case in doors.house.catalog) == sorted(INPUTS)


@pytest.mark.parametrize("name", sorted(INPUTS))
async def test_a_use_case_gives_what_it_promises(name: str, expected: dict[str, Envelope]) -> None:
    envelope = expected[name]
    assert envelope["outcome"] == OUTCOMES.get(name, "done"), envelope["message"]
    assert (envelope["output"] is None) == (envelope["outcome"] == "needs_model")


@pytest.mark.parametrize("interface", INTERFACES)
@pytest.mark.parametrize("name", sorted(INPUTS))
async def test_a_use_case_gives_the_same_result_at_every_interface(
    name: str, interface: str, doors: Doors, expected: dict[str, Envelope]
) -> None:
    envelope = await INTERFACES[interface](doors)(name, INPUTS[name])
    assert len(envelope["trace_id"]) == 32
    assert _settled(envelope) == expected[name]


async def test_free_text_in_a_chat_fills_the_first_text_field(doors: Doors, expected: dict[str, Envelope]) -> None:
    body = {"model": "answer", "messages": [{"role": "user", "content": INPUTS["answer"]["question"]}]}
    envelope = (await doors.http.post("/v1/chat/completions", json=body)).json()["partitur"]
    assert _settled(envelope) == expected["answer"]


@pytest.mark.parametrize("name", sorted(INPUTS))
async def test_a_streamed_chat_says_the_same_as_a_whole_one(name: str, doors: Doors) -> None:
    body = {"model": name, "messages": [{"role": "user", "content": json.dumps(INPUTS[name])}]}
    whole = (await doors.http.post("/v1/chat/completions", json=body)).json()
    streamed = await doors.http.post("/v1/chat/completions", json=body | {"stream": True})
    lines = [line.removeprefix("data: ") for line in streamed.text.splitlines() if line.startswith("data: {")]
    deltas = [choice["delta"] for line in lines for choice in json.loads(line)["choices"]]
    said = "".join(delta.get("content") or "" for delta in deltas)
    assert said == whole["choices"][0]["message"]["content"] != ""


async def test_every_sentence_of_every_answer_stands_in_its_source(doors: Doors, expected: dict[str, Envelope]) -> None:
    checked = 0
    for name in ("answer", "research", "newsletter", "editor", "chat"):
        for citation in expected[name]["citations"]:
            if citation["document"].startswith("input"):
                continue
            stored = await doors.house.servers.library.text(citation["document"], LOCAL)
            assert stored.text[citation["start"] : citation["end"]] == citation["quote"]
            checked += 1
    assert checked >= 10
