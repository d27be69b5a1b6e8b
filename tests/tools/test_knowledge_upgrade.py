"""An upgrade of the knowledge base that is killed, or begun twice, takes nothing away."""

from pathlib import Path

import pytest

from tools.base import Caller
from tools.knowledge import KnowledgeConfig
from tools.knowledge.library import Inline, Library

pytestmark = pytest.mark.anyio
ANNA = Caller(subject="anna", tenant="stadt")


async def test_tables_of_today_stay_where_an_older_format_is_still_noted(tmp_path: Path) -> None:
    config = KnowledgeConfig(home=tmp_path)
    await Library(config).ingest(documents=[Inline("bad.txt", b"Das Freibad ist offen.")], caller=ANNA)
    # As a process leaves it that is killed after the last table; and as one finds it that waited for another's upgrade.
    (tmp_path / "format").write_text("2")
    opened = Library(config)
    assert [found.id for found in (await opened.documents(ANNA)).documents] == ["bad.txt"]
    assert (tmp_path / "format").read_text() == "3"
    assert not (tmp_path / "lance-old").exists()
