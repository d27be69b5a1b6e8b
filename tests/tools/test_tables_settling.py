"""What only the rows can tell of a question: totals among other rows, the newest year, an average of single figures."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.base import Caller, Reach
from tools.tables import TableAnswer, TableQuestion, TablesConfig
from tools.tables.asking import Asking
from tools.tables.loading import load
from tools.tables.store import Tables

ANNA = Reach(Caller(subject="anna"))
SALES = """year,shop,goods,value
2023,Hafen,Brot,10
2023,Markt,Brot,30
2023,gesamt,Brot,40
2024,Hafen,Brot,20
2024,Markt,Brot,50
2024,gesamt,Brot,70
2023,Hafen,Milch,1
2024,Hafen,Milch,3
"""


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tables]:
    home: Path = tmp_path_factory.mktemp("settling")
    (home / "verkauf.csv").write_text(SALES, encoding="utf-8")
    config = TablesConfig(home=home / "tables", workers=1)
    load([home / "verkauf.csv"], config=config)
    tables = Tables(config)
    try:
        yield tables
    finally:
        tables.close()


def rows(tables: Tables, question: str) -> list[list[object]]:
    answer: TableAnswer = Asking(tables, ANNA).answer(TableQuestion(question=question))
    assert answer.outcome == "answered", answer.text
    assert answer.result is not None
    return [list(row) for row in answer.result.rows]


def test_a_sum_takes_the_row_of_totals_and_does_not_add_it_to_the_others(tables: Tables) -> None:
    assert rows(tables, "Wie viel Brot gab es 2024 insgesamt?") == [[70]]
    assert sorted(rows(tables, "Wie viel Brot gab es 2023 und 2024?")) == [[2023, 40], [2024, 70]]


def test_rows_that_have_no_total_are_added_up(tables: Tables) -> None:
    assert rows(tables, "Wie viel Milch gab es 2024 insgesamt?") == [[3]]


def test_a_total_is_never_the_first_of_those_it_adds_up(tables: Tables) -> None:
    assert rows(tables, "Welcher shop hatte 2024 den höchsten Wert für Brot?")[0][0] == "Markt"


def test_an_average_of_one_figure_a_year_is_that_of_the_years(tables: Tables) -> None:
    for question in ("Wie viel Milch gab es im Durchschnitt?", "Durchschnitt von Milch pro Jahr"):
        assert rows(tables, question) == [[2.0]], question


def test_an_average_for_each_group_keeps_its_groups(tables: Tables) -> None:
    assert sorted(rows(tables, "Durchschnitt von value je shop für Brot 2024")) == [["Hafen", 20.0], ["Markt", 50.0]]
