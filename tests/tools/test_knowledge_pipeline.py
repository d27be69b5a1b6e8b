import itertools
import random
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tools.base import Caller, InvalidInput
from tools.knowledge import KnowledgeConfig
from tools.knowledge.chunking import STRUCTURE, Chunking
from tools.knowledge.chunks import Chunk
from tools.knowledge.formats import Unreadable
from tools.knowledge.library import Inline, Library
from tools.knowledge.pipeline import cut_by, load, placed
from tools.knowledge.prepared import Prepared
from tools.knowledge.reader import Reader

ROOT = Path(__file__).parents[2]
FURTHER = Path(__file__).parent / "further"
SENTENCE = "Die Höhe der Gebühr richtet sich nach dem Verbrauch, der im Vorjahr gemessen wurde. "
TEXT = (
    "# Satzung\n\n"
    + "\n\n".join(
        f"## § {number} Teil\n\n"
        + " ".join(f"Absatz {number} hat den Satz Nr. {at} über z. B. Gebühren und Fristen." for at in range(60))
        for number in range(1, 6)
    )
    + "\n\n| Hund | Euro |\n| erster | 90 |\n"
)


@pytest.fixture(scope="session", autouse=True)
def imported() -> None:
    """Importing llama-index takes seconds on a busy machine; the time of a test is its own."""
    load()


def count(text: str) -> int:
    from llama_index.core.utils import get_tokenizer

    return len(get_tokenizer()(text))


def covered(text: str, chunks: list[Chunk]) -> str:
    """What of the text is in a chunk, without white space."""
    inside = {at for chunk in chunks for at in range(chunk.start, chunk.end)}
    return "".join(char for at, char in enumerate(text) if at in inside and not char.isspace())


def test_windows_have_at_most_so_many_tokens_and_lie_where_they_say() -> None:
    chunks = cut_by(Chunking("tokens", 120, 60), TEXT, language="de", title="Satzung")
    texts = [TEXT[chunk.start : chunk.end] for chunk in chunks]
    assert all(count(text) <= 120 for text in texts)
    assert all(text == text.strip() for text in texts)
    assert covered(TEXT, chunks) == "".join(TEXT.split())
    pairs = list(itertools.pairwise(chunks))
    assert all(before.start < after.start <= before.end for before, after in pairs)
    shared = [count(TEXT[after.start : before.end]) for before, after in pairs]
    assert all(40 <= tokens <= 61 for tokens in shared)
    assert [chunk.headings for chunk in chunks[:1]] == [()]
    for chunk in chunks:
        if chunk.headings:
            assert chunk.heading_start is not None
            assert TEXT[chunk.heading_start :].startswith(chunk.headings[-1])
            assert chunk.heading_start - len("## ") <= chunk.start
    assert {chunk.headings for chunk in chunks} == {(), *((f"§ {number} Teil",) for number in range(1, 6))}


def test_sentences_stay_whole_in_their_section_and_on_their_page() -> None:
    page = TEXT.index("Satz Nr. 30 über")  # in the midst of a sentence of the first section
    chunks = cut_by(Chunking("sentences", 120), TEXT, language="de", pages=[0, page], title="Satzung")
    texts = [TEXT[chunk.start : chunk.end] for chunk in chunks]
    assert all(count(text) <= 120 for text in texts)
    assert all(text.startswith(("Absatz", "|")) and text.endswith((".", "|")) for text in texts)
    assert all("§" not in text for text in texts)
    for chunk, text in zip(chunks, texts, strict=True):
        assert text.startswith("|") or chunk.headings == (f"§ {text.split()[1]} Teil",)
        assert chunk.page == (1 if chunk.start < page else 2)
    assert any(
        chunk.start >= page and TEXT[chunk.start :].startswith("Absatz 1 hat den Satz Nr. 31") for chunk in chunks
    )


@pytest.mark.parametrize("kind", ["tokens", "sentences"])
@pytest.mark.parametrize("overlap", [0, 25])
def test_each_word_is_in_a_chunk_whatever_the_text(kind: str, overlap: int) -> None:
    chance = random.Random(7)
    words = [
        "a",
        "Gebühr",
        "§",
        "🦄",
        "z. B.",
        "\n",
        "\n\n",
        "# Titel\n",
        "#  Weit\n",
        "| a | b |\n",
        "Ende. ",
        "x" * 90,
        "\t",
    ]
    texts = [" ".join(chance.choices(words, k=chance.randint(1, 400))) for _ in range(25)]
    for text in (*texts, SENTENCE * 60, "a" * 3_000, "🦄" * 500, "# nur\n## Titel", "\n\n " + SENTENCE):
        chunks = cut_by(Chunking(kind, 50, overlap), text, language="de")  # pyright: ignore[reportArgumentType]  # of the parameters
        assert all(text[chunk.start : chunk.end].strip() == text[chunk.start : chunk.end] != "" for chunk in chunks)
        assert [chunk.start for chunk in chunks] == sorted({chunk.start for chunk in chunks})
        lines = [line for line in text.split("\n") if kind == "tokens" or not re.match(r"#{1,6}[ \t]+\S", line)]
        assert covered(text, chunks) == ("".join("".join(lines).split()) or "".join(text.split()))


def test_pieces_are_placed_in_order_though_words_repeat() -> None:
    text = "ab ab ab  cd ab"
    assert [text[start:end] for start, end in placed(text, ["ab ab", "ab", "cd", "ab"], 0, len(text))] == [
        "ab ab",
        "ab",
        "cd",
        "ab",
    ]
    assert list(placed(text, ["ab ab", "changed", "ab"], 0, len(text))) == [(0, 5), (6, 8), (10, 15)]
    assert list(placed("a b c", ["a", "c"], 0, 5)) == [(0, 1), (2, 3), (4, 5)]
    assert list(placed(" a ", [], 0, 3)) == [(1, 2)]


@pytest.mark.parametrize(("size", "overlap"), [(10, 0), (9_000, 0), (100, 51), (100, -1)])
def test_numbers_that_do_not_go_together_are_refused(size: int, overlap: int) -> None:
    with pytest.raises(InvalidInput, match="cannot be cut"):
        Chunking("tokens", size, overlap)


def test_nothing_is_downloaded_and_ordinary_files_need_no_llama_index() -> None:
    code = """
import socket, sys
def closed(*args): raise AssertionError("network")
socket.socket.connect = socket.getaddrinfo = closed
from tools.knowledge.extract import prepare
from tools.knowledge.formats import Limits
from tools.knowledge.chunking import Chunking
limits = Limits(text_chars=10_000, output_chars=10_000)
list(prepare("a.md", b"# A\\n\\nText.", limits))
import tools.knowledge.reader, tools.knowledge.library, tools.knowledge.fetch
assert not [name for name in sys.modules if name.startswith(("llama_index", "tiktoken", "nltk"))]
[found] = prepare("a.md", b"# A\\n\\nText.", limits, chunking=Chunking("tokens"))
assert found.chunks and "llama_index.core" in sys.modules and "nltk" not in sys.modules
"""
    environment = {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, cwd="/", timeout=50)


def config(**given: object) -> KnowledgeConfig:
    return KnowledgeConfig.model_validate({"home": "unused", **given})


async def read(reader: Reader, name: str, data: bytes, chunking: Chunking = STRUCTURE) -> list[Prepared]:
    return [found async for found in reader.read(name, data, chunking) if isinstance(found, Prepared)]


@pytest.mark.anyio
@pytest.mark.timeout(120)
async def test_the_reading_process_cuts_as_it_is_told_and_reads_with_readers_of_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    further = {"notes": "notebook_reader:NoteReader", "pages": "notebook_reader:PageReader"}
    missing = {
        "one": ("nowhere.at_all:Reader", "cannot be loaded: No module named 'nowhere'.*Install the package"),
        "two": ("notebook_reader:Nobody", "cannot be loaded: .*'Nobody'"),
        "three": ("notebook_reader:NoReader", "is no reader. Expected a class made from llama-index's BaseReader"),
        "four": ("notebook_reader:WritingReader", "File too large"),
    }
    extra = {**further, **{ending: reader for ending, (reader, _) in missing.items()}}
    async with Reader(config(readers_extra=extra, readers_path=[FURTHER])) as reader:
        notes = "Das Freibad öffnet um 9 Uhr.\n---\nDie Biotonne wird dienstags geleert.".encode()
        first, second = await read(reader, "buch.notes", notes)
        assert (first.title, first.text) == ("Notizbuch", "Das Freibad öffnet um 9 Uhr.")
        assert (first.record, second.record) == ("1", "2")
        assert (first.metadata["author"], first.date) == ("Anna", "2027-02-01")
        assert first.media_type == "application/octet-stream"
        [paged] = await read(reader, "buch.pages", b"Eins.\n---\n\n---\nDrei.")
        assert (paged.pages, paged.text) == (3, "Eins.\n\n\n\nDrei.")
        [plain] = await read(reader, "lang.md", TEXT.encode())
        [cut] = await read(reader, "lang.md", TEXT.encode(), Chunking("tokens", 100, 20))
        assert len(cut.chunks) > len(plain.chunks)
        assert cut.chunks[-1].end == len(cut.text)
        for ending, (_, reason) in missing.items():
            with pytest.raises(Unreadable, match=f"(?s){reason}"):
                await read(reader, f"a.{ending}", b"Text")
        with pytest.raises(Unreadable, match="'.epub' are not read"):
            await read(reader, "a.epub", b"x")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.anyio
@pytest.mark.timeout(120)
async def test_a_document_is_read_anew_when_it_is_to_be_cut_otherwise(tmp_path: Path) -> None:
    caller, sent = Caller(subject="anna"), [Inline("satzung.md", TEXT.encode())]
    async with Library(config(home=tmp_path)) as library:
        windows = Chunking("tokens", 100, 50)
        for chunking, unchanged in ((STRUCTURE, 0), (STRUCTURE, 1), (windows, 0), (windows, 1), (STRUCTURE, 0)):
            report = await library.ingest(documents=sent, caller=caller, chunking=chunking)
            assert (report.unchanged, report.failed) == (unchanged, [])
        assert len((await library.documents(caller)).documents) == 1
