import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fake_endpoint import Asked, FakeEndpoint, serving
from inline_snapshot import snapshot
from starlette.responses import JSONResponse, Response
from town_tables import ANNA, town

from tests.tools.tables_guarded import BOSS, NORTH, guarded
from tools.base import ArtifactStore, NeedsModel, Reach
from tools.tables import TableAnswer, TableQuestion, TablesConfig
from tools.tables.answering import Answering
from tools.tables.asking import Asking
from tools.tables.loading import load
from tools.tables.store import Tables

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tables]:
    with town(tmp_path_factory.mktemp("town")) as (_, tables):
        yield tables


def asked(tables: Tables, question: str, reach: Reach = ANNA) -> TableAnswer:
    return Asking(tables, reach).answer(TableQuestion(question=question))


def first(answer: TableAnswer) -> list[object]:
    assert answer.outcome == "answered", answer.text
    assert answer.result
    return list(answer.result.rows[0])


@pytest.mark.parametrize(
    ("question", "row"),
    [
        ("Was kostet ein Reihengrab?", [1120.0]),
        ("What is the fee for a Reihengrab?", [1120.0]),
        ("Wann öffnet das Bürgerbüro am Montag?", ["08:00:00"]),
        ("Welches Amt ist für die Gewerbeanmeldung zuständig?", ["Ordnungsamt"]),
        ("Wie viele Einwohner hatte die Nordstadt 2023?", [8650]),
        ("How many residents did Nordstadt have in 2023?", [8650]),
        ("Wie viele Geburten gab es 2024 insgesamt?", [352]),
        ("Wie viele Gebühren gibt es je Amt?", ["Bürgerbüro", 17]),
        ("Welches Amt hat die meisten Gebühren?", ["Bürgerbüro", 17]),
        ("Was sind die drei teuersten Leistungen?", ["Wahlgrab", 1980.0]),
        ("Welcher Stadtteil hatte 2025 die meisten Einwohner?", ["Nordstadt", 8855]),
        ("Wie viele Einwohner hat jeder Stadtteil 2025?", ["Nordstadt", 8855]),
        ("Welcher Anteil der Einwohner lebt 2025 in der Nordstadt?", [0.23178201235472726]),
        ("Wie groß ist der Unterschied der Einwohner zwischen Nordstadt und Altstadt 2025?", [2665]),
        ("Wie hat sich die Zahl der Geburten von 2022 bis 2025 entwickelt?", [2022, 356, 0]),
        ("Gibt es eine Fällgenehmigung?", [True]),
        ("Hat das Bürgerbüro sonntags geöffnet?", [False]),
        ("Bis wann hat das Bürgerbüro donnerstags geöffnet?", ["08:00:00", "18:00:00"]),
        ("In welchem Jahr gab es die meisten Hitzetage?", [2025, 24]),
        ("Vergleiche die Geburten 2023 und 2024", ["2023", 352]),
        ("Wie viele Geburten gab es 2023 und 2024?", [2023, 352]),
        ("Wie viele Gebühren gelten ab 2027?", [11]),
        ("Wie viele Gebühren gelten seit dem 1. Januar 2027?", [11]),
        ("Wie viel Restabfall gab es 2024?", [5950]),
        ("Wie ist das Verhältnis der Einwohner von Nordstadt zu Altstadt 2025?", [8855 / 6190]),
    ],
)
def test_a_question_in_plain_words_gives_the_right_rows(tables: Tables, question: str, row: list[object]) -> None:
    assert first(asked(tables, question))[: len(row)] == row


def test_what_was_understood_is_said(tables: Tables) -> None:
    answer = asked(tables, "Wie viele Einwohner hatte die Nordstadt 2023?")
    assert answer.model_dump(exclude={"template", "result", "confidence"}, exclude_none=True) == snapshot(
        {
            "outcome": "answered",
            "text": "8.650 Personen.",
            "understood": "Summe von value, wobei year = 2023 und topic = Einwohner und district = Nordstadt (Tabelle statistics).",
            "bindings": [
                {
                    "words": "Einwohner",
                    "meaning": "value",
                    "table": "statistics",
                    "column": "topic",
                    "values": ["Einwohner"],
                },
                {
                    "words": "Nordstadt",
                    "meaning": "value",
                    "table": "statistics",
                    "column": "district",
                    "values": ["Nordstadt"],
                },
            ],
            "sql": 'SELECT sum("statistics"."value") AS "sum_value" FROM "statistics" WHERE "statistics"."year" = 2023 AND lower("statistics"."topic") = \'einwohner\' AND lower("statistics"."district") = \'nordstadt\'',
            "markdown": """\
| sum\\_value |
| ---: |
| 8650 |\
""",
            "engine": "templates",
        }
    )


def test_figures_of_several_years_are_not_added_up(tables: Tables) -> None:
    answer = asked(tables, "Wie viele Einwohner hat die Nordstadt?")
    assert first(answer) == [8940]
    assert "year = 2026" in (answer.understood or "")


def test_figures_of_several_units_are_not_added_up(tables: Tables) -> None:
    answer = asked(tables, "Summe der Werte 2024")
    assert (answer.outcome, answer.result) == ("unclear", None)
    assert "Tonnen" in answer.text


@pytest.mark.parametrize(
    ("question", "outcome"),
    [
        ("Was kostet ein Reisepass für Kinder?", "not_in_data"),
        ("Welche Öffnungszeiten hat das Stadtmuseum?", "not_in_data"),
        ("Wie viel verdient die Oberbürgermeisterin?", "not_in_data"),
        ("Wie hoch ist der Hebesatz der Grundsteuer A?", "not_in_data"),
        ("Wie viele Einwohner hatte die Nordstadt 1950?", "not_in_data"),
        ("Which language schools in Birkenfurt offer German courses?", "not_in_data"),
        ("How tall is the tower of St. Laurentius church?", "not_in_data"),
        ("Wie viele Einwohner hatte die Nordstadt nicht?", "unclear"),
        ("Welche Gebühren gelten nur sonntags?", "unclear"),
        ("?!", None),
    ],
)
def test_what_the_tables_cannot_answer_is_not_answered(tables: Tables, question: str, outcome: str | None) -> None:
    if outcome is None:
        with pytest.raises(ValueError, match="no letter"):
            asked(tables, question)
        return
    answer = asked(tables, question)
    assert (answer.outcome, answer.result and answer.result.rows) in ((outcome, None), (outcome, [[None]]))


def test_a_doubt_names_the_words(tables: Tables) -> None:
    assert asked(tables, "Was kostet ein Reisepass?").text == snapshot(
        "In den Tabellen passt nichts zu „Reisepass“. Erwartet werden Wörter ihrer Spalten und Werte."
    )
    assert asked(tables, "What is the fee for a passport?").text == snapshot(
        "Nothing in the tables matches “passport”. Expected words of their columns and values."
    )


# ---------------------------------------------------------------------- who may see what


@pytest.fixture(scope="module")
def guarded_tables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tables]:
    tables = Tables(guarded(tmp_path_factory.mktemp("guarded")))
    yield tables
    tables.close()


@pytest.mark.parametrize(
    "question", ["Welcher plan hat die id 1?", "Wie viele plans gibt es?", "remark of cases", "note HIDDEN-4"]
)
def test_what_a_caller_may_not_see_is_as_if_it_were_not_there(guarded_tables: Tables, question: str) -> None:
    answer = asked(guarded_tables, question, NORTH)
    invented = asked(
        guarded_tables,
        question.replace("plan", "xyzq").replace("remark", "xyzqrk").replace("HIDDEN-4", "XYZQ-4"),
        NORTH,
    )
    assert answer.outcome == invented.outcome != "answered"
    said = answer.model_dump_json()
    assert not any(word in said for word in ("PLAN-A", "SECRET", 'office_id","remark'))
    assert answer.bindings == invented.bindings


def test_each_caller_gets_an_answer_of_the_own_rows(guarded_tables: Tables) -> None:
    assert first(asked(guarded_tables, "Wie viele cases gibt es?", NORTH)) == [3]
    assert first(asked(guarded_tables, "Wie viele cases gibt es?", BOSS)) == [6]


# ---------------------------------------------------------------------- with a model


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeEndpoint]:
    with serving() as endpoint:
        yield endpoint


def draft(sql: str | None, reason: str | None = None) -> dict[str, object]:
    return {"answerable": sql is not None, "sql": sql, "reason": reason}


def saying(*drafts: dict[str, object] | str) -> Callable[[Asked], Response]:
    left = list(drafts)

    def answer(_: Asked) -> Response:
        said = left.pop(0)
        text = said if isinstance(said, str) else json.dumps(said)
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 100, "completion_tokens": 10}
        return JSONResponse({"id": "x", "object": "chat.completion", "choices": [choice], "usage": usage})

    return answer


async def by_model(
    tables: Tables, fake: FakeEndpoint, tmp_path: Path, question: str, reach: Reach = ANNA, method: str = "model"
) -> TableAnswer:
    config = TablesConfig(home=tmp_path / "tables", url=fake.url, name="gemma")
    answering = Answering(config, tables, artifacts=ArtifactStore(tmp_path), pool=None)
    return await answering.ask(TableQuestion.model_validate({"question": question, "method": method}), reach)


async def test_a_model_writes_the_sql_and_its_cost_is_told(tables: Tables, fake: FakeEndpoint, tmp_path: Path) -> None:
    fake.asked.clear()
    fake.answer = saying(draft("SELECT max(amount_eur) AS hoechste FROM fees;"))
    answer = await by_model(tables, fake, tmp_path, "Was ist die höchste Gebühr der Friedhofsverwaltung?")
    assert (answer.outcome, answer.engine, first(answer)) == ("answered", "gemma", [1980.0])
    assert answer.spending and answer.spending.model_dump() == {"requests": 1, "input_tokens": 100, "output_tokens": 10}
    (request,) = fake.asked
    shown = request.body["messages"][1]["content"]
    assert request.body["response_format"]["type"] == "json_schema"
    assert all(word in shown for word in ("fees (80 rows)", "amount_eur DECIMAL", '"Friedhofsverwaltung"'))


async def test_a_mistake_goes_back_once_with_the_reason(tables: Tables, fake: FakeEndpoint, tmp_path: Path) -> None:
    fake.asked.clear()
    fake.answer = saying(draft("SELECT sum(amount) FROM fees"), draft("SELECT count(*) AS zahl FROM fees"))
    answer = await by_model(tables, fake, tmp_path, "Wie viele Gebühren gibt es?")
    assert first(answer) == [80]
    told = fake.asked[1].body["messages"][3]["content"]
    assert "The column 'amount' is not in the tables asked" in told
    assert answer.spending and answer.spending.requests == 2


async def test_an_empty_result_is_tried_once_more_and_then_told(
    tables: Tables, fake: FakeEndpoint, tmp_path: Path
) -> None:
    fake.asked.clear()
    nothing = draft("SELECT amount_eur FROM fees WHERE service = 'Reisepass'")
    fake.answer = saying(nothing, nothing)
    answer = await by_model(tables, fake, tmp_path, "Was kostet der Reisepass?")
    assert (answer.outcome, len(fake.asked)) == ("not_in_data", 2)
    assert "found no row" in fake.asked[1].body["messages"][3]["content"]


@pytest.mark.parametrize(
    ("drafts", "outcome"),
    [
        ((draft(None, "Die Tabellen enthalten keine Gehälter."),), "not_in_data"),
        ((draft("DROP TABLE fees"), draft("SELECT * FROM read_csv('/etc/passwd')")), "unclear"),
        (("Das weiß ich nicht.", "Immer noch nicht."), "unclear"),
        ((draft("SELECT 1; SELECT 2"), draft(None, "Geht nicht.")), "not_in_data"),
        ((draft("SELECT " + "1," * 3000 + "1"), draft("SELECT count(*) FROM secrets")), "unclear"),
    ],
)
async def test_what_a_model_cannot_do_is_no_answer(
    tables: Tables, fake: FakeEndpoint, tmp_path: Path, drafts: tuple[dict[str, object] | str, ...], outcome: str
) -> None:
    fake.answer = saying(*drafts)
    answer = await by_model(tables, fake, tmp_path, "Wie viel verdient die Oberbürgermeisterin?")
    assert (answer.outcome, answer.result) == (outcome, None)
    assert answer.spending and answer.spending.requests == len(drafts)


async def test_the_model_is_asked_only_where_templates_are_in_doubt(
    tables: Tables, fake: FakeEndpoint, tmp_path: Path
) -> None:
    fake.asked.clear()
    fake.answer = saying(draft("SELECT 'x' AS x"))
    sure = await by_model(tables, fake, tmp_path, "Was kostet ein Reihengrab?", method="auto")
    assert (sure.engine, len(fake.asked)) == ("templates", 0)
    doubt = await by_model(tables, fake, tmp_path, "Welche Abgabe tut am meisten weh?", method="auto")
    assert (doubt.engine, len(fake.asked)) == ("gemma", 1)


async def test_the_model_is_shown_nothing_that_the_caller_may_not_see(
    guarded_tables: Tables, fake: FakeEndpoint, tmp_path: Path
) -> None:
    fake.asked.clear()
    fake.answer = saying(draft("SELECT remark FROM cases"), draft("SELECT * FROM plans"))
    answer = await by_model(guarded_tables, fake, tmp_path, "Zeige plans und remark und HIDDEN", NORTH)
    sent = json.dumps([request.body["messages"][1:] for request in fake.asked], ensure_ascii=False)
    assert answer.outcome == "unclear"
    assert not any(word in sent for word in ("SECRET", "HIDDEN-", "PLAN-A", "plans (", "- remark"))


async def test_without_a_model_the_method_says_what_to_set(tables: Tables, tmp_path: Path) -> None:
    answering = Answering(TablesConfig(home=tmp_path), tables, artifacts=ArtifactStore(tmp_path), pool=None)
    with pytest.raises(NeedsModel, match="PARTITUR_MODEL_URL"):
        await answering.ask(TableQuestion(question="Was kostet es?", method="model"), ANNA)


@pytest.fixture(scope="module")
def residents(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tables]:
    """A table that is called like its one figure, as people call them."""
    folder = tmp_path_factory.mktemp("residents")
    rows = "".join(
        f"{name},{year},{5000 + 100 * at}\n" for at, name in enumerate(("Nord", "West")) for year in (2024, 2025)
    )
    (folder / "einwohner.csv").write_text(f"Bezirk,Jahr,Einwohner\n{rows}Ost-Viertel,2025,70\n")
    config = TablesConfig(home=folder / "store")
    load([folder / "einwohner.csv"], config=config)
    tables = Tables(config)
    yield tables
    tables.close()


@pytest.mark.parametrize(
    ("question", "row"),
    [
        ("Wie viele Einwohner hatte der Bezirk West 2024?", [5100]),
        ("Wie viele Einwohner hat West?", [5100]),  # the newest year, not the sum of both, not a number of rows
        ("Welcher Bezirk hat die meisten Einwohner?", ["West", 5100]),
        ("Wie haben sich die Einwohner in West entwickelt?", [2024, 5100, 0]),
    ],
)
def test_a_table_called_like_its_figure_is_asked_for_the_figure(
    residents: Tables, question: str, row: list[object]
) -> None:
    assert first(asked(residents, question)) == row


def test_no_word_is_swallowed_because_it_is_short(residents: Tables) -> None:
    answer = asked(residents, "Wie viele Einwohner hat Süd?")
    assert (answer.outcome, answer.result) == ("not_in_data", None)
