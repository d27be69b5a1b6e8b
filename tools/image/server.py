"""The image server: a designed card without a model, a model's drawing with one; both say what they are."""

from functools import partial
from typing import Literal

import anyio
from fastmcp import Context, FastMCP
from fastmcp.server.auth import AuthProvider

from tools.base import ArtifactStore, Caller, caller_of
from tools.endpoint import Endpoint
from tools.image import Image, ImageConfig, Picture, generate
from tools.language import detect
from tools.models import Pool
from tools.server import bind, tool_server

__all__ = ["build"]

_AI_LABEL = {"de": "KI-generiertes Bild", "en": "AI-generated picture"}
_AI_ALT = {"de": "KI-generiertes Bild zu: {}", "en": "AI-generated picture for: {}"}


def build(
    config: ImageConfig,
    *,
    artifacts: ArtifactStore,
    auth: AuthProvider | None = None,
    local: Caller | None = None,
    pool: Pool | None = None,
) -> FastMCP:
    """The server with its one tool; `pool` is the model behind it where the house has one; else `config.url` leads to it."""
    studio = _Studio(config, artifacts, pool)
    return tool_server(
        "image",
        [bind(generate, studio.generate)],
        instructions="Makes one header picture for a text. Show its label beside it and use its alt text.",
        auth=auth,
        local=local,
        artifacts=artifacts,
    )


class _Studio:
    """The handler and what its calls share."""

    def __init__(self, config: ImageConfig, artifacts: ArtifactStore, pool: Pool | None) -> None:
        self._config = config
        self._artifacts = artifacts
        self._pool = pool

    async def generate(self, given: Picture, ctx: Context) -> Image:
        language = given.language or detect(f"{given.title or ''} {given.prompt}")
        await ctx.report_progress(0, 1)
        make = self._drawn if self._config.url else self._designed
        image = await make(given, language, caller_of(ctx))
        await ctx.report_progress(1, 1)
        return image

    async def _designed(self, given: Picture, language: Literal["de", "en"], caller: Caller) -> Image:
        return await anyio.to_thread.run_sync(partial(self._card, given, language, caller))

    def _card(self, given: Picture, language: Literal["de", "en"], caller: Caller) -> Image:
        # Fonts, Pillow and the renderer are loaded by the first request, not by the start.
        from tools.image.card import design
        from tools.image.render import ALGORITHM, mark, render, xmp

        config = self._config
        card = design(
            prompt=given.prompt,
            title=given.title,
            kicker=given.kicker,
            language=language,
            width=given.width,
            height=given.height,
            primary=config.primary,
            accent=config.accent,
            brand=config.brand,
        )
        packet = xmp(title=card.title, description=card.alt_text, source=ALGORITHM, tool=f"Partitur, {card.label}")
        png = mark(render(card.svg, width=given.width, height=given.height), description=card.alt_text, packet=packet)
        put = partial(self._artifacts.put, alt_text=card.alt_text, caller=caller)
        return Image(
            png=put(png, media_type="image/png"),
            svg=put(card.svg.encode(), media_type="image/svg+xml"),
            width=given.width,
            height=given.height,
            alt_text=card.alt_text,
            engine="designed-card",
            label=card.label,
        )

    async def _drawn(self, given: Picture, language: Literal["de", "en"], caller: Caller) -> Image:
        from tools.image.remote import checked, remote_picture
        from tools.image.render import MODEL, mark, xmp

        config = self._config
        wish = f"{given.title}. {given.prompt}" if given.title else given.prompt
        size = config.size or f"{given.width}x{given.height}"
        async with Endpoint.at(
            self._pool,
            url=config.url or "",
            name=config.name,
            key=config.key,
            timeout=config.timeout,
            setting="PARTITUR_IMAGE",
        ) as endpoint:
            data = await remote_picture(endpoint, model=config.name, prompt=wish, size=size)
        png = await anyio.to_thread.run_sync(partial(checked, data, width=given.width, height=given.height))
        alt_text = _AI_ALT[language].format(" ".join((given.title or given.prompt).split())[:300])
        label = _AI_LABEL[language]
        packet = xmp(title=given.title or label, description=alt_text, source=MODEL, tool=f"{config.name}, {label}")
        marked = mark(png, description=alt_text, packet=packet)
        put = partial(self._artifacts.put, marked, media_type="image/png", alt_text=alt_text, caller=caller)
        return Image(
            png=await anyio.to_thread.run_sync(put),
            svg=None,
            width=given.width,
            height=given.height,
            alt_text=alt_text,
            engine=config.name,
            label=label,
        )
