"""What a document says of itself beside its text: its date and its metadata, in one form for all formats."""

import re
from collections.abc import Iterable
from datetime import date, datetime
from xml.etree import ElementTree

from tools.knowledge.formats import CONTROLS

__all__ = ["date_of", "metadata_of", "properties"]

_KEYS, _KEY_CHARS, _VALUE_CHARS = 50, 64, 500
_PDF = re.compile(r"(?:D:)?(\d{4})(\d\d)?(\d\d)?(?:(\d\d)(\d\d)(\d\d)?)?(Z|[+-]\d\d'?(?:\d\d)?)?'?")
_GERMAN = re.compile(r"(\d{1,2})\.\s?(\d{1,2})\.\s?(\d{4})")


def metadata_of(fields: Iterable[tuple[object, object]]) -> dict[str, str]:
    """Facts with a value that is text, a number or a date: at most 50 keys of 64 code points, values of 500."""
    kept: dict[str, str] = {}
    for key, value in fields:
        name = " ".join(str(key).translate(CONTROLS).split())[:_KEY_CHARS]
        text = str(value).translate(CONTROLS) if isinstance(value, str | int | float | date) else ""
        if name and text.strip() and len(kept) < _KEYS:
            kept.setdefault(name, " ".join(text.split())[:_VALUE_CHARS])
    return kept


def date_of(value: object) -> str:
    """ISO 8601 of a date, of ISO or German text (`2027-02-01`, `1.2.2027`) or of PDF's (`D:20270201…`); else empty."""
    if isinstance(value, date):
        return value.isoformat()
    if not isinstance(value, str):
        return ""
    text = value.strip()
    if found := _GERMAN.fullmatch(text):
        text = f"{found[3]}-{int(found[2]):02}-{int(found[1]):02}"
    elif found := _PDF.fullmatch(text):
        year, month, day, hour, minute, second, zone = found.groups()
        text = f"{year}-{month or '01'}-{day or '01'}"
        if hour:
            offset = (zone or "").replace("'", "")
            offset = "+00:00" if offset == "Z" else f"{offset[:3]}:{offset[3:] or '00'}" if offset else ""
            text += f"T{hour}:{minute}:{second or '00'}{offset}"
    try:
        if len(text) <= 10:
            return date.fromisoformat(text).isoformat()
        return datetime.fromisoformat(text).isoformat(timespec="seconds")
    except ValueError:
        return ""


def properties(xml: bytes) -> dict[str, str]:
    """Properties of an office file (`docProps/core.xml`, `meta.xml`) by their local names: title, creator, modified.

    Args:
        xml: without entities, as `packed.office_parts` has seen to.
    """
    try:
        root = ElementTree.fromstring(xml)
    except (ElementTree.ParseError, ValueError):  # none, or damaged: the document itself may be sound
        return {}
    found: dict[str, str] = {}
    for element in root.iter():
        if len(element) == 0 and element.text and element.text.strip():
            found.setdefault(element.tag.rpartition("}")[2], element.text.strip())
    return found
