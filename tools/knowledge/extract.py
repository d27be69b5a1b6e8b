"""Turns the bytes of a file into documents that are ready to be indexed; runs in the reading process only."""

import mimetypes
from collections.abc import Iterable, Iterator
from dataclasses import replace

from tools.knowledge.chunking import STRUCTURE, Chunking
from tools.knowledge.chunks import Chunk, cut
from tools.knowledge.formats import CONTROLS, Extract, Limits, Skip, Unreadable, kind_of, spoken
from tools.knowledge.prepared import Prepared, PreparedChunk
from tools.knowledge.ranking import chunk_terms
from tools.knowledge.reading import read
from tools.language import Language, detect

__all__ = ["prepare"]


def prepare(
    name: str,
    data: bytes,
    limits: Limits,
    *,
    chunking: Chunking = STRUCTURE,
    extracts: Iterable[Extract | Skip] | None = None,
) -> Iterator[Prepared | Skip]:
    """The documents in `data`, the content of a file called `name`.

    Args:
        name: its ending says what it is.
        data: of the whole file.
        limits: what it may cost.
        chunking: how the documents are cut.
        extracts: what a reader of others finds in the file, in place of ours.

    Raises:
        Unreadable: the file is empty, too large as text, damaged, or of no known kind.
    """
    if not data.strip(b"\0 \t\r\n\xef\xbb\xbf"):
        raise Unreadable("The file is empty. Expected text in it.")
    if extracts is None:
        media_type = kind_of(name)[1]
        extracts = read(name, data, limits)
    else:
        media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    total = 0
    taken: dict[str, int] = {}
    for found in extracts:
        if isinstance(found, Skip):
            yield found
            continue
        total += len(found.text)
        if len(found.text) > limits.text_chars or total > limits.output_chars:
            most = min(limits.text_chars, limits.output_chars)
            raise Unreadable(f"The text has more than {most} code points. Split the file.")
        if not found.text.strip():
            raise Unreadable("No text was found in the file. A scanned document needs text recognition first.")
        record = found.record
        while record and record in taken:
            taken[found.record] += 1
            record = f"{found.record}-{taken[found.record]}"
        taken[record] = 1
        found = replace(found, record=record, text=found.text.translate(CONTROLS))
        yield _prepared(name, found, media_type, chunking)


def _prepared(name: str, found: Extract, media_type: str, chunking: Chunking) -> Prepared:
    declared = found.language[:2].lower()
    language: Language = "de" if declared == "de" else "en" if declared == "en" else detect(found.text)
    title = found.title or _first_heading(found.text) or _named(found) or spoken(name)
    if chunking.kind == "structure":
        chunks = cut(found.text, language=language, pages=found.pages, title=title)
    else:
        from tools.knowledge.pipeline import cut_by

        chunks = cut_by(chunking, found.text, language=language, pages=found.pages, title=title)
    return Prepared(
        record=found.record,
        title=title[:500],
        title_start=_place(found.text, title[:500]),
        language=language,
        media_type=found.media_type or media_type,
        pages=len(found.pages) or None,
        text=found.text,
        fraction=found.fraction,
        chunks=[_chunk(found.text, chunk, title, language) for chunk in chunks],
        date=found.date,
        metadata=found.metadata,
    )


def _chunk(text: str, chunk: Chunk, title: str, language: Language) -> PreparedChunk:
    above = " ".join((title, *chunk.headings))[:2000]
    body = f"{chunk.context}\n{text[chunk.start : chunk.end]}" if chunk.context else text[chunk.start : chunk.end]
    return PreparedChunk(
        start=chunk.start,
        end=chunk.end,
        heading=" › ".join(chunk.headings)[:1000],
        heading_start=chunk.heading_start,
        page=chunk.page,
        terms=chunk_terms(above, body, language),
    )


def _place(text: str, title: str) -> int | None:
    """Where the title stands as a line of its own, near the beginning."""
    at = 0
    for line in text[:20_000].split("\n"):
        if line.lstrip("# ").rstrip() == title:
            return at + line.index(title)
        at += len(line) + 1
    return None


def _first_heading(text: str) -> str:
    for line in text[:20_000].split("\n"):
        if line.startswith("#"):
            return line.lstrip("#").strip()
    return ""


def _named(found: Extract) -> str:
    """A record by its id, a file in a container by its name."""
    return spoken(found.record) if found.media_type else found.record
