"""The translation server: a chat model translates, the glossary is checked; without a model it says so."""

import anyio
from fastmcp import Context, FastMCP
from fastmcp.server.auth import AuthProvider

from tools.base import Caller, NeedsModel, PartiturError, Spending, caller_of
from tools.endpoint import Endpoint
from tools.models import Pool
from tools.server import bind, tool_server
from tools.translation import TranslationConfig, TranslationRequest, TranslationResult, translate
from tools.translation.chat import batches, translated
from tools.translation.glossary import check

__all__ = ["build"]


def build(
    config: TranslationConfig,
    *,
    auth: AuthProvider | None = None,
    local: Caller | None = None,
    pool: Pool | None = None,
) -> FastMCP:
    """The server with its one tool; `pool` is the model behind it where the house has one; else `config.url` leads to it."""

    async def handle(given: TranslationRequest, ctx: Context) -> TranslationResult:
        caller_of(ctx)
        if config.url is None:
            raise NeedsModel(
                f"Translating into {given.target!r} needs a language model, and none is set. "
                "Expected an OpenAI-compatible endpoint: word lists alone do not make a translation.",
                hint="Set PARTITUR_MODEL_URL, for example to http://localhost:8000/v1, and PARTITUR_MODEL_NAME.",
            )
        spending = Spending()
        async with Endpoint.at(
            pool, url=config.url, name=config.name, key=config.key, timeout=config.timeout, setting="PARTITUR_MODEL"
        ) as endpoint:
            text = await _whole(endpoint, config, given, ctx, spending)
        return TranslationResult(
            text=text,
            engine=config.name,
            source=given.source,
            target=given.target,
            glossary_report=check(given.glossary, given.text, text),
            spending=spending,
        )

    return tool_server(
        "translation",
        [bind(translate, handle)],
        instructions="Translates text. A glossary is kept to and reported on: look at the terms it counts as missing.",
        auth=auth,
        local=local,
    )


async def _whole(
    endpoint: Endpoint, config: TranslationConfig, given: TranslationRequest, ctx: Context, spending: Spending
) -> str:
    """All batches translated, a few at a time, and put together as they were."""
    parts = batches(given.text, config.batch)
    done: dict[int, str] = {}
    failures: list[PartiturError] = []
    places = anyio.Semaphore(config.at_once)
    async with anyio.create_task_group() as group:

        async def one(index: int, text: str) -> None:
            async with places:
                try:
                    done[index] = await translated(endpoint, config, given, text, spending)
                except PartiturError as error:
                    failures.append(error)
                    group.cancel_scope.cancel()
                    return
                await ctx.report_progress(len(done), len(parts), f"{len(done)}/{len(parts)}")

        for index, (text, _) in enumerate(parts):
            group.start_soon(one, index, text)
    if failures:
        raise failures[0]
    return "".join(done[index] + gap for index, (_, gap) in enumerate(parts))
