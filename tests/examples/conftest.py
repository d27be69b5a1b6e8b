"""The sample town in an open house: documents, graph and tables, read once for all tests beside it."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from examples.birkenfurt.expected import DATA
from server import House, Settings, open_house
from server.house import LOCAL
from server.ingest import load

TABLES = [DATA / f"{name}.csv" for name in ("fees", "opening_hours", "statistics")]


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where all that the town has lies, ready to be asked."""
    place = tmp_path_factory.mktemp("home")
    asyncio.run(_fill(place))
    return place


@pytest.fixture(scope="module")
async def house(home: Path) -> AsyncGenerator[House]:
    async with open_house(Settings(home=home)) as opened:
        yield opened


async def _fill(home: Path) -> None:
    async with open_house(Settings(home=home)) as opened:
        await opened.servers.library.ingest([DATA.with_name("documents")], caller=LOCAL)
        load(opened.servers, "graph", DATA, _untold)
        load(opened.servers, "tables", TABLES, _untold)


def _untold(done: float, total: float, message: str) -> None:
    """Nobody watches."""
