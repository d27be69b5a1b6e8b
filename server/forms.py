"""Reads a multipart form while it comes in, piece by piece: a file in it is never held as a whole."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from server.errors import UnsupportedMedia
from tools.base import InvalidInput

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

__all__ = ["Piece", "pieces"]

_MOST_PARTS = 100
_MOST_HEADERS = 16
_LONGEST_HEADER = 4_096


@dataclass(frozen=True, slots=True)
class Piece:
    """Some bytes of a part. The first piece of a part is empty, so that empty parts are seen too."""

    name: str
    """Of the form's field."""
    filename: str | None
    """None where the part is no file."""
    data: bytes
    begins: bool = False


async def pieces(request: Request) -> AsyncGenerator[Piece]:
    """The parts of the form in the body of `request`, in their order.

    Raises:
        UnsupportedMedia: the body says that it is no multipart form.
        InvalidInput: it is broken off or no form.
    """
    media, options = parse_options_header(request.headers.get("content-type", ""))
    if media != b"multipart/form-data" or not options.get(b"boundary"):
        raise UnsupportedMedia(
            f"The body is {media.decode('latin-1')[:80] or 'of no kind'!r}. Expected 'multipart/form-data' with a boundary.",
            hint="Send the file as a form: the field 'file' with its name, the field 'purpose' with a text.",
        )
    reader = _Reader()
    parser = MultipartParser(options[b"boundary"], reader.callbacks())
    try:
        async for chunk in request.stream():
            parser.write(chunk)
            for piece in reader.taken():
                yield piece
        parser.finalize()
    except FormParserError as error:
        raise InvalidInput(f"The body is no multipart form: {error}. Expected one as RFC 7578 describes it.") from None
    if not reader.ended:
        raise InvalidInput("The form breaks off before its last boundary. Expected all of it.")


@dataclass
class _Reader:
    """Turns what the parser calls into pieces."""

    ended: bool = False
    _waiting: list[Piece] = field(default_factory=list[Piece])
    _parts: int = 0
    _headers: int = 0
    _key: bytes = b""
    _value: bytes = b""
    _disposition: bytes = b""
    _name: str = ""
    _filename: str | None = None

    def callbacks(self) -> "MultipartCallbacks":
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._header_name,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_end,
            "on_part_data": self._data,
            "on_end": self._end,
        }

    def taken(self) -> list[Piece]:
        waiting, self._waiting = self._waiting, []
        return waiting

    def _begin(self) -> None:
        self._parts += 1
        if self._parts > _MOST_PARTS:
            raise InvalidInput(f"The form has more than {_MOST_PARTS} parts. Expected fewer.")
        self._headers, self._key, self._value, self._disposition = 0, b"", b"", b""

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._key = self._bounded(self._key + data[start:end])

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value = self._bounded(self._value + data[start:end])

    def _header_end(self) -> None:
        self._headers += 1
        if self._headers > _MOST_HEADERS:
            raise InvalidInput(f"A part of the form has more than {_MOST_HEADERS} headers. Expected fewer.")
        if self._key.lower() == b"content-disposition":
            self._disposition = self._value
        self._key, self._value = b"", b""

    def _headers_end(self) -> None:
        _, options = parse_options_header(self._disposition)
        if b"name" not in options:
            raise InvalidInput("A part of the form has no name. Expected 'Content-Disposition: form-data; name=…'.")
        self._name = options[b"name"].decode("utf-8", "replace")
        filename = options.get(b"filename")
        self._filename = None if filename is None else filename.decode("utf-8", "replace")
        self._waiting.append(Piece(self._name, self._filename, b"", begins=True))

    def _data(self, data: bytes, start: int, end: int) -> None:
        self._waiting.append(Piece(self._name, self._filename, data[start:end]))

    def _end(self) -> None:
        self.ended = True

    @staticmethod
    def _bounded(value: bytes) -> bytes:
        if len(value) > _LONGEST_HEADER:
            raise InvalidInput(f"A header in the form is longer than {_LONGEST_HEADER} bytes. Expected a shorter one.")
        return value
