"""Reads plain text, Markdown and CSV."""

import csv
import io
import re
from collections.abc import Iterator
from typing import cast

from tools.base import InvalidInput
from tools.csvfile import Dialect
from tools.knowledge.facts import date_of, metadata_of
from tools.knowledge.formats import Extract, Limits, Unreadable, decode
from tools.knowledge.rows import table_lines

__all__ = ["read_csv", "read_markdown", "read_text"]

_FRONT = re.compile(r"\A---[ \t]*\n(.{0,20000}?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_TAG = re.compile(r"</?[A-Za-z][^<>]{0,500}>")
_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_OWN = frozenset(("title", "language", "lang", "date", "access"))  # front matter that is no metadata
_LINE = 1_000_000  # code points of a CSV line


def read_text(data: bytes) -> Extract:
    """Plain text as it is, without blanks at line ends."""
    return Extract("\n".join(line.rstrip() for line in decode(data).split("\n")).strip("\n"))


def read_markdown(data: bytes) -> Extract:
    """Markdown without front matter and inline marks, so that a quote of it reads as prose."""
    text = decode(data)
    fields: dict[str, object] = {}
    if front := _FRONT.match(text):
        fields = _front_matter(front[1])
        text = text[front.end() :]
    title, language = fields.get("title"), fields.get("language") or fields.get("lang")
    return Extract(
        "\n".join(_rendered(_COMMENT.sub("", text))).strip("\n"),
        title=title.strip() if isinstance(title, str) else "",
        language=language if isinstance(language, str) else "",
        date=date_of(fields.get("date")),
        metadata=metadata_of((key, value) for key, value in fields.items() if key not in _OWN),
    )


def read_csv(data: bytes, limits: Limits) -> Extract:
    """One table; its first line is the header, which tells the delimiter.

    Raises:
        Unreadable: there is no header, a value never ends, or the text is too long.
    """
    text = decode(data)
    if (longest := max(map(len, text.split("\n")))) > _LINE:
        raise Unreadable(f"A line has {longest:,} code points. Expected at most {_LINE:,}.")
    try:
        dialect = Dialect.within(text[: 2 * _LINE])
        rows = [
            [cell.strip() for cell in row]
            for row in csv.reader(io.StringIO(text, newline=""), delimiter=dialect.delimiter)
        ]
    except InvalidInput as error:
        raise Unreadable(error.message) from error
    except csv.Error as error:
        raise Unreadable(f"It cannot be read as CSV: {error}. Expected values with a delimiter.") from error
    if sum(len(cell) for row in rows for cell in row) > limits.text_chars:
        raise Unreadable(f"The text has more than {limits.text_chars:,} code points. Split the file.")
    return Extract("\n".join(table_lines(rows)))


def _front_matter(text: str) -> dict[str, object]:
    import yaml

    try:
        loaded = cast(object, yaml.safe_load(text))
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}
    fields = cast(dict[object, object], loaded) if isinstance(loaded, dict) else {}
    return {str(key).lower(): value for key, value in fields.items()}


def _rendered(text: str) -> Iterator[str]:
    """Lines of light markdown, made of the block structure that markdown-it finds."""
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

    def inline(token: Token) -> str:
        parts: list[str] = []
        for child in token.children or []:
            if child.type in ("softbreak", "hardbreak"):
                parts.append("\n" if child.type == "hardbreak" else " ")
            elif child.type == "html_inline":
                parts.append("\n" if _BREAK.fullmatch(child.content) else "")
            elif child.type == "image":
                parts.append(child.content)
            else:
                parts.append(child.content)
        return "".join(parts).strip()

    lists: list[int | None] = []
    mark = ""
    cells: list[str] | None = None
    heading = ""
    for token in MarkdownIt("commonmark", {"html": True}).enable("table").parse(text):
        match token.type:
            case "heading_open":
                heading = "#" * int(token.tag[1:]) + " "
            case "bullet_list_open":
                lists.append(None)
            case "ordered_list_open":
                lists.append(int(token.attrGet("start") or 1))
            case "bullet_list_close" | "ordered_list_close":
                lists.pop()
                if not lists:
                    yield ""
            case "list_item_open":
                number = lists[-1]
                mark = "  " * (len(lists) - 1) + ("- " if number is None else f"{number}. ")
                if number is not None:
                    lists[-1] = number + 1
            case "tr_open":
                cells = []
            case "tr_close":
                yield "| " + " | ".join(cells or []) + " |"
                cells = None
            case "thead_close":
                pass
            case "table_close":
                yield ""
            case "inline":
                content = inline(token)
                if cells is not None:
                    cells.append(content.replace("\n", " ").replace("|", "/"))
                elif heading:
                    yield heading + content.replace("\n", " ")
                    yield ""
                    heading = ""
                else:
                    yield mark + content
                    mark = ""
                    if not lists:
                        yield ""
            case "fence" | "code_block":
                yield token.content.rstrip("\n")
                yield ""
            case "html_block":
                yield _TAG.sub("", _BREAK.sub("\n", token.content)).strip("\n")
                yield ""
            case _:
                pass
