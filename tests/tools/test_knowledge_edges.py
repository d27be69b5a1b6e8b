"""Dates at the ends of the calendar and names in other encodings: one odd document stops no ingestion and no search."""

import os
from datetime import date
from pathlib import Path

import pytest

from tools.base import Caller
from tools.knowledge import Filter, KnowledgeConfig
from tools.knowledge.library import Inline, Library

pytestmark = pytest.mark.anyio
ANNA = Caller(subject="anna", tenant="stadt")


async def test_dates_at_the_ends_of_the_calendar_are_stored_and_asked_for(tmp_path: Path) -> None:
    library = Library(KnowledgeConfig(home=tmp_path))
    dates = {
        "anfang.md": "0001-01-01T00:00:00+14:00",  # before the calendar began, in UTC
        "ende.md": "9999-12-31T23:59:59-14:00",
        "urkunde.md": "0933-05-01",
        "heute.md": "2026-05-01",
    }
    given = [Inline(name, f"---\ndate: {day}\n---\nDas Freibad ist offen.".encode()) for name, day in dates.items()]
    assert (await library.ingest(documents=given, caller=ANNA)).read == 4

    async def found(**days: date) -> list[str]:
        hits = await library.search("Freibad", caller=ANNA, filter=Filter.model_validate(days))
        return sorted(hit.document for hit in hits.passages)

    assert await found(after=date.min) == await found(before=date.max) == ["heute.md", "urkunde.md"]
    assert await found(before=date(1000, 1, 1)) == ["urkunde.md"]
    assert await found(after=date(1000, 1, 1)) == ["heute.md"]
    assert await found(before=date.min) == await found(after=date.max) == []


async def test_a_name_in_another_encoding_is_told_and_stops_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "gut.txt").write_text("Das Freibad ist offen.", "utf-8")
    odd = os.path.join(os.fsencode(folder), "Gebühren.txt".encode("latin-1"))
    with open(odd, "wb") as file:
        file.write(b"Das Hallenbad kostet 4 Euro.")
    library = Library(KnowledgeConfig(home=tmp_path / "home"))
    report = await library.ingest([folder], caller=ANNA)
    assert report.read == 1
    assert [(each.name, each.reason[:33]) for each in report.skipped] == [
        ("Geb\ufffdhren.txt", "Its name is not written in UTF-8.")
    ]
