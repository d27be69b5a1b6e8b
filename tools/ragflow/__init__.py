"""A RAGFlow server as the knowledge base: the same tools, its datasets behind them. Here only how it is reached."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, field_validator, model_validator

from tools.base import DEFAULT

__all__ = ["RagflowCollection", "RagflowConfig"]

Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
"""Of a dataset, as RAGFlow gives it; it goes into paths, so nothing else may stand in it."""


class RagflowCollection(BaseModel):
    """Where the documents of one collection lie."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tenant: str = Field(default="default", description="Whose collection it is.")
    collection: str = Field(
        default=DEFAULT, pattern=r"^[a-z0-9][a-z0-9-]{0,62}$", description="Its name at every interface."
    )
    dataset: Id = Field(description="Id of the dataset with what all its readers may read.")
    narrowed: Id | None = Field(
        default=None, description="Id of the dataset with what only some of them may; null = there is no such thing."
    )


class RagflowConfig(BaseModel):
    """A RAGFlow server, and which of its datasets are collections. All others do not exist for us."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str = Field(pattern=r"^https?://[^\s/?#]+", description="Its address, for example https://ragflow.example.")
    key: SecretStr = Field(description="API key. It sees all datasets of its owner; callers never do.")
    collections: tuple[RagflowCollection, ...] = Field(min_length=1, description="Which dataset is which collection.")
    similarity: float = Field(default=0.2, ge=0, le=1, description="Results below this similarity are left out.")
    vector_weight: float = Field(default=0.3, ge=0, le=1, description="Share of the vectors in it; the rest is words.")
    rerank_model: str | None = Field(default=None, description="A rerank model that RAGFlow knows, by its id there.")
    timeout: float = Field(default=30.0, gt=0, description="Seconds that one request may take.")
    parse_seconds: float = Field(default=600.0, gt=0, description="Seconds that RAGFlow may take to read one document.")
    max_listed: int = Field(
        default=5_000,
        ge=1,
        description="Documents of a dataset that are looked through where each is asked for its readers.",
    )
    max_answer_bytes: int = Field(default=50_000_000, ge=1_000, description="Larger answers are refused.")
    max_file_bytes: int = Field(default=50_000_000, ge=1, description="Larger files are refused.")

    @field_validator("url")
    @classmethod
    def _no_slash(cls, url: str) -> str:
        return url.rstrip("/").removesuffix("/api/v1")

    @model_validator(mode="after")
    def _apart(self) -> Self:
        """Two collections over one dataset would each show what is the other's."""
        places = [f"{one.tenant}/{one.collection}" for one in self.collections]
        datasets = [id for one in self.collections for id in (one.dataset, one.narrowed) if id is not None]
        for what, given in (("collection", places), ("dataset", datasets)):
            if twice := [one for one in given if given.count(one) > 1]:
                raise ValueError(f"the {what} {twice[0]!r} is named twice; expected each once")
        return self
