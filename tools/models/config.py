"""What an installation says of a model: where it runs, what it can do, what it costs, and how long it may take."""

from datetime import date
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator
from pydantic_core import PydanticCustomError

__all__ = ["Capability", "Kind", "Limits", "ModelConfig", "Price", "web_address"]

Kind = Literal["chat", "embedding", "rerank", "speech", "transcription", "image"]
Capability = Literal["tools", "json_schema", "vision", "audio", "reasoning", "priority"]


class Price(BaseModel):
    """In the currency of the settings. What is not said is unknown, not nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: float | None = Field(default=None, ge=0, description="A million tokens that it reads.")
    cached_input: float | None = Field(
        default=None, ge=0, description="A million of them from its cache; else as input."
    )
    output: float | None = Field(default=None, ge=0, description="A million tokens that it writes.")
    second: float | None = Field(default=None, ge=0, description="A second of sound.")
    character: float | None = Field(default=None, ge=0, description="A million characters that are read aloud.")
    image: float | None = Field(default=None, ge=0, description="A picture.")

    def tokens(self, input: int, output: int, cached: int = 0) -> float | None:
        """What a request cost; None = unknown.

        Args:
            input: all tokens read, those from the cache too.
            output: tokens written.
            cached: how many of `input` came from the cache.
        """
        if self.input is None or (self.output is None and output):
            return None
        hit = self.input if self.cached_input is None else self.cached_input
        return ((input - cached) * self.input + cached * hit + output * (self.output or 0.0)) / 1_000_000


class Limits(BaseModel):
    """How long a request may take, and how many there may be at once."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    connect: float = Field(default=5.0, gt=0, description="Seconds until an engine takes the connection.")
    first: float = Field(default=120.0, gt=0, description="Seconds until the first byte of a streamed answer.")
    silence: float = Field(default=60.0, gt=0, description="Seconds between two pieces of a streamed answer.")
    total: float = Field(default=600.0, gt=0, description="Seconds for a whole answer, streamed or not.")
    running: int = Field(default=1024, ge=1, description="Requests at its engines at the same time.")
    queued: int = Field(
        default=1024, ge=0, description="Requests that wait for their turn; one more is refused with 429."
    )
    wait: float = Field(default=60.0, gt=0, description="Seconds that a request waits for its turn at most.")
    retries: int = Field(default=2, ge=0, le=10, description="Further tries before the first byte of an answer.")

    def shared(self, workers: int) -> Self:
        """What each of several workers may, so that all of them together keep the limits; at least one at a time."""
        queued = max(1, self.queued // workers) if self.queued else 0
        return self.model_copy(update={"running": max(1, self.running // workers), "queued": queued})


class ModelConfig(BaseModel):
    """A model of the hub."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind = "chat"
    engines: tuple[str, ...] = Field(min_length=1, description="OpenAI-compatible addresses, all with the same model.")
    server: Literal["vllm", "openai"] = Field(
        default="vllm", description="What serves it: vLLM gets a cache salt, and is asked for health and load."
    )
    name: str | None = Field(default=None, min_length=1, description="The model's name there; the id where not given.")
    key: SecretStr | None = Field(default=None, description="Bearer token for the engines.")
    context: int | None = Field(default=None, gt=0, description="Tokens that it can read and write in one request.")
    price: Price = Price()
    capabilities: frozenset[Capability] = Field(
        default=frozenset({"tools", "json_schema"}), description="'priority': vLLM runs '--scheduling-policy priority'."
    )
    description: str = Field(default="", max_length=500)
    licence: str | None = Field(default=None, description="SPDX identifier, or the name of the licence.")
    location: str | None = Field(
        default=None, description="Where requests are computed, for example 'DE, own data centre'."
    )
    cutoff: date | None = Field(default=None, description="The day up to which it was trained.")
    parent: str | None = Field(default=None, description="Of a LoRA adapter: the id of the model that it belongs to.")
    fallback: str | None = Field(default=None, description="The model that serves where no engine of this one can.")
    limits: Limits = Limits()

    @field_validator("engines")
    @classmethod
    def _addresses(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        checked = tuple(web_address(url).rstrip("/") for url in urls)
        if len(set(checked)) < len(checked):
            raise PydanticCustomError("engine_twice", "the same engine stands there twice")
        return checked

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        if self.key is not None and any("@" in urlsplit(url).netloc for url in self.engines):
            raise PydanticCustomError("two_ways_in", "an engine has a user name in its address, and a key; keep one")
        key = self.key.get_secret_value() if self.key else ""
        if not (key.isascii() and key.isprintable()):
            raise PydanticCustomError(
                "no_key", "the key has characters that no key has; look for quotes or line breaks"
            )
        return self


def web_address(url: str) -> str:
    """`url`, where it is whole: http or https, a host, a port that can be one, and nothing after the path.

    Raises:
        PydanticCustomError: it is not; told at the start, not by the first request.
    """
    try:
        parts = urlsplit(url)
        if (
            parts.scheme in ("http", "https")
            and parts.hostname
            and parts.port != 0
            and url.isprintable()
            and not {" ", "?", "#"} & set(url)
        ):
            return url
    except ValueError:
        pass
    shown = f"{url[:80]!r}" if "@" not in url else "what was given"  # it may hold a password
    raise PydanticCustomError(
        "no_url", "{shown} is no web address, expected for example 'http://localhost:8000/v1'", {"shown": shown}
    )
