"""Translates text with a language model, keeping to a glossary: the contract of the translation server."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from tools.base import Spending, ToolRef, Words

__all__ = ["GlossaryEntry", "TranslationConfig", "TranslationRequest", "TranslationResult", "translate"]

_TAG = r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$"
_Term = Annotated[str, Field(min_length=1, max_length=200)]


class TranslationConfig(BaseModel):
    """What the server needs: a chat model. Without `url` each request is answered with 'needs a model'."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str | None = Field(
        default=None, description="OpenAI-compatible endpoint, for example http://localhost:8000/v1."
    )
    name: str = Field(default="chat", description="Model at the endpoint.")
    key: SecretStr | None = Field(default=None, description="API key of the endpoint.")
    timeout: float = Field(default=120.0, gt=0, description="Seconds one request to the model may take.")
    batch: int = Field(default=3_000, ge=200, le=20_000, description="Characters sent to the model at once.")
    at_once: int = Field(default=4, ge=1, le=32, description="Requests to the model at the same time.")


class TranslationRequest(BaseModel):
    """What to translate, into which language, with which words."""

    model_config = ConfigDict(extra="forbid")

    text: Words = Field(min_length=1, max_length=50_000, description="Plain text or Markdown; its paragraphs are kept.")
    source: str | None = Field(
        default=None, pattern=_TAG, description="BCP 47 tag, for example 'de'; null: the model finds it."
    )
    target: str = Field(pattern=_TAG, description="BCP 47 tag of the language wanted, for example 'en', 'fr', 'de-AT'.")
    glossary: dict[_Term, _Term] = Field(
        default_factory=dict, max_length=500, description="Terms of the source and how they must be translated."
    )


class GlossaryEntry(BaseModel):
    """What became of one glossary term that occurs in the text."""

    term: str = Field(description="The term in the source.")
    translation: str = Field(description="How it must be translated.")
    occurrences: int = Field(ge=1, description="How often it stands in the source.")
    applied: int = Field(ge=0, description="How many of these are translated as wanted.")
    missing: int = Field(ge=0, description="How many are not; look at these.")


class TranslationResult(BaseModel):
    """The translation, and how it keeps to the glossary."""

    text: str
    engine: str = Field(description="Name of the model.")
    source: str | None = Field(description="BCP 47 tag as given; null: the model found it.")
    target: str
    glossary_report: list[GlossaryEntry] = Field(description="One entry for each term that occurs in the source.")
    spending: Spending = Field(default=Spending(), description="Requests to the model, and its tokens.")


translate = ToolRef(
    name="translation.translate",
    input=TranslationRequest,
    output=TranslationResult,
    description="Translates a text into another language and keeps to a glossary. Needs a language model.",
    idempotent=False,
    timeout=900.0,
)
