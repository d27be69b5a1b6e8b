"""The reading process: takes files on standard input, returns documents as JSON; a hostile file ends it and nothing else.

Frames: a request is a 4-byte length with a JSON head, then the bytes it announces. An answer is any number of frames,
each a 4-byte length with a JSON object, the last of which says `end` or `fail`.
"""

import json
import resource
import struct
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO, cast

from tools.knowledge.alone import reason_of
from tools.knowledge.chunking import Chunking
from tools.knowledge.extract import prepare
from tools.knowledge.formats import Limits, Skip
from tools.knowledge.prepared import Prepared

__all__ = ["main"]


def main() -> None:
    """Serves requests until standard input ends."""
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # a library that prints must not write into the frames
    while head := source.read(4):
        length = struct.unpack(">I", head)[0]
        request = cast(dict[str, Any], json.loads(source.read(length)))  # Any: what our own Reader wrote
        data = source.read(request["size"])
        _serve(sink, request, data)


def _serve(sink: BinaryIO, request: dict[str, Any], data: bytes) -> None:
    try:
        if request["llama"]:  # its import is no fault of the file, and takes more time than most files
            from tools.knowledge.pipeline import load

            load()
            _send(sink, {"ready": True})
        _confine(request["memory"], request["seconds"])
        for found in _documents(request, data):
            if isinstance(found, Skip):
                _send(sink, {"skip": found.reason, "place": found.place})
            else:
                _send(sink, {"document": asdict(found)})
        _send(sink, {"end": True})
    except Exception as error:  # top handler: parsers raise whatever they like, and a file fails alone
        _send(sink, {"fail": reason_of(error)})


def _documents(request: dict[str, Any], data: bytes) -> Iterator[Prepared | Skip]:
    limits = Limits(text_chars=request["text_chars"], output_chars=request["output_chars"])
    extracts = None
    if request["reader"]:
        from tools.knowledge.foreign import read_with

        extracts = read_with(request["reader"], Path(request["path"]))
    yield from prepare(request["name"], data, limits, chunking=Chunking(**request["chunking"]), extracts=extracts)


def _send(sink: BinaryIO, answer: dict[str, object]) -> None:
    data = json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    sink.write(struct.pack(">I", len(data)))
    sink.write(data)
    sink.flush()


def _confine(memory: int, seconds: float) -> None:
    """Limits this process: memory, processor time from now on, no files written, no core dump."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    budget = int(used.ru_utime + used.ru_stime + seconds) + 1
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (budget, resource.getrlimit(resource.RLIMIT_CPU)[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main()
