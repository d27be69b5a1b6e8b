"""The engines of this installation: a model endpoint where one is set, else the embedded engine."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from agents.kit import Engine, Price
from server.settings import Settings

if TYPE_CHECKING:
    import httpx2
    from pydantic_ai.models import Model

__all__ = ["EMBEDDED", "house_engines", "model_id"]


def _embedded() -> "Model":
    from agents.extractive import ExtractiveModel

    return ExtractiveModel()


EMBEDDED = Engine(id="extractive", build=_embedded, generative=False, tokenizer="partitur words")


def model_id(settings: Settings) -> str:
    """The model's name at its endpoint, and its id at every interface."""
    return settings.model_name or "default"


def house_engines(settings: Settings, http: "Callable[[], httpx2.AsyncClient]") -> dict[str, Engine]:
    """Engines by model role; `http` gives the client that all share."""
    if settings.model_url is None:
        return {"chat": EMBEDDED}
    name = model_id(settings)

    def build() -> "Model":
        from openai import AsyncOpenAI
        from pydantic_ai.models.openai import OpenAIChatModel
        from pydantic_ai.providers.vllm import VLLMProvider

        client = AsyncOpenAI(
            base_url=settings.model_url,
            api_key=settings.model_key.get_secret_value() if settings.model_key else "none",
            http_client=http(),
            timeout=settings.request_timeout,
            max_retries=1,
        )
        return OpenAIChatModel(name, provider=VLLMProvider(openai_client=client))

    return {"chat": Engine(id=name, build=build, price=_price(settings))}


def _price(settings: Settings) -> Price | None:
    """None where a price is not set: the cost is then unknown, not nothing."""
    if settings.model_price_input is None or settings.model_price_output is None:
        return None
    return Price(input=settings.model_price_input, output=settings.model_price_output)
