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
    found: list[str] = []
    _gather(value, found)
    return found


def _gather(value: object, found: list[str]) -> None:
    if isinstance(value, str):
        found.append(value)
    elif isinstance(value, list):
        for item in cast("list[object]", value):
            _gather(item, found)
    elif isinstance(value, dict):
        for name, item in cast("dict[str, object]", value).items():
            found.append(name)
            if isinstance(item, str) and name not in _ADDRESSES:
                found.append(item)
            elif isinstance(item, (dict, list)) or name in _ADDRESSES:
                _gather_field(name, cast("object", item), found)


def _gather_field(name: str, value: object, found: list[str]) -> None:
    if name in _PLACES and isinstance(value, dict):
        inside, place = dict(cast("dict[str, object]", value)), _PLACES[name]
        found += [place, *_without_bytes(inside.pop(place, None), name)]
        _gather(inside, found)
    elif name in _ADDRESSES:
        found += _without_bytes(value, name)
    else:
        _gather(value, found)


def _without_bytes(value: object, name: str) -> list[str]:
    found = _BYTES.fullmatch(value) if isinstance(value, str) else None
    if found is None or (name in _ADDRESSES and not found["head"]):
        return texts(value)
    return [found["head"]] if found["head"] else []
