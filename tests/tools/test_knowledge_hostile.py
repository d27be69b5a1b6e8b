from collections.abc import AsyncIterator
from pathlib import Path

import hostile_files as hostile
import pytest
from inline_snapshot import snapshot
from knowledge_files import packed, pdf_bomb, workbook

from tools.knowledge import KnowledgeConfig
from tools.knowledge.formats import Skip, Unreadable
from tools.knowledge.reader import Reader
from tools.knowledge.scan import Scanner

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]


@pytest.fixture(scope="module")
async def reader() -> AsyncIterator[Reader]:
    config = KnowledgeConfig(home=Path("unused"), readers=1, max_text_chars=200_000, parse_memory_bytes=400_000_000)
    async with Reader(config) as found:
        yield found


async def outcome(reader: Reader, name: str, data: bytes) -> str:
    """Why the file was refused, or what was skipped in it; and the reader must be of use afterwards."""
    read: list[str] = []
    skipped: list[str] = []
    try:
        async for found in reader.read(name, data):
            if isinstance(found, Skip):
                skipped.append(f"{found.place!r}: {found.reason}")
            else:
                read.append(found.record or found.title)
        result = " | ".join((*(f"read {one!r}" for one in read), *skipped))
    except Unreadable as error:
        result = str(error)
    assert [one.text async for one in reader.read("danach.txt", b"Ein Text.") if not isinstance(one, Skip)] == [
        "Ein Text."
    ]
    return result


def among(name: str, data: bytes | str) -> bytes:
    """An archive with sound texts before and after."""
    return packed({"vorher.txt": "Das Freibad öffnet im Mai.", name: data, "zuletzt.txt": "Das Freibad schließt."})


async def test_members_that_lead_out_or_hide_something_are_skipped_alone(reader: Reader) -> None:
    assert {
        name: await outcome(reader, f"{name}.zip", data)
        for name, data in {
            "slip": hostile.named("../../etc/cron.txt"),
            "backslash": hostile.named("..\\..\\boot.txt"),
            "absolute": hostile.named("/etc/passwd.txt"),
            "drive": hostile.named("C:/boot.txt"),
            "control": hostile.named("a\x1b[2Jb\u202etxt.txt"),
            "long": hostile.named("a" * 2000 + ".txt"),
            "link": hostile.linked(),
            "encrypted": hostile.encrypted(),
            "overlapping": hostile.overlapping(),
        }.items()
    } == snapshot(
        {
            "slip": "Nothing in it could be read. '../../etc/cron.txt': Its name leads out of the archive. Expected a relative path without '..'.",
            "backslash": "Nothing in it could be read. '../../boot.txt': Its name leads out of the archive. Expected a relative path without '..'.",
            "absolute": "Nothing in it could be read. '/etc/passwd.txt': Its name leads out of the archive. Expected a relative path without '..'.",
            "drive": "Nothing in it could be read. 'C:/boot.txt': Its name leads out of the archive. Expected a relative path without '..'.",
            "control": "Nothing in it could be read. 'a\\x1b[2Jb\\u202etxt.txt': Its name has control characters.",
            "long": "Nothing in it could be read. 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa': Its name has 2,004 characters. Expected at most 1,000.",
            "link": "Nothing in it could be read. 'link.txt': It is a symbolic link or no ordinary file. Links are not followed.",
            "encrypted": "Nothing in it could be read. 'geheim.txt': It is encrypted. Expected members that open without a password.",
            "overlapping": "Nothing in it could be read. 'a.txt': Its bytes are those of another member too, as in a packed bomb.",
        }
    )


async def test_bombs_in_archives_are_skipped_alone_however_they_lie(reader: Reader) -> None:
    assert {
        name: await outcome(reader, f"{name}.zip", data)
        for name, data in {
            "ratio": hostile.bomb(),
            "lying": hostile.lying_bomb(),
            "nested": among("innen.zip", hostile.bomb()),
            "many": packed({f"{number}.txt": b" " * 3_900_000 for number in range(12)}),
            "crowd": hostile.crowd(30_000),
            "mob": hostile.crowd(150_000),
            "none": b"PK\x05\x06" + bytes(18),
        }.items()
    } == snapshot(
        {
            "ratio": "Nothing in it could be read. 'bombe.txt': It unpacks from 4,875 to more than 4,000,000 bytes, as a packed bomb does.",
            "lying": "Nothing in it could be read. 'bombe.txt': It cannot be unpacked: Bad CRC-32 for file 'bombe.txt'.",
            "nested": "read 'vorher.txt' | read 'zuletzt.txt' | 'innen.zip/bombe.txt': It unpacks from 4,875 to more than 4,000,000 bytes, as a packed bomb does. | 'innen.zip': Nothing in it could be read.",
            "many": "What is packed in it unpacks to more than a file may.",
            "crowd": "It has 30,000 members. Expected at most 20,000.",
            "mob": "It has about 150,000 members. Expected at most 20,000.",
            "none": "Nothing in it could be read.",
        }
    )


async def test_a_member_that_ends_its_process_is_skipped_alone(reader: Reader) -> None:
    assert await outcome(reader, "a.zip", among("bombe.pdf", pdf_bomb(1_000_000))) == (
        "read 'vorher.txt' | read 'zuletzt.txt' | 'bombe.pdf': It made the reading process end by signal SIGABRT. "
        "It is damaged or hostile, or needs too much memory."
    )


@pytest.mark.parametrize("kind", ["docx", "xlsx", "pptx", "ods"])
async def test_office_files_with_entities_or_without_end_are_refused(reader: Reader, kind: str) -> None:
    sound, main = hostile.office(kind)
    laughs = await outcome(reader, f"a.{kind}", hostile.laughing(kind))
    deep = await outcome(reader, f"a.{kind}", hostile.changed(sound, {main: lambda _: b"<a>" * 100_000}))
    large = await outcome(reader, f"a.{kind}", hostile.changed(sound, {main: lambda _: b"<a>" + b" " * 5_000_000}))
    assert laughs == f"Its part {main!r} declares entities, which no office file does."
    assert deep.startswith("The ")
    assert "unpacks" in large


async def test_sheets_may_claim_to_be_huge_but_not_be_it(reader: Reader) -> None:
    claimed = hostile.changed(
        workbook(), {"xl/worksheets/sheet1.xml": lambda old: old.replace(b'ref="A1:', b'ref="A1:XFD1048576" x="')}
    )
    assert [
        await outcome(reader, "a.xlsx", claimed),
        await outcome(reader, "a.xlsx", hostile.far_cells()),
        await outcome(reader, "a.ods", hostile.repeating()),
    ] == snapshot(
        [
            "read 'a'",
            "The cells of the sheet 'Gebühren' span 17,179,869,184 places. Expected at most 5,000,000: delete what stands far from the rest.",
            "Its cells repeat to 17,179,869,184. Expected at most 5,000,000.",
        ]
    )


async def test_pdfs_that_never_end_come_to_an_end(reader: Reader) -> None:
    assert [
        await outcome(reader, "a.pdf", hostile.looping_pages()),
        await outcome(reader, "a.pdf", hostile.endless_pages()),
    ] == snapshot(
        [
            "The PDF has no text. It is damaged.",
            "The PDF has no text. Its pages are empty.",
        ]
    )
    picture = await outcome(reader, "a.pdf", hostile.huge_picture())
    assert ("100,000 × 100,000 pixels" in picture) == (Scanner.find() is not None)  # it depends on the machine
    assert ("not installed here" in picture) == (Scanner.find() is None)


async def test_messages_of_many_or_deep_parts_are_refused(reader: Reader) -> None:
    assert {
        "parts": await outcome(reader, "a.eml", hostile.many_parts(10_000)),
        "deep": await outcome(reader, "a.eml", hostile.deep_mail(1_000)),
        "header": await outcome(reader, "a.eml", b"Subject: " + b"=?utf-8?q?a?= " * 200_000 + b"\n\nEin Text."),
        "people": await outcome(reader, "a.eml", b"To: " + b"<a@b>,\n " * 100_000 + b"x\nSubject: Viele\n\nEin Text."),
        "none": await outcome(reader, "a.eml", b"Kein Kopf, nur Text."),
    } == snapshot(
        {
            "parts": "The message has more than 1,000 parts.",
            "deep": "It is nested too deeply.",
            "header": "read 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa =?utf-8?q?'",
            "people": "read 'Viele'",
            "none": "The content is no message. Expected headers such as 'From:' and 'Subject:'.",
        }
    )


async def test_text_without_structure_or_with_too_much_of_it_is_read_or_refused(reader: Reader) -> None:
    assert {
        "line": await outcome(reader, "a.csv", b"a;b\n" + b"x" * 2_000_000),
        "quote": await outcome(reader, "a.csv", b'a;b\n"' + b"x\n" * 200_000),
        "columns": await outcome(reader, "a.csv", b";".join([b"a"] * 20_000) + b"\n1;2\n"),
        "html": await outcome(reader, "a.html", b"<div>" * 100_000 + b"Ein Text."),
        "json": await outcome(reader, "a.json", b"[" * 100_000),
        "lines": await outcome(reader, "a.jsonl", b'{"text":' + b"[" * 100_000 + b'\n{"id": "a", "text": "Ein Text."}'),
        "yaml": await outcome(reader, "a.md", b"---\na: &a [x]\n" + b"b: [*a, *a]\n" * 100 + b"---\nEin Text."),
    } == snapshot(
        {
            "line": "A line has 2,000,000 code points. Expected at most 1,000,000.",
            "quote": "It cannot be read as CSV: field larger than field limit (131072). Expected values with a delimiter.",
            "columns": "read 'a'",
            "html": "It is nested too deeply: more than 5,000 elements within each other.",
            "json": "The content is no JSON: maximum recursion depth exceeded while decoding a JSON array from a unicode string. Expected a list of objects with 'text' or 'content'.",
            "lines": "read 'a' | 'line 1': It is no JSON object. Expected one object with 'text' or 'content' a line.",
            "yaml": "read 'a'",
        }
    )
