"""Draws a plot as SVG and PNG: with the fonts we ship, readable without colours, with its description inside."""

import io
import re
import textwrap
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from xml.sax.saxutils import escape

# pyright: reportUnknownMemberType=false
# Matplotlib's signatures take **kwargs without a type.
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.ft2font import FT2Font
from matplotlib.ticker import FuncFormatter, MaxNLocator

from tools.base import SetupError
from tools.tables.formats import number
from tools.tables.plotting import Plot

__all__ = ["drawn"]

_INK, _QUIET, _GRID = "#1a1a1a", "#4d4d4d", "#d9d9d9"
_COLOURS = ("#1f4e79", "#b3541e", "#2e6b34", "#6b3fa0")
"""Each at least 4.5:1 against white; told apart by hatches, markers and labels, too."""
_HATCHES = ("", "///", "...", "xxx")
_MARKERS = ("o", "s", "^", "D")
_DASHES = ("-", "--", "-.", ":")
_WIDTH = 8.0
"""Inches; 144 pixels each in the PNG."""


def drawn(plot: Plot, *, alt_text: str) -> tuple[bytes, bytes]:
    """The plot as SVG and as PNG."""
    figure = _figure(plot)
    svg, png = io.BytesIO(), io.BytesIO()
    FigureCanvasAgg(figure).print_png(
        png, metadata={"Title": plot.title, "Description": alt_text, "Software": "Partitur"}
    )
    # After the picture: it sets the figure to 72 dots an inch.
    FigureCanvasSVG(figure).print_svg(svg, metadata={"Title": plot.title, "Description": alt_text, "Date": None})
    return _described(svg.getvalue(), plot.title, alt_text), png.getvalue()


def _figure(plot: Plot) -> Figure:
    rows = len(plot.labels) * len(plot.series)
    height = 4.5 if plot.kind == "line" else max(2.2, 1.3 + 0.34 * rows + 0.12 * len(plot.labels))
    figure = Figure(figsize=(_WIDTH, height), dpi=144, layout="constrained", facecolor="white")
    axes = figure.add_subplot()
    for side in ("top", "right", "left" if plot.kind == "bar" else "top"):
        axes.spines[side].set_visible(False)
    for spine in axes.spines.values():
        spine.set_color(_QUIET)
    (_bars if plot.kind == "bar" else _lines)(axes, plot)
    title = "\n".join(textwrap.wrap(_clean(plot.title), 72)[:3])
    figure.suptitle(title, x=0.01, ha="left", color=_INK, fontproperties=_font(14, bold=True))
    if plot.kind == "line":
        cut = {"de": "Achse beginnt nicht bei 0", "en": "axis does not begin at 0"}[plot.language]
        note = [plot.unit or "", cut if axes.get_ylim()[0] > 0 else ""]
        said = ", ".join(_clean(each) for each in note if each)
        axes.set_title(said[:1].upper() + said[1:], loc="left", color=_QUIET, fontproperties=_font(10))
    elif plot.unit:
        axes.set_xlabel(_clean(plot.unit), color=_QUIET, fontproperties=_font(10))
    if len(plot.series) > 1 and plot.kind == "bar":
        axes.legend(
            loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(plot.series), frameon=False, prop=_font(10)
        )
    return figure


def _bars(axes: Axes, plot: Plot) -> None:
    count = len(plot.series)
    thick = 0.72 / count
    for at, series in enumerate(plot.series):
        places = [place + (at - (count - 1) / 2) * thick for place in range(len(plot.labels))]
        values = [value or 0.0 for value in series.values]
        edge = "white" if _HATCHES[at] else _COLOURS[at]
        axes.barh(
            places, values, height=thick * 0.94, color=_COLOURS[at], hatch=_HATCHES[at], edgecolor=edge, linewidth=0.5,
            label=_clean(series.name),
        )  # fmt: skip
        for place, value, known in zip(places, values, series.values, strict=True):
            right = value >= 0
            axes.annotate(
                "–" if known is None else plot.written(value), (value, place), xytext=(4 if right else -4, 0),
                textcoords="offset points", va="center", ha="left" if right else "right", color=_INK,
                fontproperties=_font(10),
            )  # fmt: skip
    labels = ["\n".join(textwrap.wrap(_clean(label), 34)[:2]) for label in plot.labels]
    axes.set_yticks(range(len(labels)), labels=labels)
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)
    axes.axvline(0, color=_QUIET, linewidth=0.8)
    axes.margins(x=0.14, y=0.02)
    if all((value or 0) >= 0 for series in plot.series for value in series.values):
        axes.set_xlim(left=0)
    axes.grid(axis="x", color=_GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(_figures(plot))
    _ticks(axes)


def _lines(axes: Axes, plot: Plot) -> None:
    places = list(range(len(plot.labels)))
    for at, series in enumerate(plot.series):
        known = [(place, value) for place, value in zip(places, series.values, strict=True) if value is not None]
        axes.plot(
            [place for place, _ in known], [value for _, value in known], color=_COLOURS[at], linestyle=_DASHES[at],
            marker=_MARKERS[at] if len(places) <= 60 else "", markersize=6, linewidth=2,
        )  # fmt: skip
    most = max(1, round(len(places) / 8))
    axes.set_xticks(places[::most], labels=[_clean(label) for label in plot.labels[::most]])
    axes.margins(x=0.04, y=0.12)
    values = [value for series in plot.series for value in series.values if value is not None]
    if min(values) >= 0 and min(values) < 0.6 * max(values):
        axes.set_ylim(bottom=0)
    _line_labels(axes, plot)
    axes.grid(axis="y", color=_GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.yaxis.set_major_locator(MaxNLocator(6))
    axes.yaxis.set_major_formatter(_figures(plot))
    _ticks(axes)


def _line_labels(axes: Axes, plot: Plot) -> None:
    """Names at the ends of the lines, kept apart; the first and last figure where there is one line."""
    ends: list[tuple[float, int, int]] = []
    for at, series in enumerate(plot.series):
        last = max(place for place, value in enumerate(series.values) if value is not None)
        ends.append((series.values[last] or 0.0, last, at))
    if len(plot.series) == 1:
        series = plot.series[0]
        first = min(place for place, value in enumerate(series.values) if value is not None)
        for place in (first, ends[0][1]):
            value = series.values[place] or 0.0
            axes.annotate(
                plot.written(value), (place, value), xytext=(0, 9), textcoords="offset points", ha="center", color=_INK,
                fontproperties=_font(10, bold=True),
            )  # fmt: skip
        return
    low, high = axes.get_ylim()
    gap = (high - low) / 18
    height = float("-inf")
    for value, place, at in sorted(ends):
        height = max(value, height + gap)
        name = f"{_clean(plot.series[at].name)} {plot.written(value)}"
        axes.annotate(
            name, (place, value), xytext=(place + 0.02 * len(plot.labels), height), textcoords="data", va="center",
            color=_COLOURS[at], fontproperties=_font(10, bold=True), annotation_clip=False,
        )  # fmt: skip


def _figures(plot: Plot) -> FuncFormatter:
    def written(value: float, _: object) -> str:
        if plot.percent:
            return f"{number(round(value * 100, 1), plot.language)} %"
        return number(round(value, 6), plot.language)

    return FuncFormatter(written)


def _ticks(axes: Axes) -> None:
    axes.tick_params(colors=_QUIET, labelcolor=_INK)
    for label in (*axes.get_xticklabels(), *axes.get_yticklabels()):
        label.set_fontproperties(_font(10))


@cache
def _font(size: int, *, bold: bool = False) -> FontProperties:
    return FontProperties(fname=_file("Semibold" if bold else "Regular"), size=size)


@cache
def _file(weight: str) -> str:
    spec = find_spec("font_source_sans_pro")
    path = Path(spec.origin or "").parent / "files" / f"SourceSansPro-{weight}.otf" if spec else Path()
    if not path.is_file():
        raise SetupError(
            f"The font file {path.name!r} is not there. Expected it in the package 'font-source-sans-pro'.",
            hint="Install Partitur again with its dependencies.",
        )
    return str(path)


@cache
def _glyphs() -> frozenset[int]:
    return frozenset(FT2Font(_file("Regular")).get_charmap())


def _clean(text: str) -> str:
    """One line of characters the font has; a dollar begins no formula."""
    line = " ".join(text.split())
    return "".join(each if ord(each) in _glyphs() else "·" for each in line).replace("$", r"\$")


def _described(svg: bytes, title: str, alt_text: str) -> bytes:
    """The drawing as one picture with a name and a description, for screen readers."""
    text = svg.decode("utf-8")
    start = text.index("<svg")
    end = text.index(">", start)
    head = text[start:end].replace("<svg", '<svg role="img" aria-labelledby="title desc"', 1)
    body = re.sub(r"^\s*<title>.*?</title>", "", text[end + 1 :], count=1, flags=re.DOTALL)
    named = f'\n <title id="title">{escape(title)}</title>\n <desc id="desc">{escape(alt_text)}</desc>'
    return f"{text[:start]}{head}>{named}{body}".encode()
