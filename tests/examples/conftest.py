"""The sample town in an open house: documents, graph and tables, read once for all tests beside it."""

from collections.abc import AsyncGenerator

import pytest

from examples.birkenfurt.expected import DATA
from server import House, Settings, open_house
from server.house import LOCAL
from server.ingest import load

TABLES = [DATA / f"{name}.csv" for name in ("fees", "opening_hours", "statistics")]


@pytest.fixture(scope="session")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[House]:
    async with open_house(Settings(home=tmp_path_factory.mktemp("home"))) as opened:
        await opened.servers.library.ingest([DATA.with_name("documents")], caller=LOCAL)
        load(opened.servers, "graph", DATA, _untold)
        load(opened.servers, "tables", TABLES, _untold)
        yield opened


def _untold(done: float, total: float, message: str) -> None:
    """Nobody watches."""
