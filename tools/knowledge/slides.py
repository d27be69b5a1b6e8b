"""Reads presentations (pptx): a slide is a section under its title, with its text, tables, charts and notes."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol, cast

from tools.knowledge.facts import date_of, metadata_of, properties
from tools.knowledge.formats import Extract, Limits, Unreadable
from tools.knowledge.packed import office_parts, repacked
from tools.knowledge.rows import row_line, table_lines

if TYPE_CHECKING:
    from pptx.shapes.base import BaseShape
    from pptx.slide import Slide

__all__ = ["read_pptx"]

_SLIDES = 5_000


class _Series(Protocol):
    name: str | None
    values: Sequence[float | None]


class _Plot(Protocol):
    """What a chart shows; python-pptx gives it no types."""

    categories: Iterable[object]
    series: Iterable[_Series]


def read_pptx(data: bytes, limits: Limits) -> Extract:
    """The visible slides in their order; a slide is a page.

    Raises:
        Unreadable: it is no presentation, damaged, or grows too large when it is unpacked.
    """
    import pptx

    parts = office_parts(
        data, limits, "PowerPoint", "ppt/presentation.xml", lambda name: name.endswith((".xml", ".rels"))
    )
    slides = pptx.Presentation(repacked(parts)).slides
    if len(slides) > _SLIDES:
        raise Unreadable(f"It has {len(slides):,} slides. Expected at most {_SLIDES:,}.")
    text = ""
    pages: list[int] = []
    for number, slide in enumerate(slides, 1):
        shown = slide.element.get("show") != "0"  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - lxml's
        body = "\n".join(_lines(slide, number)).strip("\n") if shown else ""
        text += "\n\n" if text and body else ""
        pages.append(len(text))
        text += body
        if len(text) > limits.text_chars:
            raise Unreadable(f"The text has more than {limits.text_chars:,} code points. Split the file.")
    core = properties(parts.get("docProps/core.xml", b""))
    return Extract(
        text,
        title=core.get("title", ""),
        pages=pages,
        language=core.get("language", ""),
        date=date_of(core.get("modified") or core.get("created")),
        metadata=metadata_of([("author", core.get("creator"))]),
    )


def _lines(slide: "Slide", number: int) -> Iterator[str]:
    title = slide.shapes.title
    heading = " ".join(title.text_frame.text.split()) if title is not None else ""
    body = [
        line for shape in _shapes(slide) if title is None or shape.shape_id != title.shape_id for line in _of(shape)
    ]
    notes = slide.notes_slide.notes_text_frame if slide.has_notes_slide else None
    body.extend(_paragraphs(notes.text) if notes is not None else ())
    if heading or any(body):
        yield f"# {heading or number}"
        yield ""
        yield from body


def _shapes(slide: "Slide") -> "Iterator[BaseShape]":
    from pptx.shapes.group import GroupShape

    # A stack of our own: groups within groups of a hostile file must not become recursion.
    stack: list[BaseShape] = list(slide.shapes)[::-1]
    while stack:
        shape = stack.pop()
        if isinstance(shape, GroupShape):
            stack.extend(list(shape.shapes)[::-1])
        else:
            yield shape


def _of(shape: "BaseShape") -> Iterator[str]:
    from pptx.enum.shapes import PP_PLACEHOLDER
    from pptx.shapes.autoshape import Shape
    from pptx.shapes.graphfrm import GraphicFrame

    furniture = (PP_PLACEHOLDER.SLIDE_NUMBER, PP_PLACEHOLDER.DATE, PP_PLACEHOLDER.FOOTER)
    if shape.is_placeholder and shape.placeholder_format.type in furniture:
        return
    if isinstance(shape, GraphicFrame) and shape.has_table:
        yield from table_lines([[cell.text for cell in row.cells] for row in shape.table.rows])
        yield ""
    elif isinstance(shape, GraphicFrame) and shape.has_chart:
        yield from _chart(shape)
    elif isinstance(shape, Shape):
        yield from _paragraphs(shape.text_frame.text)


def _paragraphs(text: str) -> Iterator[str]:
    """Several paragraphs of a frame are the points of a list."""
    found = [" ".join(line.split()) for line in text.split("\n") if line.strip()]
    yield from (f"- {line}" for line in found) if len(found) > 1 else found
    yield ""


def _chart(frame: "BaseShape") -> Iterator[str]:
    """The numbers that a chart shows, as a table."""
    from pptx.shapes.graphfrm import GraphicFrame

    assert isinstance(frame, GraphicFrame)
    for plot in cast("Iterable[_Plot]", frame.chart.plots):
        series = list(plot.series)
        yield row_line(["", *(one.name or "" for one in series)])
        for at, name in enumerate(plot.categories):
            values = [one.values[at] if at < len(one.values) else None for one in series]
            yield row_line([str(name), *("" if value is None else f"{value:g}" for value in values)])
        yield ""
