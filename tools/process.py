"""Child processes under the event loop, started so that no fork handler of any library runs.

uvloop's own start forks with Python's handlers before and after; engines that keep threads warn there of a deadlock.
"""

import asyncio
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import IO

import anyio
import anyio.to_thread
from anyio.abc import ByteReceiveStream, ByteSendStream

__all__ = ["Process", "start"]

_BUFFER = 1 << 16


class Process:
    """A running child and its pipes; `aclose` waits for its end, so kill it first where it may hang."""

    def __init__(
        self,
        child: "subprocess.Popen[bytes]",
        stdin: ByteSendStream | None,
        stdout: ByteReceiveStream | None,
        stderr: ByteReceiveStream | None,
    ) -> None:
        self._child = child
        self._waiting = anyio.CapacityLimiter(1)
        self.stdin = stdin
        self.stdout = stdout
        self.stderr = stderr

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def returncode(self) -> int | None:
        """Null while it runs; negative: the signal that ended it."""
        return self._child.poll()

    def terminate(self) -> None:
        """Tells it to stop; nothing where it has ended."""
        self._child.terminate()

    def kill(self) -> None:
        """Ends it at once; nothing where it has ended."""
        self._child.kill()

    async def wait(self) -> int:
        """Its exit code, once it has ended."""
        if (code := self._child.poll()) is not None:
            return code
        # A limiter of its own: waiting for children must not keep the threads that others need.
        return await anyio.to_thread.run_sync(self._child.wait, abandon_on_cancel=True, limiter=self._waiting)

    async def aclose(self) -> None:
        """Closes the pipes and waits for the end; a cancelled wait kills it."""
        try:
            for stream in (self.stdin, self.stdout, self.stderr):
                if stream is not None:
                    await stream.aclose()
            await self.wait()
        except BaseException:
            self.kill()
            with anyio.CancelScope(shield=True):
                await self.wait()
            raise


async def start(
    command: Sequence[str],
    *,
    stdin: int | None = subprocess.PIPE,
    stdout: int | None = subprocess.PIPE,
    stderr: int | None = subprocess.PIPE,
    env: Mapping[str, str] | None = None,
    cwd: str | None = None,
    start_new_session: bool = False,
    pass_fds: Sequence[int] = (),
) -> Process:
    """Starts `command`; the arguments are those of `subprocess.Popen`.

    Raises:
        OSError: it cannot be started.
    """
    make = partial(
        subprocess.Popen[bytes],
        list(command),
        bufsize=0,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        env=env,
        cwd=cwd,
        start_new_session=start_new_session,
        pass_fds=tuple(pass_fds),
    )
    # Shielded: cancelled half-way through its start, it would run on unseen.
    with anyio.CancelScope(shield=True):
        child = await anyio.to_thread.run_sync(make)
        try:
            return Process(
                child,
                await _Sending.to(child.stdin) if child.stdin else None,
                await _Receiving.of(child.stdout) if child.stdout else None,
                await _Receiving.of(child.stderr) if child.stderr else None,
            )
        except BaseException:
            child.kill()
            child.wait()
            raise
    raise AssertionError("a shielded scope is not left early")


class _Sending(ByteSendStream):
    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer

    @classmethod
    async def to(cls, pipe: IO[bytes]) -> "_Sending":
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(loop=loop)
        transport, protocol = await loop.connect_write_pipe(
            lambda: asyncio.StreamReaderProtocol(reader, loop=loop), pipe
        )
        return cls(asyncio.StreamWriter(transport, protocol, None, loop))

    async def send(self, item: bytes) -> None:
        if self._writer.is_closing():
            raise anyio.BrokenResourceError
        try:
            self._writer.write(item)
            await self._writer.drain()
        except (OSError, RuntimeError) as error:  # RuntimeError: uvloop's word for a closed pipe
            raise anyio.BrokenResourceError from error

    async def aclose(self) -> None:
        """Closes the pipe once all that was sent is written, which takes no longer than the child lives."""
        self._writer.close()
        await asyncio.sleep(0)


class _Receiving(ByteReceiveStream):
    def __init__(self, reader: asyncio.StreamReader, transport: asyncio.ReadTransport) -> None:
        self._reader = reader
        self._transport = transport

    @classmethod
    async def of(cls, pipe: IO[bytes]) -> "_Receiving":
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=_BUFFER, loop=loop)
        transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader, loop=loop), pipe)
        return cls(reader, transport)

    async def receive(self, max_bytes: int = _BUFFER) -> bytes:
        with suppress(ConnectionError):
            if data := await self._reader.read(max_bytes):
                return data
        raise anyio.EndOfStream

    async def aclose(self) -> None:
        self._transport.close()
        await asyncio.sleep(0)
