"""Rows as a Markdown table that shows each value as it is."""

import json
import re
from collections.abc import Sequence

from pydantic import JsonValue

from tools.tables import Column

__all__ = ["markdown"]

_SPECIAL = re.compile(r"([\\`*_\[\]<>|#~&!])")


def markdown(columns: Sequence[Column], rows: Sequence[Sequence[JsonValue]]) -> str:
    """A table with a heading line; numbers stand to the right, NULL is an empty cell."""
    lines = [
        _line([_cell(column.name) for column in columns]),
        _line(["---:" if _is_number(column.type) else "---" for column in columns]),
        *(_line([_cell(value) for value in row]) for row in rows),
    ]
    return "\n".join(lines)


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _is_number(type: str) -> bool:
    return type.startswith(("DECIMAL", "DOUBLE", "FLOAT")) or type.endswith(("INT", "INTEGER"))


def _cell(value: JsonValue) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))
