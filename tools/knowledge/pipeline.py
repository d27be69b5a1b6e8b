"""Cuts documents by tokens through llama-index; runs in the reading process only, which imports it when it is asked to.

The default, `structure`, does not go this way: llama-index takes seconds to import and a hundred megabytes of each reading
process, and its node parsers know neither pages nor whole tables nor German sentences.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from importlib import import_module
from itertools import groupby, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, cast

from tools.knowledge.chunking import Chunking
from tools.knowledge.chunks import Chunk, Section, by_page, sections, trimmed
from tools.knowledge.formats import Unreadable
from tools.language import Language
from tools.language import sentences as sentences_of

if TYPE_CHECKING:
    from llama_index.core.node_parser import NodeParser

__all__ = ["cut_by", "load", "placed"]

_TABLE = "9b5ad71b2ce5302211f9c61530b329a4922fc6a4"  # the name under which tiktoken keeps cl100k_base


def load() -> None:
    """Imports llama-index and reads its tokens, which takes seconds the first time."""
    for name in ("ingestion", "node_parser", "readers.base", "schema"):
        import_module(f"llama_index.core.{name}")
    _tokens()


@cache
def _tokens() -> Callable[[str], list[object]]:
    """Cuts text into tokens of cl100k_base, from the table that comes with llama-index: nothing is downloaded."""
    from llama_index import core
    from llama_index.core.utils import get_tokenizer  # pyright: ignore[reportUnknownVariableType]  # a bare List

    table = Path(core.__path__[0]) / "_static" / "tiktoken_cache" / _TABLE
    if not table.is_file():
        raise Unreadable(
            "Tokens cannot be counted: llama-index has come without its table of them. "
            "Expected it in its package; install llama-index-core anew, or cut by structure."
        )
    return cast("Callable[[str], list[object]]", get_tokenizer())


def cut_by(
    chunking: Chunking, text: str, *, language: Language, pages: Sequence[int] = (), title: str = ""
) -> list[Chunk]:
    """Cuts `text` into chunks of at most so many tokens, with their exact places in it.

    Each section is a document of its own to llama-index where sentences are to be kept, so that a heading path, and a
    page, holds for each quote. Windows go over all of it: their heading and page are those at their beginning.
    """
    from llama_index.core.ingestion import IngestionPipeline
    from llama_index.core.schema import Document

    found = list(sections(text, title))
    whole = chunking.kind == "tokens" or not found
    parts = [Section(0, len(text), (), None)] if whole else found
    documents = [Document(id_=str(number), text=text[part.start : part.end]) for number, part in enumerate(parts)]
    pipeline = IngestionPipeline(transformations=[_parser(chunking, language)], disable_cache=True)
    nodes = pipeline.run(documents=documents)
    chunks: list[Chunk] = []
    for name, group in groupby(nodes, lambda node: node.ref_doc_id or "0"):
        part = parts[int(name)]
        for start, end in placed(text, (node.get_content() for node in group), part.start, part.end):
            if whole:
                chunks.append(_window(text, start, end, found, pages))
                continue
            for begin, until, _ in by_page(text, iter([(start, end, "")]), pages, language):
                begin, until = trimmed(text, begin, until)
                page = bisect_right(pages, begin) if pages else None
                chunks.append(Chunk(begin, until, part.headings, part.heading_start, page))
    return chunks


def placed(text: str, pieces: Iterable[str], start: int, end: int) -> Iterator[tuple[int, int]]:
    """Where the pieces that `text[start:end]` was cut into lie, in order; they may overlap.

    A node's own `start_char_idx` is the first place where its words stand, which is a wrong one in text that repeats itself.
    A piece begins at the latest where the one before ended; what is found nowhere, or left out, becomes a piece as it stands.
    """
    least = done = start
    for piece in filter(None, pieces):
        free, _ = trimmed(text, done, end)
        at = text.rfind(piece, least, min(free + len(piece), end))
        if at < 0 and (at := text.find(piece, free, end)) < 0:
            continue
        if at > free:
            yield trimmed(text, free, at)
        yield at, at + len(piece)
        least, done = at + 1, max(done, at + len(piece))
    rest, until = trimmed(text, done, end)
    if rest < until:
        yield rest, until


def _window(text: str, start: int, end: int, found: Sequence[Section], pages: Sequence[int]) -> Chunk:
    words = end - len(text[start:end].lstrip("# "))  # a window that begins with a heading belongs below it
    number = bisect_right(
        found, words, key=lambda part: part.start if part.heading_start is None else part.heading_start
    )
    section = found[number - 1] if number else Section(0, 0, (), None)
    page = bisect_right(pages, start) if pages else None
    return Chunk(start, end, section.headings, section.heading_start, page)


def _parser(chunking: Chunking, language: Language) -> "NodeParser":
    from llama_index.core.node_parser import SentenceSplitter, TokenTextSplitter

    size, overlap = chunking.max_tokens, chunking.overlap
    if chunking.kind == "tokens":
        return TokenTextSplitter(
            chunk_size=size, chunk_overlap=overlap, tokenizer=_tokens(), include_prev_next_rel=False
        )

    def split(text: str) -> list[str]:
        starts = [0, *(span.start for span in sentences_of(text, language)[1:]), len(text)]
        return [text[begin:end] for begin, end in pairwise(starts)]

    return SentenceSplitter(
        chunk_size=size,
        chunk_overlap=overlap,
        tokenizer=_tokens(),
        chunking_tokenizer_fn=split,  # its own knows English alone
        include_prev_next_rel=False,
    )
