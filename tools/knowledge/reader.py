"""Reads files in processes of their own, under limits; one that dies or hangs is replaced, and its file fails alone."""

import json
import os
import signal
import struct
import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable
from contextlib import AsyncExitStack, aclosing, suppress
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, cast

import anyio
import anyio.streams.buffered

from tools.knowledge import KnowledgeConfig
from tools.knowledge.chunking import STRUCTURE, Chunking
from tools.knowledge.formats import Skip, Unreadable, suffix_of
from tools.knowledge.prepared import Prepared, PreparedChunk
from tools.process import Process, start

__all__ = ["Reader"]

_FRAME_FACTOR = 60  # bytes of a frame for each code point of text: the text itself, its stems and its 4-grams in JSON
_IMPORT_S = 120.0  # a reading process may take for importing llama-index, before a file's own time begins
_THREADED = 1_000_000  # frames above this many bytes are parsed beside the event loop
_ROOT = Path(__file__).resolve().parents[2]
T = TypeVar("T")


class Reader:
    """A pool of reading processes, started when they are needed and kept until `aclose`."""

    def __init__(self, config: KnowledgeConfig) -> None:
        self._config = config
        self._slots = anyio.Semaphore(config.readers)
        self._idle: list[_Process] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Ends the processes."""
        while self._idle:
            await self._idle.pop().kill()

    async def read(self, name: str, data: bytes, chunking: Chunking = STRUCTURE) -> AsyncGenerator[Prepared | Skip]:
        """The documents in `data`, one after another, each cut as `chunking` says.

        Raises:
            Unreadable: the file is damaged, of no known kind, or over a limit.
        """
        async with self._slots:
            process = self._idle.pop() if self._idle else await _Process.start(self._config)
            sound = False
            try:
                async with aclosing(process.read(name, data, self._config, chunking)) as documents:
                    async for found in documents:
                        yield found
                sound = True
            except Unreadable as error:
                sound = process.sound
                raise error
            finally:
                if sound:
                    self._idle.append(process)
                else:
                    await process.kill()


class _Process:
    def __init__(self, process: Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process = process
        self._stdin = process.stdin
        self._stdout = anyio.streams.buffered.BufferedByteReceiveStream(process.stdout)
        self.sound = True
        """Whether the process has answered completely and can take the next file."""

    @classmethod
    async def start(cls, config: KnowledgeConfig) -> "_Process":
        command = [sys.executable, "-P", "-s", "-X", "utf8", "-m", "tools.knowledge.worker"]
        # Nothing of our environment: a reader that is taken over finds no key in it.
        path = os.pathsep.join(map(str, (_ROOT, *(folder.absolute() for folder in config.readers_path))))
        env = {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", "LC_ALL": "C.UTF-8"}
        return cls(await start(command, stderr=subprocess.DEVNULL, env=env, cwd="/", start_new_session=True))

    async def kill(self) -> None:
        with anyio.CancelScope(shield=True):
            if self._process.returncode is None:
                # It leads a group: what it started to read members of a container or scanned pages ends with it.
                with suppress(ProcessLookupError):
                    os.killpg(self._process.pid, signal.SIGKILL)
            await self._process.aclose()

    async def read(
        self, name: str, data: bytes, config: KnowledgeConfig, chunking: Chunking
    ) -> AsyncGenerator[Prepared | Skip]:
        self.sound = False
        reader = config.readers_extra.get(suffix_of(name)[1:])
        head: dict[str, object] = {
            "name": name,
            "size": len(data),
            "memory": config.parse_memory_bytes,
            "seconds": config.parse_seconds,
            "text_chars": config.max_text_chars,
            "output_chars": config.max_output_chars,
            "chunking": asdict(chunking),
            "reader": reader,
            "llama": reader is not None or chunking.kind != "structure",
        }
        async with AsyncExitStack() as closing:
            if reader is not None:  # those of others want a path, and the process itself may not write
                folder = await closing.enter_async_context(anyio.TemporaryDirectory(prefix="partitur-"))
                path = anyio.Path(folder) / f"document{suffix_of(name)}"
                await path.write_bytes(data)
                head["path"] = str(path)
            documents = await closing.enter_async_context(aclosing(self._read(head, data, config)))
            async for found in documents:
                yield found

    async def _read(
        self, head: dict[str, object], data: bytes, config: KnowledgeConfig
    ) -> AsyncGenerator[Prepared | Skip]:
        spent = 0.0
        most = config.parse_seconds
        first = json.dumps(head).encode()
        left = await self._timed(self._send(struct.pack(">I", len(first)) + first, data), most, config)
        spent += left[0]
        ready = not head["llama"]
        while True:
            wait = most - spent if ready else _IMPORT_S
            seconds, frame = await self._timed(self._frame(config.max_text_chars), wait, config)
            if "ready" in frame:
                ready = True
                continue
            spent += seconds  # time in which the reader worked for us, not the time we took to store its documents
            if "document" in frame:
                yield _document(cast(dict[str, Any], frame["document"]))
            elif "skip" in frame:
                yield Skip(place=str(frame["place"]), reason=str(frame["skip"]))
            elif "fail" in frame:
                self.sound = True
                raise Unreadable(str(frame["fail"]))
            else:
                self.sound = True
                return

    async def _timed(self, work: Awaitable[T], most: float, config: KnowledgeConfig) -> tuple[float, T]:
        begin = anyio.current_time()
        late = f"Reading it took longer than {config.parse_seconds:g} seconds."
        try:
            with anyio.fail_after(max(0.1, most)):
                result = await work
        except TimeoutError as error:
            raise Unreadable(late) from error
        except (anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            code = await self._process.wait()
            if code == -signal.SIGXCPU:
                raise Unreadable(late) from error
            died = f"by signal {signal.Signals(-code).name}" if code < 0 else f"with code {code}"
            raise Unreadable(
                f"The file made the reading process end {died}. It is damaged or hostile, or needs too much memory."
            ) from error
        return anyio.current_time() - begin, result

    async def _send(self, head: bytes, data: bytes) -> None:
        await self._stdin.send(head)
        await self._stdin.send(data)

    async def _frame(self, text_chars: int) -> dict[str, object]:
        (length,) = struct.unpack(">I", await self._stdout.receive_exactly(4))
        if length > text_chars * _FRAME_FACTOR + 100_000:
            raise Unreadable("The reading process answered more than a document may have.")
        data = await self._stdout.receive_exactly(length)
        parse = json.loads
        return cast(
            dict[str, object], await anyio.to_thread.run_sync(parse, data) if length > _THREADED else parse(data)
        )


def _document(frame: dict[str, Any]) -> Prepared:  # Any: JSON of our own worker, typed on the next lines
    """Types an answer and checks what a citation relies on: that the offsets lie within the text."""
    chunks = [PreparedChunk(**chunk) for chunk in cast(list[dict[str, Any]], frame.pop("chunks"))]
    document = Prepared(**frame, chunks=chunks)
    if not all(0 <= chunk.start < chunk.end <= len(document.text) for chunk in chunks):
        raise Unreadable("The reading process answered with offsets outside of the text.")
    return document
