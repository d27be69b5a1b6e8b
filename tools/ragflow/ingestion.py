"""Brings documents to RAGFlow: sent, marked, read there, and only then in the place of what they replace."""

import asyncio
import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from tools.base import Access, Caller, Failed, InvalidInput, PartiturError, TimedOut
from tools.knowledge import IngestReport, OnProgress, Problem
from tools.knowledge.files import Found, Inline, content, walk
from tools.knowledge.formats import Unreadable
from tools.knowledge.scope import Target
from tools.ragflow.holdings import Holdings, Part, no_collection, several
from tools.ragflow.marks import Marks, Measured, foreign, stored_name
from tools.ragflow.shapes import Row, Uploaded, read

__all__ = ["Ingestion"]

_MOST_IDS = 100
_LOOKS_S = (0.05, 2.0)
"""Between two looks whether a document has been read: at first, and at most."""
_SETTLED = 8
"""Looks after which the chunks that are listed are taken for all: RAGFlow counts some that it does not list."""
_NO_ADDRESS = (404, 405)


class _NotRead(Exception):
    """RAGFlow could not read a document; the message says why."""


class Ingestion:
    """One act of bringing documents for a caller into one collection."""

    def __init__(
        self,
        holdings: Holdings,
        caller: Caller,
        collection: str,
        access: Access | None,
        on_progress: OnProgress | None,
    ) -> None:
        self._holdings = holdings
        self._client = holdings.client
        self._caller = caller
        self._target = Target.of(caller.tenant, collection, access, caller.subject)
        self._parts = holdings.parts(caller.tenant, collection)
        self._part = self._place()
        self._on_progress = on_progress
        self._done = 0

    def _place(self) -> Part:
        if not self._parts:
            raise no_collection(self._target.collection)
        narrowed = self._target.readers is not None
        part = next((part for part in self._parts if part.narrowed is narrowed), None)
        if part is None:
            raise InvalidInput(
                f"Documents of the collection {self._target.collection!r} cannot have readers of their own. Expected no 'access'.",
                hint="Name a dataset for them as 'narrowed' in ragflow.collections of the settings.",
            )
        return part

    async def run(self, paths: Sequence[Path], documents: Sequence[Inline]) -> IngestReport:
        """Brings them; one that cannot be read fails alone."""
        report = IngestReport()
        given: list[Inline | Found] = list(documents)
        for one in await asyncio.to_thread(lambda: list(walk(paths, None))):
            if isinstance(one, Problem):
                report.skipped.append(one)
            else:
                given.append(one)

        async def bring(one: Inline | Found) -> None:
            try:
                data = one.data if isinstance(one, Inline) else await self._content(one)
                await self._bring(one.name, data, report)
            except (Unreadable, _NotRead) as error:
                report.failed.append(Problem(name=one.name, reason=str(error)))
            self._done += 1
            if self._on_progress is not None:
                await self._on_progress(self._done, len(given), one.name)

        await several(bring, given)
        return report

    async def _content(self, found: Found) -> bytes:
        return await asyncio.to_thread(content, found.source, self._holdings.config.max_file_bytes)

    async def _bring(self, name: str, data: bytes, report: IngestReport) -> None:
        if len(data) > (most := self._holdings.config.max_file_bytes):
            raise Unreadable(f"The file has {len(data):,} bytes. Expected at most {most:,}.")
        stored = stored_name(name, self._target.access)
        marks = Marks(
            name, self._caller.subject, f"sha256-{hashlib.sha256(data).hexdigest()}", readers=self._target.readers
        )
        older = await self._older(name, stored)
        same = [row for part, row in older if part == self._part and _unchanged(row, marks)]
        if same and len(older) == 1:
            report.unchanged += 1
            return
        id, called = await self._put(stored, data, marks)
        for part, row in older:
            await self._holdings.drop(part, [row.id])
        if called != stored:  # as it does while the older one is there, and with characters it does not like
            await self._change(id, {"name": stored})
        if older:
            report.replaced += 1
        else:
            report.read += 1
        if len(report.documents) < _MOST_IDS:
            report.documents.append(id)

    async def _older(self, name: str, stored: str) -> list[tuple[Part, Row]]:
        """What this replaces: the same file for the same readers, and what the caller had brought of it for others."""
        found: list[tuple[Part, Row]] = []
        for part in self._parts:
            if part == self._part and (row := await self._holdings.row(part, name=stored)) is not None:
                found.append((part, row))
            elif part != self._part and not part.narrowed:
                row = await self._holdings.row(part, name=stored_name(name, ""))
                if row is not None and self._mine(row, name):
                    found.append((part, row))
            if part.narrowed:
                reach = await self._holdings.reaches.of(self._caller)
                known = {row.id for _, row in found}
                rows = await self._holdings.rows(part, reach)
                found += [(part, row) for row in rows if row.id not in known and self._mine(row, name)]
        return found

    def _mine(self, row: Row, name: str) -> bool:
        marks = Marks.of(row.meta)
        return marks is not None and (marks.name, marks.owner) == (name, self._caller.subject)

    async def _put(self, stored: str, data: bytes, marks: Marks) -> tuple[str, str]:
        """Sends a file and waits until it is read; gives its id and what RAGFlow called it.

        What could not be read is taken away again.
        """
        answer = await self._client.upload(f"/datasets/{self._part.dataset}/documents", stored, data)
        if answer.code and answer.status < 400 and answer.code not in (108, 109, 401, 403):
            raise _NotRead(f"RAGFlow does not take it: {answer.said[:200]}")
        uploaded = read(list[Uploaded], self._client.data(answer), "the document it took")
        if len(uploaded) != 1:
            raise Failed(f"RAGFlow took one file and tells of {len(uploaded)}. Expected one document.")
        id = uploaded[0].id
        try:
            # Before anything of it can be found: a document whose readers are not kept there is never read.
            await self._change(id, {"meta_fields": marks.meta()})
            self._keeps(await self._holdings.row(self._part, id=id), marks)
            await self._parse(id)
            row, measured = await self._read(id, marks.name)
            self._keeps(row, marks)
            if not foreign(row.meta):  # what RAGFlow itself made of it while it read is left as it is
                await self._change(id, {"meta_fields": replace(marks, measured=measured).meta()})
        except BaseException:
            with suppress(PartiturError):  # why it failed is what matters
                await asyncio.shield(self._holdings.drop(self._part, [id]))
            raise
        return id, uploaded[0].name

    def _keeps(self, row: Row | None, marks: Marks) -> None:
        if self._part.narrowed and not (row and marks.meta().items() <= row.meta.items()):
            raise Failed(
                "RAGFlow does not keep the readers of a document. Expected its metadata to come back as sent.",
                hint="This version of RAGFlow cannot hold documents with readers of their own.",
            )

    async def _change(self, id: str, fields: dict[str, object]) -> None:
        path = f"/datasets/{self._part.dataset}/documents/{id}"
        self._client.data(await self._client.write("PATCH", path, fields))

    async def _parse(self, id: str) -> None:
        """Asks for it to be read, under either of the addresses that versions have for it."""
        body = {"document_ids": [id]}
        answer = await self._client.write("POST", f"/datasets/{self._part.dataset}/chunks", body)
        if answer.status in _NO_ADDRESS:
            answer = await self._client.write("POST", f"/datasets/{self._part.dataset}/documents/parse", body)
        self._client.data(answer)

    async def _read(self, id: str, name: str) -> tuple[Row, Measured]:
        """Waits until it is read, and until all its chunks are listed, which takes RAGFlow's search engine a moment more."""
        pause, most = _LOOKS_S
        settled = 0
        try:
            async with asyncio.timeout(self._holdings.config.parse_seconds):
                while True:
                    row = await self._holdings.row(self._part, id=id)
                    if row is None or row.state in ("failed", "cancelled"):
                        said = (
                            row.told.strip(" \n.").rpartition("\n")[2][:200]
                            if row is not None
                            else "it is no longer there"
                        )
                        raise _NotRead(f"RAGFlow could not read it: {said or 'it does not say why'}.")
                    if row.state == "done":
                        measured = Measured.of(await self._holdings.layout(self._part.dataset, id, name))
                        if not row.chunks:
                            raise _NotRead("RAGFlow found no text in it.")
                        settled += 1
                        if measured.size and (measured.chunks >= row.chunks or settled >= _SETTLED):
                            return row, measured
                        if settled > _SETTLED:
                            raise _NotRead("RAGFlow lists no text of it.")
                    await asyncio.sleep(pause)
                    pause = min(most, pause * 1.5)
        except TimeoutError as error:
            raise _NotRead(
                f"RAGFlow did not read it within {self._holdings.config.parse_seconds:g} seconds."
            ) from error
        except TimedOut as error:
            raise _NotRead("RAGFlow gave no answer in time while it read it.") from error


def _unchanged(row: Row, marks: Marks) -> bool:
    known = Marks.of(row.meta)
    return (
        row.state == "done"
        and known is not None
        and (known.hash, known.readers, known.owner) == (marks.hash, marks.readers, marks.owner)
    )
