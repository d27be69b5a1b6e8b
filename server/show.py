"""A result as people and programs read it: JSON, Markdown, plain text or an HTML page, and as files in a folder."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, cast

from pydantic import BaseModel

from agents.kit.readable import readable
from agents.kit.result import Result
from server.notes import of_input
from server.settings import Brand
from tools.base import Artifact, Citation
from tools.language import Language, detect

__all__ = ["FORMATS", "Format", "Show", "place", "plain"]

Format = Literal["text", "md", "json", "html"]
FORMATS: tuple[Format, ...] = ("text", "md", "json", "html")
_WORDS = {
    "de": {"sources": "Quellen", "files": "Dateien", "page": "S.", "quoted": "„{}“"},
    "en": {"sources": "Sources", "files": "Files", "page": "p.", "quoted": "“{}”"},
}


class Show:
    """Shows results.

    Args:
        path: the local file of an artifact.
        brand: colours and name of the HTML page.
        describe: what a use case says of itself, by its name and then by language.
        beside: texts lie in the same folder as the files they link to.
    """

    def __init__(
        self,
        path: Callable[[Artifact], Path],
        *,
        brand: Brand | None = None,
        describe: Callable[[str], Mapping[Language, str]] = lambda name: {},
        beside: bool = False,
    ) -> None:
        self._path = path
        self._beside = beside
        self._brand = brand or Brand()
        self._describe = describe

    def __call__(self, result: Result[Any], shape: Format) -> str:
        """`result` in that shape, without a line end at its end."""
        match shape:
            case "json":
                return self.json(result)
            case "md":
                return self.markdown(result)
            case "html":
                return self.html(result)
            case "text":
                return plain(_with_sources_named(self.markdown(result)))

    def json(self, result: Result[Any]) -> str:
        """The whole envelope; each artifact also has the `path` of its file."""
        import json

        data = result.model_dump(mode="json")
        for shown, artifact in zip(data["artifacts"], result.artifacts, strict=True):
            shown["path"] = str(self._path(artifact))
        return json.dumps(data, ensure_ascii=False, indent=2)

    def markdown(self, result: Result[Any]) -> str:
        """The readable output, its sources and its files; nothing where there is no output."""
        if result.output is None:
            return ""
        body = readable(cast("BaseModel", result.output)).rstrip()
        for artifact in result.artifacts:
            body = body.replace(f"]({artifact.uri})", f"]({self._link(artifact)})")
        words = _WORDS[detect(body)]
        parts = [body]
        cited = [one for one in _used(result.output) or result.citations if not of_input(one)]
        if any(citation.title not in body for citation in cited):
            lines = [
                f"{number}. {words['quoted'].format(_one_line(citation.quote))} – {place(citation, words['page'])}"
                for number, citation in enumerate(cited, 1)
            ]
            parts.append(f"## {words['sources']}\n\n" + "\n".join(lines))
        missing = [artifact for artifact in result.artifacts if f"({self._link(artifact)})" not in body]
        if missing:
            lines = [
                f"- {'!' * artifact.media_type.startswith('image/')}[{artifact.alt_text}]({self._link(artifact)})"
                for artifact in missing
            ]
            parts.append(f"## {words['files']}\n\n" + "\n".join(lines))
        return "\n\n".join(parts)

    def _link(self, artifact: Artifact) -> str:
        path = self._path(artifact)
        return path.name if self._beside else str(path)

    def html(self, result: Result[Any]) -> str:
        """A page that needs nothing but itself."""
        from server.page import page

        return page(
            result,
            brand=self._brand,
            read=lambda artifact: self._path(artifact).read_bytes(),
            description=self._describe(result.use_case),
        )

    def files(self, result: Result[Any], folder: Path, shapes: tuple[Format, ...]) -> list[Path]:
        """Writes the result in these shapes, and its artifacts, into `folder`; returns the files."""
        folder.mkdir(parents=True, exist_ok=True)
        placed: dict[str, Path] = {}
        for artifact in result.artifacts:
            source = self._path(artifact)
            kind = {"image": "picture", "audio": "speech"}.get(artifact.media_type.partition("/")[0], "file")
            path, number = folder / f"{kind}{source.suffix}", 2
            while path in placed.values():
                path, number = folder / f"{kind}-{number}{source.suffix}", number + 1
            path.write_bytes(source.read_bytes())
            placed[artifact.id] = path
        here = Show(lambda artifact: placed[artifact.id], brand=self._brand, describe=self._describe, beside=True)
        written: list[Path] = []
        for shape in shapes:
            written.append(folder / f"{result.use_case}.{'txt' if shape == 'text' else shape}")
            written[-1].write_text((here(result, shape) or result.message or "") + "\n", encoding="utf-8")
        return [*written, *placed.values()]


def place(citation: Citation, page: str = "S.") -> str:
    """Where a quote stands, for people: title, heading, page."""
    parts = [citation.title]
    if citation.heading and citation.heading != citation.title:
        parts.append(citation.heading)
    if citation.page is not None:
        parts.append(f"{page} {citation.page}")
    return ", ".join(parts)


def _used(output: object) -> list[Citation]:
    """The quotes an output of sections rests on; the envelope also has those of its steps, which it may not use."""
    sections = cast("list[object]", getattr(output, "sections", None) or [])
    found = [one for section in sections for one in cast("list[Citation]", getattr(section, "sources", None) or [])]
    return list({(one.document, one.start, one.end): one for one in found}.values())


def _with_sources_named(markdown: str) -> str:
    """The same with a heading above the first footnote."""
    heading = f"## {_WORDS[detect(markdown)]['sources']}\n\n"
    return re.sub(r"^(?=\[\^\d+\]: )", heading, markdown, count=1, flags=re.MULTILINE)


def plain(markdown: str) -> str:
    """Markdown without its marks, for a terminal."""
    markdown = re.sub(r"^\[\^(\d+)\]: ", r"[\1] ", markdown, flags=re.MULTILINE)
    markdown = re.sub(r"(?<=\S)((?:\[\^\d+\])+)", lambda found: " " + found[1].replace("^", ""), markdown)
    text = re.sub(r"^#{1,6}\s+(.*)$", r"\1", markdown, flags=re.MULTILINE)
    text = re.sub(r"\*\*(.+?)\*\*", r"\1", text)
    text = re.sub(r"!?\[([^\]\n]*)\]\(([^)\n]*)\)", r"\1: \2", text)
    return re.sub(r"^> ?", "", text, flags=re.MULTILINE)


def _one_line(text: str) -> str:
    return " ".join(text.split())
