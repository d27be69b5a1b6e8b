"""A result as people and programs read it: JSON, Markdown, plain text or an HTML page, and as files in a folder."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, cast

from pydantic import BaseModel

from agents.kit.readable import readable
from agents.kit.result import Result
from server.settings import Brand
from tools.base import Artifact, Citation
from tools.language import detect

__all__ = ["FORMATS", "Format", "Show", "place"]

Format = Literal["text", "md", "json", "html"]
FORMATS: tuple[Format, ...] = ("text", "md", "json", "html")
_WORDS = {
    "de": {"sources": "Quellen", "files": "Dateien", "page": "S."},
    "en": {"sources": "Sources", "files": "Files", "page": "p."},
}


class Show:
    """Shows results.

    Args:
        path: the local file of an artifact.
        brand: colours and name of the HTML page.
        describe: what a use case says of itself, by its name.
    """

    def __init__(
        self, path: Callable[[Artifact], Path], *, brand: Brand | None = None, describe: Callable[[str], str] = str
    ) -> None:
        self._path = path
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
                return plain(self.markdown(result))

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
        body = self._local(readable(cast("BaseModel", result.output)), result.artifacts).rstrip()
        words = _WORDS[detect(body)]
        parts = [body]
        if result.citations and not _has_heading(body, words["sources"]):
            lines = [
                f"{number}. „{_one_line(citation.quote)}“ – {place(citation, words['page'])}"
                for number, citation in enumerate(result.citations, 1)
            ]
            parts.append(f"## {words['sources']}\n\n" + "\n".join(lines))
        missing = [artifact for artifact in result.artifacts if str(self._path(artifact)) not in body]
        if missing:
            lines = [f"- [{artifact.alt_text}]({self._path(artifact)})" for artifact in missing]
            parts.append(f"## {words['files']}\n\n" + "\n".join(lines))
        return "\n\n".join(parts)

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
        written: list[Path] = []
        for shape in shapes:
            suffix = "txt" if shape == "text" else shape
            written.append(folder / f"{result.use_case}.{suffix}")
            written[-1].write_text(self(result, shape) + "\n", encoding="utf-8")
        names: set[str] = set()
        for artifact in result.artifacts:
            source = self._path(artifact)
            kind = {"image": "picture", "audio": "speech"}.get(artifact.media_type.partition("/")[0], "file")
            name, number = f"{kind}{source.suffix}", 2
            while name in names:
                name, number = f"{kind}-{number}{source.suffix}", number + 1
            names.add(name)
            written.append(folder / name)
            written[-1].write_bytes(source.read_bytes())
        return written

    def _local(self, text: str, artifacts: list[Artifact]) -> str:
        """Links of the server as files of this machine."""
        for artifact in artifacts:
            text = text.replace(f"]({artifact.uri})", f"]({self._path(artifact)})")
        return text


def place(citation: Citation, page: str = "S.") -> str:
    """Where a quote stands, for people: title, heading, page."""
    parts = [citation.title]
    if citation.heading and citation.heading != citation.title:
        parts.append(citation.heading)
    if citation.page is not None:
        parts.append(f"{page} {citation.page}")
    return ", ".join(parts)


def plain(markdown: str) -> str:
    """Markdown without its marks, for a terminal."""
    text = re.sub(r"^#{1,6}\s+(.*)$", r"\1", markdown, flags=re.MULTILINE)
    text = re.sub(r"\*\*(.+?)\*\*", r"\1", text)
    text = re.sub(r"!?\[([^\]\n]*)\]\(([^)\n]*)\)", r"\1: \2", text)
    return re.sub(r"^> ?", "", text, flags=re.MULTILINE)


def _has_heading(text: str, heading: str) -> bool:
    return re.search(rf"^#+\s+{heading}\s*$", text, flags=re.MULTILINE) is not None


def _one_line(text: str) -> str:
    return " ".join(text.split())
