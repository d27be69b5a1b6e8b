"""Tests of the routing of free messages, a plug-in's use case among them."""

from collections.abc import AsyncGenerator

import pytest
from pydantic import BaseModel

from agents.kit import UseCase
from compositions.chat import Message, chat
from server import House, Settings, open_house
from tools.base import InvalidInput, StepFailed
from tools.knowledge.library import Inline

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(30)]

TEXT = "Die Stadt baut ein Bad. Es kostet 18 Millionen Euro. Der Rat hat es beschlossen."


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[House]:
    from server.house import LOCAL

    async with open_house(Settings(home=tmp_path_factory.mktemp("home"))) as opened:
        fair = (
            "# Stadtfest 2027\n\nDas Stadtfest beginnt am 4. Juni 2027 auf dem Rathausplatz. "
            "Drei Bühnen bieten Musik aus der Region. Das Stadtfest endet mit einem Feuerwerk über der Erle.\n\n"
            "## Anreise zum Stadtfest\n\nZum Stadtfest fahren Busse im Takt von zehn Minuten.\n"
        )
        await opened.servers.library.ingest(documents=[Inline("fest.md", fair.encode())], caller=LOCAL)
        yield opened


@pytest.mark.parametrize(
    ("message", "name"),
    [
        ("Wann beginnt das Stadtfest?", "answer"),
        ("When does the Stadtfest begin?", "answer"),
        (f"Fasse diesen Text zusammen: {TEXT}", "summary"),
        (f"Zusammenfassung bitte:\n{TEXT}", "summary"),
        (f"Summarise this: {TEXT}", "summary"),
        (f"Fasse zusammen und lies vor: {TEXT}", "briefing"),
        ("Lies mir das vor: Guten Morgen", "speech"),
        ("Erstelle ein Bild zum Thema Stadtfest", "image"),
        ("Recherchiere zum Thema Stadtfest", "research"),
        ("Schreib einen Newsletter über das Stadtfest", "newsletter"),
    ],
)
async def test_a_message_reaches_the_use_case_it_asks_for(house: House, message: str, name: str) -> None:
    result = await house.ask(chat, Message(message=message))
    assert result.output is not None, result.message
    assert result.output.use_case == name
    assert result.output.markdown().endswith(f"_{name}_")


@pytest.mark.parametrize("message", ["Übersetze ins Englische: Guten Morgen", "Translate to German: Good morning"])
async def test_what_needs_a_model_says_so_and_is_not_given_to_another(house: House, message: str) -> None:
    result = await house.ask(chat, Message(message=message))
    assert (result.outcome, "'translation' writes new text" in (result.message or "")) == ("needs_model", True)


async def test_a_question_the_documents_do_not_answer_has_no_source(house: House) -> None:
    result = await house.ask(chat, Message(message="Wie hoch ist der Eiffelturm?"))
    assert (result.outcome, result.output) == ("no_source", None)


async def test_a_plug_in_is_routable_by_what_it_says_of_itself(house: House) -> None:
    class Plan(BaseModel):
        plan: str

    class Papers(BaseModel):
        text: str

    permits = UseCase(
        Plan,
        Papers,
        prompt="summary",
        name="permits",
        description="Lists the papers a building permit needs.",
        german="Nennt die Unterlagen für eine Baugenehmigung.",
    )
    house.runtime.use_cases = (*house.catalog, permits)
    with pytest.raises((StepFailed, InvalidInput), match="permits|does not fit|variable"):
        # It is chosen; its borrowed prompt then does not know the field 'plan'.
        await house.ask(chat, Message(message="Nenne die Unterlagen für eine Baugenehmigung: Carport"))
    house.runtime.use_cases = tuple(house.catalog)
