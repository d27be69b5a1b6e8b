"""What a column holds, asked in SQL: sample values, least and greatest, how many differ and how many are missing."""

import json
import re
from collections.abc import Sequence

from pydantic import JsonValue

from tools.tables.names import quoted
from tools.tables.stored import Facts

__all__ = ["facts_of", "facts_sql"]

_SAMPLES = 5
_LONGEST = 80
_TEXT_ONLY = re.compile(r"WITH TIME ZONE|INTERVAL|TIMESTAMP_NS")
"""Types that Python cannot hold without loss, or without further packages."""


def facts_sql(source: str, column: str, type: str) -> str:
    """A SELECT with one row for `facts_of`; `source` stands in its FROM."""
    name = quoted(column)
    told = "CAST({} AS VARCHAR)" if _TEXT_ONLY.search(type) else "{}"
    groups = f"SELECT {name} AS v, count(*) AS n FROM {source} WHERE {name} IS NOT NULL GROUP BY ALL"
    samples = f"SELECT {told.format('v')} AS s, v, n FROM ({groups}) ORDER BY n DESC, v LIMIT {_SAMPLES}"
    return (
        f"SELECT (SELECT count(*) FROM {source} WHERE {name} IS NULL), count(*), {told.format('min(v)')}, {told.format('max(v)')}, "
        f"(SELECT list(s ORDER BY n DESC, v) FROM ({samples})) FROM ({groups})"
    )


def facts_of(row: Sequence[JsonValue]) -> Facts:
    """What the row says, its values as `tools.child.plain` gives them; long ones are cut."""
    nulls, distinct, least, greatest, samples = row
    assert isinstance(nulls, int)
    assert isinstance(distinct, int)
    found = samples if isinstance(samples, list) else []
    return Facts(
        samples=[_short(value) for value in found],
        minimum=_short(least),
        maximum=_short(greatest),
        distinct=distinct,
        nulls=nulls,
    )


def _short(value: JsonValue) -> JsonValue:
    if isinstance(value, int | float) or value is None:
        return value
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
