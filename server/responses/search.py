"""File search of a response: the stored documents, searched for the caller and cited by number."""

import json
from typing import Any, cast

from agents.kit import Toolbox
from agents.kit.scope import Scope
from server.errors import InvalidParameter
from server.responses.request import FileSearchTool
from tools.base import InvalidInput, Passage
from tools.knowledge import Search, search

__all__ = ["check", "found", "query_of"]

_RESULTS = 8


def check(tool: FileSearchTool, where: str) -> None:
    """That nothing is asked for that this search has not.

    Raises:
        InvalidParameter: it is.
    """
    if tool.filters:
        raise InvalidParameter(
            "Stored documents have no attributes to filter by.", param=f"{where}.filters", hint="Leave 'filters' out."
        )


def query_of(arguments: str) -> str:
    """What a model looks for.

    Raises:
        InvalidInput: it does not say.
    """
    try:
        given: object = json.loads(arguments or "{}")
    except (ValueError, RecursionError):
        given = None
    query = cast("dict[str, object]", given).get("query") if isinstance(given, dict) else None
    if not isinstance(query, str) or not query.strip():
        raise InvalidInput(f"The arguments are {arguments!r:.80}. Expected a JSON object with a 'query'.")
    return query


async def found(query: str, tool: FileSearchTool, toolbox: Toolbox, scope: Scope) -> list[dict[str, Any]]:
    """The passages that fit best, as results of a file search. Scores are relative to the best one's.

    Raises:
        PartiturError: the caller may not, or the search failed.
    """
    given = Search(query=query[:4_000], limit=tool.max_num_results or _RESULTS)
    passages = (await toolbox.call(search, given, scope)).passages
    best = max((passage.score for passage in passages), default=0.0)
    least = (tool.ranking_options.score_threshold if tool.ranking_options else None) or 0.0
    scored = [(passage, passage.score / best if best > 0 else 0.0) for passage in passages]
    return [_result(passage, score) for passage, score in scored if score >= least]


def _result(passage: Passage, score: float) -> dict[str, Any]:
    about = {"heading": passage.heading, "page": passage.page, "start": passage.start, "end": passage.end}
    return {
        "file_id": passage.document,
        "filename": passage.title,
        "score": round(score, 4),
        "text": passage.text,
        "attributes": {name: value for name, value in about.items() if value is not None},
    }
