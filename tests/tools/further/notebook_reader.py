"""A reader of llama-index as an organisation might write one: pages or notes of a file, divided by lines of dashes."""

from pathlib import Path
from typing import Any

from llama_index.core.readers.base import BaseReader
from llama_index.core.schema import Document


class NoteReader(BaseReader):
    def load_data(self, file: Path, *args: Any, **given: Any) -> list[Document]:
        notes = file.read_text(encoding="utf-8").split("\n---\n")
        return [
            Document(text=note, metadata={"title": "Notizbuch", "author": "Anna", "modified": "2027-02-01"})
            for note in notes
        ]


class PageReader(BaseReader):
    def load_data(self, file: Path, *args: Any, **given: Any) -> list[Document]:
        pages = file.read_text(encoding="utf-8").split("\n---\n")
        return [Document(text=page, metadata={"page_label": str(number)}) for number, page in enumerate(pages, 1)]


class WritingReader(BaseReader):
    def load_data(self, file: Path, *args: Any, **given: Any) -> list[Document]:
        (file.parent / "taken.txt").write_text("x", encoding="utf-8")
        return []


class NoReader:
    """Nothing that llama-index knows."""
