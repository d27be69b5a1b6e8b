import re
from collections.abc import Iterator

import pytest
from pydantic import TypeAdapter, ValidationError
from town_tables import ANNA, town

from tools.base import InvalidInput, NotFound
from tools.tables import ColumnInfo, TableInfo, TableQuery, TableSchemaQuery
from tools.tables.catalog import Catalog
from tools.tables.linking import keys
from tools.tables.statement import statement
from tools.tables.store import Tables
from tools.tables.templates import Template

TEMPLATE: TypeAdapter[Template] = TypeAdapter(Template)


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tables]:
    with town(tmp_path_factory.mktemp("town")) as (_, tables):
        yield tables


@pytest.fixture(scope="module")
def catalog(tables: Tables) -> Catalog:
    return Catalog(tables.schema(TableSchemaQuery(), reach=ANNA).tables)


def is_(column: str, *values: object, test: str = "is") -> dict[str, object]:
    return {"column": column, "test": test, "values": values}


PEOPLE = [is_("topic", "Einwohner"), is_("year", 2025)]
SUM = {"function": "sum", "column": "value"}
ROWS: list[tuple[dict[str, object], list[list[object]]]] = [
    (
        {
            "template": "lookup", "table": "fees", "columns": ["amount_eur"],
            "where": [is_("service", "personalAUSWEIS"), is_("group_", "ab 24 Jahren")],
        },
        [[46.0]],
    ),
    (
        {
            "template": "list", "table": "fees", "columns": ["service"], "order_by": "amount_eur", "descending": True,
            "where": [is_("amount_eur", 1000, test="above")],
        },
        [["Wahlgrab"], ["Baumgrab"], ["Urnenwahlgrab"], ["Reihengrab"]],
    ),
    ({"template": "list", "table": "statistics", "columns": ["unit"], "distinct": True, "order_by": "unit",
      "where": [is_("topic", "Ein", test="starts_with")]}, [["Personen"]]),
    ({"template": "count", "table": "fees", "where": [is_("valid_from", "2026-03", test="at_most")]}, [[47]]),
    ({"template": "count", "table": "fees", "distinct": "office"}, [[12]]),
    ({"template": "count", "table": "fees", "where": [is_("valid_from", 2009)], "by": ["service"]},
     [["Bewohnerparkausweis", 1]]),
    ({"template": "aggregate", "table": "statistics", "function": "sum", "column": "value", "where": PEOPLE}, [[38204]]),
    (
        {
            "template": "top", "table": "statistics", "columns": ["district"], "where": PEOPLE, "count": 2,
            "measure": {"function": "maximum", "column": "value"},
        },
        [["Nordstadt", 8855], ["Südend", 6431]],
    ),
    ({"template": "top", "table": "fees", "by": ["office"], "measure": {}, "ties": True}, [["Bürgerbüro", 17]]),
    (
        {
            "template": "share", "table": "statistics", "measure": SUM, "where": PEOPLE,
            "part": [is_("district", "Nordstadt")],
        },
        [[8855 / 38204, 8855, 38204]],
    ),
    (
        {
            "template": "compare", "table": "statistics", "measure": SUM, "where": PEOPLE, "result": "difference",
            "sides": [
                {"label": "N", "where": [is_("district", "Nordstadt")]},
                {"label": "A", "where": [is_("district", "Altstadt")]},
            ],
        },
        [[2665]],
    ),
    (
        {
            "template": "development", "table": "statistics", "measure": SUM, "time": "year", "start": 2023, "end": 2024,
            "where": [is_("topic", "Einwohner")],
        },
        [[2023, 37780, 0], [2024, 37979, 199]],
    ),
    ({"template": "exists", "table": "fees", "where": [is_("service", "Reisepass")]}, [[False]]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("given", "rows"), ROWS, ids=lambda value: value["template"] if isinstance(value, dict) else ""
)
def test_a_template_gives_its_rows(
    tables: Tables, catalog: Catalog, given: dict[str, object], rows: list[list[object]]
) -> None:
    sql = statement(TEMPLATE.validate_python(given), catalog)
    assert tables.query(TableQuery(sql=sql), reach=ANNA).rows == rows


def test_a_share_of_groups_adds_up_to_one(tables: Tables, catalog: Catalog) -> None:
    template = {"template": "share", "table": "statistics", "measure": SUM, "where": PEOPLE, "by": "district"}
    found = tables.query(TableQuery(sql=statement(TEMPLATE.validate_python(template), catalog)), reach=ANNA).rows
    assert len(found) == 8
    assert sum(float(str(row[2])) for row in found) == pytest.approx(1)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"template": "count", "table": "fee"}, "The table 'fee' is not there.*Did you mean 'fees'"),
        ({"template": "count", "table": "fees", "by": ["offices"]}, "column 'offices' of the table 'fees'.*'office'"),
        ({"template": "aggregate", "table": "fees", "function": "sum", "column": "office"}, "holds no numbers"),
        ({"template": "top", "table": "fees", "measure": {}}, "neither groups nor a column"),
        ({"template": "count", "table": "fees", "where": [is_("amount_eur", "viel")]}, "'viel' cannot be compared"),
        (
            {"template": "count", "table": "fees", "where": [is_("valid_from", "gestern")]},
            "'gestern' cannot be compared",
        ),
        ({"template": "count", "table": "fees", "by": ["statistics.topic"]}, "share no key"),
        (
            {"template": "development", "table": "statistics", "measure": {}, "time": "year", "step": "month"},
            "holds no dates",
        ),
    ],
)
def test_what_does_not_fit_the_tables_is_named(catalog: Catalog, given: dict[str, object], said: str) -> None:
    with pytest.raises((InvalidInput, NotFound)) as caught:
        statement(TEMPLATE.validate_python(given), catalog)
    assert re.search(said, str(caught.value))


@pytest.mark.parametrize(
    "given",
    [
        {"template": "lookup", "table": "fees", "columns": ["a"], "where": []},
        {"template": "count", "table": "fees; DROP TABLE fees"},
        {"template": "count", "table": "fees", "where": [is_("x", test="between")]},
        {"template": "share", "table": "fees"},
        {"template": "compare", "table": "fees", "measure": {}, "sides": [{"label": "a", "where": [is_("x", 1)]}]},
        {"template": "aggregate", "table": "fees", "function": "exec", "column": "x"},
    ],
)
def test_a_template_that_is_none_is_refused_before_any_sql(given: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        TEMPLATE.validate_python(given)


def test_a_value_stays_a_value(tables: Tables, catalog: Catalog) -> None:
    hostile = "x' OR 1=1; SELECT 'y"
    template = {"template": "count", "table": "fees", "where": [is_("service", hostile)]}
    assert tables.query(TableQuery(sql=statement(TEMPLATE.validate_python(template), catalog)), reach=ANNA).rows == [
        [0]
    ]


def column(name: str, type: str = "BIGINT", distinct: int | None = None) -> ColumnInfo:
    return ColumnInfo(name=name, type=type, header=name, samples=[], distinct=distinct, nulls=0)


AUTHOR = TableInfo(name="author", file="", rows=3, columns=[column("aid", distinct=3), column("name", "VARCHAR", 3)])
WROTE = TableInfo(name="wrote", file="", rows=5, columns=[column("aid", distinct=3), column("pid", distinct=4)])
PAPER = TableInfo(name="paper", file="", rows=4, columns=[column("pid", distinct=4), column("year", distinct=2)])


def test_tables_join_by_keys_of_one_name_that_are_unique_on_one_side() -> None:
    assert {(key.table, key.column, key.other, key.one) for key in keys([AUTHOR, WROTE, PAPER])} == {
        ("author", "aid", "wrote", False),
        ("wrote", "aid", "author", True),
        ("wrote", "pid", "paper", True),
        ("paper", "pid", "wrote", False),
    }


def test_a_condition_on_another_table_multiplies_no_rows() -> None:
    tables = [AUTHOR, WROTE, PAPER]
    template = TEMPLATE.validate_python({"template": "count", "table": "author", "where": [is_("paper.year", 2021)]})
    assert statement(template, Catalog(tables, keys(tables))) == (
        'SELECT count(*) AS "count" FROM "author" WHERE "author"."aid" IN (SELECT "wrote"."aid" FROM "wrote" '
        'JOIN "paper" ON "wrote"."pid" = "paper"."pid" WHERE "paper"."year" = 2021)'
    )
