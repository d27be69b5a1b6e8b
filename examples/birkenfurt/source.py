"""The sources of the documents of Birkenfurt: Markdown with front matter, read into blocks."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Final

import yaml
from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

MONTHS: Final = {
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "en": "January February March April May June July August September October November December",
}


@dataclass(frozen=True)
class Heading:
    """A heading; `level` is 2 or 3, as the title of the document is level 1."""

    level: int
    text: str


@dataclass(frozen=True)
class Paragraph:
    """A paragraph of plain text."""

    text: str


@dataclass(frozen=True)
class Items:
    """A list, numbered or not."""

    ordered: bool
    items: list[str]


@dataclass(frozen=True)
class Table:
    """A table of plain text with one header row; every row has as many cells as the header."""

    header: list[str]
    rows: list[list[str]]


Block = Heading | Paragraph | Items | Table


@dataclass(frozen=True)
class Source:
    """One document before it has a format: its front matter, its Markdown text and its parsed blocks."""

    name: str
    title: str
    day: date
    kind: str
    language: str
    format: str
    text: str
    blocks: list[Block] = field(default_factory=list[Block])

    @property
    def as_of(self) -> str:
        """The line that closes every document and says how old it is."""
        month = MONTHS[self.language].split()[self.day.month - 1]
        if self.language == "en":
            return f"City of Birkenfurt, as of {self.day.day} {month} {self.day.year}"
        return f"Stadt Birkenfurt, Stand: {self.day.day}. {month} {self.day.year}"


def read(path: Path) -> Source:
    """The source in the file `path`; raises ValueError for Markdown that the writers do not know."""
    _, front, text = path.read_text(encoding="utf-8").split("---\n", 2)
    facts: dict[str, str | date] = yaml.safe_load(front)
    day = facts["date"]
    if not isinstance(day, date):
        raise ValueError(f"{path.name}: date is {day!r}, expected an ISO date")
    plain = {key: str(facts[key]) for key in ("title", "kind", "language", "format")}
    tree = SyntaxTreeNode(MarkdownIt("commonmark").enable("table").parse(text))
    return Source(name=path.stem, day=day, text=text.strip(), blocks=[_block(node) for node in tree.children], **plain)


def _block(node: SyntaxTreeNode) -> Block:
    match node.type:
        case "heading":
            return Heading(int(node.tag[1]), _text(node))
        case "paragraph":
            return Paragraph(_text(node))
        case "bullet_list" | "ordered_list":
            return Items(node.type == "ordered_list", [_text(item.children[0]) for item in node.children])
        case "table":
            head, *body = [row for part in node.children for row in part.children]
            return Table(
                [_text(cell) for cell in head.children], [[_text(cell) for cell in row.children] for row in body]
            )
        case other:
            raise ValueError(f"Block {other!r} is unknown; expected a heading, paragraph, list or table")


def _text(node: SyntaxTreeNode) -> str:
    return " ".join(node.children[0].content.split()) if node.children else ""
