"""One ingestion: files are found, compared, read in parallel and written in batches, whatever their number."""

from collections import Counter
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

import anyio
import anyio.to_thread
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from tools.base import DEFAULT
from tools.knowledge import IngestReport, KnowledgeConfig, OnProgress, Problem
from tools.knowledge.chunking import STRUCTURE, Chunking
from tools.knowledge.files import Found, Inline, content, gone, version, walk
from tools.knowledge.formats import Skip, Unreadable, suffix_of
from tools.knowledge.naming import document_id, qualified, with_mark
from tools.knowledge.prepared import Prepared
from tools.knowledge.reader import Reader
from tools.knowledge.scope import Readable, Target, text_of
from tools.knowledge.store import Store, Stored

__all__ = ["Ingestion"]

_BATCH = 500  # documents
_BATCH_CHARS = 2_000_000
_NAMED = 100  # problems and ids a report names one by one


@dataclass(frozen=True, slots=True)
class _Read:
    """A document on its way to the store."""

    file: Found
    version: str
    document: Prepared


@dataclass(frozen=True, slots=True)
class _Done:
    """All documents of a file are read."""

    file: Found
    version: str
    documents: int


class Ingestion:
    """Reads `paths` and inline documents into one place of the store; used once."""

    def __init__(
        self,
        config: KnowledgeConfig,
        store: Store,
        target: Target,
        *,
        mine: Readable | None,
        owner: str,
        chunking: Chunking = STRUCTURE,
        on_progress: OnProgress | None = None,
    ) -> None:
        """`mine` is what the `owner`, who brings the documents, reads of the collection; null for a shelf."""
        self._config = config
        self._store = store
        self._target = target
        self._mine = mine
        self._owner = owner
        self._chunking = chunking
        self._seen: set[str] = set()
        self.dropped: list[str] = []
        """Ids of documents that are no longer there under this id."""
        self._on_progress = on_progress
        self._report = IngestReport()
        self._skips: Counter[tuple[str, str]] = Counter()
        self._total = 0
        self._done = 0
        self._documents = 0
        self._known: dict[str, tuple[str, int]] = {}
        self._present: dict[str, set[str]] = {}
        self._batch: list[_Read] = []
        self._finished: list[_Done] = []
        self._chars = 0
        self._written = 0

    async def run(self, paths: Sequence[Path], inline: Sequence[Inline]) -> IngestReport:
        self._total = len(inline) + await anyio.to_thread.run_sync(self._count, paths)
        scope = _scope(paths, inline)
        self._known = await self._store.versions(self._target, scope)
        self._present = await self._store.stored_versions(self._target, scope)
        files, todo = anyio.create_memory_object_stream[Found | Inline](self._config.readers)
        writer, read = anyio.create_memory_object_stream[_Read | _Done](2 * self._config.readers)
        async with Reader(self._config) as reader, anyio.create_task_group() as tasks:
            tasks.start_soon(self._find, paths, inline, files)
            for _ in range(self._config.readers):
                tasks.start_soon(self._read_files, reader, todo.clone(), writer.clone())
            todo.close()
            writer.close()
            await self._write(read)
        await self._remove(paths)
        if self._mine is not None:
            self.dropped += await self._store.supersede(self._target, self._mine, self._seen)
        if self._written or self._report.removed:
            await self._progress("indexing")
            await self._store.tend()
        for (name, reason), count in self._skips.most_common(_NAMED):
            times = f" ({count} records)" if count > 1 else ""
            self._report.skipped.append(Problem(name=name, reason=reason + times))
        await self._progress("done")
        return self._report

    def _count(self, paths: Sequence[Path]) -> int:
        return sum(
            isinstance(found, Found) for found in walk(paths, self._config.allowed_roots, self._config.readers_extra)
        )

    async def _find(
        self, paths: Sequence[Path], inline: Sequence[Inline], files: MemoryObjectSendStream[Found | Inline]
    ) -> None:
        async with files:
            for item in inline:
                await files.send(item)
            found = walk(paths, self._config.allowed_roots, self._config.readers_extra)
            while True:
                entry = await anyio.to_thread.run_sync(next, found, None)
                if entry is None:
                    return
                if isinstance(entry, Problem):
                    self._skips[entry.name, entry.reason] += 1
                else:
                    await files.send(entry)

    async def _read_files(
        self,
        reader: Reader,
        todo: MemoryObjectReceiveStream[Found | Inline],
        writer: MemoryObjectSendStream[_Read | _Done],
    ) -> None:
        async with todo, writer:
            async for item in todo:
                file = Found(item.source, item.name) if isinstance(item, Inline) else item
                self._seen.add(file.source)
                try:
                    if isinstance(item, Inline):
                        data = item.data
                        if len(data) > self._config.max_file_bytes:
                            raise Unreadable(
                                f"It has {len(data):,} bytes. Expected at most {self._config.max_file_bytes:,}."
                            )
                    else:
                        data = await anyio.to_thread.run_sync(content, file.source, self._config.max_file_bytes)
                    await self._read_file(reader, file, data, writer)
                except Unreadable as error:
                    if len(self._report.failed) < 10 * _NAMED:
                        self._report.failed.append(Problem(name=file.name, reason=str(error)))
                self._done += 1
                await self._progress(self._so_far(file))

    async def _read_file(
        self, reader: Reader, file: Found, data: bytes, writer: MemoryObjectSendStream[_Read | _Done]
    ) -> None:
        reader_of = self._config.readers_extra.get(suffix_of(file.name)[1:], "")
        way = " ".join(filter(None, (self._chunking.mark, reader_of)))
        digest = await anyio.to_thread.run_sync(version, data, way)
        known = self._known.get(file.source)
        if known is not None and known[0] == digest:
            self._report.unchanged += known[1]
            return
        if digest in self._present.get(file.source, ()):  # an ingestion was killed while it wrote this file
            await self._drop(file.source, digest)
        count = 0
        try:
            async with aclosing(reader.read(file.name, data, self._chunking)) as documents:
                async for found in documents:
                    if isinstance(found, Skip):
                        # Records of a collection are many and alike; members and pages are told one by one.
                        alike = found.place.startswith(("line ", "record "))
                        self._skips[file.name if alike else f"{file.name}/{found.place}", found.reason] += 1
                        continue
                    await writer.send(_Read(file, digest, found))
                    count += 1
                    self._documents += 1
                    if found.fraction < 1.0 and count % 100 == 0:
                        await self._progress(self._so_far(file), found.fraction)
        except Unreadable:
            if count:  # what was stored of it goes again: a file is there as a whole or not at all
                await writer.send(_Done(file, digest, -1))
            raise
        if count == 0:
            raise Unreadable(
                "Nothing in it has a text. Expected records with 'text' or 'content', or documents inside."
            )
        await writer.send(_Done(file, digest, count))

    async def _write(self, read: MemoryObjectReceiveStream[_Read | _Done]) -> None:
        async with read:
            async for item in read:
                if isinstance(item, _Read):
                    self._batch.append(item)
                    self._chars += len(item.document.text)
                elif item.documents < 0:
                    await self._flush()
                    await self._drop(item.file.source, item.version)
                else:
                    self._finished.append(item)
                if len(self._batch) >= _BATCH or self._chars >= _BATCH_CHARS:
                    await self._flush()
            await self._flush()

    async def _flush(self) -> None:
        batch, finished = self._batch, self._finished
        self._batch, self._finished, self._chars = [], [], 0
        stored = await self._named(batch)
        await self._store.add(self._target, stored)
        await self._store.finish(
            self._target, [(item.file.source, item.version, item.documents) for item in finished], self._present
        )
        for item in finished:
            if item.file.source in self._known:
                self._report.replaced += item.documents
            else:
                self._report.read += item.documents
        self._report.documents.extend(item.id for item in stored[: _NAMED - len(self._report.documents)])
        self._written += len(stored)

    async def _named(self, batch: Sequence[_Read]) -> list[Stored]:
        """Gives each document its id: the readable one, or a marked one where another document has it already."""
        slugs = [document_id(item.file.name, item.document.record) for item in batch]
        others = [
            with_mark(slug, f"{item.file.source}\0{item.document.record}")
            for slug, item in zip(slugs, batch, strict=True)
        ]
        collection = self._target.collection if self._mine is not None and self._target.collection != DEFAULT else ""
        plain, marked = (
            [qualified(slug, collection=collection, access=self._target.access) for slug in found]
            for found in (slugs, others)
        )
        owners = await self._store.owners(self._target, {*plain, *marked}) if batch else {}
        stored: list[Stored] = []
        for slug, other, item in zip(plain, marked, batch, strict=True):
            place = (item.file.source, item.document.record)
            name = other if owners.get(other) == place or owners.get(slug, place) != place else slug
            owners[name] = place
            stored.append(Stored(name, item.file.source, item.version, item.document, self._owner))
        return stored

    async def _drop(self, source: str, digest: str) -> None:
        await self._store.drop(self._target, f"source = {text_of(source)} AND version = {text_of(digest)}")

    async def _remove(self, paths: Sequence[Path]) -> None:
        """Drops the documents of files that are no longer there, below the folders that were ingested."""
        roots = tuple(f"{path.absolute()}/" for path in paths)
        sources = [name for name in {*self._known, *self._present} if name.startswith(roots)] if roots else []
        lost = await anyio.to_thread.run_sync(lambda: [name for name in sources if gone(name)])
        if lost:
            self.dropped += await self._store.drop_sources(self._target, lost)
            self._report.removed += sum(self._known[name][1] for name in lost if name in self._known)

    def _so_far(self, file: Found) -> str:
        """The file's name, and how many documents were read of all files: one file may hold thousands."""
        return f"{file.name}, {self._documents:,} document{'s' * (self._documents != 1)}"

    async def _progress(self, message: str, fraction: float = 0.0) -> None:
        if self._on_progress is not None:
            await self._on_progress(min(self._done + fraction, self._total), self._total, message)


def _scope(paths: Sequence[Path], inline: Sequence[Inline]) -> str:
    """A filter for what was stored of these paths, what lies below them, and these inline documents."""
    places = [str(path.absolute()) for path in paths]
    parts = [f"source = {text_of(name)}" for name in (*places, *(item.source for item in inline))]
    parts += [f"starts_with(source, {text_of(place + '/')})" for place in places]
    return " OR ".join(parts) or "false"
