"""Tests of the ground: artifacts that several make at once, and tools that take too long."""

import threading
from pathlib import Path

import anyio
import pytest
from fastmcp import Context
from fastmcp.exceptions import ToolError
from pydantic import BaseModel

from tools.base import ArtifactStore, Caller, NotFound, TimedOut, ToolRef, acting_as
from tools.server import bind, tool_server

ANNA = Caller(subject="anna")


def test_the_same_bytes_made_at_once_are_stored_once(tmp_path: Path) -> None:
    store, data, errors = ArtifactStore(tmp_path), b"x" * 300_000, list[BaseException]()

    def make() -> None:
        try:
            for _ in range(20):
                store.put(data, media_type="image/png", alt_text="", caller=ANNA)
                for file in tmp_path.rglob("*.png"):
                    file.unlink(missing_ok=True)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=make) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert [file for file in tmp_path.rglob(".*") if file.is_file()] == []


def test_nobody_reaches_what_somebody_else_made(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    made = store.put(b"secret", media_type="image/png", alt_text="", caller=ANNA)
    assert store.path(made.id, caller=ANNA).read_bytes() == b"secret"
    for caller in (Caller(subject="ben"), Caller(subject="anna", tenant="other")):
        with pytest.raises(NotFound):
            store.path(made.id, caller=caller)
    for name in ("../" + made.id, "..", "", "x.png"):
        with pytest.raises(NotFound):
            store.path(name, caller=ANNA)


class Nothing(BaseModel):
    pass


@pytest.mark.anyio
async def test_a_tool_that_takes_longer_than_it_may_is_stopped() -> None:
    ended: list[str] = []

    async def forever(given: Nothing, ctx: Context) -> Nothing:
        try:
            await anyio.sleep_forever()
        finally:
            ended.append("stopped")
        return given

    slow = ToolRef(name="slow.wait", input=Nothing, output=Nothing, description="Waits.", timeout=0.05)
    server = tool_server("slow", [bind(slow, forever)], instructions="")
    with acting_as(ANNA), pytest.raises(ToolError, match="'slow.wait' ran longer than 0.05 seconds") as raised:
        await server.call_tool("wait", {})
    assert isinstance(raised.value.__cause__, TimedOut)
    assert ended == ["stopped"]
