"""A house whose documents a RAGFlow server keeps: use cases, commands and doctor work on it as on our own tables."""

from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest
from click.testing import CliRunner
from fake_ragflow import KEY, FakeRagflow, ragflow
from pydantic import SecretStr

from agents.answer import Question, answer
from agents.kit.scope import Scope
from server import House, Settings, open_house
from server.cli import partitur
from server.doctor import _knowledge, _look
from server.house import LOCAL
from tools.knowledge.files import Inline
from tools.ragflow import RagflowCollection, RagflowConfig

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]
POOL = "Das Freibad öffnet im Mai.\n\nDer Eintritt ins Freibad kostet vier Euro für Erwachsene."


@pytest.fixture
def fake() -> Generator[FakeRagflow]:
    with ragflow("1.0", "open") as served:
        yield served


@pytest.fixture
async def house(fake: FakeRagflow, tmp_path: Path) -> AsyncGenerator[House]:
    config = RagflowConfig(url=fake.url, key=SecretStr(KEY), collections=(RagflowCollection(dataset="open"),))
    async with open_house(Settings(home=tmp_path, ragflow=config)) as opened:
        yield opened


async def test_a_use_case_answers_from_it_with_citations_that_hold(house: House) -> None:
    await house.servers.shelf.ingest(documents=[Inline("freibad.md", POOL.encode())], caller=LOCAL)
    result = await house.ask(answer, Question(question="Was kostet der Eintritt ins Freibad?"))
    assert result.outcome == "done" and result.citations
    for citation in result.citations:
        text = (await house.servers.shelf.text(citation.document, LOCAL)).text
        assert text[citation.start : citation.end] == citation.quote
    assert "vier Euro" in " ".join(citation.quote for citation in result.citations)


async def test_the_tools_work_on_it(house: House, fake: FakeRagflow) -> None:
    toolbox, scope = house.runtime.toolbox, Scope.alone("test", LOCAL)
    await toolbox.run("knowledge.ingest", {"name": "freibad.md", "text": POOL}, scope)
    listed = await toolbox.run("knowledge.documents", {}, scope)
    [id] = [one["id"] for one in listed["documents"]]
    assert id == fake.datasets["open"][0].id
    assert (await toolbox.run("knowledge.document", {"id": id}, scope))["text"] == POOL
    assert (await toolbox.run("knowledge.delete", {"ids": [id]}, scope))["deleted"] == [id]
    assert fake.datasets["open"] == []


async def test_doctor_tells_of_it(house: House, fake: FakeRagflow) -> None:
    check = await _look("knowledge", lambda: _knowledge(house))
    assert (check.state, check.said) == ("ok", "0 documents in RAGFlow, datasets found: 1")
    del fake.datasets["open"]
    check = await _look("knowledge", lambda: _knowledge(house))
    assert (check.state, "don't own the dataset" in check.said) == ("failed", True)


def test_the_commands_work_on_it(fake: FakeRagflow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "freibad.md").write_text(POOL)
    collections = '[[ragflow.collections]]\ndataset = "open"\n'
    (tmp_path / "partitur.toml").write_text(f'[ragflow]\nurl = "{fake.url}"\nkey = "env:RAGFLOW_KEY"\n\n{collections}')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RAGFLOW_KEY", KEY)
    runner = CliRunner()
    assert runner.invoke(partitur, ["ingest", "freibad.md"]).exit_code == 0
    listed = runner.invoke(partitur, ["documents"])
    assert "freibad.md" in listed.output
    assert [doc.name for doc in fake.datasets["open"]] == ["freibad.md"]
