"""Names in SQL: made of headings and file names, kept apart, and written so that nothing in them is read as SQL."""

import re
import unicodedata
from collections.abc import Container

from tools.base.errors import TooLarge

__all__ = ["columns_of", "quoted", "sanitised", "text", "unique"]


def quoted(name: str) -> str:
    """`name` as an identifier."""
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """`value` as a literal."""
    return "'" + value.replace("'", "''") + "'"


def sanitised(words: str, otherwise: str) -> str:
    """A name that needs no quotes in SQL: lower-case ASCII letters, digits and '_', and no reserved word."""
    words = words.lower().translate({228: "ae", 246: "oe", 252: "ue", 223: "ss", 8364: "eur"})
    ascii_only = unicodedata.normalize("NFKD", words).encode("ascii", "ignore").decode("ascii")
    name = re.sub(r"[^a-z0-9]+", "_", ascii_only).strip("_")[:60] or otherwise
    if name[0].isdigit():
        name = f"_{name}"
    return f"{name}_" if name in _RESERVED else name


def unique(name: str, taken: Container[str]) -> str:
    """`name`, with a number behind it where it is taken."""
    found, number = name, 2
    while found in taken:
        found, number = f"{name}_{number}", number + 1
    return found


def columns_of(headers: list[str], most: int) -> dict[str, str]:
    """The columns' names in SQL with the headings they come from.

    Raises:
        TooLarge: more than `most`.
    """
    if len(headers) > most:
        raise TooLarge(f"It has {len(headers)} columns. Expected at most {most}.")
    columns: dict[str, str] = {}
    for position, header in enumerate(headers, 1):
        columns[unique(sanitised(header, f"column_{position}"), columns)] = header
    return columns


# fmt: off
_RESERVED = frozenset({
    "all", "analyse", "analyze", "and", "any", "array", "as", "asc", "asymmetric", "both", "case", "cast", "check",
    "collate", "column", "constraint", "create", "default", "deferrable", "desc", "describe", "distinct", "do",
    "else", "end", "except", "false", "fetch", "for", "foreign", "from", "group", "having", "in", "initially",
    "intersect", "into", "lambda", "lateral", "leading", "limit", "not", "null", "offset", "on", "only", "or",
    "order", "pivot", "placing", "primary", "qualify", "references", "returning", "select", "show", "some",
    "summarize", "symmetric", "table", "then", "to", "trailing", "true", "union", "unique", "unpivot", "using",
    "variadic", "when", "where", "window", "with",
})
# fmt: on
