"""Full-text searches beside ours over the same chunks, each as its users set it up for German and for English."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple, cast

import snowballstemmer

from tools.language import Language

__all__ = ["Ask", "Chunk", "peers"]

Ask = Callable[[str], Awaitable[list[str]]]
"""A question; the documents of the chunks found, best first, a document as often as it has chunks."""

_NAMES: Mapping[Language, str] = {"de": "German", "en": "English"}


class Chunk(NamedTuple):
    """What is indexed."""

    document: str
    title: str
    text: str

    @property
    def whole(self) -> str:
        return f"{self.title}\n{self.text}"


async def peers(chunks: Sequence[Chunk], language: Language, depth: int, scratch: Path) -> dict[str, Ask]:
    """Those that are installed (the dependency group `peers`), their indices built; each returns `depth` chunks."""
    made = {"LanceDB": await _lancedb(chunks, language, depth, scratch)}
    if find_spec("bm25s"):
        made["bm25s"] = _bm25s(chunks, language, depth)
    if find_spec("tantivy"):
        made["tantivy"] = _tantivy(chunks, language, depth)
    return made


async def _lancedb(chunks: Sequence[Chunk], language: Language, depth: int, scratch: Path) -> Ask:
    """Its own full text with a stemmer: title and text in one column, all else by default."""
    import lancedb
    from lancedb.index import FTS
    from lancedb.query import MatchQuery

    match = cast(Any, MatchQuery)  # Any: it declares none of its defaults
    db = await lancedb.connect_async(scratch / "lancedb")
    rows = [{"document": chunk.document, "text": chunk.whole} for chunk in chunks]
    table = await db.create_table("chunks", rows)
    await table.create_index("text", config=FTS(language=_NAMES[language]))

    async def ask(text: str) -> list[str]:
        query = cast(Any, table.query().nearest_to_text(match(text, "text")))
        found = cast(list[dict[str, str]], await query.select(["document", "_score"]).limit(depth).to_list())
        return [row["document"] for row in found]

    return ask


def _bm25s(chunks: Sequence[Chunk], language: Language, depth: int) -> Ask:
    """As its page shows: stop words of the language out, Snowball stems, its default BM25, title and text as one."""
    bm25s = cast(Any, import_module("bm25s"))
    stemmer = snowballstemmer.stemmer(_NAMES[language].lower())

    def terms(texts: Sequence[str]) -> Any:
        return bm25s.tokenize(list(texts), stopwords=language, stemmer=stemmer.stemWords, show_progress=False)

    index = bm25s.BM25()
    index.index(terms([chunk.whole for chunk in chunks]), show_progress=False)

    async def ask(text: str) -> list[str]:
        found, scores = index.retrieve(terms([text]), k=min(depth, len(chunks)), show_progress=False)
        best = cast(list[tuple[int, float]], list(zip(found[0], scores[0], strict=True)))
        return [chunks[at].document for at, score in best if score > 0]

    return ask


def _tantivy(chunks: Sequence[Chunk], language: Language, depth: int) -> Ask:
    """Title and body as two fields with a stemming analyser; a query's words are looked for in both."""
    tantivy = cast(Any, import_module("tantivy"))
    analyser = (
        tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
        .filter(tantivy.Filter.remove_long(40))
        .filter(tantivy.Filter.lowercase())
        .filter(tantivy.Filter.stemmer(_NAMES[language].lower()))
        .build()
    )
    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field("at", stored=True)
    for field in ("title", "body"):
        builder.add_text_field(field, tokenizer_name="stems")
    index = tantivy.Index(builder.build())
    index.register_tokenizer("stems", analyser)
    writer = index.writer()
    for at, chunk in enumerate(chunks):
        writer.add_document(tantivy.Document(at=at, title=chunk.title, body=chunk.text))
    writer.commit()
    writer.wait_merging_threads()
    index.reload()
    searcher = index.searcher()

    async def ask(text: str) -> list[str]:
        # Marks of its query language are no part of a question.
        words = " ".join(re.findall(r"\w+", text.lower()))
        query = index.parse_query(words, ["title", "body"])
        found = searcher.search(query, depth).hits
        return [chunks[int(searcher.doc(place)["at"][0])].document for _, place in found]

    return ask
