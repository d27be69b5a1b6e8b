"""Works at batches in the background: checks the file, makes the requests a few at a time, writes the two files."""

import asyncio
import json
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

from pydantic_core import to_json

from server.batch_input import MOST_LINES, Checked, lines
from server.errors import Broken, openai_error
from tools.base import Caller, NotFound, PartiturError, Unavailable

if TYPE_CHECKING:
    from server.state.batches import BatchStore, Held, Line, Status
    from server.state.files import FileStore, Upload

__all__ = ["BatchRunner", "Perform"]

log = logging.getLogger(__name__)
Perform = Callable[[str, dict[str, Any], Caller], Awaitable[dict[str, Any]]]
"""Makes one request: endpoint, body and whose it is; gives the body of the answer or raises an error of our tree."""

_MOST_PROBLEMS = 50
_LINES, _LINES_BYTES = 500, 2_000_000
"""Requests that are written in one transaction."""
_AHEAD = 8
"""Requests of one batch that are begun, those that wait to be made again too."""
_AGAIN = (429, 503)
"""Statuses after which a request is made again: there was no room, or nobody to answer."""
_ATTEMPTS = 20
_LONGEST_PAUSE_S = 60.0
_UNDONE: dict[str, tuple[str, str]] = {
    "expired": ("batch_expired", "This request could not be executed before the completion window expired."),
    "cancelled": ("batch_cancelled", "This request was not executed: the batch was cancelled."),
}


@dataclass(frozen=True)
class BatchRunner:
    """One worker's share of the batches.

    Args:
        store: the batches.
        files: where inputs come from and results go.
        perform: makes a request.
        slots: how many requests are under way at once, of all batches of this process.
        beat_s: seconds between two signs of life, and until a cancelled batch stops.
        pause_s: seconds before a request is made again; each time twice as long.
    """

    store: "BatchStore"
    files: "FileStore"
    perform: Perform
    slots: asyncio.Semaphore
    beat_s: float = 2.0
    pause_s: float = 1.0

    async def work(self) -> bool:
        """Works at one batch to its end, or until it is stopped; False where none waits."""
        from server.state.batches import Lost

        held = await self.store.take()
        if held is None:
            return False
        doing, watching = asyncio.create_task(self._do(held)), asyncio.create_task(self._watch(held))
        try:
            await asyncio.wait({doing, watching}, return_when=asyncio.FIRST_COMPLETED)
            if doing.done():
                doing.result()
            elif (end := watching.result()) is not None:
                doing.cancel()
                await asyncio.gather(doing, return_exceptions=True)
                await self._end(held, end)
        except* Lost:
            log.warning("Another worker goes on with the batch %s", held.batch.id)
        finally:
            doing.cancel()
            watching.cancel()
            await asyncio.gather(doing, watching, return_exceptions=True)
            with suppress(Unavailable):  # then it is free when the lease ends
                await self.store.leave(held)
        return True

    async def _watch(self, held: "Held") -> 'Literal["cancelled", "expired"] | None':
        """Shows that the work goes on; returns once it must not, with what the batch has come to."""
        while True:
            if held.batch.expires <= self.store.now:
                return "expired"
            try:
                status = await self.store.keep(held)
            except Unavailable:
                status = held.batch.status  # whoever takes it meanwhile makes our next write fail
            if status is None:
                return None
            if status == "cancelling":
                return "cancelled"
            await asyncio.sleep(self.beat_s)

    async def _do(self, held: "Held") -> None:
        if held.batch.status == "cancelling":
            await self._end(held, "cancelled")
            return
        if held.batch.status == "validating" and not await self._check(held):
            return
        room = asyncio.Semaphore(_AHEAD)
        async with asyncio.TaskGroup() as group:
            async for line in self.store.todo(held):
                await room.acquire()
                group.create_task(self._line(held, line)).add_done_callback(lambda _: room.release())
        await self.store.finalize(held)
        await self._end(held, "completed")

    async def _check(self, held: "Held") -> bool:
        """Reads the file; False where it does not fit, and the batch has failed."""
        from server.state.batches import Line

        await self.store.empty(held)
        checked, waiting, size = Checked(held.batch.endpoint), list[Line](), 0
        try:
            async for number, line in lines(self.files.content(held.caller, held.batch.input_file)):
                if (found := checked.line(number, line)) is not None:
                    waiting.append(Line(number, *found))
                    size += len(line)
                if len(checked.problems) >= _MOST_PROBLEMS or checked.total > MOST_LINES:
                    break
                if len(waiting) >= _LINES or size > _LINES_BYTES:
                    await self.store.put(held, waiting)
                    waiting, size = list[Line](), 0
            checked.end()
        except NotFound as error:
            checked.problems.append(
                {"code": "not_found", "message": str(error), "param": "input_file_id", "line": None}
            )
        if checked.problems:
            await self.store.refuse(held, checked.problems)
            return False
        if waiting:
            await self.store.put(held, waiting)
        await self.store.start(held, total=checked.total, model=checked.model)
        return True

    async def _line(self, held: "Held", line: "Line") -> None:
        """Makes one request and keeps what came of it."""
        status, body = await self._made(held, json.loads(line.request))
        about = {"status_code": status, "request_id": f"req_{secrets.token_hex(16)}", "body": body}
        result = _result(line, response=about)
        await self.store.done(held, line, ok=status == 200, result=result)

    async def _made(self, held: "Held", body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Status and body of the answer; where there is no room, it waits and asks again."""
        for attempt in range(_ATTEMPTS):
            try:
                async with self.slots:  # not while it rests: a model that is down would hold up the batches for others
                    return 200, await self.perform(held.batch.endpoint, body, held.caller)
            except PartiturError as error:
                if error.status not in _AGAIN or attempt == _ATTEMPTS - 1:
                    return error.status, openai_error(error)
            except Exception:
                log.exception("A request of the batch %s failed", held.batch.id)
                return 500, openai_error(Broken("The request failed inside the server."))
            await asyncio.sleep(min(self.pause_s * 2**attempt, _LONGEST_PAUSE_S))
        raise AssertionError("unreachable")

    async def _end(self, held: "Held", status: "Status") -> None:
        """Writes the files and ends the batch, all in one transaction for whoever looks."""
        usage = _Usage()
        lives = held.batch.output_lives
        async with (
            self.files.upload(held.caller, limited=False) as output,
            self.files.upload(held.caller, limited=False) as errors,
        ):
            async for line in self.store.results(held):
                result = line.result
                if result is None:
                    code, message = _UNDONE[status]
                    result = _result(line, error={"code": code, "message": message})
                if line.ok:
                    usage.add(result)
                await (output if line.ok else errors).write(f"{result}\n".encode())
            async with self.store.database.begin() as connection:
                ids = {
                    param: (
                        await upload.finish_in(
                            connection, name=f"{held.batch.id}_{kind}.jsonl", purpose="batch_output", lives=lives
                        )
                    ).id
                    if upload.size
                    else None
                    for param, kind, upload in _files(output, errors)
                }
                await self.store.finish_in(connection, held, status, usage=usage.shown, **ids)


def _files(output: "Upload", errors: "Upload") -> 'list[tuple[Literal["output_file", "error_file"], str, Upload]]':
    return [("output_file", "output", output), ("error_file", "error", errors)]


def _result(line: "Line", *, response: Mapping[str, Any] | None = None, error: Mapping[str, str] | None = None) -> str:
    """A line of one of the two files."""
    id = f"batch_req_{secrets.token_hex(12)}"
    return to_json({"id": id, "custom_id": line.name, "response": response, "error": error}).decode()


@dataclass
class _Usage:
    """Tokens of all answers, as each kind of endpoint names them."""

    read: int = 0
    cached: int = 0
    written: int = 0
    reasoned: int = 0

    def add(self, result: str) -> None:
        body = json.loads(result)["response"]["body"]
        used = _object(body.get("usage"))
        self.read += _number(used, "prompt_tokens", "input_tokens")
        self.written += _number(used, "completion_tokens", "output_tokens")
        before = _object(used.get("prompt_tokens_details") or used.get("input_tokens_details"))
        after = _object(used.get("completion_tokens_details") or used.get("output_tokens_details"))
        self.cached += _number(before, "cached_tokens")
        self.reasoned += _number(after, "reasoning_tokens")

    @property
    def shown(self) -> dict[str, Any]:
        return {
            "input_tokens": self.read,
            "input_tokens_details": {"cached_tokens": self.cached},
            "output_tokens": self.written,
            "output_tokens_details": {"reasoning_tokens": self.reasoned},
            "total_tokens": self.read + self.written,
        }


def _object(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _number(used: Mapping[str, Any], *names: str) -> int:
    return next((value for name in names if isinstance(value := used.get(name), int)), 0)
