"""fastmcp's client and the official Python client of MCP meet the server, over HTTP and over a pipe; tool servers alone too."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client
from fastmcp.client.transports import StdioTransport, StreamableHttpTransport
from fastmcp.exceptions import ToolError
from mcp.client.session import ClientSession
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.shared.exceptions import MCPError

pytestmark = pytest.mark.anyio

KEY = "pt-real-parts"
PARTITUR = str(Path(sys.executable).parent / "partitur")
TEXT = (
    "Der Rat der Stadt Birkenfurt hat am Montag beschlossen, das Freibad zu sanieren. "
    "Die Kosten betragen 2,4 Millionen Euro. Der Bau beginnt im Jahr 2027."
)


def over_http(url: str, key: str = KEY) -> Client[StreamableHttpTransport]:
    return Client(StreamableHttpTransport(f"{url}/mcp", auth=key))


async def test_a_tool_is_called_over_http_with_progress(served: Any) -> None:
    told: list[float] = []

    async def listen(progress: float, total: float | None, message: str | None) -> None:
        told.append(progress)

    async with over_http(served.url) as client:
        assert {"summary", "newsletter"} <= {tool.name for tool in await client.list_tools()}
        given = {"text": TEXT, "sentences": 1}
        answer = await client.call_tool("briefing", given, progress_handler=listen)
    assert answer.structured_content is not None
    assert answer.structured_content["outcome"] in ("done", "partial")
    assert told == sorted(set(told))
    assert told


@pytest.mark.timeout(120)
async def test_a_long_recording_arrives_as_a_link_and_the_answer_whole(served: Any) -> None:
    text = " ".join([TEXT] * 12)
    async with over_http(served.url) as client:
        answer = await client.call_tool("speech", {"text": text}, progress_handler=_hear)
        links = [block for block in answer.content if block.type == "resource_link"]
        assert answer.structured_content is not None
        assert len(answer.structured_content["artifacts"]) == 2
        assert {link.mime_type for link in links} >= {"audio/wav"}


async def _hear(progress: float, total: float | None, message: str | None) -> None:
    """A listener makes the answer a stream, whose events clients limit."""


async def test_prompts_and_resources_are_there_over_http(served: Any) -> None:
    async with over_http(served.url) as client:
        assert "summary" in {prompt.name for prompt in await client.list_prompts()}
        (catalog,) = await client.read_resource("partitur://use-cases")
    assert '"summary"' in getattr(catalog, "text", "")


async def test_a_wrong_argument_and_a_wrong_key_are_told(served: Any) -> None:
    async with over_http(served.url) as client:
        with pytest.raises(ToolError, match="'text' does not fit"):
            await client.call_tool("summary", {"text": ""})
    with pytest.raises(MCPError, match="error response"):
        async with over_http(served.url, "pt-wrong"):
            pass


async def test_the_pipe_speaks_to_fastmcps_client(tmp_path: Path) -> None:
    environment = {**os.environ, "PARTITUR_HOME": str(tmp_path)}
    async with Client(StdioTransport(PARTITUR, ["mcp"], env=environment)) as client:
        answer = await client.call_tool("summary", {"text": TEXT, "sentences": 1})
    assert answer.structured_content is not None
    assert answer.structured_content["outcome"] == "done"


async def test_the_pipe_speaks_to_the_official_client(tmp_path: Path) -> None:
    server = StdioServerParameters(command=PARTITUR, args=["mcp"], env={**os.environ, "PARTITUR_HOME": str(tmp_path)})
    async with stdio_client(server) as (read, write), ClientSession(read, write) as session:
        await session.initialize()
        answer = await session.call_tool("summary", {"text": TEXT, "sentences": 1})
    assert answer.structured_content is not None
    assert answer.structured_content["use_case"] == "summary"


async def test_a_tool_server_runs_alone_on_a_pipe(tmp_path: Path) -> None:
    environment = {**os.environ, "PARTITUR_HOME": str(tmp_path)}
    async with Client(StdioTransport(PARTITUR, ["tools", "knowledge"], env=environment)) as client:
        await client.call_tool("ingest", {"name": "freibad.md", "text": f"# Freibad\n\n{TEXT}\n"})
        found = await client.call_tool("search", {"query": "Was kostet das Freibad?"})
    assert found.structured_content is not None
    assert "2,4 Millionen" in found.structured_content["passages"][0]["text"]


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """`partitur tools tables` over HTTP."""
    home = tmp_path_factory.mktemp("tables")
    command = [PARTITUR, "tools", "tables", "--transport", "http", "--port", "0"]
    environment = {**os.environ, "PARTITUR_HOME": str(home), "PARTITUR_API_KEY": KEY}
    with _started(command, environment, home) as (url, _):
        yield url


async def test_a_tool_server_runs_alone_over_http_behind_the_same_keys(tables: str) -> None:
    async with over_http(tables) as client:
        assert await client.list_tools()
    with pytest.raises(MCPError, match="error response"):
        async with over_http(tables, "pt-wrong"):
            pass


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_server_without_a_traceback(tmp_path: Path, number: signal.Signals) -> None:
    environment = {**os.environ, "PARTITUR_HOME": str(tmp_path)}
    with _started([PARTITUR, "serve", "--port", "0"], environment, tmp_path) as (url, server):
        said = (tmp_path / "serve.log").read_text()
        server.send_signal(number)
        assert server.wait(20) == 0
    assert url.startswith("http://127.0.0.1:")
    assert len(re.findall(r"pt-[A-Za-z0-9_-]{43}", said)) == 1
    assert "Traceback" not in (tmp_path / "serve.log").read_text()
    with _started([PARTITUR, "serve", "--port", "0"], environment, tmp_path):
        assert "pt-" not in (tmp_path / "serve.log").read_text()


class _started:
    """A server of its own process, for a block: its address and the process."""

    def __init__(self, command: list[str], environment: dict[str, str], home: Path) -> None:
        self._log = home / "serve.log"
        with self._log.open("w") as sink:
            self._server = subprocess.Popen(command, cwd=home, env=environment, stdout=sink, stderr=sink)

    def __enter__(self) -> tuple[str, subprocess.Popen[bytes]]:
        end = time.monotonic() + 90
        while time.monotonic() < end and self._server.poll() is None:
            if found := re.search(r"http://[\d.]+:\d+", self._log.read_text()):
                return found[0], self._server
            time.sleep(0.1)  # a process of its own; there is nothing to wait on but what it prints
        raise AssertionError(f"The server does not say an address:\n{self._log.read_text()}")

    def __exit__(self, *error: object) -> None:
        self._server.terminate()
        self._server.wait(20)
