"""Child processes: their pipes, their exit codes, their end, and that no fork handler runs, on uvloop as on asyncio."""

import os
import subprocess
import sys

import anyio
import pytest

from tools.process import start

pytestmark = pytest.mark.anyio

ECHO = "import sys; sys.stdout.buffer.write(sys.stdin.buffer.read()); sys.exit(4)"
DEAF = "import os, time; os.close(0); print('there', flush=True); time.sleep(60)"
forked: list[str] = []
os.register_at_fork(before=lambda: forked.append("before"))


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": request.param}


async def test_what_is_sent_comes_back_with_the_exit_code_and_nothing_forks() -> None:
    forked.clear()
    process = await start([sys.executable, "-I", "-c", ECHO], stderr=subprocess.DEVNULL)
    assert process.stdin is not None
    assert process.stdout is not None
    sent = os.urandom(1_000_000)
    got: list[bytes] = []
    async with anyio.create_task_group() as tasks:

        async def collect() -> None:
            got.extend([chunk async for chunk in process.stdout or ()])

        tasks.start_soon(collect)
        await process.stdin.send(sent)
        await process.stdin.aclose()
    assert b"".join(got) == sent
    assert await process.wait() == process.returncode == 4
    await process.aclose()
    assert forked == []


async def test_a_child_that_does_not_listen_breaks_the_pipe() -> None:
    process = await start([sys.executable, "-I", "-c", DEAF])
    assert process.stdin is not None
    assert process.stdout is not None
    assert await process.stdout.receive() == b"there\n"
    with pytest.raises(anyio.BrokenResourceError):
        while True:
            await process.stdin.send(bytes(1_000_000))
    process.kill()
    await process.aclose()
    assert process.returncode == -9


async def test_a_cancelled_wait_for_the_end_kills_the_child() -> None:
    process = await start([sys.executable, "-I", "-c", "import time; time.sleep(60)"])
    with anyio.move_on_after(0.05) as scope:
        await process.aclose()
    assert scope.cancelled_caught
    assert process.returncode == -9


async def test_a_program_that_is_not_there_is_an_error() -> None:
    with pytest.raises(FileNotFoundError, match="no-such-program"):
        await start(["no-such-program"])
