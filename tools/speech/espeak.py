"""Runs espeak-ng in child processes: the bundled library through our worker file, else the system's program."""

import io
import json
import re
import shutil
import struct
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

import anyio
import numpy as np
from anyio.streams.buffered import BufferedByteReceiveStream

from tools.base import Failed, InvalidInput, TooLarge, Unavailable
from tools.process import Process, start
from tools.speech.audio import Sound, decode
from tools.speech.respell import respell

__all__ = ["Espeak"]

_WORKER = Path(__file__).with_name("_worker.py")
_VOICE = re.compile(r"[a-z]{2,3}(?:-[a-z0-9-]{1,20})?(?:\+[A-Za-z0-9]{1,20})?")
_BRITISH = re.compile(r"en-gb(?=\+|$)")
_NO_VOICE = 3


class Espeak:
    """Speaks with espeak-ng. A fresh process a request: in one process, the same text does not sound the same twice."""

    def __init__(self, *, binary: str) -> None:
        self._bundled = _bundled()
        self._binary = None if self._bundled else shutil.which(binary)
        self._named = binary

    async def speak(
        self, paragraphs: Sequence[str], *, voice: str, rate: int, max_seconds: float
    ) -> AsyncGenerator[Sound]:
        """The sound of one paragraph after the other; `rate` in words a minute.

        Raises:
            InvalidInput: there is no such voice.
            TooLarge: more than `max_seconds` of sound.
            Unavailable: espeak-ng is not installed.
            Failed: it gave up.
        """
        if not _VOICE.fullmatch(voice):
            raise _no_voice(voice)
        total = 0.0
        async with aclosing(self._sounds(paragraphs, voice, rate)) as sounds:
            async for sound in sounds:
                total += sound.seconds
                if total > max_seconds:
                    raise TooLarge(f"The text takes more than {max_seconds:g} s to read. Expected less.")
                yield sound

    async def phonemes(self, paragraphs: Sequence[str], *, voice: str) -> list[str]:
        """How each paragraph is pronounced, in IPA, a line a clause. Only with the bundled library."""
        async with self._worker(paragraphs, voice, 160, "phonemes") as process:
            answer = b"".join([chunk async for chunk in _stdout(process)])
            await _check(process, voice)
        return list(map(str, json.loads(answer)))

    async def _sounds(self, paragraphs: Sequence[str], voice: str, rate: int) -> AsyncGenerator[Sound]:
        if not self._bundled:
            for paragraph in paragraphs:
                yield await self._system(paragraph, voice, rate)
            return
        async with self._worker(paragraphs, voice, rate, "audio") as process:
            stream = BufferedByteReceiveStream(_stdout(process))
            try:
                (hertz,) = struct.unpack("<I", await stream.receive_exactly(4))
                for _ in paragraphs:
                    (size,) = struct.unpack("<I", await stream.receive_exactly(4))
                    pcm = await stream.receive_exactly(size) if size else b""
                    yield Sound(np.frombuffer(pcm, "<i2").astype(np.int16), hertz)
            except anyio.IncompleteRead:
                await _check(process, voice)
                raise Failed("The speaking process ended in the middle. Expected one sound a paragraph.") from None
            await _check(process, voice)

    @asynccontextmanager
    async def _worker(self, paragraphs: Sequence[str], voice: str, rate: int, task: str) -> AsyncGenerator[Process]:
        if self._bundled is None:
            raise self._missing()
        library, data = self._bundled
        request = {
            "library": str(library),
            "data": str(data),
            "voice": _BRITISH.sub("en", voice),
            "rate": rate,
            "paragraphs": [respell(paragraph, voice=voice) for paragraph in paragraphs],
            "task": task,
        }
        # -I: neither the environment nor the current folder reaches the child's imports.
        async with _running([sys.executable, "-I", str(_WORKER)], json.dumps(request).encode()) as process:
            yield process

    async def _system(self, paragraph: str, voice: str, rate: int) -> Sound:
        if self._binary is None:
            raise self._missing()
        command = [self._binary, "-v", voice, "-s", str(rate), "--stdin", "--stdout"]
        async with _running(command, respell(paragraph, voice=voice).encode()) as process:
            data = b"".join([chunk async for chunk in _stdout(process)])
            await _check(process, voice)
        # Written to a pipe, the header cannot know the length; we do.
        body = io.BytesIO(
            data[:4] + struct.pack("<I", len(data) - 8) + data[8:40] + struct.pack("<I", len(data) - 44) + data[44:]
        )
        return decode(body.getvalue())

    def _missing(self) -> Unavailable:
        return Unavailable(
            f"espeak-ng is not there: neither the package 'espeakng-loader' nor the program {self._named!r}.",
            hint="Install one of them, or set PARTITUR_SPEECH_URL to an endpoint that speaks.",
        )


def _bundled() -> tuple[Path, Path] | None:
    """Library and data of the bundled espeak-ng, found without importing, let alone loading it."""
    spec = find_spec("espeakng_loader")
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent
    library = next((path for path in folder.glob("*espeak-ng.*") if path.suffix in (".so", ".dylib", ".dll")), None)
    data = folder / "espeak-ng-data"
    return (library, data) if library and data.is_dir() else None


@asynccontextmanager
async def _running(command: list[str], given: bytes) -> AsyncGenerator[Process]:
    """A child process that has got `given` on stdin and does not outlive the block, whatever ends it."""
    process = await start(command)
    try:
        if process.stdin is not None:
            # Where it ended early, its exit code says why.
            with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError, ConnectionError):
                await process.stdin.send(given)
            await process.stdin.aclose()
        yield process
    finally:
        with anyio.CancelScope(shield=True):
            if process.returncode is None:
                process.kill()
            await process.aclose()


def _stdout(process: Process) -> anyio.abc.ByteReceiveStream:
    assert process.stdout is not None
    return process.stdout


async def _check(process: Process, voice: str) -> None:
    """Raises what the child's exit code means."""
    said = b"".join([chunk async for chunk in process.stderr]) if process.stderr is not None else b""
    code = await process.wait()
    if code == 0:
        return
    reason = said.decode(errors="replace").strip().splitlines()[-1:] or [f"exit code {code}"]
    if code == _NO_VOICE or "voice" in reason[0]:
        raise _no_voice(voice)
    raise Failed(
        f"espeak-ng gave up: {reason[0][:200]!r}. Expected sound.",
        hint="Send another text, or look whether espeak-ng works.",
    )


def _no_voice(voice: str) -> InvalidInput:
    return InvalidInput(
        f"Voice {voice!r} is unknown. espeak-ng has for example 'de', 'en-gb', 'en-us', and variants such as 'de+f3'.",
        hint="Leave the voice out to get the language's own.",
    )
