"""Reads HTML: what a reader sees, in light markdown."""

import re

from tools.knowledge.facts import date_of, metadata_of
from tools.knowledge.formats import Extract, Unreadable, decode

__all__ = ["read_html"]

_HIDDEN = frozenset(
    "script style noscript template head nav footer aside form button select svg canvas iframe object".split()
)
_BLOCKS = frozenset(
    "address article blockquote dd details div dl dt fieldset figcaption figure header hr li main ol p pre section"
    " summary table tbody tfoot thead tr ul caption body html".split()
)
_SPACE = re.compile(r"\s+")
_NESTING = re.compile(
    r"<(/?)(?!(?:area|base|br|col|dd|dt|embed|hr|img|input|li|link|meta|option|p|source|t[drh]|track|wbr)\b)[a-z]",
    re.IGNORECASE,
)
_DEPTH = 5_000  # elements within each other: the parser's work grows with the square
_DATES = ("dcterms.modified", "article:modified_time", "dc.date.modified", "date", "dcterms.created", "dc.date")


def read_html(data: bytes) -> Extract:
    """Headings, paragraphs, lists and tables in the order of the document; navigation and scripts are left out.

    Raises:
        Unreadable: it is no text, or nested too deeply.
    """
    from selectolax.lexbor import LexborHTMLParser, LexborNode

    text = decode(data)
    depth = 0
    for found in _NESTING.finditer(text):
        depth = max(0, depth - 1) if found[1] else depth + 1
        if depth > _DEPTH:
            raise Unreadable(f"It is nested too deeply: more than {_DEPTH:,} elements within each other.")
    tree = LexborHTMLParser(text)
    lines: list[str] = []
    words: list[str] = []
    prefix = ""
    cells: list[str] | None = None
    caught = ""

    def flush(*, blank: bool = True) -> None:
        nonlocal prefix
        line = _SPACE.sub(" ", "".join(words)).strip()
        words.clear()
        if line:
            if not prefix and line.startswith(("#", "|")):
                line = "\u200b" + line if line.startswith("|") else line
            lines.append(prefix + line)
            if blank and not prefix.startswith("- "):
                lines.append("")
        prefix = ""

    def enter(node: LexborNode, tag: str) -> bool:
        """Whether to go into the node."""
        nonlocal prefix, cells
        if tag in _HIDDEN or "hidden" in node.attributes or node.attributes.get("aria-hidden") == "true":
            return False
        if tag == "-text":
            words.append(node.text_content or "")
        elif tag == "br":
            words.append(" ")
        elif cells is not None and tag in ("td", "th"):
            words.clear()
        elif cells is None and (tag in _BLOCKS or tag in ("h1", "h2", "h3", "h4", "h5", "h6")):
            flush()
            if tag[0] == "h" and tag[1:].isdigit():
                prefix = "#" * int(tag[1]) + " "
            elif tag == "li":
                prefix = "- "
            elif tag == "tr":
                cells = []
        elif tag in _BLOCKS:
            words.append(" ")
        return True

    def leave(tag: str) -> None:
        nonlocal cells, caught
        if cells is not None:
            if tag in ("td", "th"):
                cells.append(_SPACE.sub(" ", "".join(words)).strip().replace("|", "/"))
                words.clear()
            elif tag == "tr":
                if any(cells):
                    lines.append("| " + " | ".join(cells) + " |")
                cells = None
                words.clear()
        elif tag in ("h1", "h2", "h3", "h4", "h5", "h6"):
            if tag == "h1" and not caught:
                caught = _SPACE.sub(" ", "".join(words)).strip()
            flush()
        elif tag in _BLOCKS:
            flush()
            if tag in ("table", "ul", "ol") and lines and lines[-1]:
                lines.append("")

    # A stack of our own: nesting of a hostile page must not become recursion.
    body = tree.body
    stack: list[tuple[LexborNode, bool]] = [(body, False)] if body is not None else []
    while stack:
        node, done = stack.pop()
        tag = node.tag or ""
        if done:
            leave(tag)
            continue
        if not enter(node, tag):
            continue
        if tag == "-text":
            continue
        stack.append((node, True))
        children: list[LexborNode] = []
        child = node.first_child
        while child is not None:
            children.append(child)
            child = child.next
        stack.extend((found, False) for found in reversed(children))
    flush()
    head = tree.css_first("title")
    title = caught or (_SPACE.sub(" ", head.text()).strip() if head is not None else "")
    root = tree.css_first("html")
    language = (root.attributes.get("lang") or "") if root is not None else ""
    said = {
        (found.attributes.get("name") or found.attributes.get("property") or "").lower(): found.attributes.get(
            "content"
        )
        for found in tree.css("meta")
    }
    return Extract(
        "\n".join(lines).strip("\n"),
        title=title,
        language=language,
        date=next((date for name in _DATES if (date := date_of(said.get(name)))), ""),
        metadata=metadata_of((name, said.get(name)) for name in ("author", "description", "keywords")),
    )
