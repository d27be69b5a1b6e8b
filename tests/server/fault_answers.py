"""What a fault engine answers, down to single bytes on the wire: each is a function of the request that yields steps.

A step is bytes to write, a `Pause`, `HOLD` (nothing more until the engine's `release()` or the client leaves) or `CUT`
(the connection is gone). A fault works on whole and on streamed answers: a whole one is sent in ten pieces.
"""

import json
import re
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

MODEL = "town-model"
USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15, "prompt_tokens_details": {"cached_tokens": 4}}
TEXT = "Das Freibad der Stadt öffnet am ersten Mai um neun Uhr."
_BASE = {"id": "chatcmpl-1", "created": 1, "model": MODEL}


class Act(Enum):
    """What an answer does besides writing."""

    HOLD = "hold"
    CUT = "cut"


HOLD, CUT = Act.HOLD, Act.CUT


@dataclass(frozen=True)
class Pause:
    """Seconds without a byte."""

    seconds: float


@dataclass(frozen=True)
class Request:
    """What came in."""

    method: str
    path: str
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes
    output: dict[str, Any] = field(default_factory=dict)
    """What the engine fills a JSON schema with."""

    @property
    def json(self) -> dict[str, Any]:
        """The body, where it is JSON."""
        return json.loads(self.body or b"{}")


Step = bytes | Pause | Act
Answer = Callable[[Request], Iterable[Step]]


def fine(text: str = TEXT) -> Answer:
    """The right answer: `text` word by word, a tool call where tools are given, the engine's `output` where a schema is."""
    return lambda request: _pieces(request, text)


def hang() -> Answer:
    """Takes the request and says nothing, not even a status."""
    return lambda request: [HOLD]


def stall(after: int) -> Answer:
    """Falls silent after the headers and `after` pieces; goes on when released."""
    return lambda request: _broken(_pieces(request), after, HOLD)


def cut(after: int) -> Answer:
    """Loses the connection after the headers and `after` pieces."""
    return lambda request: [*_pieces(request)[: 1 + after], CUT]


def cut_inside(after: int) -> Answer:
    """Loses the connection in the middle of the next piece."""

    def steps(request: Request) -> list[Step]:
        pieces = _pieces(request)
        torn = pieces[1 + after]
        return [*pieces[: 1 + after], torn[: len(torn) // 2], CUT]

    return steps


def slow(seconds: float) -> Answer:
    """Sends the headers, and the first token after `seconds`."""
    return lambda request: _broken(_pieces(request), 0, Pause(seconds))


def paced(seconds: float, *, text: str = TEXT) -> Answer:
    """The right answer with `seconds` before each piece."""
    return lambda request: [step for piece in _pieces(request, text) for step in (Pause(seconds), piece)]


def trickle() -> Answer:
    """The right answer byte by byte, so that every event is split everywhere."""

    def steps(request: Request) -> Generator[Step]:
        for byte in b"".join(_pieces(request)):
            yield bytes([byte])
            yield Pause(0)

    return steps


def malformed(after: int) -> Answer:
    """A stream whose next event is no JSON; a whole answer that is JSON no more."""

    def steps(request: Request) -> list[Step]:
        pieces = _pieces(request)
        wrong = _framed(b'data: {"id": "chatcmpl-1", "choices": [{\n\n')
        if not request.json.get("stream"):
            wrong = b"}" * len(pieces[1 + after])
        return [*pieces[: 1 + after], wrong, *pieces[2 + after :]]

    return steps


def no_json(body: bytes = b"<html><body>Bad gateway</body></html>") -> Answer:
    """A page with status 200, as a proxy in between would send it."""
    return lambda request: [response(body, media_type="text/html")]


def refuse(status: int, *, retry_after: int | str | None = None, message: str = "Refused.") -> Answer:
    """An error of the engine, with `Retry-After` in seconds or as a date."""
    error = {"error": {"message": message, "type": "error", "param": None, "code": status}}
    headers = {} if retry_after is None else {"retry_after": str(retry_after)}
    return lambda request: [response(json.dumps(error).encode(), status=status, **headers)]


def wrong_length(more: int) -> Answer:
    """Announces `more` bytes than it has and ends; below zero, fewer, and sends them all."""

    def steps(request: Request) -> list[Step]:
        whole = b"".join(_whole(_message(request, TEXT)))
        length = re.search(rb"content-length: (\d+)", whole)
        assert length
        claimed = b"content-length: %d" % (int(length[1]) + more)
        return [whole.replace(length[0], claimed), CUT]

    return steps


def prose(text: str = "Gern! Hier ist das Gewünschte: {}") -> Answer:
    """Ignores tools and JSON schemas, as some engines do, and answers in words."""
    return lambda request: _framing(request)({"role": "assistant", "content": text})


def raw(*steps: Step) -> Answer:
    """Just these steps."""
    return lambda request: steps


def _pieces(request: Request, text: str = TEXT) -> list[bytes]:
    """The right answer: its headers, and then what comes after them, piece by piece."""
    return _framing(request)(_message(request, text))


def _framing(request: Request) -> Callable[[dict[str, Any]], list[bytes]]:
    return _streamed if request.json.get("stream") else _whole


def _broken(pieces: list[bytes], after: int, by: Step) -> list[Step]:
    return [*pieces[: 1 + after], by, *pieces[1 + after :]]


def _message(request: Request, text: str) -> dict[str, Any]:
    body = request.json
    if body.get("tools") and not any(message["role"] == "tool" for message in body["messages"]):
        function = {"name": body["tools"][0]["function"]["name"], "arguments": json.dumps({"query": "Freibad"})}
        call = {"id": "call-1", "type": "function", "function": function}
        return {"role": "assistant", "content": None, "tool_calls": [call]}
    if body.get("response_format", {}).get("type") == "json_schema":
        text = json.dumps(request.output, ensure_ascii=False)
    return {"role": "assistant", "content": text}


def _whole(message: dict[str, Any]) -> list[bytes]:
    choice = {"index": 0, "message": message, "finish_reason": _reason(message)}
    body = {**_BASE, "object": "chat.completion", "choices": [choice], "usage": USAGE}
    head, blank, data = response(json.dumps(body, ensure_ascii=False).encode()).partition(b"\r\n\r\n")
    step = -(-len(data) // 10)
    return [head + blank, *(data[at : at + step] for at in range(0, len(data), step))]


def _streamed(message: dict[str, Any]) -> list[bytes]:
    def event(delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return data({"choices": [choice]})

    def data(rest: dict[str, Any]) -> bytes:
        whole = {**_BASE, "object": "chat.completion.chunk", **rest}
        return _framed(f"data: {json.dumps(whole, ensure_ascii=False)}\n\n".encode())

    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    calls = [{"index": at, **call} for at, call in enumerate(message.get("tool_calls") or [])]
    deltas = (
        [{"tool_calls": calls}] if calls else [{"content": word} for word in re.findall(r"\s*\S+", message["content"])]
    )
    return [
        head,
        *(event({"role": "assistant", **delta}) for delta in deltas),
        event({}, _reason(message)),
        data({"choices": [], "usage": USAGE}),
        _framed(b"data: [DONE]\n\n") + b"0\r\n\r\n",
    ]


def _reason(message: dict[str, Any]) -> str:
    return "tool_calls" if message.get("tool_calls") else "stop"


def _framed(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def response(body: bytes, *, status: int = 200, media_type: str = "application/json", **headers: str) -> bytes:
    """A whole HTTP response; `retry_after` is the header `retry-after`."""
    named = {"content-type": media_type, "content-length": str(len(body)), **headers}
    lines = [f"{name.replace('_', '-')}: {value}\r\n" for name, value in named.items()]
    return f"HTTP/1.1 {status} Status\r\n{''.join(lines)}\r\n".encode() + body
