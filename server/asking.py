"""Asks a use case from the command line: opens the house, shows the steps, prints the result."""

import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agents.kit import Language, Result, UseCase, validated
from server.commands import UseCases, Wish

if TYPE_CHECKING:
    from server.settings import Settings

__all__ = ["EXIT_CODES", "descriptions", "listed", "near", "use_case_commands"]

EXIT_CODES = {"done": 0, "partial": 0, "no_source": 3, "needs_model": 4}


def use_case_commands() -> UseCases:
    """The group of the use cases."""
    group = UseCases()
    group.ask = _ask
    return group


def listed(settings: "Settings", *, as_json: bool) -> str:
    """The use cases, for people or for programs.

    Raises:
        SetupError: one of them cannot be served; the message names each problem.
    """
    found = asyncio.run(_checked(settings))
    if as_json:
        return json.dumps([_described(one) for one in found.values()], ensure_ascii=False, indent=2)
    width = max(map(len, found), default=0)
    return "\n".join(
        f"{name:<{width}}  {one.description}{' Needs a language model.' if one.generative else ''}"
        for name, one in found.items()
    )


async def _checked(settings: "Settings") -> Mapping[str, UseCase[Any, Any]]:
    from server.house import open_house

    async with open_house(settings) as house:
        return house.catalog.use_cases


def _described(use_case: UseCase[Any, Any]) -> dict[str, object]:
    return {
        "name": use_case.name,
        "description": use_case.description,
        "generative": use_case.generative,
        "tools": list(use_case.tools),
        "input": use_case.input.model_json_schema(),
        "output": use_case.output.model_json_schema(mode="serialization"),
    }


def _ask(use_case: UseCase[Any, Any], data: Mapping[str, Any], wish: Wish) -> int:
    given = validated(use_case.input, data)
    settings = click.get_current_context().find_root().obj.settings()
    return asyncio.run(_asked(settings, use_case.name, given, wish))


async def _asked(settings: "Settings", name: str, given: Any, wish: Wish) -> int:
    from server.house import LOCAL, open_house
    from server.progress import Steps
    from server.show import Show

    with Steps(name, quiet=wish.quiet) as steps:
        async with open_house(settings) as house:
            result = await house.ask_by_name(name, given, listen=steps)
            show = Show(
                lambda artifact: near(house.artifacts.path(artifact.id, caller=LOCAL)),
                brand=settings.brand,
                describe=lambda one: descriptions(house.catalog[one]),
            )
            files = show.files(result, wish.out, (wish.shape,)) if wish.out else []
            text = "\n".join(map(str, files)) if wish.out else show(result, wish.shape)
    if text:
        click.echo(text)
    if result.outcome != "done":
        print(_why(result), file=sys.stderr)
    for sentence in result.support.removed if result.support else ():
        print(f"Left out, for no source carries it: {sentence}", file=sys.stderr)
    return EXIT_CODES[result.outcome]


def descriptions(use_case: UseCase[Any, Any]) -> dict[Language, str]:
    """What a use case says of itself, by language."""
    return {"en": use_case.description, "de": use_case.german}


def near(path: Path) -> Path:
    """A path as short as it can be told from here."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _why(result: Result[Any]) -> str:
    words = {"partial": "Partly done", "no_source": "No reliable source", "needs_model": "Needs a model"}
    return f"{words[result.outcome]}: {result.message or ''}".rstrip()
