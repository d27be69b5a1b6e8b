"""The sources of an answer as OpenAI's annotations: which document, and which part of the text it carries."""

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from tools.base import Citation

__all__ = ["annotations"]

_SENT = re.compile(r"input(?::.*)?", re.DOTALL)
"""What a quote from the request's own text names as its document."""


def annotations(text: str, citations: Sequence[Citation]) -> list[dict[str, Any]]:
    """One `url_citation` for each quote from a document, in their order. What was sent along is no place to go to.

    Args:
        text: of the message; the offsets are code points in it: the quote where it stands there, else the whole text.
        citations: of the answer. The URL is the document's as MCP knows it, its fragment the place (RFC 5147).
    """
    made: list[dict[str, Any]] = []
    for one in citations:
        if _SENT.fullmatch(one.document):
            continue
        at = text.find(one.quote) if one.quote else -1
        place = (at, at + len(one.quote)) if at >= 0 else (0, len(text))
        about = {
            "start_index": place[0],
            "end_index": place[1],
            "title": " › ".join(part for part in (one.title, one.heading) if part),
            "url": f"document://{quote(one.document, safe='/')}#char={one.start},{one.end}",
        }
        made.append({"type": "url_citation", "url_citation": about})
    return made
