"""Every text in a request or an answer, for the guards: all its strings, only not the bytes where bytes belong."""

import re
from collections.abc import Mapping
from typing import cast

__all__ = ["texts"]

_PLACES: Mapping[str, str] = {
    "image_url": "url",
    "video_url": "url",
    "audio_url": "url",
    "input_audio": "data",
    "audio": "data",
    "file": "file_data",
}
"""Where a message carries bytes: the field, and the field in it."""
_ADDRESSES = ("image_url", "video_url", "audio_url")
"""Those that are bytes only as a data: URL; any other address is a text."""
_BYTES = re.compile(r"(?P<head>data:[^,]{0,100};base64,)?[A-Za-z0-9+/=\r\n]*")


def texts(value: object) -> list[str]:
    """Every string in a JSON value, names of fields too. Base64 is left out only where a message carries bytes."""
    match value:
        case str():
            return [value]
        case list():
            return [text for item in cast("list[object]", value) for text in texts(item)]
        case dict():
            return [text for name, item in cast("dict[str, object]", value).items() for text in _field(name, item)]
        case _:
            return []


def _field(name: str, value: object) -> list[str]:
    if name in _PLACES and isinstance(value, dict):
        inside, place = dict(cast("dict[str, object]", value)), _PLACES[name]
        held = inside.pop(place, None)
        return [name, place, *_without_bytes(held, name), *texts(inside)]
    return [name, *(_without_bytes(value, name) if name in _ADDRESSES else texts(value))]


def _without_bytes(value: object, name: str) -> list[str]:
    found = _BYTES.fullmatch(value) if isinstance(value, str) else None
    if found is None or (name in _ADDRESSES and not found["head"]):
        return texts(value)
    return [found["head"]] if found["head"] else []
