"""The engines of this installation: a model endpoint where one is set, else the embedded engine."""

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from agents.kit import Engine
from server.settings import Settings

if TYPE_CHECKING:
    from pydantic_ai.models import Model

__all__ = ["EMBEDDED", "house_engines"]


def _embedded() -> "Model":
    from agents.extractive import ExtractiveModel

    return ExtractiveModel()


EMBEDDED = Engine(id="extractive", build=_embedded, generative=False, tokenizer="partitur words")


def house_engines(settings: Settings, closing: AsyncExitStack) -> dict[str, Engine]:
    """Engines by model role."""
    if settings.model_url is None:
        return {"chat": EMBEDDED}
    name = settings.model_name or "default"

    def build() -> "Model":
        from openai import AsyncOpenAI
        from pydantic_ai.models.openai import OpenAIChatModel
        from pydantic_ai.providers.vllm import VLLMProvider

        client = AsyncOpenAI(
            base_url=settings.model_url,
            api_key=settings.model_key.get_secret_value() if settings.model_key else "none",
            timeout=settings.request_timeout,
            max_retries=1,
        )
        closing.push_async_callback(client.close)
        return OpenAIChatModel(name, provider=VLLMProvider(openai_client=client))

    return {"chat": Engine(id=name, build=build)}
