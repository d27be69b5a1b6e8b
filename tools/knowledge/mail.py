"""Reads messages (eml): subject, people, date and text are one document, each attachment is a further one."""

import email.errors
import email.utils
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from email.message import Message
from email.parser import BytesParser
from email.policy import EmailPolicy
from typing import cast

from tools.knowledge.alone import each
from tools.knowledge.facts import metadata_of
from tools.knowledge.formats import CONTROLS, Extract, Skip, Unreadable, decode, ending_of, kind_of, suffix_of
from tools.knowledge.packed import Budget
from tools.knowledge.plain import read_text
from tools.knowledge.web import read_html
from tools.language import detect

__all__ = ["read_mail"]

_PARTS = 1_000
_HEADER = 4_000  # code points of a header: the parser's work grows with their square
_LABELS = {"de": ("Von", "An", "Kopie", "Datum"), "en": ("From", "To", "Cc", "Date")}
_MARKS = (b"\nfrom:", b"\nsubject:", b"\ndate:", b"\nto:", b"\nmime-version:", b"\nmessage-id:", b"\nreceived:")


_KINDS = re.compile(rb"^content-(?:type|disposition)\s*:", re.IGNORECASE | re.MULTILINE)


class _Bounded(EmailPolicy):
    """The standard library's modern policy, with headers of bounded length."""

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(sourcelines)
        return name, value[:_HEADER]


@dataclass(slots=True)
class _Content:
    texts: list[str] = field(default_factory=list[str])
    attached: list[tuple[str, Message]] = field(default_factory=list[tuple[str, Message]])
    """Names and parts."""


def read_mail(
    data: bytes, budget: Budget, inner: Callable[[str, bytes], Iterator[Extract | Skip]]
) -> Iterator[Extract | Skip]:
    """The message, then its attachments.

    Args:
        budget: what attached archives may unpack to.
        inner: reads an attachment of this name and content.

    Raises:
        Unreadable: it is no message, or has too many parts.
    """
    if not any(mark in b"\n" + data[:20_000].lower() for mark in _MARKS):
        raise Unreadable("The content is no message. Expected headers such as 'From:' and 'Subject:'.")
    if sum(1 for _ in _KINDS.finditer(data)) > 2 * _PARTS:  # before each of them is parsed
        raise Unreadable(f"The message has more than {_PARTS:,} parts.")
    message = BytesParser(policy=_Bounded()).parsebytes(data)
    content = _content(message)
    told = _message(message, "\n\n".join(filter(None, content.texts)))
    if told.text:
        yield replace(told, fraction=0.0) if content.attached else told

    def read(at: int) -> Iterator[Extract | Skip]:
        name, part = content.attached[at]
        kind_of(name)
        yield from inner(name, _bytes(part))

    if content.attached:
        yield from each([name for name, _ in content.attached], read, budget)


def _content(message: Message) -> _Content:
    """Texts and attachments. Of alternatives plain text is taken, else the last one, which is the richest.

    Raises:
        Unreadable: there are too many parts.
    """
    content = _Content()
    stack: list[Message] = [message]
    seen = 0
    while stack:
        part = stack.pop()
        seen += 1
        if seen > _PARTS:
            raise Unreadable(f"The message has more than {_PARTS:,} parts.")
        kind = part.get_content_type()
        if part.is_multipart() and kind != "message/rfc822":
            inside = cast(list[Message], part.get_payload())
            if kind == "multipart/alternative":
                plain = next((one for one in inside if one.get_content_type() == "text/plain" and _text(one)), None)
                inside = [plain] if plain is not None else inside[-1:]
            stack.extend(reversed(inside))
            continue
        name = " ".join((part.get_filename() or "").translate(CONTROLS).split()).replace("\\", "/").rpartition("/")[2]
        attached = name or part.get_content_disposition() == "attachment" or kind == "message/rfc822"
        if attached:
            name = name or f"{len(content.attached) + 1}"
            ending = ending_of(kind)
            name += ending if ending and not suffix_of(name) else ""
            content.attached.append((name, part))
        elif kind in ("text/plain", "text/html") and (text := _text(part)):
            content.texts.append(text)
    return content


def _text(part: Message) -> str:
    data = _bytes(part)
    try:
        text = data.decode(part.get_content_charset() or "utf-8")
    except (UnicodeDecodeError, LookupError):
        text = decode(data) if data else ""
    return read_html(text.encode()).text if part.get_content_type() == "text/html" else read_text(text.encode()).text


def _bytes(part: Message) -> bytes:
    """The content of a part: of an attached message its source."""
    if part.is_multipart():
        return cast(list[Message], part.get_payload())[0].as_bytes()
    payload = cast(object, part.get_payload(decode=True))
    return payload if isinstance(payload, bytes) else b""


def _message(message: Message, text: str) -> Extract:
    subject, sender, to, copy = (_header(message, name) for name in ("subject", "from", "to", "cc"))
    try:
        date = email.utils.parsedate_to_datetime(_header(message, "date")).isoformat()
    except (ValueError, TypeError, IndexError, OverflowError):
        date = ""
    labels = _LABELS[detect(f"{subject} {text[:20_000]}")]
    people = [
        f"{label}: {value}"
        for label, value in zip(labels, (sender, to, copy, date[:16].replace("T", " ")), strict=True)
        if value
    ]
    return Extract(
        "\n\n".join(filter(None, (f"# {subject}" if subject else "", "\n".join(people), text))),
        title=subject,
        date=date,
        metadata=metadata_of([("from", sender), ("to", to)]),
    )


def _header(message: Message, name: str) -> str:
    try:
        value = str(message.get(name) or "")
    except (email.errors.MessageError, ValueError, LookupError, AttributeError, TypeError):
        # The standard library's parser breaks at some malformed headers; what stands there is still of use.
        value = next((str(raw) for key, raw in message.raw_items() if key.lower() == name), "")
    return " ".join(value.encode("utf-8", "replace").decode().translate(CONTROLS).split())
