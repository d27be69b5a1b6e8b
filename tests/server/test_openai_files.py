"""Tests of /v1/files through OpenAI's own client, in memory."""

import os
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import openai
import pytest
from openai_sdk import sdk_of
from requirements import requirement
from web_house import Web, web

from server.state import Database
from server.state.files import FileStore
from tools.base import Caller, NotFound

pytestmark = pytest.mark.anyio
ANNA, BERT = Caller(subject="anna"), Caller(subject="bert")


@pytest.fixture(scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Web]:
    async with web(tmp_path_factory.mktemp("home"), max_file_bytes=3_000_000, max_body_bytes=1_000_000) as opened:
        await opened.app.state.health.loaded.wait()
        yield opened


@pytest.fixture
async def anna(site: Web) -> AsyncGenerator[openai.AsyncOpenAI]:
    async with sdk_of(site, site.keys.add("anna")) as sdk:
        yield sdk


@pytest.fixture
async def bert(site: Web) -> AsyncGenerator[openai.AsyncOpenAI]:
    async with sdk_of(site, site.keys.add("bert")) as sdk:
        yield sdk


@requirement("FILES-1", "FILES-2", "FILES-4")
async def test_a_file_is_uploaded_shown_read_and_deleted(anna: openai.AsyncOpenAI) -> None:
    content = os.urandom(2_500_000)
    made = await anna.files.create(file=("Übersicht 1.pdf", content), purpose="user_data")
    assert (made.object, made.filename, made.bytes) == ("file", "Übersicht 1.pdf", len(content))
    assert (made.purpose, made.status, made.expires_at) == ("user_data", "processed", None)
    assert await anna.files.retrieve(made.id) == made
    assert (await anna.files.content(made.id)).content == content
    gone = await anna.files.delete(made.id)
    assert (gone.id, gone.object, gone.deleted) == (made.id, "file", True)
    with pytest.raises(openai.NotFoundError):
        await anna.files.retrieve(made.id)


@requirement("FILES-3")
async def test_lists_go_page_by_page_newest_first_and_by_purpose(anna: openai.AsyncOpenAI) -> None:
    made = [(await anna.files.create(file=(f"{n}.txt", b"x"), purpose="user_data")).id for n in range(5)]
    other = (await anna.files.create(file=("b.jsonl", b"{}"), purpose="batch")).id
    assert [file.id for file in (await anna.files.list()).data] == [other, *reversed(made)]
    assert [file.id async for file in anna.files.list(limit=2, order="asc")] == [*made, other]
    page = await anna.files.list(limit=2, order="desc", after=made[4], purpose="user_data")
    assert ([file.id for file in page.data], page.has_more) == ([made[3], made[2]], True)
    assert [file.id for file in (await anna.files.list(purpose="batch")).data] == [other]


@requirement("FILES-5")
async def test_what_belongs_to_somebody_else_is_not_there(anna: openai.AsyncOpenAI, bert: openai.AsyncOpenAI) -> None:
    made = await anna.files.create(file=("a.txt", b"geheim"), purpose="user_data")
    for asked in (bert.files.retrieve(made.id), bert.files.content(made.id), bert.files.delete(made.id)):
        with pytest.raises(openai.NotFoundError) as raised:
            await asked
        assert raised.value.code == "not_found"
    assert (await bert.files.list()).data == []
    assert (await anna.files.content(made.id)).content == b"geheim"


@requirement("FILES-6")
async def test_the_input_of_a_batch_expires_after_thirty_days_others_as_asked(anna: openai.AsyncOpenAI) -> None:
    batch = await anna.files.create(file=("b.jsonl", b"{}"), purpose="batch")
    assert batch.expires_at == batch.created_at + 30 * 86_400
    asked = await anna.files.create(
        file=("a.txt", b""), purpose="user_data", expires_after={"anchor": "created_at", "seconds": 3_600}
    )
    assert (asked.bytes, asked.expires_at) == (0, asked.created_at + 3_600)
    assert (await anna.files.content(asked.id)).content == b""


async def test_what_has_expired_is_gone(tmp_path: Path) -> None:
    now = 1_000.0
    database = Database(tmp_path)
    store = FileStore(database, max_bytes=10, clock=lambda: now)
    async with store.upload(ANNA) as upload:
        await upload.write(b"abc")
        file = await upload.finish(name="a", purpose="user_data", lives=60)
    assert await store.read(ANNA, file.id) == b"abc"
    now = 1_060.0
    with pytest.raises(NotFound):
        await store.get(ANNA, file.id)
    await store.sweep()
    now = 1_000.0
    with pytest.raises(NotFound):
        await store.get(ANNA, file.id)
    await database.close()


@requirement("FILES-7")
async def test_a_file_over_the_limit_is_refused_and_leaves_nothing(site: Web, anna: openai.AsyncOpenAI) -> None:
    for size in (3_000_001, 5_000_000):
        with pytest.raises(openai.APIStatusError) as raised:
            await anna.files.create(file=("a.bin", bytes(size)), purpose="user_data")
        assert raised.value.status_code == 413
    assert (await anna.files.list()).data == []


@requirement("FILES-7")
async def test_a_larger_body_is_taken_for_files_alone(site: Web) -> None:
    refused = await site.client.post("/v1/chat/completions", content=bytes(1_000_001))
    assert refused.status_code == 413


def form(*parts: tuple[str, str | None, str]) -> dict[str, Any]:
    """A multipart form as it stands on the wire."""
    lines = ""
    for name, filename, value in parts:
        named = "" if filename is None else f'; filename="{filename}"'
        lines += f'--b\r\nContent-Disposition: form-data; name="{name}"{named}\r\n\r\n{value}\r\n'
    return {"content": lines + "--b--\r\n", "headers": {"Content-Type": "multipart/form-data; boundary=b"}}


PURPOSE = ("purpose", None, "user_data")
FILE = ("file", "a.txt", "x")


@requirement("FILES-8")
@pytest.mark.parametrize(
    ("sent", "status", "param"),
    [
        (form(FILE), 400, "purpose"),
        (form(FILE, ("purpose", None, "anything")), 400, "purpose"),
        (form(PURPOSE), 400, "file"),
        (form(PURPOSE, FILE, FILE), 400, "file"),
        (form(PURPOSE, ("file", "", "x")), 400, "file"),
        (form(PURPOSE, FILE, ("expires_after[seconds]", None, "3600")), 400, "expires_after[anchor]"),
        (
            form(PURPOSE, FILE, ("expires_after[anchor]", None, "created_at"), ("expires_after[seconds]", None, "5")),
            400,
            "expires_after[seconds]",
        ),
        (form(("purpose", None, "u" * 2_000), FILE), 400, "purpose"),
        ({"json": {}}, 415, None),
        ({"content": b"", "headers": {"Content-Type": "multipart/form-data"}}, 415, None),
        ({"content": b"--b", "headers": {"Content-Type": "multipart/form-data; boundary=b"}}, 400, None),
        ({"content": b"nothing", "headers": {"Content-Type": "multipart/form-data; boundary=b"}}, 400, None),
    ],
)
async def test_a_form_that_does_not_fit_is_told_what_is_wrong(
    site: Web, sent: dict[str, Any], status: int, param: str | None
) -> None:
    answer = await site.client.post("/v1/files", **sent)
    assert (answer.status_code, answer.json()["error"]["param"]) == (status, param)


async def test_the_file_may_stand_before_its_purpose_and_its_folders_are_left_out(site: Web) -> None:
    answer = await site.client.post("/v1/files", **form(("file", "C:\\\\x\\\\..\\\\böse\x01.txt", "x"), PURPOSE))
    assert answer.json()["filename"] == "böse.txt"


async def test_content_is_a_download(site: Web) -> None:
    made = (await site.client.post("/v1/files", **form(PURPOSE, ("file", "ä.html", "<script>")))).json()
    answer = await site.client.get(f"/v1/files/{made['id']}/content")
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''%C3%A4.html"
    assert (answer.headers["content-type"], answer.headers["x-content-type-options"]) == (
        "application/octet-stream",
        "nosniff",
    )


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "limit=99999", "order=up", "after=file-x", "purpose=any"])
async def test_a_query_that_does_not_fit_names_its_parameter(site: Web, query: str) -> None:
    answer = await site.client.get(f"/v1/files?{query}")
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, query.partition("=")[0])


async def test_an_upload_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    from sqlalchemy import func, select

    from server.state.tables import file_parts, files

    database = Database(tmp_path)
    store = FileStore(database, max_bytes=10_000_000)
    with pytest.raises(ConnectionError):
        async with store.upload(ANNA) as upload:
            await upload.write(bytes(3_000_000))
            raise ConnectionError
    async with database.read() as connection:
        assert await connection.scalar(select(func.count()).select_from(files)) == 0
        assert await connection.scalar(select(func.count()).select_from(file_parts)) == 0
    await database.close()
