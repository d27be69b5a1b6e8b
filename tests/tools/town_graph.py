"""The sample town's documents as rules read them, and what a person finds in ten of them."""

from pathlib import Path

from tools.base.citation import Passage
from tools.graph.rules import Paper, findings
from tools.graph.sources import Edge, Node, Source
from tools.knowledge.chunks import cut
from tools.language import Language

SOURCES = Path(__file__).parents[2] / "examples" / "birkenfurt" / "sources"


def paper_of(text: str, *, title: str, document: str = "doc", language: Language = "de") -> tuple[str, Paper]:
    """The stored text of a document, and the document as it is read."""
    stored = f"# {title}\n\n{text.strip()}\n"
    passages = [
        Passage(
            document=document,
            title=title,
            heading=" › ".join(chunk.headings) or None,
            page=chunk.page,
            start=chunk.start,
            end=chunk.end,
            text=stored[chunk.start : chunk.end],
            title_start=2,
            heading_start=chunk.heading_start,
        )
        for chunk in cut(stored, language=language, title=title)
    ]
    return stored, Paper(Source("town", name="text", document=document, title=title), language, passages)


def town_paper(name: str) -> tuple[str, Paper]:
    _, front, body = (SOURCES / f"{name}.md").read_text(encoding="utf-8").split("---\n", 2)
    facts = dict(line.split(": ", 1) for line in front.strip().splitlines())
    return paper_of(body, title=facts["title"], document=name, language="en" if facts["language"] == "en" else "de")


def told(paper: Paper, town: str | None = "Birkenfurt") -> set[str]:
    """What the rules find, a line each: `Label Name`, and `Name –TYPE→ Name` with the section of a statute."""
    items = list(findings(paper, town=town))
    names = {item.id: item.name for item in items if isinstance(item, Node)}
    lines = {f"{item.label} {item.name}" for item in items if isinstance(item, Node)}
    for item in items:
        if isinstance(item, Edge):
            provision = item.properties.get("provision")
            lines.add(f"{names[item.source]} –{item.type}→ {names[item.target]}{f' {provision}' if provision else ''}")
    return lines
