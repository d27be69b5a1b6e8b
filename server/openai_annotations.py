"""The sources of an answer as OpenAI's annotations: which document, and which part of the text it carries."""

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from agents.kit import Support
from tools.base import Citation

__all__ = ["annotations"]

_SENT = re.compile(r"input(?::.*)?", re.DOTALL)
"""What a quote from the request's own text names as its document."""


def annotations(text: str, citations: Sequence[Citation], support: Support | None = None) -> list[dict[str, Any]]:
    """One `url_citation` for each quote from a document, in their order. What was sent along is no place to go to.

    Args:
        text: of the message; the offsets are code points in it: the quote where it stands there, the
            sentence that says it in other words, else the whole text.
        citations: of the answer. The URL is the document's as MCP knows it, its fragment the place (RFC 5147).
        support: tells which sentences rest on which citation.
    """
    told = {at: one.text for one in reversed(support.sentences if support else ()) for at in one.citations}
    made: list[dict[str, Any]] = []
    for number, one in enumerate(citations):
        if _SENT.fullmatch(one.document):
            continue
        said = next((said for said in (one.quote, told.get(number)) if said and said in text), text)
        at = text.find(said)
        about = {
            "start_index": at,
            "end_index": at + len(said),
            "title": " › ".join(part for part in (one.title, one.heading) if part),
            "url": f"document://{quote(one.document, safe='/')}#char={one.start},{one.end}",
        }
        made.append({"type": "url_citation", "url_citation": about})
    return made
