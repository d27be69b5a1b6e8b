"""File search of a response: vector stores, or the documents of the house, searched for the caller and cited by number."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from agents.kit import Toolbox
from agents.kit.scope import Scope
from server.errors import InvalidParameter
from server.responses.request import FileSearchTool
from server.vector_search import VectorSearch
from tools.base import Caller, InvalidInput, Passage
from tools.knowledge import Search, search

__all__ = ["FileSearch", "query_of"]

_RESULTS = 8
_LONGEST_QUERY = 4_000


@dataclass(frozen=True)
class FileSearch:
    """Searches the stores that a request names; where it names none, the documents that were ingested without one."""

    toolbox: Toolbox
    stores: Callable[[], VectorSearch]
    """Opened at first use."""

    async def check(self, tool: FileSearchTool, where: str, caller: Caller) -> None:
        """That what is to be searched is there.

        Raises:
            NotFound: a store is not there, or not for this caller.
            InvalidParameter: it is filtered by attributes that documents without a store do not have.
        """
        if tool.filters is not None and not tool.vector_store_ids:
            raise InvalidParameter(
                "Documents outside of vector stores have no attributes to filter by.",
                param=f"{where}.filters",
                hint="Leave 'filters' out, or name stores in 'vector_store_ids'.",
            )
        for id in tool.vector_store_ids:
            await self.stores().stores.get(caller, id)

    async def __call__(self, query: str, tool: FileSearchTool, scope: Scope) -> list[dict[str, Any]]:
        """The passages that fit best, as results of a file search. Scores are relative to the best one's.

        Raises:
            PartiturError: the caller may not, or the search failed.
        """
        limit = tool.max_num_results or _RESULTS
        least = (tool.ranking_options.score_threshold if tool.ranking_options else None) or 0.0
        if not tool.vector_store_ids:
            given = Search(query=query[:_LONGEST_QUERY], limit=limit)
            passages = (await self.toolbox.call(search, given, scope)).passages
            return _scored(passages, least)
        hits = await self.stores()(
            [query[:_LONGEST_QUERY]],
            stores=tool.vector_store_ids,
            caller=scope.caller,
            limit=limit,
            filters=tool.filters,
            least=least,
        )
        scope.spent.tool_calls += 1
        return [_result(one.file, one.name, one.score, one.passage.text, dict(one.attributes)) for one in hits]


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


def _scored(passages: list[Passage], least: float) -> list[dict[str, Any]]:
    best = max((passage.score for passage in passages), default=0.0)
    scored = [(passage, round(passage.score / best, 4) if best > 0 else 0.0) for passage in passages]
    return [_result(one.document, one.title, score, one.text, _place(one)) for one, score in scored if score >= least]


def _place(passage: Passage) -> dict[str, Any]:
    about = {"heading": passage.heading, "page": passage.page, "start": passage.start, "end": passage.end}
    return {name: value for name, value in about.items() if value is not None}


def _result(file: str, name: str, score: float, text: str, attributes: dict[str, Any]) -> dict[str, Any]:
    return {"file_id": file, "filename": name, "score": score, "text": text, "attributes": attributes}
