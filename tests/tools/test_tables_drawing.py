import io
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest
from fastmcp import Client
from fastmcp.exceptions import ToolError
from inline_snapshot import snapshot
from PIL import Image
from town_tables import ANNA, town

from tools.base import ArtifactStore, acting_as
from tools.language import Language
from tools.tables import Chart, Column, TableAnswer, TableResult, TablesConfig
from tools.tables.drawing import _COLOURS, drawn  # their contrast is promised
from tools.tables.formats import number, shown
from tools.tables.plotting import Plot, plotted
from tools.tables.server import build
from tools.tables.store import Tables

pytestmark = pytest.mark.anyio


def result(columns: dict[str, str], *rows: Sequence[object]) -> TableResult:
    return TableResult.model_validate(
        {
            "columns": [Column(name=name, type=type) for name, type in columns.items()],
            "rows": rows,
            "truncated": False,
            "row_count": len(rows),
        }
    )


PEOPLE = result(
    {"year": "BIGINT", "sum_value": "HUGEINT", "change": "HUGEINT"},
    [2022, 37564, 0], [2023, 37780, 216], [2024, 37979, 415], [2025, 38204, 640],
)  # fmt: skip
SHARES = result(
    {"district": "VARCHAR", "sum_value": "HUGEINT", "share": "DOUBLE"},
    ["Nordstadt", 8855, 0.2318], ["Südend", 6431, 0.1683], ["Altstadt", 6190, 0.162], ["$ & <Weidach>", 1200, 0.03],
)  # fmt: skip


def plot(given: TableResult, language: Language = "de", *, unit: str | None = None) -> Plot:
    made = plotted(given, title="Einwohner", language=language, unit=unit)
    assert made
    return made


def test_time_is_drawn_as_a_line_and_told_as_a_change() -> None:
    made = plot(PEOPLE, unit="Personen")
    assert (made.kind, made.labels, len(made.series)) == ("line", ("2022", "2023", "2024", "2025"), 1)
    assert made.alt_text() == snapshot(
        "Liniendiagramm: Einwohner (Personen). Von 37.564 (2022) auf 38.204 (2025), Veränderung +640 (1,7 %)."
    )
    assert plot(PEOPLE, "en").alt_text() == snapshot(
        "Line chart: Einwohner. From 37,564 (2022) to 38,204 (2025), a change of +640 (1.7 %)."
    )


def test_things_are_drawn_as_bars_and_shares_as_percent() -> None:
    made = plot(SHARES)
    assert (made.kind, made.percent, made.series[0].name) == ("bar", True, "share")
    assert made.alt_text() == snapshot(
        "Balkendiagramm: Einwohner. 4 Werte, am höchsten Nordstadt mit 23,2 %, am niedrigsten $ & <Weidach> mit 3 %."
    )


def test_a_column_of_names_makes_a_line_of_each() -> None:
    rows = [
        [year, name, value] for year in (2023, 2024, 2025) for name, value in (("Altstadt", 1), ("Nordstadt", year))
    ]
    made = plot(result({"year": "BIGINT", "district": "VARCHAR", "value": "BIGINT"}, *rows))
    assert [(series.name, series.values) for series in made.series] == [
        ("Altstadt", (1, 1, 1)),
        ("Nordstadt", (2023, 2024, 2025)),
    ]


def test_figures_of_another_size_are_not_drawn_on_the_same_axis() -> None:
    made = plot(result({"office": "VARCHAR", "fees": "BIGINT", "euros": "DOUBLE"}, ["A", 3, 90_000], ["B", 5, 80_000]))
    assert [series.name for series in made.series] == ["fees"]


def test_many_bars_are_cut_and_that_is_said() -> None:
    made = plot(result({"name": "VARCHAR", "value": "BIGINT"}, *([f"n{at}", at] for at in range(50))))
    assert (len(made.labels), made.left_out) == (20, 30)
    assert "30 weitere Zeilen sind nicht gezeichnet" in made.alt_text()


@pytest.mark.parametrize(
    "given",
    [
        result({"value": "BIGINT"}, [1], [2]),
        result({"name": "VARCHAR", "office": "VARCHAR"}, ["a", "b"], ["c", "d"]),
        result({"name": "VARCHAR", "value": "BIGINT"}, ["a", 1]),
        result({"name": "VARCHAR", "value": "DOUBLE"}, ["a", "NaN"], ["b", "Infinity"]),
        result({"name": "VARCHAR", "value": "BIGINT"}, ["a", None], ["b", None]),
        result({"year": "BIGINT", "value": "BIGINT"}, [2024, 1], [2024, 2]),
        result({"name": "VARCHAR", "value": "BIGINT"}),
    ],
)
def test_what_cannot_be_compared_is_not_drawn(given: TableResult) -> None:
    assert plotted(given, title="x", language="de") is None


@pytest.mark.parametrize("made", [plot(PEOPLE), plot(SHARES, "en")], ids=["line", "bar"])
def test_a_drawing_carries_its_title_and_description(made: Plot) -> None:
    svg, png = drawn(made, alt_text=made.alt_text())
    root = ElementTree.fromstring(svg)
    space = {"svg": "http://www.w3.org/2000/svg"}
    assert (root.get("role"), root.get("aria-labelledby")) == ("img", "title desc")
    assert [element.text for element in root.findall("svg:title", space)] == ["Einwohner"]
    assert [element.text for element in root.findall("svg:desc", space)] == [made.alt_text()]
    with Image.open(io.BytesIO(png)) as picture:
        assert (picture.format, picture.width) == ("PNG", 1152)
        assert picture.info["Description"] == made.alt_text()


def test_the_same_rows_are_the_same_picture() -> None:
    assert drawn(plot(SHARES), alt_text="x")[1] == drawn(plot(SHARES), alt_text="x")[1]


def test_letters_that_no_font_has_and_dollars_do_no_harm() -> None:
    hostile = result(
        {"name": "VARCHAR", "value": "BIGINT"}, ["\N{GRINNING FACE} 漢字 $x_1$ \\frac{", 1], ["\x00\u202e$", -2]
    )
    svg, png = drawn(plot(hostile), alt_text="x")
    assert ElementTree.fromstring(svg).tag.endswith("svg")
    assert png


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_colours_keep_the_contrast_of_text_against_white() -> None:
    assert all(1.05 / (luminance(colour) + 0.05) >= 4.5 for colour in _COLOURS)
    assert all(one != other for one, other in pairwise(sorted(map(luminance, _COLOURS))))


def test_numbers_and_dates_are_written_as_readers_know_them() -> None:
    assert [number(value, "de") for value in (1234567, 1234.5, 0.25, -3)] == ["1.234.567", "1.234,50", "0,25", "-3"]
    assert [number(value, "en") for value in (1234567, 1234.5, 0.0001)] == ["1,234,567", "1,234.50", "0.0001"]
    assert [shown(value, "de") for value in ("2026-01-31", True, None, "2026-13-99")] == [
        "31.01.2026",
        "ja",
        "–",
        "2026-13-99",
    ]
    assert shown("2026-01-05T08:30:00", "en") == "5 January 2026, 08:30"


# ---------------------------------------------------------------------- through the server


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TablesConfig, Tables]]:
    with town(tmp_path_factory.mktemp("town")) as made:
        yield made


async def test_a_chart_is_kept_for_its_caller(served: tuple[TablesConfig, Tables], tmp_path: Path) -> None:
    config, tables = served
    artifacts = ArtifactStore(tmp_path)
    sql = "SELECT year, sum(value) AS people FROM statistics WHERE topic = 'Einwohner' AND year < 2026 GROUP BY year"
    with acting_as(ANNA.caller):
        async with Client(build(config, tables=tables, artifacts=artifacts)) as client:
            found = await client.call_tool("chart", {"sql": sql, "title": "Einwohner von Birkenfurt"})
            asked = {"question": "Wie viele Einwohner hat jeder Stadtteil 2025?", "chart": True}
            answer = TableAnswer.model_validate((await client.call_tool("ask", asked)).structured_content)
            with pytest.raises(ToolError, match=r"^The rows cannot be drawn: 1 rows"):
                await client.call_tool("chart", {"sql": "SELECT 1 AS x", "title": "Nichts"})
    chart = Chart.model_validate(found.structured_content)
    assert (chart.kind, chart.png.media_type, chart.svg.media_type) == ("line", "image/png", "image/svg+xml")
    assert {block.type for block in found.content} == {"text", "image"}
    assert artifacts.path(chart.png.id, caller=ANNA.caller).read_bytes().startswith(b"\x89PNG")
    assert answer.chart
    assert answer.chart.kind == "bar"
    assert re.search("Nordstadt mit 8.855", answer.chart.alt_text)
