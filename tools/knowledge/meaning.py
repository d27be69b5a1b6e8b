"""The organisation's own embedding and rerank models, as searches ask them: OpenAI's `embeddings`, and `rerank`."""

from collections.abc import Sequence
from typing import Annotated, Protocol, TypeVar

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from tools.base import Failed
from tools.endpoint import Endpoint

__all__ = ["Embedder", "EndpointEmbedder", "EndpointReranker", "Reranker"]

T = TypeVar("T")
_AT_ONCE = 64
"""Texts in one request."""
_MOST_BYTES = 64_000_000
_MOST_CHARS = 8_000
"""Of one text; a chunk has 6,000 at most, with its title."""


class Embedder(Protocol):
    """Turns texts into vectors."""

    @property
    def id(self) -> str:
        """Of the model: vectors of two models are never compared."""
        ...

    async def passages(self, texts: Sequence[str]) -> list[list[float]]:
        """A vector for each text that is kept."""
        ...

    async def query(self, text: str) -> list[float]:
        """The vector of what is looked for."""
        ...


class Reranker(Protocol):
    """Says how well texts fit a query, having read both together."""

    async def scores(self, query: str, texts: Sequence[str]) -> list[float]:
        """A score for each text; higher is better."""
        ...


class _Vector(BaseModel):
    index: int = Field(ge=0)
    embedding: Annotated[list[float], Field(min_length=1, max_length=16_384)]


class _Vectors(BaseModel):
    data: list[_Vector]


class _Score(BaseModel):
    index: int = Field(ge=0)
    relevance_score: float


class _Scores(BaseModel):
    results: list[_Score]


class EndpointEmbedder:
    """Over an OpenAI-compatible endpoint.

    Args:
        endpoint: where the model answers.
        id: of the model.
        query_prefix, passage_prefix: what some models were trained to see before each.
    """

    def __init__(self, endpoint: Endpoint, id: str, *, query_prefix: str = "", passage_prefix: str = "") -> None:
        self._endpoint = endpoint
        self._name = id
        self._query, self._passage = query_prefix, passage_prefix

    @property
    def id(self) -> str:
        """Another prefix makes other vectors."""
        return "\0".join((self._name, self._query, self._passage))

    async def passages(self, texts: Sequence[str]) -> list[list[float]]:
        """See `Embedder`.

        Raises:
            Failed: the engine cannot be reached or gave something else.
        """
        found: list[list[float]] = []
        for at in range(0, len(texts), _AT_ONCE):
            found += await self._asked([self._passage + text for text in texts[at : at + _AT_ONCE]])
        return found

    async def query(self, text: str) -> list[float]:
        """See `Embedder`.

        Raises:
            Failed: the engine cannot be reached or gave something else.
        """
        return (await self._asked([self._query + text]))[0]

    async def _asked(self, texts: list[str]) -> list[list[float]]:
        body = {"model": self._endpoint.pool.name, "input": [text[:_MOST_CHARS] for text in texts]}
        answer = await self._endpoint.post("embeddings", body, at_most=_MOST_BYTES)
        data = sorted(_read(_VECTORS, answer).data, key=lambda each: each.index)
        if [each.index for each in data] != list(range(len(texts))) or len({len(each.embedding) for each in data}) != 1:
            raise Failed(
                f"The embedding model answered {len(texts)} texts with {len(data)} vectors, or of two lengths. "
                "Expected one of the same length for each.",
                hint="Look whether the model of the role 'embedding' makes embeddings.",
            )
        return [each.embedding for each in data]


class EndpointReranker:
    """Over an endpoint with Jina's and vLLM's `rerank`."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    async def scores(self, query: str, texts: Sequence[str]) -> list[float]:
        """See `Reranker`.

        Raises:
            Failed: the engine cannot be reached or gave something else.
        """
        body = {
            "model": self._endpoint.pool.name,
            "query": query[:_MOST_CHARS],
            "documents": [text[:_MOST_CHARS] for text in texts],
        }
        answer = await self._endpoint.post("rerank", body, at_most=_MOST_BYTES)
        found = {each.index: each.relevance_score for each in _read(_SCORES, answer).results}
        if found.keys() != set(range(len(texts))):
            raise Failed(
                f"The rerank model scored {len(found)} of {len(texts)} texts. Expected a score for each.",
                hint="Look whether the model of the role 'rerank' reranks.",
            )
        return [found[index] for index in range(len(texts))]


_VECTORS = TypeAdapter(_Vectors)
_SCORES = TypeAdapter(_Scores)


def _read(shape: "TypeAdapter[T]", answer: bytes) -> T:
    try:
        return shape.validate_json(answer)
    except ValidationError as error:
        raise Failed(
            "A model of the knowledge base answered with something else than was asked for.",
            hint="Look at the log of the engine; 'partitur models check' tries each model.",
        ) from error
